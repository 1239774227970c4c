"""The line for what is sold out: who waits, what they are offered and until when.

Its facts, `WaitingOffered` and `WaitingLapsed`, and its methods stand in `contracts.inventory`.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from dvor.contracts.catalog import Text
from dvor.contracts.seating import SeatName
from dvor.kernel.errors import Conflict, Gone, Invalid, NotFound, TooMany
from dvor.kernel.messages import Count, Instant, Message
from dvor.kernel.periods import DateRange, HourRange


class WaitingStatus(StrEnum):
    """waiting -> offered | left | over; offered -> taken | declined | lapsed."""

    WAITING = "waiting"
    OFFERED = "offered"
    """It is held for them until `offered_until`."""
    TAKEN = "taken"
    """It went into their cart."""
    DECLINED = "declined"
    LAPSED = "lapsed"
    """They did not answer in time."""
    LEFT = "left"
    OVER = "over"
    """What they waited for has begun without them."""


class Waiting(Message):
    """Somebody who waits for a quantity of an offer, all or nothing."""

    id: UUID
    status: WaitingStatus
    offer_id: UUID
    listing_id: UUID
    title: Text
    name: Text
    """Of the listing and the offer, as they were called when the wait began."""
    quantity: Annotated[int, Field(strict=True, ge=1, le=1000)]
    dates: DateRange | None = None
    hours: HourRange | None = None
    timezone: str = "UTC"
    """Of the place."""
    ahead: Count = 0
    """How many wait before them for some of the same; 0 for the first and for who waits no more."""
    joined_at: Instant
    offered_until: Instant | None = None
    seats: Annotated[tuple[SeatName, ...], Field(max_length=50)] = ()
    """What is held for them, where places have numbers."""


class WaitingList(Message):
    """One's own waiting: what is offered and waited for first, then what ended lately."""

    items: tuple[Waiting, ...]


class WaitingLine(Message):
    """How many wait for an offer."""

    offer_id: UUID
    people: Count
    units: Count
    """How many they want in all."""
    offered: Count
    """How many more have an offer that they have not answered yet."""


class WaitingLines(Message):
    """The lines of those of the offers asked for that are the caller's own."""

    items: tuple[WaitingLine, ...]


class NothingToWaitFor(Conflict):
    """This is free now: put it into your cart."""

    offer_id: UUID


class WaitsForAnySeats(Invalid):
    """Say how many seats you wait for: which ones, nobody can know yet."""

    offer_id: UUID


class AlreadyWaiting(Conflict):
    """You are waiting for this already."""

    offer_id: UUID


class WaitingForTooMuch(TooMany):
    """You wait for {most} things already. Leave one of those lines first."""

    retry_after_seconds = None
    most: Count


class LineTooLong(Conflict):
    """Very many wait for this already: there is little hope."""

    offer_id: UUID


class UnknownWaiting(NotFound):
    """There is no such place in a line."""


class OfferOver(Gone):
    """This offer has ended: it went to the next in line."""
