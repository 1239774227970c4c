"""What inventory should answer, in plain Python: one thing after the other, no database."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from dvor.contracts.inventory import Claim, Rules
from dvor.kernel.periods import DateRange

TTL, LIFETIME, HORIZON_DAYS = timedelta(seconds=900), timedelta(seconds=3600), 730
FIRST_DAY = date(1970, 1, 1)

Cell = tuple[UUID, int]


@dataclass
class Thing:
    """An offer. `unit`: timeless, day, hour or seat."""

    id: UUID
    unit: str
    quantity: int
    rules: Rules = field(default_factory=Rules)
    open: bool = True
    seats: Sequence[str] = ()


@dataclass
class Held:
    """A hold: units per cell, and per cell what counts against a limit."""

    status: str
    made_at: datetime
    expires_at: datetime
    cells: Counter[Cell]
    counted: Counter[Cell] = field(default_factory=Counter)
    customer: UUID | None = None
    limited: bool = False

    @property
    def alive(self) -> bool:
        return self.status in ("held", "confirmed")


@dataclass(frozen=True)
class Closed:
    """Units that a seller keeps back in some slots."""

    offer_id: UUID
    slots: range
    units: int


class Refused(Exception):
    """The name of a refusal."""


class Model:
    """What should be true."""

    def __init__(self) -> None:
        self.things: dict[UUID, Thing] = {}
        self.holds: dict[UUID, Held] = {}
        self.closures: dict[UUID, Closed] = {}
        self.left: Counter[Cell] = Counter()
        """What closures have left of the cells that they touched, as of when somebody looked."""

    def hold(
        self, hold_id: UUID, claims: Sequence[Claim], customer: UUID | None, now: datetime
    ) -> str:
        """What is asked is understood, then allowed, then limited, then counted."""
        for claim in claims:
            self._understand(claim)
        old = self.holds.get(hold_id)
        if old and old.status in ("confirmed", "released"):
            raise Refused("Conflict" if old.status == "confirmed" else "HoldEnded")
        for claim in claims:
            self._allow(claim, now)
        cells, counted = self._cells(claims, buffered=True), self._cells(claims, buffered=False)
        limited = any(self.things[claim.offer_id].rules.per_customer for claim in claims)
        self._limit(hold_id, counted, customer)
        taken = self.promised(without=hold_id)
        if any(taken[cell] + units > self.capacity(cell) for cell, units in cells.items()):
            raise Refused("SoldOut")
        renewed = old is not None and old.status == "held" and old.expires_at > now
        made_at = old.made_at if old and renewed else now
        expires_at = min(now + TTL, made_at + LIFETIME)
        new = Held("held", made_at, expires_at, cells, counted, customer, limited)
        self.holds[hold_id] = new
        return new.status

    def _understand(self, claim: Claim) -> None:
        thing = self.things.get(claim.offer_id)
        if thing is None:
            raise Refused("UnknownSupply")
        if claim.hours and thing.unit != "hour":
            raise Refused("NeedsDates")
        if claim.seats and thing.unit != "seat":
            raise Refused("NoSeats")
        if thing.unit == "hour" and not claim.hours:
            raise Refused("NeedsHours")
        if thing.unit != "hour" and (claim.dates is not None) is not (thing.unit == "day"):
            raise Refused("NeedsDates")
        if thing.unit == "seat" and not claim.seats:
            raise Refused("NeedsSeats")
        if any(seat not in thing.seats for seat in claim.seats):
            raise Refused("UnknownSeat")

    def _allow(self, claim: Claim, now: datetime) -> None:
        if not self.things[claim.offer_id].open:
            raise Refused("Closed")
        if refusal := self.barred(claim, now):
            raise Refused(refusal)

    def barred(self, claim: Claim, now: datetime) -> str:
        """Why the seller's rules, or the calendar, refuse it; empty: they do not."""
        thing = self.things[claim.offer_id]
        if claim.dates:
            first, end, length = claim.dates.start, claim.dates.end, claim.dates.length
            last = end - timedelta(days=1)
            begins, over = datetime.combine(first, time(), UTC), first < now.date()
        elif claim.hours:
            begins, length = claim.hours.start, claim.hours.length
            first, end = begins.date(), claim.hours.end.date()
            last = (claim.hours.end - timedelta(seconds=1)).date()
            over = begins + timedelta(hours=1) <= now
        else:
            return ""
        rules, today = thing.rules, now.date()
        weekdays = rules.arrival_weekdays, rules.departure_weekdays
        reach = timedelta(days=rules.horizon_days or HORIZON_DAYS)
        closed = any(dates.start <= last and first < dates.end for dates in rules.closed)
        for refusal, applies in (
            ("InThePast", over),
            ("TooFarAhead", last >= today + reach),
            ("TooLate", begins - now < timedelta(hours=rules.notice_hours)),
            ("TooShort", length < rules.length_min),
            ("TooLong", 0 < rules.length_max < length),
            ("WrongWeekday", weekdays[0] and first.weekday() not in weekdays[0]),
            ("WrongWeekday", weekdays[1] and end.weekday() not in weekdays[1]),
            ("ClosedDates", closed),
        ):
            if applies and (refusal != "TooLate" or rules.notice_hours):
                return refusal
        return ""

    def _cells(self, claims: Sequence[Claim], *, buffered: bool) -> Counter[Cell]:
        """Units per cell; with the buffer after them, or as they count for a customer."""
        cells: Counter[Cell] = Counter()
        for claim in claims:
            thing, slots = self.things[claim.offer_id], [0]
            buffer = thing.rules.buffer if buffered else 0
            if claim.dates:
                first = (claim.dates.start - FIRST_DAY).days
                slots = list(range(first, first + claim.dates.length + buffer))
            elif claim.hours:
                first = int(claim.hours.start.timestamp()) // 3600
                slots = list(range(first, first + claim.hours.length + buffer))
            elif claim.seats and buffered:
                cells.update((thing.id, 1 + thing.seats.index(seat)) for seat in claim.seats)
                continue
            for slot in slots:
                cells[thing.id, slot] += claim.quantity
        return cells

    def _limit(self, hold_id: UUID, counted: Counter[Cell], customer: UUID | None) -> None:
        theirs = Counter(counted)
        for other, hold in self.holds.items():
            same = customer is not None and hold.customer == customer and other != hold_id
            if same and hold.alive and hold.limited:
                theirs.update(hold.counted)
        for cell in counted:
            limit = self.things[cell[0]].rules.per_customer
            if limit and theirs[cell] > limit:
                raise Refused("LimitReached")

    def capacity(self, cell: Cell) -> int:
        thing = self.things[cell[0]]
        return 1 if thing.unit == "seat" else self.left.get(cell, thing.quantity)

    def promised(self, without: UUID | None = None, *statuses: str) -> Counter[Cell]:
        taken: Counter[Cell] = Counter()
        for hold_id, hold in self.holds.items():
            if hold_id != without and hold.status in (statuses or ("held", "confirmed")):
                taken.update(hold.cells)
        return taken

    def slots(self, claim: Claim) -> list[int]:
        """The slots that a claim would take."""
        return [slot for _, slot in self._cells([claim], buffered=True)]

    def free(self, offer_id: UUID, slots: Sequence[int]) -> int:
        taken = self.promised()
        return min(self.capacity((offer_id, s)) - taken[offer_id, s] for s in slots)

    def confirm(self, hold_id: UUID, now: datetime) -> str:
        hold = self.holds.get(hold_id)
        if hold is None:
            raise Refused("UnknownHold")
        if hold.status == "held" and hold.expires_at > now:
            hold.status = "confirmed"
        if hold.status != "confirmed":
            raise Refused("HoldEnded")
        return hold.status

    def release(self, hold_id: UUID, now: datetime) -> str:
        hold = self.holds.setdefault(hold_id, Held("held", now, now, Counter()))
        hold.status = "released"
        return hold.status

    def look(self, hold_id: UUID, now: datetime) -> str:
        hold = self.holds.get(hold_id)
        if hold is None:
            raise Refused("UnknownHold")
        over = hold.status == "held" and hold.expires_at <= now
        return "expired" if over else hold.status

    def sweep(self, now: datetime) -> None:
        for hold in self.holds.values():
            if hold.status == "held" and hold.expires_at <= now:
                hold.status = "expired"

    def supply(self, offer_id: UUID, quantity: int, now: datetime) -> str:
        """Past days keep what they had."""
        thing = self.things[offer_id]
        first = first_open(thing, now)
        promised = [
            n for (of, slot), n in self.promised().items() if of == offer_id and slot >= first
        ]
        if max(promised, default=0) > quantity:
            raise Refused("BelowPromised")
        thing.quantity = quantity
        self._fit(thing, [slot for of, slot in self.left if of == offer_id and slot >= first])
        return "set"

    def close(self, name: UUID, offer_id: UUID, dates: DateRange, units: int, now: datetime) -> str:
        """What is free is closed at once; what is promised stays promised."""
        thing, today = self.things[offer_id], now.date()
        if thing.unit not in ("day", "hour"):
            raise Refused("NeedsDates")
        if dates.end <= today:
            raise Refused("InThePast")
        if dates.end > today + timedelta(days=HORIZON_DAYS):
            raise Refused("TooFarAhead")
        closed = self.closures.setdefault(name, Closed(offer_id, span(thing, dates), units))
        self._fit(thing, self._ahead(thing, closed.slots, now))
        return "closed in part" if self.conflicts(closed, now) else "closed"

    def reopen(self, name: UUID, now: datetime) -> str:
        closed = self.closures.pop(name, None)
        if closed is None:
            raise Refused("UnknownClosure")
        thing = self.things[closed.offer_id]
        self._fit(thing, self._ahead(thing, closed.slots, now))
        return "reopened"

    def follow_up(self, now: datetime) -> bool:
        """Closures take what has become free; answers whether any did."""
        before = dict(self.left)
        for closed in self.closures.values():
            thing = self.things[closed.offer_id]
            self._fit(thing, self._ahead(thing, closed.slots, now))
        return self.left != before

    def closed(self, cell: Cell) -> int:
        return sum(
            closed.units
            for closed in self.closures.values()
            if closed.offer_id == cell[0] and cell[1] in closed.slots
        )

    def conflicts(self, closed: Closed, now: datetime) -> dict[date, int]:
        """Units of its own that a closure lacks, on each day in the worst slot."""
        thing, taken, worst = self.things[closed.offer_id], self.promised(), Counter[date]()
        for slot in self._ahead(thing, closed.slots, now):
            cell = closed.offer_id, slot
            lacking = taken[cell] - max(thing.quantity - self.closed(cell), 0)
            if lacking > 0:
                day = day_of(thing, slot)
                worst[day] = max(worst[day], min(lacking, closed.units))
        return dict(worst)

    def occupancy(self, thing: Thing, day: date) -> tuple[int, int, int, int]:
        """Units closed, held, sold and free in the slot of a day that has the least left."""
        held, sold = self.promised(None, "held"), self.promised(None, "confirmed")
        found = []
        for slot in span(thing, DateRange(start=day, end=day + timedelta(days=1))):
            cell = thing.id, slot
            free = max(self.capacity(cell) - held[cell] - sold[cell], 0)
            found.append((self.closed(cell), held[cell], sold[cell], free))
        return min(found, key=lambda numbers: numbers[-1])

    def _fit(self, thing: Thing, slots: Sequence[int]) -> None:
        taken = self.promised()
        for slot in slots:
            cell, there = (thing.id, slot), thing.quantity
            self.left[cell] = max(there - self.closed(cell), min(taken[cell], there))

    def _ahead(self, thing: Thing, slots: range, now: datetime) -> range:
        """Those of today and later."""
        today = span(thing, DateRange(start=now.date(), end=now.date() + timedelta(days=1)))
        return range(max(slots.start, today.start), max(slots.stop, today.start))


def span(thing: Thing, dates: DateRange) -> range:
    """The slots of days in UTC."""
    first, end = (dates.start - FIRST_DAY).days, (dates.end - FIRST_DAY).days
    each = 24 if thing.unit == "hour" else 1
    return range(first * each, end * each)


def first_open(thing: Thing, now: datetime) -> int:
    """The slot of now."""
    since = {"day": (now.date() - FIRST_DAY).days, "hour": int(now.timestamp()) // 3600}
    return since.get(thing.unit, 0)


def day_of(thing: Thing, slot: int) -> date:
    """The day of a slot."""
    return FIRST_DAY + timedelta(days=slot // 24 if thing.unit == "hour" else slot)
