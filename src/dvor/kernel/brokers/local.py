"""The broker that needs nothing but PostgreSQL: a log of messages in a database of its own.

Every group of consumers reads it at its own pace. It serves one process, or several on one
PostgreSQL.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from dvor.kernel.brokers.envelope import Envelope
from dvor.kernel.brokers.port import BATCH
from dvor.kernel.config import Settings
from dvor.kernel.db import (
    Database,
    assert_no_transaction,
    create_database,
    raw_connection,
)
from dvor.kernel.errors import Unavailable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    source text NOT NULL, position bigint NOT NULL, event jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (source, position)
);
CREATE TABLE IF NOT EXISTS ends (source text PRIMARY KEY, position bigint NOT NULL);
CREATE TABLE IF NOT EXISTS cursors (
    consumers text, source text, position bigint NOT NULL, PRIMARY KEY (consumers, source)
);
"""
# Positions of a source grow in commit order, because its row in `ends` stays locked meanwhile.
_PUBLISH = """
WITH given AS (
    SELECT event, ordinality FROM unnest($2::jsonb[]) WITH ORDINALITY AS g (event)
), last AS (
    INSERT INTO ends AS e (source, position) VALUES ($1, cardinality($2::jsonb[]))
    ON CONFLICT (source) DO UPDATE SET position = e.position + excluded.position
    RETURNING position
), written AS (
    INSERT INTO messages (source, position, event)
    SELECT $1, last.position - cardinality($2::jsonb[]) + ordinality, event FROM given, last
)
SELECT pg_notify('dvor_messages', $1)
"""
_CURSOR = """
SELECT position FROM cursors WHERE consumers = $1 AND source = $2 FOR UPDATE SKIP LOCKED
"""
_TAKE = """
SELECT position, event FROM messages WHERE source = $1 AND position > $2
ORDER BY position LIMIT $3
"""


class LocalBroker:
    """A log on PostgreSQL: nothing to install, survives restarts, serves several processes."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._db = Database("broker", url, settings)
        self._begun: set[tuple[str, str]] = set()
        """Groups and sources that have a cursor."""

    @staticmethod
    async def migrate(url: str) -> None:
        """Make its database and tables."""
        await create_database(url)
        async with raw_connection(url) as connection:
            await connection.execute("SELECT pg_advisory_lock(1)")
            await connection.execute(_SCHEMA)

    async def open(self) -> None:
        """Connect."""
        await self._db.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._db.close()

    async def publish(self, source: str, envelopes: Sequence[Envelope]) -> None:
        """Append to the log of `source`."""
        assert_no_transaction("publishing")
        events = [envelope.cloud_event() for envelope in envelopes]
        await self._db.execute(_PUBLISH, source, events)

    @asynccontextmanager
    async def batch(self, group: str, source: str) -> AsyncIterator[list[Envelope]]:
        """The next envelopes; the row lock on the cursor keeps other processes away meanwhile."""
        async with self._db.raw_tx() as tx:
            if (group, source) not in self._begun:
                await tx.execute(
                    "INSERT INTO cursors VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", group, source
                )
            position = await tx.fetchval(_CURSOR, group, source)
            rows = await tx.fetch(_TAKE, source, position, BATCH) if position is not None else []
            yield [Envelope.of(row["event"]) for row in rows]
            if rows:
                await tx.execute(
                    "UPDATE cursors SET position = $3 WHERE consumers = $1 AND source = $2",
                    group,
                    source,
                    rows[-1]["position"],
                )
        self._begun.add((group, source))

    async def watch(self, hint: Callable[[str], None]) -> None:
        """Listen for new messages."""
        await self._db.listen({"dvor_messages": hint})

    async def lag(self, group: str, source: str) -> int:
        """How many messages of `source` this group has not taken."""
        return await self._db.fetchval(
            "SELECT coalesce((SELECT position FROM ends WHERE source = $2), 0)"
            " - coalesce((SELECT position FROM cursors WHERE consumers = $1 AND source = $2), 0)",
            group,
            source,
        )

    async def reachable(self) -> bool:
        """Whether its database answers."""
        try:
            return await self._db.fetchval("SELECT true")
        except Unavailable:
            return False

    async def forget(self) -> None:
        """Drop what is older than a week and taken by every group."""
        await self._db.execute(
            "DELETE FROM messages m WHERE at < clock_timestamp() - interval '7 days'"
            " AND position <= (SELECT min(position) FROM cursors c WHERE c.source = m.source)"
        )
