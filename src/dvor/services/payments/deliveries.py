"""Webhooks on their way: those that leave at the same time are read and marked together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

from dvor.kernel.batch import Batcher, reader
from dvor.kernel.db import Connection, Database, Record

Read = Callable[[Connection, Sequence[UUID]], Awaitable[Mapping[UUID, Record]]]
Tried = tuple[UUID, str, bool]
"""A webhook, what was answered, whether that was yes."""
Mark = Callable[[Connection, Sequence[Tried]], Awaitable[None]]

WAITING_MAX, MARKED_MAX = 5000, 100
"""So many may wait; so many are marked by one statement."""


class Deliveries:
    """The webhooks of one sender."""

    def __init__(self, db: Database, read: Read, mark: Mark) -> None:
        self._db = db
        self._mark = mark
        self._reads = reader(partial(read, db), queue_max=WAITING_MAX)
        self._marks: Batcher[Tried, None] = Batcher(
            self._mark_all, batch_max=MARKED_MAX, queue_max=WAITING_MAX
        )

    async def webhook(self, id: UUID) -> Record | None:
        """One to be sent, or sent again."""
        return (await self._reads.ask([id])).get(id)

    async def tried(self, id: UUID, answer: str, *, taken: bool) -> None:
        """Note one try and what came of it."""
        await self._marks.ask((id, answer, taken))

    async def close(self) -> None:
        """Take no more and wait until everybody has an answer."""
        await self._reads.close()
        await self._marks.close()

    async def _mark_all(self, tried: Sequence[Tried]) -> list[None]:
        await self._mark(self._db, tried)
        return [None] * len(tried)
