"""Pure decisions about units: what may be claimed, and whether it is free."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from dvor.contracts.inventory import (
    BelowPromised,
    Claim,
    Closed,
    ClosedDates,
    HoldEnded,
    HoldStatus,
    InThePast,
    LimitReached,
    Rules,
    SoldOut,
    TooFarAhead,
    TooLate,
    TooLong,
    TooShort,
    Unit,
    WrongWeekday,
)
from dvor.kernel.errors import Conflict
from dvor.services.inventory import slots
from dvor.services.inventory.slots import NO_RULES, Key, Line, Offer

OFFER_LEAST = timedelta(minutes=30)
_DAY = timedelta(days=1)


class Cell:
    """The counters of one offer in one slot, and what they were when they were read."""

    __slots__ = ("before", "capacity", "held", "sold")

    def __init__(self, capacity: int, held: int, sold: int) -> None:
        self.capacity, self.held, self.sold = capacity, held, sold
        self.before = (capacity, held, sold)

    @property
    def promised(self) -> int:
        """Units that customers were promised."""
        return self.held + self.sold

    @property
    def free(self) -> int:
        """Units that nobody was promised."""
        return self.capacity - self.held - self.sold

    def moved(self) -> tuple[int, int, int]:
        """By how much capacity, held and sold differ from what was read."""
        capacity, held, sold = self.before
        return self.capacity - capacity, self.held - held, self.sold - sold


class StoredHold(NamedTuple):
    """A hold as its row: the fields of the table `holds`, in its order."""

    id: UUID
    status: HoldStatus
    made_at: datetime
    expires_at: datetime
    customer_id: UUID | None
    limited: bool
    """Some of it counts against a limit per customer."""
    claims: Sequence[Line]

    def status_at(self, now: datetime) -> HoldStatus:
        """Its status; past its deadline it has ended even before the sweeper came by."""
        if self.status is HoldStatus.HELD and self.expires_at <= now:
            return HoldStatus.EXPIRED
        return self.status


def check_rules(claim: Claim, offer: Offer, now: datetime, horizon_days: int) -> None:
    """Refuse a claim that no counter needs to be asked about.

    `horizon_days`: how far ahead the site sells. Raises Closed, InThePast, TooFarAhead, TooLate,
    TooShort, TooLong, WrongWeekday, ClosedDates.
    """
    if not offer.open:
        raise Closed(offer_id=offer.id)
    if claim.dates is not None:
        first, end, length = claim.dates.start, claim.dates.end, claim.dates.length
        over = first < slots.today(offer.timezone, now)
        last = end - _DAY
    elif claim.hours is not None:
        zone = ZoneInfo(offer.timezone)
        length = claim.hours.length
        first, end = (
            claim.hours.start.astimezone(zone).date(),
            claim.hours.end.astimezone(zone).date(),
        )
        last = (claim.hours.end - timedelta(seconds=1)).astimezone(zone).date()
        over = claim.hours.start + timedelta(hours=1) <= now
    else:
        return
    if over:
        raise InThePast(offer_id=offer.id)
    rules = offer.rules
    reach = min(rules.horizon_days or horizon_days, horizon_days)
    if last >= slots.today(offer.timezone, now) + timedelta(days=reach):
        raise TooFarAhead(offer_id=offer.id)
    if rules is not NO_RULES:
        if rules.notice_hours and _begins(claim, offer) - now < timedelta(hours=rules.notice_hours):
            raise TooLate(offer_id=offer.id, hours=rules.notice_hours)
        _check_length(rules, length, offer.id)
        _check_days(rules, first, end, last, offer.id)


def _begins(claim: Claim, offer: Offer) -> datetime:
    """When it begins: days begin at midnight there."""
    if claim.hours is not None:
        return claim.hours.start
    assert claim.dates is not None
    return datetime.combine(claim.dates.start, time(), tzinfo=ZoneInfo(offer.timezone))


def _check_length(rules: Rules, length: int, offer_id: UUID) -> None:
    if length < rules.length_min:
        raise TooShort(offer_id=offer_id, least=rules.length_min)
    if rules.length_max and length > rules.length_max:
        raise TooLong(offer_id=offer_id, most=rules.length_max)


def _check_days(rules: Rules, first: date, end: date, last: date, offer_id: UUID) -> None:
    """`end`: the day it ends; `last`: the last day it takes, the day before for nights."""
    for day, allowed in ((first, rules.arrival_weekdays), (end, rules.departure_weekdays)):
        if allowed and day.weekday() not in allowed:
            raise WrongWeekday(offer_id=offer_id, day=day)
    for closed in rules.closed:
        if closed.start <= last and first < closed.end:
            raise ClosedDates(offer_id=offer_id, day=max(first, closed.start))


def judge(
    needed: Mapping[Key, int],
    own: Mapping[Key, int],
    cells: Mapping[Key, Cell],
    lines: Sequence[Line],
    offers: Mapping[int, Offer],
) -> None:
    """Refuse with SoldOut, naming the scarcest cell, unless everything needed is free.

    `own` is what the same hold has already: it is given back before the new claims are taken.
    """
    for key, units in needed.items():
        cell = cells[key]
        if units > cell.capacity - cell.held - cell.sold + (own.get(key, 0) if own else 0):
            raise sold_out(needed, own, cells, lines, offers)


def sold_out(
    needed: Mapping[Key, int],
    own: Mapping[Key, int],
    cells: Mapping[Key, Cell],
    lines: Sequence[Line],
    offers: Mapping[int, Offer],
) -> SoldOut:
    """The refusal that names the scarcest of the cells that do not suffice."""
    short = [
        (left, key)
        for key, units in needed.items()
        if units > (left := cells[key].free + own.get(key, 0))
    ]
    left, (number, slot) = min(short)
    return lacking(offers[number], slot, left, lines)


def lacking(offer: Offer, slot: int, left: int, lines: Sequence[Line]) -> SoldOut:
    """SoldOut for a slot, in people's terms."""
    # A seller's cut can leave less than nothing on paper, never to a customer's eyes.
    refusal: dict[str, object] = {"offer_id": offer.id, "left": max(left, 0)}
    unit = offer.unit
    if unit is Unit.DAY:
        refusal["day"] = slots.day_of(slot)
    elif unit is Unit.HOUR:
        refusal["hour"] = slots.hour_of(slot, offer.timezone)
    elif unit is Unit.SEAT:
        names = {
            seat: name
            for line in lines
            if line.offer_id == offer.id
            for seat, name in zip(line.seat_slots or (), line.seat_names or (), strict=True)
        }
        refusal["seat"] = names.get(slot, "")
    return SoldOut(**refusal)


