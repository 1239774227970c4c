"""How much is changed at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dvor.kernel.batch import Busy


class Gate:
    """So many requests that change something are worked on at a time; others wait in their order.

    All of them at once would be answered no sooner: a request takes dozens of steps, and each would
    wait for a step of every other one. So whoever has much to do, as those who got something, would
    wait longest, and past their deadline.
    """

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._waiting_max = waiting_max

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Within, the request has a place. Raises Busy where too many wait for one already."""
        if self._places.locked() and self._waiting >= self._waiting_max:
            raise Busy
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
