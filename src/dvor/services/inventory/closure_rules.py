"""Pure decisions about closures: the slots they cover, and what stands in their way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from dvor.contracts.closures import Occupancy, Shortfall
from dvor.contracts.inventory import InThePast, NeedsDates, TooFarAhead, Unit
from dvor.kernel.periods import DateRange
from dvor.services.inventory.slots import Offer, day_of, today
from dvor.services.inventory.slots import slots as day_slots

CLOSURES_MAX = 500
"""Closures of one offer that have not ended."""

OWNER = "owner"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class StoredClosure:
    """A closure as its row says."""

    id: UUID
    offer_id: UUID
    slots: range
    units: int
    source: str
    note: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What becomes of the units of one slot."""

    closed: int
    held: int
    sold: int
    capacity: int

    def shortfall(self, quantity: int) -> int:
        """Units that are promised and should be closed."""
        return max(self.held + self.sold - max(quantity - self.closed, 0), 0)

    @property
    def free(self) -> int:
        """Units that somebody can still have."""
        return max(self.capacity - self.held - self.sold, 0)


def check_dated(offer: Offer) -> None:
    """Raises NeedsDates for what has no days."""
    if offer.unit not in (Unit.DAY, Unit.HOUR):
        raise NeedsDates(offer_id=offer.id)


def slots_of(offer: Offer, dates: DateRange) -> range:
    """The slots of local days. Raises NeedsDates for what has no days."""
    check_dated(offer)
    if offer.unit is Unit.DAY:
        return day_slots(dates)
    return range(_midnight(offer, dates.start), _midnight(offer, dates.end))


def _midnight(offer: Offer, day: date) -> int:
    """The hour in which a day begins there."""
    return (datetime.combine(day, time(), ZoneInfo(offer.timezone)) - _EPOCH) // _HOUR


def day_at(offer: Offer, slot: int) -> date:
    """The local day that a slot belongs to."""
    if offer.unit is Unit.DAY:
        return day_of(slot)
    # Its middle: where clocks differ by half an hour, hours of UTC lie across midnight.
    return (_EPOCH + (slot + 0.5) * _HOUR).astimezone(ZoneInfo(offer.timezone)).date()


def dates_at(offer: Offer, slots: range) -> DateRange:
    """The local days that slots touch."""
    last = day_at(offer, slots.stop - 1)
    return DateRange(start=day_at(offer, slots.start), end=last + timedelta(days=1))


def first_open(offer: Offer, now: datetime) -> int:
    """The slot in which today begins there. Raises NeedsDates."""
    first = today(offer.timezone, now)
    return slots_of(offer, DateRange(start=first, end=first + timedelta(days=1))).start


def check_dates(offer: Offer, dates: DateRange, first: date, horizon_days: int) -> None:
    """Refuse what has passed, or is further ahead than anything is sold."""
    if dates.end <= first:
        raise InThePast(offer_id=offer.id)
    if dates.end > first + timedelta(days=horizon_days):
        raise TooFarAhead(offer_id=offer.id)


def shortfalls(
    offer: Offer, slots: Iterable[int], usage: Mapping[int, Usage], units: int
) -> tuple[Shortfall, ...]:
    """Days on which up to `units` are promised that should be closed, the worst slot of each."""
    worst: dict[date, int] = {}
    for slot in slots:
        if slot in usage and (missing := usage[slot].shortfall(offer.quantity)):
            day = day_at(offer, slot)
            worst[day] = max(worst.get(day, 0), min(missing, units))
    return tuple(Shortfall(day=day, units=missing) for day, missing in sorted(worst.items()))


def occupancy(offer: Offer, slots: range, usage: Mapping[int, Usage]) -> tuple[Occupancy, ...]:
    """Day by day; of several slots in a day the one with the least left counts."""
    untouched = Usage(0, 0, 0, offer.quantity)
    fullest: dict[date, Usage] = {}
    for slot in slots:
        day, used = day_at(offer, slot), usage.get(slot, untouched)
        if day not in fullest or used.free < fullest[day].free:
            fullest[day] = used
    return tuple(
        Occupancy(
            day=day,
            quantity=offer.quantity,
            closed=used.closed,
            held=used.held,
            sold=used.sold,
            free=used.free,
        )
        for day, used in fullest.items()
    )
