"""What comes back when something is cancelled: one small language for all four kinds. Pure.

A policy is a list of steps, read from the first: the first one whose deadline has not passed says
what comes back; after the last, nothing does. Steps never give more than those before them, so
waiting never pays.
"""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from dvor.kernel.messages import Message, Minor


class Until(StrEnum):
    """What a step's deadline is counted from."""

    DAYS_BEFORE = "days_before"
    """Calendar days before the beginning, where the place is."""
    HOURS_BEFORE = "hours_before"
    """Hours of elapsed time before the beginning."""
    DAYS_AFTER_PURCHASE = "days_after_purchase"
    """Calendar days after the order was placed, at the same time of day."""
    HANDOVER = "handover"
    """No deadline: as long as it is not handed over."""


_FIRST, _LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
"""What lies beyond has no deadline of its own: nobody sells it, but somebody may type it."""

BEFORE = frozenset({Until.DAYS_BEFORE, Until.HOURS_BEFORE})
"""Deadlines that only what has a beginning can have."""


class CancellationStep(Message):
    """Until a deadline `percent` of what was paid comes back, less `fee`."""

    until: Until
    count: Annotated[int, Field(strict=True, ge=0, le=8784)] = 0
    """Days or hours."""
    hour: Annotated[int, Field(strict=True, ge=0, le=23)] | None = None
    """Of `days_before`: at this hour of the day, where the place is. None: at the hour at which it
    begins; what begins with a day, at its midnight."""
    percent: Annotated[int, Field(strict=True, ge=0, le=100)] = 100
    fee: Minor = 0
    """Kept of the percentage, in minor units; once for each line or once for the order."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> "CancellationStep":
        if self.hour is not None and self.until is not Until.DAYS_BEFORE:
            raise ValueError("an hour of the day belongs to days before the beginning")
        if self.count and self.until is Until.HANDOVER:
            raise ValueError("the handover has no days or hours")
        if self.fee and not self.percent:
            raise ValueError("there is nothing to keep a fee of")
        return self


class FeeFor(StrEnum):
    """How often a step's fee is kept."""

    LINE = "line"
    """Once for each line, however many parts it is cancelled in."""
    ORDER = "order"
    """Once for everything in the order from this seller."""


class Policy(Message):
    """Steps in order; none: nothing ever comes back."""

    steps: Annotated[tuple[CancellationStep, ...], Field(max_length=10)] = ()
    fee_for: FeeFor = FeeFor.LINE

    @model_validator(mode="after")
    def _never_rises(self) -> "Policy":
        for earlier, later in pairwise(self.steps):
            if later.percent > earlier.percent or (later.percent and later.fee < earlier.fee):
                raise ValueError("a later step gives more than an earlier one")
            if earlier.until is Until.HANDOVER:
                raise ValueError("nothing comes after the handover")
        return self


ANYTIME = Policy(steps=(CancellationStep(until=Until.HANDOVER),))
"""What holds where a seller says nothing: everything comes back."""


class Preset(StrEnum):
    """Policies by name."""

    ANYTIME = "anytime"
    FLEXIBLE = "flexible"
    MODERATE = "moderate"
    STRICT = "strict"
    NONE = "none"


def presets(*, timed: bool) -> dict[Preset, Policy]:
    """The named policies of what has a beginning (`timed`), or of goods."""

    def before(days: int, percent: int) -> CancellationStep:
        return CancellationStep(until=Until.DAYS_BEFORE, count=days, hour=18, percent=percent)

    def after(days: int) -> CancellationStep:
        return CancellationStep(until=Until.DAYS_AFTER_PURCHASE, count=days)

    if not timed:
        half = CancellationStep(until=Until.HANDOVER, percent=50)
        return {
            Preset.FLEXIBLE: ANYTIME,
            Preset.MODERATE: Policy(steps=(after(3), half)),
            Preset.STRICT: Policy(steps=(after(1),)),
            Preset.NONE: Policy(steps=()),
        }
    beginning = CancellationStep(until=Until.HOURS_BEFORE, percent=50)
    return {
        Preset.ANYTIME: ANYTIME,
        Preset.FLEXIBLE: Policy(steps=(before(1, 100), beginning)),
        Preset.MODERATE: Policy(steps=(before(5, 100), before(1, 50))),
        Preset.STRICT: Policy(steps=(before(14, 100), before(7, 50))),
        Preset.NONE: Policy(steps=()),
    }


def begins(
    timezone: str,
    first_day: date | None = None,
    first_hour: datetime | None = None,
    starts_at: datetime | None = None,
) -> datetime | None:
    """When something begins: a day begins at its midnight in `timezone`; goods never begin."""
    if first_day is not None:
        return datetime.combine(first_day, time(), tzinfo=ZoneInfo(timezone))
    return first_hour or starts_at


def deadline(
    step: CancellationStep, beginning: datetime | None, bought: datetime, timezone: str
) -> datetime | None:
    """Until when a step counts, in UTC; None: until the handover.

    `bought` is the moment of the order. What is counted from a beginning that there is not has
    passed with the purchase.
    """
    zone = ZoneInfo(timezone)
    if step.until is Until.HANDOVER:
        return None
    if step.until is Until.DAYS_AFTER_PURCHASE:
        return _days_on(bought.astimezone(zone), step.count, None)
    if beginning is None:
        return bought
    if step.until is Until.HOURS_BEFORE:
        return max(beginning.astimezone(UTC), _FIRST + timedelta(hours=step.count)) - timedelta(
            hours=step.count
        )
    return _days_on(beginning.astimezone(zone), -step.count, step.hour)


def _days_on(local: datetime, days: int, hour: int | None) -> datetime:
    """The same wall clock so many days on, or `hour` o'clock of that day."""
    at = local.time() if hour is None else time(hour)
    ordinal = min(max(local.toordinal() + days, _FIRST.toordinal()), _LAST.toordinal())
    day = date.fromordinal(ordinal)
    return datetime.combine(day, at, tzinfo=local.tzinfo).astimezone(UTC)


def position(
    policy: Policy,
    beginning: datetime | None,
    bought: datetime,
    timezone: str,
    now: datetime,
    least: int = 0,
) -> int:
    """Which step counts `now`: 0 for the first, the number of steps where none does any more.

    `least`: steps before this one are over for another reason.
    """
    for place, step in enumerate(policy.steps):
        until = deadline(step, beginning, bought, timezone)
        if place >= least and (until is None or now < until):
            return place
    return len(policy.steps)
