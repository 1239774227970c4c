"""Hours of things rented by the hour. Messages of inventory."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from dvor.kernel.messages import Count, Instant, Message

HourDays = Annotated[int, Field(strict=True, ge=1, le=33)]
"""How many days: the longest rental by the hour begins and ends within them."""


class Hour(Message):
    """An hour of an offer let by the hour."""

    start: Instant
    free: Count
    """0 also where it has passed, or the offer's rules let nothing be booked in it."""


class DayHours(Message):
    """The hours of days where the place is: 23 or 25 of one when clocks change.

    Each begins when the one before ends, so where clocks move by half an hour those after it begin
    at half past.
    """

    offer_id: UUID
    timezone: str
    """Of the place."""
    hours: tuple[Hour, ...]
