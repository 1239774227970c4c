"""What one group takes of one source from a remote broker; and connecting again and again."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from dvor.kernel import metrics, telemetry
from dvor.kernel.brokers.envelope import Envelope
from dvor.kernel.brokers.port import BATCH
from dvor.kernel.config import Settings
from dvor.kernel.tasks import pause

LOG = telemetry.log("events")
for _name in ("aio_pika", "aiormq", "aiokafka"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # we say the same once, not every second


class Feed:
    """Messages that were delivered and not acknowledged, oldest first.

    A batch whose block fails stays and is given again: nothing is sent back to the broker, which
    would count it, or deliver it behind others. Whoever fills it empties it (`drop`) when the
    broker may give the same messages to somebody else.
    """

    def __init__(self, hint: Callable[[], None]) -> None:
        self._hint = hint
        self._waiting: deque[tuple[Envelope | None, Any]] = deque()
        self._busy = asyncio.Lock()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, envelope: Envelope | None, mark: Any) -> None:
        """One was delivered; `mark` is what acknowledges it. None: it is only to be acknowledged."""
        self._waiting.append((envelope, mark))
        self._room.clear()
        self._hint()

    def drop(self) -> None:
        """These will come again, here or elsewhere."""
        self._waiting.clear()
        self._room.set()

    async def emptied(self) -> None:
        """Wait until all was acknowledged or dropped."""
        await self._room.wait()

    async def idle(self, seconds: float) -> None:
        """Wait until no batch is under way, but not longer than this."""
        try:
            async with asyncio.timeout(seconds), self._busy:
                pass
        except TimeoutError:
            LOG.warning("a batch takes long; somebody else may apply it, too")

    @asynccontextmanager
    async def batch(
        self, acknowledge: Callable[[list[Any]], Awaitable[None]]
    ) -> AsyncIterator[list[Envelope]]:
        """The oldest; `acknowledge` is given their marks after the block."""
        if self._busy.locked() or not self._waiting:
            yield []
            return
        async with self._busy:
            given = [self._waiting[n] for n in range(min(BATCH, len(self._waiting)))]
            yield [envelope for envelope, _ in given if envelope is not None]
            if self._waiting and self._waiting[0] is given[0]:  # not dropped meanwhile
                for _ in given:
                    self._waiting.popleft()
                await acknowledge([mark for _, mark in given])
                if not self._waiting:
                    self._room.set()


def unreadable(group: str, source: str, problem: Exception) -> None:
    """Say that something came for `group` that is no event: the broker keeps it as a dead letter."""
    metrics.EVENTS_UNREADABLE.labels(group).inc()
    LOG.error("dead letter", group=group, source=source, problem=str(problem))


async def keep(
    name: str,
    work: Callable[[], Awaitable[None]],
    settings: Settings,
) -> None:
    """Do this again whenever it ends or fails, with growing pauses while it fails; said once.

    `work` ends when what it had made is lost.
    """
    failures = 0
    while True:
        began = time.monotonic()
        problem = None
        try:
            await work()
        except Exception as met:  # noqa: BLE001 - whatever it is, events must travel again some day
            problem = repr(met)
        if time.monotonic() - began > settings.broker_retry_seconds:  # it had been well
            failures = 0
        if not failures:
            LOG.warning("broker is away", what=name, problem=problem)
        failures += 1
        await asyncio.sleep(pause(failures, settings.broker_retry_seconds))
