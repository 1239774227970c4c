"""Webhooks on their way: those that leave at the same time are read and marked together."""

from functools import partial
from uuid import UUID

from dvor.kernel.batch import reader, writer
from dvor.kernel.db import Database, Record
from dvor.services.payments import webhook_queries as queries

WAITING_MAX = 5000
"""So many may wait."""


class Deliveries:
    """The webhooks of one sender, which stand in a table of its own."""

    def __init__(self, db: Database, table: str) -> None:
        self._reads = reader(partial(queries.webhooks, table, db), queue_max=WAITING_MAX)
        self._marks = writer(partial(queries.mark_webhooks, table, db), queue_max=WAITING_MAX)

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
