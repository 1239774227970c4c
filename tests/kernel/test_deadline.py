"""Calls within calls: one timer ends them all, also those in tasks of their own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import pytest

from dvor.kernel import deadline
from dvor.kernel.config import Settings
from dvor.kernel.errors import DeadlineExceeded
from dvor.kernel.rpc import local

SETTINGS = Settings(secret=b"s" * 32, call_timeout_seconds=0.2)
LONG_SECONDS = 30.0


class Chain(Protocol):
    """A contract of a test."""

    async def outer(self) -> None:
        """Calls the inner one."""
        ...

    async def inner(self) -> None:
        """Takes too long."""
        ...


class Service:
    """Calls itself as other services call each other."""

    def __init__(self, how: Callable[[Any], Awaitable[None]], settings: Settings) -> None:
        self.how = how
        self.timers = 0
        self.stopped: list[bool] = []
        self.proxy: Chain = local(Chain, self, None, settings)

    async def outer(self) -> None:
        self.timers += not deadline.watched(LONG_SECONDS)
        await self.how(self.proxy)

    async def inner(self) -> None:
        try:
            await asyncio.sleep(LONG_SECONDS)
        finally:
            self.stopped.append(True)


async def directly(chain: Chain) -> None:
    await chain.inner()


async def side_by_side(chain: Chain) -> None:
    await asyncio.gather(chain.inner(), chain.inner())


async def apart(chain: Chain) -> None:
    """Nobody waits for it: the timer around the caller does not reach it."""
    left = asyncio.ensure_future(chain.inner())
    with suppress(DeadlineExceeded):
        await asyncio.shield(left)


async def shortened(chain: Chain) -> None:
    with deadline.within(0.05):
        await chain.inner()


class TestNested:
    @pytest.mark.parametrize("how", [directly, side_by_side, shortened])
    async def test_an_inner_call_ends_with_the_outer_one(self, how: Any) -> None:
        service = Service(how, SETTINGS)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await service.proxy.outer()
        assert time.monotonic() - began < LONG_SECONDS / 2
        assert service.stopped
        assert service.timers == 0  # the call itself is watched

    async def test_a_task_that_nobody_waits_for_has_a_timer_of_its_own(self) -> None:
        service = Service(apart, SETTINGS)
        with suppress(DeadlineExceeded):
            await service.proxy.outer()
        async with asyncio.timeout(LONG_SECONDS / 2):
            while not service.stopped:
                await asyncio.sleep(0.01)

    async def test_a_shorter_call_within_a_longer_one_has_its_own(self) -> None:
        token = deadline.begin(10, watched=True)
        found = deadline.watched(10.1), deadline.watched(5)
        deadline.end(token)
        assert found == (True, False)

    async def test_the_next_call_has_its_whole_time(self) -> None:
        service = Service(directly, SETTINGS)
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                await service.proxy.outer()
        assert deadline.remaining_seconds(7) == 7
        assert not deadline.watched(LONG_SECONDS)
