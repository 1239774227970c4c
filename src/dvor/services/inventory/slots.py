"""Slots: which cells a claim needs. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import (
    Claim,
    NeedsDates,
    NeedsHours,
    NeedsSeats,
    NoSeats,
    Rules,
    Unit,
    UnknownSeat,
)
from dvor.kernel.periods import DateRange, HourRange

TIMELESS_SLOT = 0
"""The only slot of goods and of tickets without a number."""

NO_RULES = Rules()

_FIRST_DAY = date(1970, 1, 1)
_FIRST_ORDINAL = _FIRST_DAY.toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = 3600

Key = tuple[int, int]
"""A cell: number of its offer's id, and slot. In the order of the database's (uuid, integer)."""


def is_dated(kind: Kind | None) -> bool:
    """Whether a kind is let for a time."""
    return kind in (Kind.RENTAL, Kind.STAY)


@dataclass(frozen=True, slots=True)
class Offer:
    """What inventory knows of an offer."""

    id: UUID
    seller_id: UUID | None
    """None: nobody's, a promo code of the platform."""
    kind: Kind | None
    """None: a promo code, whose units are its uses. Only an order takes them."""
    quantity: int
    timezone: str
    open: bool
    by_hour: bool = False
    seated: bool = False
    rules: Rules = NO_RULES
    version: int = 0
    """Changes with the row."""
    unit: Unit = field(init=False)
    """What it is counted in."""
    buffer: int = field(init=False)
    per_customer: int = field(init=False)

    def __post_init__(self) -> None:
        dated = Unit.HOUR if self.by_hour else Unit.DAY
        single = Unit.SEAT if self.seated else Unit.TIMELESS
        object.__setattr__(self, "unit", dated if is_dated(self.kind) else single)
        object.__setattr__(self, "buffer", self.rules.buffer)
        object.__setattr__(self, "per_customer", self.rules.per_customer)

    @property
    def dated(self) -> bool:
        """Whether it is let by the day."""
        return self.unit is Unit.DAY


class Line(NamedTuple):
    """A claim in slots; the fields of the database's type `claim`, in its order."""

    offer_id: UUID
    first_slot: int
    end_slot: int
    buffer: int = 0
    quantity: int = 1
    hours_from: datetime | None = None
    hours_until: datetime | None = None
    seat_slots: Sequence[int] | None = None
    seat_names: Sequence[str] | None = None

    def slots(self) -> Sequence[int]:
        """The slots it takes."""
        return self.seat_slots or range(self.first_slot, self.end_slot + self.buffer)


def slot_of(day: date) -> int:
    """The slot of a day."""
    return day.toordinal() - _FIRST_ORDINAL


def day_of(slot: int) -> date:
    """The day of a slot."""
    return _FIRST_DAY + timedelta(days=slot)


def slots(dates: DateRange | None) -> range:
    """The slots of half-open dates, or the timeless one."""
    if dates is None:
        return range(TIMELESS_SLOT, TIMELESS_SLOT + 1)
    return range(slot_of(dates.start), slot_of(dates.end))


@lru_cache(maxsize=1000)
def hour_phase(timezone: str) -> int:
    """Seconds by which full hours of a zone lie after full hours of UTC: 1800 in India, mostly 0."""
    offset = datetime(2026, 1, 1, tzinfo=ZoneInfo(timezone)).utcoffset() or timedelta()
    return -round(offset.total_seconds()) % _HOUR


@lru_cache(maxsize=1)
def odd_zones() -> tuple[str, ...]:
    """Zones whose full hours are not those of UTC."""
    return tuple(sorted(zone for zone in available_timezones() if hour_phase(zone)))


