"""The one clock. Demonstrations and tests may move it forward; SQL's `dvor_now()` follows."""

import random
from datetime import UTC, datetime, timedelta

_shift = timedelta()


def now() -> datetime:
    """The current moment, UTC, shifted by the virtual clock. SQL's `dvor_now()` agrees."""
    return datetime.now(UTC) + _shift


def shift() -> timedelta:
    """By how much the virtual clock differs from the real one."""
    return _shift


def follow(amount: timedelta) -> None:
    """Take over a shift that the database holds. Only `virtual_clock.move` moves the clock."""
    global _shift  # noqa: PLW0603 - one clock a process is the point of this module
    _shift = amount


def spread(wait_seconds: float) -> float:
    """Between half and all of this, by chance: so that not all who wait come again at once."""
    return wait_seconds * random.uniform(0.5, 1)  # noqa: S311 - nobody gains by guessing it
