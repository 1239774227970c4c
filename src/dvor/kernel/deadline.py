"""How long the request under way may still take: one deadline, handed down through every call."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def remaining_seconds(default: float) -> float:
    """Seconds left, at most `default`; 0 or less when the time is over."""
    deadline = _deadline.get()
    return default if deadline is None else min(default, deadline - time.monotonic())


@contextmanager
def within(seconds: float) -> Generator[None]:
    """What happens in this block has `seconds`, or less where less was left already.

    Nothing is interrupted by this alone: calls of contracts look at it.
    """
    token = _deadline.set(time.monotonic() + remaining_seconds(seconds))
    try:
        yield
    finally:
        _deadline.reset(token)
