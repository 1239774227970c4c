"""The availability search: which offers can be had during a period."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from dvor.contracts.availability import AvailabilitySearch, AvailableOffer, AvailableOffers
from dvor.contracts.inventory import Claim, Unit
from dvor.kernel.db import Database
from dvor.kernel.errors import InvalidFields, Refusal
from dvor.kernel.periods import DateRange, HourRange
from dvor.kernel.texts import gettext
from dvor.services.inventory import queries, rules, search_queries, slots

LOOKS = (200, 800, 1000, 1000)
"""Offers that the statements of one search look at, one after the other, until a page is full.

Most find enough among the first; the sum bounds a search where nearly everything is taken.
"""

_START = UUID(int=0)


async def find(
    db: Database, search: AvailabilitySearch, now: datetime, horizon_days: int
) -> AvailableOffers:
    """A page of offers that can be had. Raises InvalidFields for a cursor that is not ours."""
    after: UUID | None = _after(search.cursor)
    found: list[AvailableOffer] = []
    for look_at in LOOKS:
        candidates, after = await _next(db, search, after, look_at)
        offers = {o.id: o for o in await queries.offers(db, [c.offer_id for c in candidates])}
        for candidate in candidates:
            if len(found) == search.limit:
                return _page(found, found[-1].offer_id)
            if _allows(offers[candidate.offer_id], search, now, horizon_days):
                found.append(candidate)
        if after is None:
            break
    return _page(found, after)


def _page(found: list[AvailableOffer], after: UUID | None) -> AvailableOffers:
    return AvailableOffers(items=tuple(found), next_cursor=after.hex if after else None)


async def _next(
    db: Database, search: AvailabilitySearch, after: UUID, look_at: int
) -> tuple[list[AvailableOffer], UUID | None]:
    """The next offers with enough left, and after which offer to go on; None at the end."""
    by_hour, limit = search.hours is not None, search.limit + 1
    span = slots.hour_slots(search.hours, "UTC") if search.hours else slots.slots(search.dates)
    odd = (
        {zone: slots.hour_slots(search.hours, zone) for zone in slots.odd_zones()}
        if search.hours
        else {}
    )
    found = await search_queries.available(
        db, search.kind, span, odd, search.quantity, after, limit, look_at, by_hour=by_hour
    )
    if len(found) == limit:
        return found, found[-1].offer_id
    return found, await search_queries.last_looked_at(
        db, search.kind, after, look_at, by_hour=by_hour
    )


def _allows(
    offer: slots.Offer, search: AvailabilitySearch, now: datetime, horizon_days: int
) -> bool:
    claim = Claim(
        offer_id=offer.id, quantity=search.quantity, dates=search.dates, hours=search.hours
    )
    return refused(claim, offer, now, horizon_days) is None


def barred(
    offers: Iterable[slots.Offer],
    dates: DateRange | None,
    hours: HourRange | None,
    now: datetime,
    horizon_days: int,
) -> list[UUID]:
    """Offers whose rules refuse these dates (or hours), on sale or not; and those let by the hour
    where dates are asked for, or the other way round.
    """
    unit, other = (Unit.DAY, Unit.HOUR) if dates else (Unit.HOUR, Unit.DAY)
    offers = list(offers)
    return [offer.id for offer in offers if offer.unit is other] + [
        offer.id
        for offer in offers
        if offer.unit is unit
        and refused(
            Claim(offer_id=offer.id, quantity=1, dates=dates, hours=hours),
            replace(offer, open=True),
            now,
            horizon_days,
        )
    ]


def refused(claim: Claim, offer: slots.Offer, now: datetime, horizon_days: int) -> Refusal | None:
    """Why the engine would refuse this without looking at any counter, if it would."""
    try:
        rules.check_rules(claim, offer, now, horizon_days)
    except Refusal as refusal:
        return refusal
    return None


def _after(cursor: str | None) -> UUID:
    try:
        return UUID(cursor) if cursor else _START
    except ValueError as problem:
        words = gettext("This place in the list is unknown. Begin again.")
        raise InvalidFields(problems={"cursor": words}) from problem