def check_limit(
    lines: Sequence[Line], others: Iterable[Sequence[Line]], offers: Mapping[int, Offer]
) -> None:
    """Refuse with LimitReached more than one customer can have.

    `others`: what the customer's other holds have. Goods, tickets and seats count ever, what is
    let for a time counts in each slot.
    """
    limited = [line for line in lines if offers[line.offer_id.int].rules.per_customer]
    for offer_id in slots.offers_of(limited):
        offer = offers[offer_id.int]
        had = [line for hold in others for line in hold]
        taken: dict[int, int] = {}
        for line in (*lines, *had):
            if line.offer_id == offer_id:
                for slot in _counted(line, offer.unit):
                    taken[slot] = taken.get(slot, 0) + line.quantity
        wanted = {slot for line in limited for slot in _counted(line, offer.unit)}
        if any(taken.get(slot, 0) > offer.rules.per_customer for slot in wanted):
            raise LimitReached(offer_id=offer_id, limit=offer.rules.per_customer)


def _counted(line: Line, unit: Unit) -> Iterable[int]:
    return range(line.first_slot, line.end_slot) if unit in (Unit.DAY, Unit.HOUR) else (0,)


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


def offer_ends(claim: Claim, offer: Offer, now: datetime, seconds: int) -> datetime:
    """Until when something that somebody waited for is held for them.

    Not beyond its own beginning: nobody else could have it any more. Half an hour in any case.
    """
    until, starts_at = now + timedelta(seconds=seconds), None
    if claim.dates is not None:
        midnight = datetime.min.time()
        zone = ZoneInfo(offer.timezone)
        starts_at = datetime.combine(claim.dates.start, midnight, tzinfo=zone)
    elif claim.hours is not None:
        starts_at = claim.hours.start
    if starts_at is None or starts_at >= until:
        return until
    return min(until, max(starts_at, now + OFFER_LEAST))


def check_cut(offer: Offer, quantity: int, cells: Mapping[int, Cell]) -> None:
    """Refuse with BelowPromised a supply smaller than what some slot has promised."""
    promised, slot = max(((cell.promised, slot) for slot, cell in cells.items()), default=(0, 0))
    if promised > quantity:
        day = slots.day_of(slot) if offer.dated else None
        raise BelowPromised(offer_id=offer.id, promised=promised, day=day)
