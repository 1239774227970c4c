"""What inventory should answer, in plain Python: one thing after the other, no database."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from dvor.contracts.inventory import Claim, Rules

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


class Refused(Exception):
    """The name of a refusal."""


class Model:
    """What should be true."""

    def __init__(self) -> None:
        self.things: dict[UUID, Thing] = {}
        self.holds: dict[UUID, Held] = {}

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
        return 1 if thing.unit == "seat" else thing.quantity

    def promised(self, without: UUID | None = None, *statuses: str) -> Counter[Cell]:
        taken: Counter[Cell] = Counter()
        for hold_id, hold in self.holds.items():
            if hold_id != without and hold.status in (statuses or ("held", "confirmed")):
                taken.update(hold.cells)
        return taken

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
        since = {"day": (now.date() - FIRST_DAY).days, "hour": int(now.timestamp()) // 3600}
        first = since.get(thing.unit, 0)
        promised = [
            n for (of, slot), n in self.promised().items() if of == offer_id and slot >= first
        ]
        if max(promised, default=0) > quantity:
            raise Refused("BelowPromised")
        thing.quantity = quantity
        return "set"
