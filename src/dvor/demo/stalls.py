"""How the demo world's listings are written down."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zlib import crc32
from zoneinfo import ZoneInfo

from dvor.contracts.cancellation import Policy, Preset, presets
from dvor.contracts.catalog import Kind, ListingDraft, OfferDraft, Place, Season, Text
from dvor.contracts.inventory import Rules
from dvor.contracts.pricing import Discount, Pricing, WeekdayPrice
from dvor.demo.halls import Hall

DATES_AHEAD_YEARS = 2
"""For how many years, this one included, seasons are written."""

Years = Callable[[int], tuple[date, date]]
"""First and last day of a season that begins in a year."""


def summer(year: int) -> tuple[date, date]:
    """June to August."""
    return date(year, 6, 1), date(year, 8, 31)


def new_year(year: int) -> tuple[date, date]:
    """The holidays around the first of January, which begin in December."""
    return date(year, 12, 29), date(year + 1, 1, 8)


def may_days(year: int) -> tuple[date, date]:
    """The long weekends of May."""
    return date(year, 4, 30), date(year, 5, 10)


FRIDAY, SATURDAY, SUNDAY = 4, 5, 6
PLAIN, NO_RULES = Pricing(), Rules()


def prices(
    *,
    weekend: tuple[int, ...] = (),
    of: int = 0,
    long: tuple[tuple[int, int], ...] = (),
    many: tuple[tuple[int, int], ...] = (),
    deposit: int = 0,
) -> Pricing:
    """Prices of a `weekend` `of` so many roubles; discounts as (from, percent); a deposit."""
    return Pricing(
        weekdays=tuple(WeekdayPrice(weekday=day, price=of * 100) for day in weekend),
        length_discounts=tuple(Discount(least=least, percent=percent) for least, percent in long),
        quantity_discounts=tuple(Discount(least=least, percent=percent) for least, percent in many),
        deposit=deposit * 100,
    )


def nights(price: int) -> Pricing:
    """Of a hotel: the nights to Saturday and Sunday cost `price` roubles, a week is cheaper."""
    return prices(weekend=(FRIDAY, SATURDAY), of=price, long=((7, 10),))


def lent(deposit: int, *, weekend: int = 0) -> Pricing:
    """Of a thing: a deposit, a cheaper week, perhaps a dearer weekend; in roubles."""
    days = (SATURDAY, SUNDAY) if weekend else ()
    return prices(weekend=days, of=weekend, long=((3, 10), (7, 25)), deposit=deposit)


@dataclass(frozen=True)
class Choice:
    """An offer: its name, its price in roubles, how many there are."""

    ru: str
    en: str
    price: int
    units: int
    seasons: tuple[tuple[Years, int], ...] = ()
    """Other prices, in roubles."""
    pricing: Pricing = PLAIN
    rules: Rules = NO_RULES
    by_hour: bool = False

    def draft(self, today: date) -> OfferDraft:
        """As a seller writes it."""
        written = [
            Season(first=days(year)[0], last=days(year)[1], price=price * 100)
            for days, price in self.seasons
            for year in range(today.year - 1, today.year + DATES_AHEAD_YEARS)
            if days(year)[1] >= today
        ]
        return OfferDraft(
            name=Text(ru=self.ru, en=self.en),
            price=self.price * 100,
            seasons=tuple(sorted(written, key=lambda season: season.first)),
            pricing=self.pricing,
            by_hour=self.by_hour,
        )


@dataclass(frozen=True)
class When:
    """The first `weekday` (Monday is 0) at least `days` days from now."""

    days: int
    weekday: int
    at: time
    hours: float

    def moments(self, today: date, timezone: str) -> tuple[datetime, datetime]:
        """Beginning and end."""
        day = today + timedelta(days=self.days)
        day += timedelta(days=(self.weekday - day.weekday()) % 7)
        start = datetime.combine(day, self.at, ZoneInfo(timezone))
        return start, start + timedelta(hours=self.hours)


@dataclass(frozen=True)
class Stall:
    """A listing of the demo world. `key` names it for ever; titles and texts may change."""

    key: str
    kind: Kind
    category: str
    ru: str
    en: str
    about_ru: str
    about_en: str
    choices: tuple[Choice, ...]
    place: Place | None = None
    when: When | None = None
    hall: Hall | None = None
    """Draws the seats of its choices; their units do not count then."""

    @property
    def external_id(self) -> str:
        """The seller's own number for it."""
        return f"demo:{self.key}"

    @property
    def policy(self) -> Policy:
        """What comes back to who cancels: one of the usual ones, always the same; never nothing."""
        known = presets(timed=self.kind is not Kind.PRODUCT)
        usual = [policy for preset, policy in known.items() if preset is not Preset.NONE]
        return usual[crc32(self.key.encode()) % len(usual)]

    def draft(self, today: date) -> ListingDraft:
        """As a seller writes it."""
        starts_at = ends_at = None
        if self.when and self.place:
            starts_at, ends_at = self.when.moments(today, self.place.timezone)
        return ListingDraft(
            kind=self.kind,
            category=self.category,
            title=Text(ru=self.ru, en=self.en),
            description=Text(ru=self.about_ru, en=self.about_en),
            place=self.place,
            starts_at=starts_at,
            ends_at=ends_at,
            offers=tuple(choice.draft(today) for choice in self.choices),
            external_id=self.external_id,
            cancellation=self.policy,
        )
