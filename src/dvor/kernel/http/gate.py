"""How much is changed at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from dvor.kernel.batch import Busy


class Gate:
    """So many requests that change something are worked on at a time; others wait in their order.

    All of them at once would be answered no sooner: a request takes dozens of steps, and each would
    wait for a step of every other one. So whoever has much to do, as those who got something, would
    wait longest, and past their deadline.
    """

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._waiting = self._inside = 0
        self._waiting_max = waiting_max
        self._nobody_waits = asyncio.Event()
        self._nobody_waits.set()

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Within, the request has a place. Raises Busy where too many wait for one already."""
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._places.release()

    def under_way(self) -> int:
        """Requests that have a place."""
        return self._inside

    def waiting(self) -> int:
        """Requests that wait for one."""
        return self._waiting

    async def _wait(self) -> None:
        if self._waiting >= self._waiting_max:
            raise Busy
        self._waiting += 1
        self._nobody_waits.clear()
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._nobody_waits.set()

    async def calm(self, seconds: float) -> None:
        """When no request waits for a place, or after `seconds`: for work that lets others go first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nobody_waits.wait()
