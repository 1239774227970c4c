"""What lines cost: pure, in whole minor units, every total explained part by part."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from dvor.contracts.catalog import (
    Kind,
    ListingStatus,
    MixedCurrencies,
    NotOnSale,
    OfferFacts,
    PricedLine,
    Quote,
    QuoteLine,
    Season,
    UnknownOffer,
    WrongDates,
    price_on,
)
from dvor.contracts.pricing import Discount, Fee, PartKind, PricePart, Pricing, Tax
from dvor.contracts.promos import Promo, PromoUse
from dvor.kernel.errors import InvalidFields
from dvor.kernel.money import Money
from dvor.kernel.texts import gettext
from dvor.services.catalog import charges
from dvor.services.catalog.charges import half_up

PRICE_MAX = 10**10
"""Minor units a price may have: a hundred million roubles."""
TOTAL_MAX = 10**15
"""Minor units a quote may come to: what `Minor` holds."""
DATED = frozenset({Kind.RENTAL, Kind.STAY})
"""Kinds that are bought for a time, and may cost more at some times."""

NO_TAX = Tax()
_LISTED = (PartKind.BASE, PartKind.WEEKDAY, PartKind.SEASON)


class Priced(NamedTuple):
    """An offer with everything its price depends on."""

    facts: OfferFacts
    seasons: Sequence[Season] = ()
    pricing: Pricing = Pricing()
    ends_at: datetime | None = None
    """When its event is over."""
    fees: Sequence[Fee] = ()
    tax: Tax = NO_TAX


class Unit(NamedTuple):
    """A day, a night, an hour or an item: its price in minor units, and why."""

    kind: PartKind
    price: int
    weekday: int
    """0 is Monday; -1 for what has no time."""


class _Line(NamedTuple):
    """A line with what it costs by itself: before promo codes, fees and tax."""

    asked: QuoteLine
    priced: Priced
    prices: Sequence[int]
    parts: tuple[PricePart, ...]

    @property
    def amount(self) -> int:
        return sum(part.amount for part in self.parts)


def price_lines(
    lines: Sequence[QuoteLine],
    priced: Mapping[UUID, Priced],
    now: datetime,
    promo: Promo | None = None,
) -> Quote:
    """What lines cost. Only fees charged once an order and a promo code look at other lines.

    Raises UnknownOffer, NotOnSale, WrongDates, MixedCurrencies, what `charges.promo_parts` raises;
    InvalidFields where the sum is more than money can be.
    """
    alone = [_alone(line, priced.get(line.offer_id), now) for line in lines]
    currencies = {line.priced.facts.price.currency for line in alone}
    if len(currencies) > 1:
        raise MixedCurrencies
    currency = currencies.pop()
    off: Mapping[int, PricePart] = {}
    if promo is not None:
        sums = [charges.Sum(line.priced.facts, line.amount) for line in alone]
        off = charges.promo_parts(promo, sums, currency, now)
    firsts = charges.seen_first(line.priced.facts.listing_id for line in alone)
    found = tuple(
        _priced_line(line, off.get(place), first=first)
        for place, (line, first) in enumerate(zip(alone, firsts, strict=True))
    )
    used = None
    if promo is not None:
        discount = Money(amount=-sum(part.amount for part in off.values()), currency=currency)
        used = PromoUse(id=promo.id, code=promo.code, discount=discount)
    total = sum(line.total.amount for line in found)
    return Quote(lines=found, total=_money(total, currency), promo=used)


def _alone(line: QuoteLine, priced: Priced | None, now: datetime) -> _Line:
    if priced is None:
        raise UnknownOffer(offer_id=line.offer_id)
    over = priced.ends_at is not None and priced.ends_at <= now
    if priced.facts.status is not ListingStatus.PUBLISHED or over:
        raise NotOnSale(offer_id=line.offer_id)
    check_period(line, priced.facts)
    units = list(unit_prices(line, priced))
    prices = [unit.price for unit in units]
    if sum(prices) * line.quantity > TOTAL_MAX:
        raise _too_much()
    return _Line(line, priced, prices, explained(units, line.quantity, priced.pricing))


def _priced_line(line: _Line, off: PricePart | None, *, first: bool) -> PricedLine:
    asked, priced, prices = line.asked, line.priced, line.prices
    currency = priced.facts.price.currency
    parts = [*line.parts]
    if off is not None:
        parts.append(off)
    parts += charges.fees(priced.fees, asked.quantity, len(prices), first=first)
    before = _money(sum(part.amount for part in parts), currency).amount
    parts += charges.tax(priced.tax, before)
    deposit = priced.pricing.deposit * asked.quantity
    return PricedLine(
        offer=priced.facts,
        quantity=asked.quantity,
        dates=asked.dates,
        hours=asked.hours,
        units=len(prices),
        unit_price=Money(amount=half_up(sum(prices), len(prices)), currency=currency),
        total=_money(sum(part.amount for part in parts), currency),
        day_prices=tuple(prices),
        parts=tuple(parts),
        deposit=Money(amount=deposit, currency=currency) if deposit else None,
    )


def check_period(line: QuoteLine, facts: OfferFacts) -> None:
    """Refuse with WrongDates a line that is not for what its offer is let by."""
    by_hour = facts.kind in DATED and facts.by_hour
    by_day = facts.kind in DATED and not facts.by_hour
    if by_day != (line.dates is not None) or by_hour != (line.hours is not None):
        raise WrongDates(offer_id=line.offer_id)


def unit_prices(line: QuoteLine, priced: Priced) -> Iterable[Unit]:
    """The price of each day, night or hour in order; of goods and tickets the one they have.

    An hour costs what the day costs on which it begins, where the place is.
    """
    price = priced.facts.price.amount
    if line.dates is None and line.hours is None:
        return (Unit(PartKind.BASE, price, -1),)
    return (
        Unit(*price_on(day, price, priced.seasons, priced.pricing), day.weekday())
        for day in _days(line, ZoneInfo(priced.facts.timezone))
    )


def _days(line: QuoteLine, zone: ZoneInfo) -> Iterable[date]:
    if line.hours is not None:
        return (hour.astimezone(zone).date() for hour in line.hours.hours())
    return line.dates.days() if line.dates is not None else ()


def explained(units: Sequence[Unit], quantity: int, pricing: Pricing) -> tuple[PricePart, ...]:
    """The parts of a line's own price; their amounts sum up to it, and it is never below 0.

    First the units by what makes their price, then the length discount, then the quantity discount
    of what is left. Each discount is rounded half up, once.
    """
    parts = [*_listed(units, quantity)]
    steps = (
        (PartKind.LENGTH_DISCOUNT, pricing.length_discounts, len(units)),
        (PartKind.QUANTITY_DISCOUNT, pricing.quantity_discounts, quantity),
    )
    for kind, discounts, reached in steps:
        discount = reached_discount(discounts, reached)
        if discount is not None:
            left = sum(part.amount for part in parts)
            off = half_up(left * discount.percent, 100)
            parts.append(
                PricePart(kind=kind, least=discount.least, percent=discount.percent, amount=-off)
            )
    return tuple(parts)


def _listed(units: Sequence[Unit], quantity: int) -> Iterable[PricePart]:
    groups: dict[tuple[PartKind, int], list[int]] = {}
    for unit in units:
        groups.setdefault((unit.kind, unit.price), []).append(unit.weekday)
    for kind, price in sorted(groups, key=lambda group: (_LISTED.index(group[0]), group[1])):
        weekdays = groups[kind, price]
        yield PricePart(
            kind=kind,
            units=len(weekdays),
            price=price,
            weekdays=tuple(sorted(set(weekdays))) if kind is PartKind.WEEKDAY else (),
            amount=len(weekdays) * price * quantity,
        )


def reached_discount(discounts: Iterable[Discount], units: int) -> Discount | None:
    """The discount with the greatest `least` that `units` reach."""
    reached = (discount for discount in discounts if discount.least <= units)
    return max(reached, key=lambda discount: discount.least, default=None)


def _money(amount: int, currency: str) -> Money:
    if amount > TOTAL_MAX:
        raise _too_much()
    return Money(amount=amount, currency=currency)


def _too_much() -> InvalidFields:
    return InvalidFields(problems={"lines": gettext("This is too much for one order.")})
