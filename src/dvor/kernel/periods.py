"""Periods: half-open ranges of local dates, or of whole hours."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from dvor.kernel.messages import Instant, Message

Weekday = Annotated[int, Field(strict=True, ge=0, le=6)]
"""0 is Monday."""


class DateRange(Message):
    """Days from `start` up to, not including, `end`: the nights of a stay, the days of a rental."""

    start: date
    end: date

    @model_validator(mode="after")
    def _has_days(self) -> "DateRange":
        if self.end <= self.start:
            raise ValueError("the end is not after the start")
        if (self.end - self.start).days > 366:
            raise ValueError("more than 366 days")
        return self

    @property
    def length(self) -> int:
        """How many days."""
        return (self.end - self.start).days

    def days(self) -> Iterator[date]:
        """Each day."""
        return (self.start + timedelta(days=n) for n in range(self.length))


class HourRange(Message):
    """Whole hours from `start` up to, not including, `end`. Elapsed time: a night in which clocks
    change has one hour more or less.
    """

    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _has_hours(self) -> "HourRange":
        if self.end <= self.start:
            raise ValueError("the end is not after the start")
        if (self.end - self.start) % timedelta(hours=1):
            raise ValueError("not whole hours")
        if self.length > 744:
            raise ValueError("more than 744 hours")
        return self

    @property
    def length(self) -> int:
        """How many hours."""
        return (self.end - self.start) // timedelta(hours=1)

    def hours(self) -> Iterator[datetime]:
        """The beginning of each hour, in UTC."""
        return (self.start + timedelta(hours=n) for n in range(self.length))
