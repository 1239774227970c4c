"""Heavy work off the event loop, and not more of it than the machine can bear."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from dvor.kernel.errors import TooMany

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Heavy work in threads: so many at once, so many waiting, the rest refused with TooMany."""

    def __init__(self, *, at_once: int, waiting_max: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._waiting_max = waiting_max
        self._waiting = 0

    def require_room(self) -> None:
        """Raises TooMany while the queue is full."""
        if self._places.locked() and self._waiting >= self._waiting_max:
            raise TooMany

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a thread when its turn comes. Raises TooMany."""
        self.require_room()
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
        # A thread cannot be stopped: its place is free when it ends, not when its asker leaves.
        running.add_done_callback(lambda _: self._places.release())
        return await asyncio.shield(running)
