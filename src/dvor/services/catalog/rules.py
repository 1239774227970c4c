"""Decisions of the catalogue: what a listing must be, who sees it, what lines cost."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import available_timezones

from dvor.contracts.catalog import (
    Kind,
    ListingDraft,
    ListingStatus,
    MixedCurrencies,
    NotOnSale,
    OfferDraft,
    OfferFacts,
    PricedLine,
    Quote,
    QuoteLine,
    Season,
    UnknownOffer,
    WrongDates,
)
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import InvalidFields
from dvor.kernel.money import Money
from dvor.kernel.texts import gettext

PRICE_MAX = 10**10
"""Minor units a price may have: a hundred million roubles."""
TOTAL_MAX = 10**15
"""Minor units a quote may come to: what `Minor` holds."""
DATED = frozenset({Kind.RENTAL, Kind.STAY})
"""Kinds that are bought for dates, and may cost more in a season."""


class Priced(NamedTuple):
    """An offer with everything its price depends on."""

    facts: OfferFacts
    seasons: Sequence[Season]
    ends_at: datetime | None
    """When its event is over."""


def picture(listing_id: UUID, kind: str, category: str) -> str:
    """Address of a listing's picture.

    The seed is the end of the id: its beginning is a clock, the same for all of one minute.
    """
    return f"/pictures/{kind}/{category}/{listing_id.hex[-8:]}.svg"


def price_from(offers: Iterable[OfferDraft]) -> int:
    """The price a listing begins at, in minor units."""
    return min(offer.price for offer in offers)


def sees(caller: Caller, seller_id: UUID, status: ListingStatus) -> bool:
    """Whether a listing is shown to this caller."""
    return status is ListingStatus.PUBLISHED or owns(caller, seller_id)


def owns(caller: Caller, seller_id: UUID) -> bool:
    """Whether this caller may change a listing: it is theirs, or they administer."""
    return caller.is_admin() or (caller.user_id == seller_id and Role.SELLER in caller.roles)


def check_draft(draft: ListingDraft, kind: Kind | None = None) -> None:
    """Refuse a draft that cannot be sold. `kind` is what the listing has been so far.

    Raises InvalidFields, which names each field.
    """
    problems: dict[str, str] = {}
    if kind is not None and draft.kind is not kind:
        problems["kind"] = gettext("What a listing is cannot be changed. Make a new one.")
    if draft.place is not None and draft.place.timezone not in available_timezones():
        problems["place.timezone"] = gettext("This time zone is unknown.")
    if draft.place is not None and not draft.place.city:
        problems["place.city"] = gettext("Say in which city it is.")
    for number, offer in enumerate(draft.offers):
        problems |= _offer_problems(f"offers.{number}", offer, draft.kind)
    kept = [offer.id for offer in draft.offers if offer.id is not None]
    if len(kept) != len(set(kept)):
        problems["offers"] = gettext("The same offer is named twice.")
    if problems:
        raise InvalidFields(problems=problems)


def _offer_problems(field: str, offer: OfferDraft, kind: Kind) -> dict[str, str]:
    problems: dict[str, str] = {}
    prices = [(f"{field}.price", offer.price)]
    if offer.seasons and kind not in DATED:
        problems[f"{field}.seasons"] = gettext("Only what is rented or let by dates has seasons.")
    last: date | None = None
    for season in sorted(offer.seasons, key=lambda season: season.first):
        if season.last < season.first:
            problems[f"{field}.seasons"] = gettext("A season ends before it begins.")
        elif last is not None and season.first <= last:
            problems[f"{field}.seasons"] = gettext("Two seasons overlap.")
        last = season.last
        prices.append((f"{field}.seasons", season.price))
    for name, price in prices:
        if price > PRICE_MAX:
            problems[name] = gettext("This price is too high.")
    return problems


def price_lines(lines: Sequence[QuoteLine], priced: Mapping[UUID, Priced], now: datetime) -> Quote:
    """What lines cost: the sum over their days of that day's price, times the quantity.

    Raises UnknownOffer, NotOnSale, WrongDates, MixedCurrencies; InvalidFields where the sum is
    more than money can be.
    """
    found = tuple(_priced_line(line, priced.get(line.offer_id), now) for line in lines)
    if len({line.total.currency for line in found}) > 1:
        raise MixedCurrencies
    return Quote(lines=found, total=_money(sum(line.total.amount for line in found), found[0]))


def _priced_line(line: QuoteLine, priced: Priced | None, now: datetime) -> PricedLine:
    if priced is None:
        raise UnknownOffer(offer_id=line.offer_id)
    facts = priced.facts
    over = priced.ends_at is not None and priced.ends_at <= now
    if facts.status is not ListingStatus.PUBLISHED or over:
        raise NotOnSale(offer_id=line.offer_id)
    if (facts.kind in DATED) != (line.dates is not None):
        raise WrongDates(offer_id=line.offer_id)
    days = [facts.price.amount]
    if line.dates is not None:
        days = [price_on(day, facts.price.amount, priced.seasons) for day in line.dates.days()]
    average = (2 * sum(days) + len(days)) // (2 * len(days))
    total = sum(days) * line.quantity
    if total > TOTAL_MAX:
        raise _too_much()
    return PricedLine(
        offer=facts,
        quantity=line.quantity,
        dates=line.dates,
        units=len(days),
        unit_price=Money(amount=average, currency=facts.price.currency),
        total=Money(amount=total, currency=facts.price.currency),
        day_prices=tuple(days),
    )


def price_on(day: date, price: int, seasons: Iterable[Season]) -> int:
    """The price of a day, in minor units. Seasons do not overlap."""
    for season in seasons:
        if season.first <= day <= season.last:
            return season.price
    return price


def _money(amount: int, line: PricedLine) -> Money:
    if amount > TOTAL_MAX:
        raise _too_much()
    return Money(amount=amount, currency=line.total.currency)


def _too_much() -> InvalidFields:
    return InvalidFields(problems={"lines": gettext("This is too much for one order.")})
