"""What a listing's page offers to book: which offers, how many are free, what they cost."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dvor.contracts.catalog import (
    Catalog,
    Kind,
    Listing,
    MixedCurrencies,
    NotOnSale,
    Offer,
    PricedLine,
    QuoteLine,
    UnknownOffer,
    WrongDates,
)
from dvor.contracts.inventory import (
    Calendar,
    Claim,
    InThePast,
    Inventory,
    NeedsDates,
    TooFarAhead,
    UnknownSupply,
)
from dvor.contracts.orders import Wish
from dvor.kernel import caller, clock
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.money import Money
from dvor.kernel.periods import DateRange, HourRange
from dvor.kernel.texts import gettext as _
from dvor.web import calendars, hours, prices
from dvor.web.forms import Form, attempt
from dvor.web.instead import NOTHING, Instead, instead_of
from dvor.web.seating import Hall

DATED = (Kind.RENTAL, Kind.STAY)
QUANTITY_MAX = 20
OFFERS_MAX = 30

_TROUBLE = (InThePast, TooFarAhead, NeedsDates, UnknownSupply, Unavailable)
_UNPRICED = (NotOnSale, UnknownOffer, WrongDates, MixedCurrencies, Unavailable)


@dataclass(frozen=True)
class Choice:
    """An offer that can be chosen: free now or during the dates, with its price for them."""

    offer: Offer
    free: int
    total: Money
    """For one: a thing, a ticket, or all days of the dates."""

    @property
    def most(self) -> int:
        """How many one can take at once."""
        return max(min(self.free, QUANTITY_MAX), 0)


@dataclass(frozen=True)
class Box:
    """The booking box of a page."""

    choices: tuple[Choice, ...]
    chosen: UUID | None
    quantity: int
    dates: DateRange | None
    form: Form
    """What was typed for the dates, and what is wrong with it."""
    today: date
    over: bool = False
    """The event has begun."""
    wanted: Mapping[UUID, int] = field(default_factory=dict)
    """Offer -> how many of it are chosen."""
    lines: tuple[PricedLine, ...] = ()
    """What is chosen, priced; empty where it cannot be bought."""
    hall: Hall | None = None
    """Its seats, where they have numbers."""
    picker: hours.Picker | None = None
    """The choice of hours, where it is let by the hour."""
    hours: HourRange | None = None

    @property
    def period(self) -> DateRange | HourRange | None:
        """For when it is asked."""
        return self.dates or self.hours

    instead: Instead = NOTHING
    """Why nothing of it can be had on the dates, and what can."""

    @property
    def available(self) -> bool:
        """Whether anything can be taken."""
        return not self.over and any(choice.free for choice in self.choices)

    @property
    def ready(self) -> bool:
        """Whether it can go into the cart as it stands."""
        return self.available and not self.form.refused

    @property
    def pick(self) -> Choice | None:
        """The chosen offer, or the first that is free."""
        return _pick(self.choices, self.chosen)

    @property
    def total(self) -> Money:
        """What the choice costs."""
        plain = sum(
            choice.total.amount * self.wanted.get(choice.offer.id, 0) for choice in self.choices
        )
        amount = sum(line.total.amount for line in self.lines) if self.lines else plain
        return Money(amount=amount, currency=self.choices[0].total.currency)

    @property
    def sums(self) -> "Sums":
        """What the choice costs, explained."""
        return Sums(self.total, self.lines, self.dates, self.hours)


@dataclass(frozen=True)
class Sums:
    """What a choice costs, explained."""

    total: Money
    lines: tuple[PricedLine, ...] = ()
    dates: DateRange | None = None
    hours: HourRange | None = None


def _pick(choices: Sequence[Choice], chosen: UUID | None) -> Choice | None:
    free = [choice for choice in choices if choice.free] or list(choices)
    return next(
        (choice for choice in choices if choice.offer.id == chosen and choice.free),
        free[0] if free else None,
    )


def by_hour(listing: Listing, form: Form) -> bool:
    """Whether the page is about hours; where some offers have days, the address says so."""
    offers = listing.offers[:OFFERS_MAX]
    if not any(offer.by_hour for offer in offers):
        return False
    return form["by"] == "hour" or all(offer.by_hour for offer in offers)


def is_mixed(listing: Listing) -> bool:
    """Whether some of it is let by the hour and some by the day."""
    return len({offer.by_hour for offer in listing.offers[:OFFERS_MAX]}) > 1


def offers_of(listing: Listing, form: Form) -> tuple[Offer, ...]:
    """The offers that the page is about."""
    hourly = by_hour(listing, form)
    offers = listing.offers[:OFFERS_MAX]
    return tuple(offer for offer in offers if offer.by_hour is hourly)


def zone_of(listing: Listing) -> ZoneInfo:
    """The zone of the listing's place, in which its days begin."""
    return ZoneInfo(listing.place.timezone if listing.place else "Europe/Moscow")


