"""Which stay sleeps in which room: colouring of intervals. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

Nights = range
"""Nights counted in days, half-open."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A stay on a chart: its nights, its room if it has one, and whether it must keep it."""

    id: UUID
    nights: Nights
    room: UUID | None = None
    fixed: bool = False


def overlap(one: Nights, other: Nights) -> bool:
    """Whether some night is in both."""
    return one.start < other.stop and other.start < one.stop


class Board:
    """Rooms with who is in them."""

    def __init__(self, rooms: Sequence[UUID], closed: Mapping[UUID, Iterable[Nights]]) -> None:
        self._rooms = rooms
        self._closed = {room: list(nights) for room, nights in closed.items()}
        self._guests: dict[UUID, list[Guest]] = defaultdict(list)

    def put(self, guest: Guest, room: UUID) -> None:
        """Give a guest a room."""
        self._guests[room].append(replace(guest, room=room))

    def take(self, guest: Guest) -> None:
        """Empty the bed of a guest."""
        assert guest.room is not None
        self._guests[guest.room] = [g for g in self._guests[guest.room] if g.id != guest.id]

    def in_the_way(self, nights: Nights, room: UUID) -> list[Guest]:
        """Who is in a room on some of these nights."""
        return [guest for guest in self._guests[room] if overlap(guest.nights, nights)]

    def closed(self, nights: Nights, room: UUID) -> bool:
        """Whether a room is closed on some of these nights."""
        return any(overlap(closed, nights) for closed in self._closed.get(room, ()))

    def best(self, nights: Nights) -> UUID | None:
        """The free room that is empty for the shortest time before: long gaps stay whole."""
        free = [
            room
            for room in self._rooms
            if not self.closed(nights, room) and not self.in_the_way(nights, room)
        ]
        return min(free, key=lambda room: self._gap(nights, room), default=None)

    def _gap(self, nights: Nights, room: UUID) -> int:
        ends = [g.nights.stop for g in self._guests[room] if g.nights.stop <= nights.start]
        return nights.start - max(ends, default=-1_000_000)

    def placed(self) -> dict[UUID, UUID]:
        """Guest -> room."""
        return {guest.id: room for room, guests in self._guests.items() for guest in guests}


def arrange(
    rooms: Sequence[UUID], guests: Sequence[Guest], closed: Mapping[UUID, Iterable[Nights]]
) -> dict[UUID, UUID]:
    """Guest -> room for as many as can be, moving as few as can be.

    First nobody moves; then, for who is left, one other guest does; then all who may. Going by the
    first night and taking any free room, the last way finds rooms for everybody exactly when no
    night has more guests than rooms, as long as nobody is fixed and nothing closed. With those the
    question has no quick exact answer: somebody may be left although a way exists.
    """
    kept = _keeping(rooms, guests, closed)
    if len(kept) == len(guests):
        return kept
    anew = _anew(rooms, guests, closed)
    return anew if len(anew) > len(kept) else kept


def _keeping(
    rooms: Sequence[UUID], guests: Sequence[Guest], closed: Mapping[UUID, Iterable[Nights]]
) -> dict[UUID, UUID]:
    board = Board(rooms, closed)
    for guest in guests:
        if guest.room is not None:
            board.put(guest, guest.room)
    for guest in _by_first_night(guest for guest in guests if guest.room is None):
        room = board.best(guest.nights) or _made_free(board, rooms, guest)
        if room is not None:
            board.put(guest, room)
    return board.placed()


def _made_free(board: Board, rooms: Sequence[UUID], guest: Guest) -> UUID | None:
    """A room whose only guest on these nights finds another one, who then has moved there."""
    for room in rooms:
        others = board.in_the_way(guest.nights, room)
        if board.closed(guest.nights, room) or len(others) != 1 or others[0].fixed:
            continue
        if (elsewhere := board.best(others[0].nights)) is not None:
            board.take(others[0])
            board.put(others[0], elsewhere)
            return room
    return None


def _anew(
    rooms: Sequence[UUID], guests: Sequence[Guest], closed: Mapping[UUID, Iterable[Nights]]
) -> dict[UUID, UUID]:
    board = Board(rooms, closed)
    for guest in guests:
        if guest.fixed and guest.room is not None:
            board.put(guest, guest.room)
    for guest in _by_first_night(g for g in guests if not (g.fixed and g.room is not None)):
        room = guest.room
        if (
            room is None
            or room not in rooms
            or board.closed(guest.nights, room)
            or board.in_the_way(guest.nights, room)
        ):
            room = board.best(guest.nights)
        if room is not None:
            board.put(guest, room)
    return board.placed()


def _by_first_night(guests: Iterable[Guest]) -> list[Guest]:
    return sorted(guests, key=lambda guest: (guest.nights.start, guest.nights.stop, guest.id))


def changing_places(board: Board, guest: Guest, room: UUID) -> list[Guest] | None:
    """Who must go to the guest's old room if the guest takes `room`; None: they do not fit.

    Nobody where the room is free.
    """
    others = board.in_the_way(guest.nights, room)
    others = [other for other in others if other.id != guest.id]
    if not others:
        return []
    if guest.room is None or guest.room == room or any(other.fixed for other in others):
        return None
    for other in others:
        behind = [g for g in board.in_the_way(other.nights, guest.room) if g.id != guest.id]
        if behind or board.closed(other.nights, guest.room):
            return None
    return others
