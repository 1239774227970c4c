"""Pure decisions about numbered seats: what a new map changes, which seats go together.

**Best together.** A seat costs 4 for each row from the stage back and 1 for each half column from
the middle of its section: one row further back is as bad as two seats further from the middle. The
best are those beside each other in one row that cost least, where nobody is left with a single seat
beside them. Where no row has so many beside each other: in as few parts as can be, in rows as near
to each other as can be, nobody alone if it can be helped. Places for wheelchairs are for those who
ask for them; others get them only when nothing else is left.

**No single seats.** Seats of one tier that are free and beside each other are a run. Who takes k of
a run of n leaves no single free seat in it beside theirs, unless n - k = 1: then one is left however
they choose. Places for wheelchairs neither count as left alone nor belong to a run.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from dvor.contracts.inventory import LeavesSingleSeat, SoldOut
from dvor.contracts.seating import SeatMap, SeatPromised, TicketsPromised

Key = tuple[UUID, int]
"""A cell: tier and slot."""

TICKETS_SLOT = 0
"""Where tickets without numbers are counted."""
ROW_COST = 4
"""Of one row further back, in half columns."""
ANCHORS_MAX = 24
"""Places that are tried as the middle of a party that no row can take."""


@dataclass(frozen=True, slots=True)
class StoredSeat:
    """A seat as its row says."""

    offer_id: UUID
    slot: int
    name: str
    row_place: int
    place: int
    centre: int
    accessible: bool
    active: bool = True


@dataclass(frozen=True, slots=True)
class SeatCell:
    """A seat of one tier, and whether it is free."""

    name: str
    row: int
    place: int
    centre: int
    accessible: bool = False
    free: bool = True
    own: bool = False
    """The hold that asks has it already; then it is free for it."""

    @property
    def cost(self) -> int:
        """How far from the stage and the middle, in half columns."""
        return ROW_COST * self.row + abs(2 * self.place - self.centre)


@dataclass(frozen=True, slots=True)
class MapChange:
    """What a new map changes."""

    seats: tuple[StoredSeat, ...]
    """All of the new map."""
    capacities: Mapping[Key, int]
    """Of the cells that change: 1 for new seats, 0 for those that go."""
    gone: Mapping[Key, str]
    """Names of the seats that go."""
    counts: Mapping[UUID, int]
    """Seats of each tier that has or had some."""

    def check(self, promised: Mapping[Key, int]) -> None:
        """Refuse where a cell that goes is promised. Raises SeatPromised, TicketsPromised."""
        for key, capacity in sorted(self.capacities.items()):
            if capacity or not promised[key]:
                continue
            if key in self.gone:
                raise SeatPromised(seat=self.gone[key])
            raise TicketsPromised(offer_id=key[0], promised=promised[key])


def map_change(
    layout: SeatMap, known: Sequence[StoredSeat], seated: Mapping[UUID, bool]
) -> MapChange:
    """What turns the seats `known` (all there ever were) into those of `layout`.

    `seated` says which offers have seats already: the others change from tickets without numbers.
    """
    slots = {(seat.offer_id, seat.name): seat.slot for seat in known}
    last: Counter[UUID] = Counter()
    for seat in known:
        last[seat.offer_id] = max(last[seat.offer_id], seat.slot)
    seats = []
    for placed in layout.placed():
        tier = placed.seat.offer_id
        slot = slots.get((tier, placed.name))
        if slot is None:
            last[tier] += 1
            slot = last[tier]
        seats.append(
            StoredSeat(
                tier, slot, placed.name, placed.row, placed.seat.column, placed.centre,
                placed.seat.accessible,
            )
        )  # fmt: skip
    old = {(seat.offer_id, seat.slot): seat.name for seat in known if seat.active}
    new = {(seat.offer_id, seat.slot) for seat in seats}
    counts = Counter({tier: 0 for tier, has in seated.items() if has})
    counts.update(seat.offer_id for seat in seats)
    gone = {key: name for key, name in old.items() if key not in new}
    numbered = [tier for tier, count in counts.items() if count and not seated.get(tier)]
    return MapChange(
        seats=tuple(seats),
        capacities=dict.fromkeys(new - old.keys(), 1)
        | dict.fromkeys(gone, 0)
        | {(tier, TICKETS_SLOT): 0 for tier in numbered},
        gone=gone,
        counts=counts,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """Free seats beside each other."""

    seats: tuple[SeatCell, ...]
    costs: tuple[int, ...]
    """Sums: `costs[i]` of the first i seats."""

    @staticmethod
    def of(seats: Iterable[SeatCell]) -> "_Run":
        found = tuple(seats)
        return _Run(found, tuple(accumulate((seat.cost for seat in found), initial=0)))

    def __len__(self) -> int:
        return len(self.seats)

    @property
    def row(self) -> int:
        return self.seats[0].row

    def cost(self, start: int, size: int) -> int:
        return self.costs[start + size] - self.costs[start]

    def starts(self, size: int) -> Iterator[int]:
        """Where `size` seats can begin so that no single one is left that need not be."""
        spare = len(self) - size
        for start in range(spare + 1):
            if spare == 1 or (start != 1 and spare - start != 1):
                yield start

    def window(self, start: int, size: int) -> tuple[SeatCell, ...]:
        return self.seats[start : start + size]

    def distance(self, seat: SeatCell) -> tuple[int, int]:
        """Rows, then seats, between here and a seat."""
        first, last = self.seats[0].place, self.seats[-1].place
        aside = max(first - seat.place, seat.place - last, 0)
        return abs(self.row - seat.row), aside


def _runs(seats: Iterable[SeatCell]) -> Iterator[_Run]:
    """Maximal runs of these seats, all of which are free."""
    run: list[SeatCell] = []
    for seat in sorted(seats, key=lambda seat: (seat.row, seat.place)):
        if run and (seat.row, seat.place) != (run[-1].row, run[-1].place + 1):
            yield _Run.of(run)
            run = []
        run.append(seat)
    if run:
        yield _Run.of(run)


def best_together(
    offer_id: UUID,
    seats: Iterable[SeatCell],
    quantity: int,
    *,
    accessible: bool = False,
    options: int = 1,
) -> list[tuple[SeatCell, ...]]:
    """Up to `options` ways to seat a party, the best first. Raises SoldOut."""
    free = [seat for seat in seats if seat.free]
    usable = [seat for seat in free if seat.accessible is accessible]
    if len(usable) < quantity and not accessible:
        usable = free
    if len(usable) < quantity:
        raise SoldOut(offer_id=offer_id, left=len(usable))
    runs = list(_runs(usable))
    windows = sorted(
        (len(run) - quantity == 1, run.cost(start, quantity), index, start)
        for index, run in enumerate(runs)
        if len(run) >= quantity
        for start in run.starts(quantity)
    )
    if windows:
        return [runs[index].window(start, quantity) for _, _, index, start in windows[:options]]
    return _in_parts(runs, quantity)[:options]


def _in_parts(runs: Sequence[_Run], quantity: int) -> list[tuple[SeatCell, ...]]:
    anchors = sorted(runs, key=lambda run: (-len(run), run.cost(0, len(run)) / len(run)))
    found = [_around(anchor, runs, quantity) for anchor in anchors[:ANCHORS_MAX]]
    found.sort(key=_scattered)
    return [tuple(seat for part in parts for seat in part) for parts in found]


def _around(anchor: _Run, runs: Sequence[_Run], quantity: int) -> list[tuple[SeatCell, ...]]:
    """Parts of a party around the middle of a run."""
    middle = anchor.seats[len(anchor) // 2]
    parts, left = [], quantity
    for run in sorted(runs, key=lambda run: (run is not anchor, run.distance(middle))):
        size = min(left, len(run))
        if left - size == 1 and size > 2:
            size -= 1  # the last one would sit alone
        start = min(
            run.starts(size),
            key=lambda at: abs(2 * run.seats[at].place + size - 1 - 2 * middle.place),
        )
        parts.append(run.window(start, size))
        left -= size
        if not left:
            break
    else:
        parts.extend(_rest(parts, runs, left))
    return sorted(parts, key=lambda part: (part[0].row, part[0].place))


def _rest(
    parts: Sequence[tuple[SeatCell, ...]], runs: Sequence[_Run], left: int
) -> Iterator[tuple[SeatCell, ...]]:
    """What is missing when sparing someone from sitting alone spared too many."""
    used = {seat.name for part in parts for seat in part}
    spare = [seat for run in runs for seat in run.seats if seat.name not in used]
    yield from ((seat,) for seat in spare[:left])


def _scattered(parts: Sequence[tuple[SeatCell, ...]]) -> tuple[int, int, int, int]:
    seats = [seat for part in parts for seat in part]
    rows = [seat.row for seat in seats]
    alone = sum(len(part) == 1 for part in parts)
    return len(parts), max(rows) - min(rows), alone, sum(seat.cost for seat in seats)


def check_no_single_seat(
    offer_id: UUID, seats: Iterable[SeatCell], chosen: Collection[str]
) -> None:
    """Refuse with LeavesSingleSeat a choice that leaves one alone that need not be left."""
    ordinary = [seat for seat in seats if seat.free and not seat.accessible]
    for run in _runs(ordinary):
        left = [seat for seat in run.seats if seat.name not in chosen]
        if len(left) in (1, len(run)):
            continue
        for rest in _runs(left):
            if len(rest) == 1:
                raise LeavesSingleSeat(offer_id=offer_id, seat=rest.seats[0].name)
