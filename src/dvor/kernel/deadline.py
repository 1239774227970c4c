"""How long the request under way may still take: one deadline, handed down through every call."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def remaining_seconds(default: float) -> float:
    """Seconds left, at most `default`; 0 or less when the time is over."""
    deadline = _deadline.get()
    return default if deadline is None else min(default, deadline - time.monotonic())


def begin(seconds: float) -> Token[float | None]:
    """What happens until `end` has `seconds`, or less where less was left already.

    Nothing is interrupted by this alone: calls of contracts look at it.
    """
    return _deadline.set(time.monotonic() + remaining_seconds(seconds))


def end(token: Token[float | None]) -> None:
    """The deadline before is the one again."""
    _deadline.reset(token)


@contextmanager
def within(seconds: float) -> Generator[None]:
    """The block between `begin` and `end`."""
    token = begin(seconds)
    try:
        yield
    finally:
        end(token)
