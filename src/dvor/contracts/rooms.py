"""Rooms of a hotel: which guests sleep in which room, decided as late as the hotelier likes."""

from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field

from dvor.kernel.errors import Conflict, Invalid, NotFound
from dvor.kernel.messages import Bool, Count, Line, Message
from dvor.kernel.periods import DateRange

RoomName = Annotated[str, Field(min_length=1, max_length=40)]
RoomNames = Annotated[tuple[RoomName, ...], Field(max_length=200)]


class Room(Message):
    """A room with a name or number, of the type that an offer sells."""

    id: UUID
    offer_id: UUID
    name: RoomName


class RoomList(Message):
    """Rooms by their names."""

    items: tuple[Room, ...]


class Stay(Message):
    """Guests for one room: a booking of two rooms is two stays."""

    id: UUID
    """The same for the same booking, always."""
    hold_id: UUID
    dates: DateRange
    confirmed: Bool
    """False: held until it is paid; it needs no room yet."""
    room_id: UUID | None
    """None: no room is chosen."""


class RoomClosure(Message):
    """A room that cannot be used for some nights; `id` is that of the closure in inventory."""

    id: UUID
    room_id: UUID | None
    """None: some room of the type."""
    dates: DateRange
    units: Count
    note: Line


class Chart(Message):
    """Who sleeps where: what a tape chart shows."""

    offer_id: UUID
    dates: DateRange
    quantity: Count
    """Rooms on sale; may differ from the number of `rooms`."""
    rooms: tuple[Room, ...]
    stays: tuple[Stay, ...]
    closures: tuple[RoomClosure, ...]


class Arranged(Message):
    """What arranging did."""

    placed: Count
    moved: Count
    left: Count
    """Stays that no room could be found for."""


class UnknownRoom(NotFound):
    """There is no such room."""


class UnknownStay(NotFound):
    """This stay is no longer booked on these dates."""


class NoRooms(Invalid):
    """Only places to stay have rooms."""


class RoomTaken(Conflict):
    """Somebody else has room {name} on some of these nights."""

    name: str


class RoomClosed(Conflict):
    """Room {name} is closed on some of these nights."""

    name: str


class GuestsAhead(Conflict):
    """Room {name} has guests ahead: move them first."""

    name: str


class NotConfirmed(Conflict):
    """This stay is not paid yet: it gets a room when it is."""


class Rooms(Protocol):
    """Rooms of the type that an offer sells. Its seller and admins."""

    async def set_rooms(self, offer_id: UUID, names: RoomNames) -> RoomList:
        """Say which rooms there are. Raises NoRooms, GuestsAhead for one that is taken away."""
        ...

    async def chart(self, offer_id: UUID, dates: DateRange) -> Chart:
        """Rooms, stays and closures that touch some of `dates`."""
        ...

    async def assign(
        self, offer_id: UUID, dates: DateRange, stay_id: UUID, room_id: UUID | None
    ) -> Stay:
        """Give a stay that touches `dates` a room, or none. Who has that room already changes
        places with it if they fit.

        Raises UnknownStay, UnknownRoom, NotConfirmed, RoomTaken, RoomClosed.
        """
        ...

    async def arrange(self, offer_id: UUID, dates: DateRange) -> Arranged:
        """Find rooms for all stays that begin on some of `dates`, with as few moves as can be.

        Guests who have arrived stay where they are.
        """
        ...

    async def close_room(self, room_id: UUID, dates: DateRange, note: Line = "") -> None:
        """Close a room: one unit less is sold. Raises UnknownRoom, RoomTaken."""
        ...