def today_at(listing: Listing) -> date:
    """The day it is where the listing is."""
    return clock.now().astimezone(zone_of(listing)).date()


def asked_dates(form: Form, today: date) -> DateRange | None:
    """The dates in the address; what is wrong with them goes into the form."""
    if not form["start"] and not form["end"]:
        return None
    start, end = form.day("start"), form.day("end")
    if start is None or end is None:
        return None
    if start < today:
        form.refuse("start", _("These dates have passed. Choose later ones."))
    elif end <= start:
        form.refuse("end", _("The end must be after the start."))
    elif (end - start).days > 366:
        form.refuse("end", _("Up to a year at once, please."))
    else:
        return DateRange(start=start, end=end)
    return None


async def box(listing: Listing, form: Form, catalog: Catalog, inventory: Inventory) -> Box:
    """Fill the box of a listing's page from what the address asks for."""
    today = today_at(listing)
    offers, hourly = offers_of(listing, form), by_hour(listing, form)
    picker = None
    if hourly:
        picker = await hours.picker(offers, form, zone_of(listing), today, inventory)
    dated = listing.kind in DATED and not hourly
    dates = asked_dates(form, today) if dated else None
    period = picker.hours if picker else dates
    quantity = asked_quantity(form)
    free = {}
    if period or listing.kind not in DATED:
        free = await _free(offers, period, form, inventory)
    totals = await _totals(offers, period, catalog) if period else {}
    choices = tuple(
        Choice(offer, free.get(offer.id, 0), totals.get(offer.id, offer.price)) for offer in offers
    )
    chosen = form.identifier("offer") or form.identifier("offer_id")
    wanted = _wanted(choices, chosen, quantity, form)
    lines: tuple[PricedLine, ...] = ()
    if period or listing.kind not in DATED:
        lines = await priced(wanted, period, catalog)
    found = Box(
        *(choices, chosen, quantity, dates, form, today, over(listing), wanted, lines),
        picker=picker,
        hours=picker.hours if picker else None,
    )
    if dates is None or found.available or form.refused or not choices:
        return found
    claim = Claim(offer_id=chosen or choices[0].offer.id, quantity=quantity, dates=dates)
    instead = await instead_of(claim, f"/listings/{listing.id}", inventory, catalog)
    return replace(found, instead=instead)


async def sums(listing: Listing, wishes: Sequence[Wish], catalog: Catalog) -> Sums:
    """What these wishes cost; nothing for none, or where they cannot be bought."""
    nothing = Money(amount=0, currency=listing.offers[0].price.currency)
    if not wishes:
        return Sums(nothing)
    first = wishes[0]
    wanted = {wish.offer_id: wish.quantity for wish in wishes}
    lines = await priced(wanted, first.dates or first.hours, catalog)
    amount = sum(line.total.amount for line in lines)
    return Sums(nothing.model_copy(update={"amount": amount}), lines, first.dates, first.hours)


def _period(period: DateRange | HourRange | None) -> dict[str, Any]:
    """A period as the contracts take it."""
    if isinstance(period, HourRange):
        return {"hours": period}
    return {"dates": period} if period else {}


def _wanted(
    choices: Sequence[Choice], chosen: UUID | None, quantity: int, form: Form
) -> dict[UUID, int]:
    """Offer -> how many: several where the address counts each, else the picked one."""
    counted = {
        choice.offer.id: _within(form[f"quantity-{choice.offer.id}"], 0, choice.most)
        for choice in choices
        if form[f"quantity-{choice.offer.id}"]
    }
    pick = _pick(choices, chosen)
    if counted or pick is None:
        return {offer_id: count for offer_id, count in counted.items() if count}
    return {pick.offer.id: quantity}


async def priced(
    wanted: Mapping[UUID, int], period: DateRange | HourRange | None, catalog: Catalog
) -> tuple[PricedLine, ...]:
    """So many of each offer, as they are sold together; empty where they cannot be bought."""
    when = _period(period)
    lines = tuple(QuoteLine(offer_id=i, quantity=n, **when) for i, n in wanted.items())
    if not lines:
        return ()
    quote = await attempt(catalog.quote(lines), *_UNPRICED)
    return () if isinstance(quote, Refusal) else quote.lines


