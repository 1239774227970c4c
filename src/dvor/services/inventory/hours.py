"""The hours of days: what is free in each."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from dvor.contracts.hours import DayHours, Hour
from dvor.contracts.inventory import (
    Claim,
    InThePast,
    NeedsDates,
    TooFarAhead,
    Unit,
    UnknownSupply,
)
from dvor.kernel.db import Database
from dvor.kernel.periods import HourRange
from dvor.services.inventory import availability, queries, slots
from dvor.services.inventory.slots import Offer

_HOUR = timedelta(hours=1)
_ANY_LENGTH = {"length_min": 0, "length_max": 0, "departure_weekdays": ()}
"""An hour is a part of a rental: what is asked of its length or its end says nothing about it."""


async def of_days(
    db: Database, offer_id: UUID, day: date, days: int, now: datetime, horizon_days: int
) -> DayHours:
    """What is free. Raises UnknownSupply, NeedsDates, InThePast, TooFarAhead."""
    found = await queries.offers(db, [offer_id])
    if not found:
        raise UnknownSupply(offer_id=offer_id)
    (offer,) = found
    if offer.unit is not Unit.HOUR:
        raise NeedsDates(offer_id=offer_id)
    ahead = (day - slots.today(offer.timezone, now)).days
    if ahead < 0:
        raise InThePast(offer_id=offer_id)
    if ahead >= horizon_days:
        raise TooFarAhead(offer_id=offer_id)
    hours = list(hours_of(day, offer.timezone, days))
    first, last = (slots.hour_slots(hour, offer.timezone) for hour in (hours[0], hours[-1]))
    rows = await queries.calendar(db, offer_id, range(first.start, last.stop))
    free = {row["slot"]: row["free"] for row in rows}
    lenient = replace(offer, open=True, rules=offer.rules.model_copy(update=_ANY_LENGTH))
    return DayHours(
        offer_id=offer_id,
        timezone=offer.timezone,
        hours=tuple(
            Hour(start=hour.start, free=_free(hour, lenient, free, now, horizon_days))
            for hour in hours
        ),
    )


def hours_of(day: date, timezone: str, days: int = 1) -> Iterator[HourRange]:
    """The hours of days in a zone, as elapsed time: 23 or 25 of one when clocks change."""
    zone = ZoneInfo(timezone)
    start = datetime.combine(day, time.min, zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=days), time.min, zone).astimezone(UTC)
    while start + _HOUR <= end:
        yield HourRange(start=start, end=start + _HOUR)
        start += _HOUR


def _free(
    hour: HourRange, offer: Offer, free: dict[int, int], now: datetime, horizon_days: int
) -> int:
    claim = Claim(offer_id=offer.id, quantity=1, hours=hour)
    if availability.refused(claim, offer, now, horizon_days):
        return 0
    return max(min(free[slot] for slot in slots.hour_slots(hour, offer.timezone)), 0)
