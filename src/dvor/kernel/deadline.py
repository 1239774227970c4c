"""How long the request under way may still take: one deadline, handed down through every call."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, NamedTuple


class _Limit(NamedTuple):
    until: float
    """By the monotonic clock."""
    watched: "asyncio.Task[Any] | None"
    """The task that is interrupted at that time."""


_limit: ContextVar[_Limit | None] = ContextVar("deadline", default=None)


def remaining_seconds(default: float) -> float:
    """Seconds left, at most `default`; 0 or less when the time is over."""
    limit = _limit.get()
    return default if limit is None else min(default, limit.until - time.monotonic())


def begin(seconds: float, *, watched: bool = False) -> Token[_Limit | None]:
    """What happens until `end` has `seconds`, or less where less was left already.

    Nothing is interrupted by this alone: calls of contracts look at it. `watched`: whoever begins
    interrupts the current task in time.
    """
    task = asyncio.current_task() if watched else None
    return _limit.set(_Limit(time.monotonic() + remaining_seconds(seconds), task))


def watched(seconds: float) -> bool:
    """Whether the current task is interrupted within so many seconds anyway."""
    limit = _limit.get()
    return (
        limit is not None
        and limit.watched is not None
        and limit.watched is asyncio.current_task()
        and limit.until - time.monotonic() <= seconds
    )


def end(token: Token[_Limit | None]) -> None:
    """The deadline before is the one again."""
    _limit.reset(token)


@contextmanager
def within(seconds: float) -> Generator[None]:
    """The block between `begin` and `end`."""
    token = begin(seconds)
    try:
        yield
    finally:
        end(token)
