"""Numbered seats: what an organiser draws and what customers choose from."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from dvor.kernel.errors import Conflict, Invalid
from dvor.kernel.messages import Bool, Count, Message

SeatName = Annotated[str, Field(min_length=1, max_length=60)]
"""What stands on the ticket: section, row and number. Unique within a seat map."""

SEATS_MAX = 5000
"""Of one map."""

Column = Annotated[int, Field(strict=True, ge=1, le=200)]


class Seat(Message):
    """A seat in its row."""

    number: Annotated[str, Field(min_length=1, max_length=6)]
    column: Column
    """Where it stands; columns that follow each other are beside each other, others have an aisle
    between them.
    """
    offer_id: UUID
    """Its tier."""
    accessible: Bool = False
    """A place for a wheelchair."""


class SeatRow(Message):
    """A row, its seats from left to right. Without seats it is a passage."""

    label: Annotated[str, Field(max_length=10)] = ""
    seats: Annotated[tuple[Seat, ...], Field(max_length=200)] = ()

    @model_validator(mode="after")
    def _runs_from_left_to_right(self) -> "SeatRow":
        columns = [seat.column for seat in self.seats]
        if any(left >= right for left, right in itertools.pairwise(columns)):
            raise ValueError("seats are listed from left to right, one to a column")
        return self


class Section(Message):
    """Rows from the stage back."""

    name: Annotated[str, Field(max_length=40)] = ""
    rows: Annotated[tuple[SeatRow, ...], Field(min_length=1, max_length=100)]

    @property
    def width(self) -> int:
        """Its last column."""
        return max((seat.column for row in self.rows for seat in row.seats), default=1)


@dataclass(frozen=True, slots=True)
class PlacedSeat:
    """A seat with where it stands in the whole map."""

    name: str
    seat: Seat
    section: int
    row: int
    """Rows from the stage back, through all sections."""
    centre: int
    """The middle of its section in half columns."""


class SeatMap(Message):
    """Sections from the stage back."""

    sections: Annotated[tuple[Section, ...], Field(max_length=30)]

    @model_validator(mode="after")
    def _names_each_seat(self) -> "SeatMap":
        names = [placed.name for placed in self.placed()]
        if len(names) > SEATS_MAX:
            raise ValueError(f"a map has up to {SEATS_MAX} seats")
        twice = {name for name in names if names.count(name) > 1} if _repeats(names) else set()
        if twice:
            raise ValueError(f"two seats have the same name: {min(twice)}")
        return self

    def placed(self) -> Iterator[PlacedSeat]:
        """Every seat with its name, from the stage back, left to right."""
        above = 0
        for number, section in enumerate(self.sections):
            for index, row in enumerate(section.rows):
                for seat in row.seats:
                    name = seat_name(section.name, row.label, seat.number)
                    yield PlacedSeat(name, seat, number, above + index, section.width + 1)
            above += len(section.rows)


def _repeats(names: list[str]) -> bool:
    return len(set(names)) < len(names)


def seat_name(section: str, row: str, number: str) -> str:
    """What stands on the ticket: `Stalls 5-12`."""
    return f"{section} {row}-{number}".strip() if row else f"{section} {number}".strip()


class SeatMapVersion(Message):
    """A listing's seat map. `version` grows by one with each change; 0 and empty: there is none."""

    listing_id: UUID
    version: Count
    map: SeatMap


class SeatStates(Message):
    """Which seats of a listing can be had now. All others of its map are free."""

    listing_id: UUID
    version: Count
    """Of the seat map that this is about."""
    taken: tuple[SeatName, ...]


class BestSeats(Message):
    """Free seats that go together best, in the order they stand."""

    offer_id: UUID
    seats: tuple[SeatName, ...]


class SeatMapOutdated(Conflict):
    """Somebody changed this seat map meanwhile. Load it again and repeat your change."""


class SeatPromised(Conflict):
    """Seat {seat} is held or sold: it must stay as it is."""

    seat: str


class TicketsPromised(Conflict):
    """{promised} tickets without a seat are promised: these tickets cannot get numbers now."""

    offer_id: UUID
    promised: Count


class NotATier(Invalid):
    """Only an event's own tickets can have seats."""


class SeatsCounted(Conflict):
    """These tickets have numbered seats: change their number in the seat map."""

    offer_id: UUID