def hour_slots(hours: HourRange, timezone: str) -> range:
    """The slots that hours touch: hours since 1970 in UTC, shifted to the full hours of the zone.

    Where clocks change by half an hour (Lord Howe), an hour may touch two slots: it takes both.
    """
    phase = timedelta(seconds=hour_phase(timezone))
    start, end = hours.start - _EPOCH - phase, hours.end - _EPOCH - phase
    hour = timedelta(hours=1)
    return range(start // hour, -(-end // hour))


def hour_of(slot: int, timezone: str) -> datetime:
    """When the hour of a slot begins."""
    return _EPOCH + timedelta(seconds=slot * _HOUR + hour_phase(timezone))


def known_timezone(name: str) -> str:
    """An IANA name, or UTC where it is none: a typo must not stop the sale."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"


@lru_cache(maxsize=1000)
def today(timezone: str, now: datetime) -> date:
    """The date in a zone."""
    return now.astimezone(ZoneInfo(timezone)).date()


def first_open_slot(offer: Offer, now: datetime) -> int:
    """The first slot that can still be promised: today's, this hour's, or the lowest of all."""
    unit = offer.unit
    if unit is Unit.DAY:
        return slot_of(today(offer.timezone, now))
    if unit is Unit.HOUR:
        return (now - _EPOCH - timedelta(seconds=hour_phase(offer.timezone))) // timedelta(hours=1)
    return TIMELESS_SLOT


def slots_now(offer: Offer, now: datetime) -> range:
    """Today's slot, this hour's, or the timeless one."""
    first = first_open_slot(offer, now)
    return range(first, first + 1)


def line(claim: Claim, offer: Offer, seats: Mapping[str, int]) -> Line:
    """A claim in slots. `seats`: slots by name.

    Raises NeedsDates, NeedsHours, NeedsSeats, NoSeats, UnknownSeat where it does not fit the unit.
    """
    unit, dates, hours = offer.unit, claim.dates, claim.hours
    if claim.seats and unit is not Unit.SEAT:
        raise NoSeats(offer_id=offer.id)
    if unit is Unit.HOUR:
        if hours is None:
            raise NeedsHours(offer_id=offer.id)
        span = hour_slots(hours, offer.timezone)
        return Line(
            *(claim.offer_id, span.start, span.stop, offer.buffer, claim.quantity),
            *(hours.start, hours.end),
        )
    if hours is not None or (dates is not None) is not (unit is Unit.DAY):
        raise NeedsDates(offer_id=offer.id)
    if dates is not None:
        first, end = slot_of(dates.start), slot_of(dates.end)
        return Line(claim.offer_id, first, end, offer.buffer, claim.quantity)
    if unit is Unit.TIMELESS:
        return Line(claim.offer_id, TIMELESS_SLOT, TIMELESS_SLOT + 1, 0, claim.quantity)
    if not claim.seats:
        raise NeedsSeats(offer_id=offer.id)
    unknown = next((name for name in claim.seats if name not in seats), None)
    if unknown is not None:
        raise UnknownSeat(offer_id=offer.id, seat=unknown)
    named = sorted((seats[name], name) for name in claim.seats)
    return Line(
        *(claim.offer_id, TIMELESS_SLOT, TIMELESS_SLOT + 1, 0, claim.quantity, None, None),
        *(tuple(slot for slot, _ in named), tuple(name for _, name in named)),
    )


def claim(line: Line) -> Claim:
    """The claim that a line was made of (its seats in the order of their slots)."""
    dates = hours = None
    if line.hours_from is not None and line.hours_until is not None:
        hours = HourRange(start=line.hours_from, end=line.hours_until)
    elif line.first_slot != TIMELESS_SLOT:
        dates = DateRange(start=day_of(line.first_slot), end=day_of(line.end_slot))
    return Claim(
        offer_id=line.offer_id,
        quantity=line.quantity,
        dates=dates,
        hours=hours,
        seats=tuple(line.seat_names or ()),
    )


def demand(lines: Sequence[Line]) -> dict[Key, int]:
    """Units per cell, summed over all lines.

    Judging line by line would let two lines of one cart each take the last unit.
    """
    if len(lines) == 1:
        (only,) = lines
        number, units = only.offer_id.int, 1 if only.seat_slots else only.quantity
        if only.end_slot + only.buffer - only.first_slot == 1 and not only.seat_slots:
            return {(number, only.first_slot): units}
        return {(number, slot): units for slot in only.slots()}
    needed: Counter[Key] = Counter()
    for each in lines:
        number, units = each.offer_id.int, 1 if each.seat_slots else each.quantity
        for slot in each.slots():
            needed[number, slot] += units
    return dict(needed)


def offers_of(lines: Iterable[Line]) -> set[UUID]:
    """The offers of lines."""
    return {each.offer_id for each in lines}
