"""Hours of things rented by the hour. Messages of inventory."""

from uuid import UUID

from dvor.kernel.messages import Count, Instant, Message


class Hour(Message):
    """An hour of an offer let by the hour."""

    start: Instant
    free: Count
    """0 also where it has passed, or the offer's rules let nothing be booked in it."""


class DayHours(Message):
    """The hours of a day where the place is: 23 or 25 of them when clocks change."""

    offer_id: UUID
    timezone: str
    """Of the place."""
    hours: tuple[Hour, ...]
