"""A tape chart ready to be drawn: rooms × days as rows of cells. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from dvor.contracts.rooms import Chart, Room, RoomClosure, Stay
from dvor.kernel.periods import DateRange

DAYS = 14


@dataclass(frozen=True)
class Cell:
    """Some days of a row: empty, a stay or a closure."""

    first: date
    days: int
    stay: Stay | None = None
    closure: RoomClosure | None = None
    earlier: bool = False
    """It began before the chart does."""
    later: bool = False
    """It ends after the chart does."""


@dataclass(frozen=True)
class Row:
    """A room, or a place for stays without one."""

    room: Room | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Tape:
    """What the page draws."""

    days: tuple[date, ...]
    rows: tuple[Row, ...]
    waiting: tuple[Row, ...]
    """Stays without a room, in as few rows as they fit into."""
    crowded: tuple[date, ...]
    """Nights with more guests than rooms."""


def window(first: date) -> DateRange:
    """The days that a chart shows."""
    return DateRange(start=first, end=first + timedelta(days=DAYS))


def tape(chart: Chart) -> Tape:
    """A chart as rows of cells."""
    by_room: dict[UUID, list[Stay | RoomClosure]] = {room.id: [] for room in chart.rooms}
    waiting: list[Stay] = []
    for stay in chart.stays:
        if stay.room_id is None or stay.room_id not in by_room:
            waiting.append(stay)
        else:
            by_room[stay.room_id].append(stay)
    for closure in chart.closures:
        if closure.room_id is not None and closure.room_id in by_room:
            by_room[closure.room_id].append(closure)
    return Tape(
        days=tuple(chart.dates.days()),
        rows=tuple(Row(room, cells(by_room[room.id], chart.dates)) for room in chart.rooms),
        waiting=tuple(Row(None, cells(lane, chart.dates)) for lane in lanes(waiting)),
        crowded=crowded(chart),
    )


def crowded(chart: Chart) -> tuple[date, ...]:
    """Nights on which more stays are booked than there are rooms."""
    booked = [stay for stay in chart.stays if stay.confirmed]
    return tuple(
        night
        for night in chart.dates.days()
        if sum(s.dates.start <= night < s.dates.end for s in booked) > len(chart.rooms)
    )


def lanes(stays: Iterable[Stay]) -> list[list[Stay]]:
    """Stays in as few rows as they fit into, each after the one before."""
    found: list[list[Stay]] = []
    for stay in sorted(stays, key=lambda stay: (stay.dates.start, stay.dates.end, stay.id)):
        lane = next((lane for lane in found if lane[-1].dates.end <= stay.dates.start), None)
        if lane is None:
            found.append([stay])
        else:
            lane.append(stay)
    return found


def cells(things: Sequence[Stay | RoomClosure], dates: DateRange) -> tuple[Cell, ...]:
    """A row: things and the empty days between them. What overlaps comes after what it overlaps."""
    made: list[Cell] = []
    day = dates.start
    for thing in sorted(things, key=lambda thing: (thing.dates.start, thing.id)):
        start, end = max(thing.dates.start, day), min(thing.dates.end, dates.end)
        if start >= end:
            continue
        made += _empty(day, start)
        made.append(
            Cell(
                start,
                (end - start).days,
                stay=thing if isinstance(thing, Stay) else None,
                closure=thing if isinstance(thing, RoomClosure) else None,
                earlier=thing.dates.start < dates.start,
                later=thing.dates.end > dates.end,
            )
        )
        day = end
    return (*made, *_empty(day, dates.end))


def _empty(first: date, end: date) -> list[Cell]:
    return [Cell(first + timedelta(days=n), 1) for n in range((end - first).days)]


def fitting(chart: Chart, stay: Stay) -> list[tuple[Room, bool]]:
    """Rooms and whether nobody else has them on the nights of a stay, free ones first."""

    def free(room: Room) -> bool:
        things = (
            *(s for s in chart.stays if s.room_id == room.id and s.id != stay.id),
            *(c for c in chart.closures if c.room_id == room.id),
        )
        return not any(
            t.dates.start < stay.dates.end and stay.dates.start < t.dates.end for t in things
        )

    pairs = [(room, free(room)) for room in chart.rooms]
    return sorted(pairs, key=lambda pair: not pair[1])
