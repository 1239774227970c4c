"""Pure decisions about units: which cells a claim needs, and whether they are free."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import (
    BelowPromised,
    Claim,
    Closed,
    HoldEnded,
    HoldStatus,
    InThePast,
    NeedsDates,
    Rules,
    SoldOut,
    TooFarAhead,
    Unit,
    UnknownSupply,
)
from dvor.kernel.errors import Conflict
from dvor.kernel.periods import DateRange

TIMELESS_SLOT = 0
"""The only slot of goods and tickets."""

NO_RULES = Rules()

_FIRST_DAY = date(1970, 1, 1)

Key = tuple[UUID, int]
"""A cell: offer and slot."""


def is_dated(kind: Kind) -> bool:
    """Whether a kind is let by dates."""
    return kind in (Kind.RENTAL, Kind.STAY)


@dataclass(frozen=True, slots=True)
class Offer:
    """What inventory knows of an offer."""

    id: UUID
    seller_id: UUID
    kind: Kind
    quantity: int
    timezone: str
    open: bool
    by_hour: bool = False
    seated: bool = False
    rules: Rules = NO_RULES

    @property
    def dated(self) -> bool:
        """Whether it is let by dates."""
        return self.unit is Unit.DAY

    @property
    def unit(self) -> Unit:
        """What it is counted in."""
        if is_dated(self.kind):
            return Unit.HOUR if self.by_hour else Unit.DAY
        return Unit.SEAT if self.seated else Unit.TIMELESS


@dataclass(frozen=True, slots=True)
class Cell:
    """The counters of one offer in one slot."""

    capacity: int
    held: int
    sold: int

    @property
    def promised(self) -> int:
        """Units that customers were promised."""
        return self.held + self.sold

    @property
    def free(self) -> int:
        """Units that nobody was promised."""
        return self.capacity - self.promised


@dataclass(frozen=True, slots=True)
class StoredHold:
    """A hold as its row says, with its claims."""

    id: UUID
    status: HoldStatus
    made_at: datetime
    expires_at: datetime
    claims: tuple[Claim, ...]

    def status_at(self, now: datetime) -> HoldStatus:
        """Its status; past its deadline it has ended even before the sweeper came by."""
        if self.status is HoldStatus.HELD and self.expires_at <= now:
            return HoldStatus.EXPIRED
        return self.status


def slot_of(day: date) -> int:
    """The slot of a day."""
    return (day - _FIRST_DAY).days


def day_of(slot: int) -> date | None:
    """The day of a slot; None for the timeless one."""
    return None if slot == TIMELESS_SLOT else _FIRST_DAY + timedelta(days=slot)


def slots(dates: DateRange | None) -> range:
    """The slots of half-open dates, or the timeless one."""
    if dates is None:
        return range(TIMELESS_SLOT, TIMELESS_SLOT + 1)
    return range(slot_of(dates.start), slot_of(dates.end))


def dates_of(first_slot: int, end_slot: int) -> DateRange | None:
    """The inverse of `slots`."""
    start, end = day_of(first_slot), day_of(end_slot)
    return DateRange(start=start, end=end) if start and end else None


def known_timezone(name: str) -> str:
    """An IANA name, or UTC where it is none: a typo must not stop the sale."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"


def today(offer: Offer, now: datetime) -> date:
    """The date where the offer is."""
    return now.astimezone(ZoneInfo(offer.timezone)).date()


def first_open_slot(offer: Offer, now: datetime) -> int:
    """The first slot that can still be promised: today's, or the timeless one."""
    return slot_of(today(offer, now)) if offer.dated else TIMELESS_SLOT


def slots_now(offer: Offer, now: datetime) -> range:
    """Today's slot, or the timeless one."""
    first = first_open_slot(offer, now)
    return range(first, first + 1)


def check_claims(
    claims: Iterable[Claim], offers: Mapping[UUID, Offer], now: datetime, horizon_days: int
) -> None:
    """Refuse claims that no counter needs to be asked about.

    Raises UnknownSupply, Closed, NeedsDates, InThePast, TooFarAhead.
    """
    for claim in claims:
        offer = offers.get(claim.offer_id)
        if offer is None:
            raise UnknownSupply(offer_id=claim.offer_id)
        if not offer.open:
            raise Closed(offer_id=offer.id)
        if offer.dated is not (claim.dates is not None):
            raise NeedsDates(offer_id=offer.id)
        if claim.dates is not None:
            _check_dates(offer, claim.dates, today(offer, now), horizon_days)


def _check_dates(offer: Offer, dates: DateRange, first: date, horizon_days: int) -> None:
    if dates.start < first:
        raise InThePast(offer_id=offer.id)
    if dates.end > first + timedelta(days=horizon_days):
        raise TooFarAhead(offer_id=offer.id)


def demand(claims: Iterable[Claim]) -> dict[Key, int]:
    """Units per cell, summed over all claims, in the order cells are locked in.

    Judging claim by claim would let two lines of one cart each take the last unit.
    """
    needed: Counter[Key] = Counter()
    for claim in claims:
        for slot in slots(claim.dates):
            needed[claim.offer_id, slot] += claim.quantity
    return dict(sorted(needed.items()))


def judge(needed: Mapping[Key, int], own: Mapping[Key, int], cells: Mapping[Key, Cell]) -> None:
    """Refuse with SoldOut, naming the scarcest cell, unless everything needed is free.

    `own` is what the same hold has already: it is given back before the new claims are taken.
    """
    short = [
        (left, key)
        for key, units in needed.items()
        if units > (left := cells[key].free + own.get(key, 0))
    ]
    if short:
        left, (offer_id, slot) = min(short)
        # A seller's cut can leave less than nothing on paper, never to a customer's eyes.
        raise SoldOut(offer_id=offer_id, left=max(left, 0), day=day_of(slot))


def change(needed: Mapping[Key, int], own: Mapping[Key, int]) -> dict[Key, int]:
    """Units to add to each cell (negative: to take away), without the cells that stay."""
    keys = sorted(needed.keys() | own.keys())
    moved = {key: needed.get(key, 0) - own.get(key, 0) for key in keys}
    return {key: units for key, units in moved.items() if units}


def check_renewable(status: HoldStatus) -> None:
    """Whether a hold in this status may be taken (again). Raises Conflict, HoldEnded."""
    if status is HoldStatus.CONFIRMED:
        raise Conflict
    if status is HoldStatus.RELEASED:
        raise HoldEnded


def deadline(made_at: datetime, now: datetime, ttl_seconds: int, lifetime_seconds: int) -> datetime:
    """When a hold renewed now will expire.

    Each renewal gives `ttl_seconds`, but none reaches beyond `lifetime_seconds` after the hold was
    made: touching a cart every few minutes cannot keep units from others for ever.
    """
    return min(now + timedelta(seconds=ttl_seconds), made_at + timedelta(seconds=lifetime_seconds))


def check_cut(offer_id: UUID, quantity: int, cells: Mapping[Key, Cell]) -> None:
    """Refuse with BelowPromised a supply smaller than what some cell has promised."""
    promised, slot = max(
        ((cell.promised, slot) for (_, slot), cell in cells.items()), default=(0, TIMELESS_SLOT)
    )
    if promised > quantity:
        raise BelowPromised(offer_id=offer_id, promised=promised, day=day_of(slot))