async def asked_of(listing: Listing, inventory: Inventory) -> list[tuple[str, list[str]]]:
    """Terms and rules in words: offers for whom they apply, named where they differ."""
    offers = listing.offers[:OFFERS_MAX]
    found = await attempt(inventory.rules(tuple(offer.id for offer in offers)), Unavailable)
    known = (
        {} if isinstance(found, Refusal) else {item.offer_id: item.rules for item in found.items}
    )
    language = caller.current().language
    groups: dict[tuple[str, ...], list[str]] = {}
    for offer in offers:
        words = prices.terms(offer, listing.kind)
        if offer.id in known:
            words += prices.conditions(known[offer.id], listing.kind, by_hour=offer.by_hour)
        groups.setdefault(tuple(words), []).append(offer.name.of(language))
    named = len(groups) > 1
    charges = prices.charges(listing)
    return ([("", charges)] if charges else []) + [
        (", ".join(names) if named else "", list(words)) for words, names in groups.items() if words
    ]


def over(listing: Listing) -> bool:
    """Whether its event has begun."""
    return listing.starts_at is not None and listing.starts_at <= clock.now()


def asked_quantity(form: Form) -> int:
    """How many the address asks for; one where it says nothing sensible."""
    return _within(form["quantity"], 1, QUANTITY_MAX)


def stock(listing: Listing, free: Mapping[UUID, int]) -> tuple[Choice, ...]:
    """What is free of each offer, without prices for dates."""
    offers = listing.offers[:OFFERS_MAX]
    return tuple(Choice(offer, free.get(offer.id, 0), offer.price) for offer in offers)


def _within(text: str, least: int, most: int) -> int:
    return (
        max(least, min(most, int(text)))
        if text.isascii() and text.isdecimal() and len(text) < 6
        else least
    )


async def _free(
    offers: Sequence[Offer],
    period: DateRange | HourRange | None,
    form: Form,
    inventory: Inventory,
) -> dict[UUID, int]:
    ids = tuple(offer.id for offer in offers)
    found = await attempt(inventory.free(ids, **_period(period)), *_TROUBLE)
    if isinstance(found, Refusal):
        form.trouble = _(found.text(), **found.details)
        return {}
    return {item.offer_id: item.free for item in found.items}


async def _totals(
    offers: Sequence[Offer], period: DateRange | HourRange, catalog: Catalog
) -> dict[UUID, Money]:
    when = _period(period)
    lines = tuple(QuoteLine(offer_id=offer.id, quantity=1, **when) for offer in offers)
    quote = await attempt(catalog.quote(lines), *_UNPRICED)
    if isinstance(quote, Refusal):  # a draft seen by its seller
        return {offer.id: offer.price.times(period.length) for offer in offers}
    return {line.offer.id: line.total for line in quote.lines}


async def days_free(
    listing: Listing, first: date, inventory: Inventory
) -> dict[UUID, Mapping[date, int]]:
    """What is free of each offer on the days that the calendar from `first` on shows."""
    shown = calendars.span(first)
    offers = [offer for offer in listing.offers[:OFFERS_MAX] if not offer.by_hour]
    found = await asyncio.gather(
        *(attempt(inventory.calendar(offer.id, shown), *_TROUBLE) for offer in offers)
    )
    return {offer.id: by_day(known) for offer, known in zip(offers, found, strict=True)}


def by_day(known: object) -> Mapping[date, int]:
    """Free units of each day; of none where they are not known."""
    return {day.day: day.free for day in known.days} if isinstance(known, Calendar) else {}


def calendar(
    listing: Listing, first: date, quantity: int, free: Mapping[UUID, Mapping[date, int]]
) -> dict[str, object]:
    """The listing's calendar, as its template shows it: two months from `first` on."""
    today = today_at(listing)
    before, after = calendars.neighbours(first, today)
    language = caller.current().language
    days = [offer for offer in listing.offers[:OFFERS_MAX] if not offer.by_hour]
    offers = [(offer, free.get(offer.id, {})) for offer in days]
    return {
        "months": calendars.months(first, today, offers, quantity, language),
        "first": first.strftime("%Y-%m"),
        "quantity": quantity,
        "before": before,
        "after": after,
        "weekdays": calendars.weekdays(language),
        "today": today,
    }
