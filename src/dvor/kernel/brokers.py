"""How events travel: outbox -> relay -> broker -> inbox, in order, at least once, applied once.

`outbox.py` publishes, `inbox.py` applies. Between them stands a broker: here `local`, a log of
messages in a database of its own, read by every group of consumers at its own pace. It serves one
process, or several on one PostgreSQL.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from dvor.kernel.config import Settings
from dvor.kernel.db import (
    Database,
    assert_no_transaction,
    create_database,
    raw_connection,
)

BATCH = 500
"""Messages taken at once."""


@dataclass(frozen=True)
class Envelope:
    """An event on its way, with what CloudEvents 1.0 wants to know of it."""

    message_id: UUID
    source: str
    type: str
    aggregate: UUID
    version: int
    at: datetime
    trace: dict[str, str]
    data: dict[str, Any]

    def cloud_event(self) -> dict[str, Any]:
        """As JSON by the CloudEvents 1.0 specification."""
        return {
            "specversion": "1.0",
            "id": str(self.message_id),
            "source": f"/dvor/{self.source}",
            "type": self.type,
            "subject": str(self.aggregate),
            "time": self.at.isoformat(),
            "datacontenttype": "application/json",
            "sequence": str(self.version),
            "trace": self.trace,
            "data": self.data,
        }

    @staticmethod
    def of(event: Mapping[str, Any]) -> "Envelope":
        """From what `cloud_event` made."""
        return Envelope(
            message_id=UUID(event["id"]),
            source=event["source"].removeprefix("/dvor/"),
            type=event["type"],
            aggregate=UUID(event["subject"]),
            version=int(event["sequence"]),
            at=datetime.fromisoformat(event["time"]),
            trace=event["trace"],
            data=event["data"],
        )


class Broker(Protocol):
    """Carries envelopes from sources to groups, each source's in order."""

    async def open(self) -> None:
        """Connect."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...

    async def publish(self, source: str, envelopes: Sequence[Envelope]) -> None:
        """Accept envelopes for good: returns when they cannot be lost any more."""
        ...

    def batch(self, group: str, source: str) -> Any:
        """Context manager giving the next envelopes of `source` for `group`, acknowledged when
        the block ends well. Gives an empty list when there is nothing, or another process of
        the group is at work.
        """
        ...

    async def watch(self, hint: Callable[[str], None]) -> None:
        """Call back when there may be something new, until cancelled."""
        ...


_LOCAL_SCHEMA = """
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
_LOCAL_PUBLISH = """
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
_LOCAL_CURSOR = """
SELECT position FROM cursors WHERE consumers = $1 AND source = $2 FOR UPDATE SKIP LOCKED
"""
_LOCAL_TAKE = """
SELECT position, event FROM messages WHERE source = $1 AND position > $2
ORDER BY position LIMIT $3
"""


class LocalBroker:
    """A log on PostgreSQL: nothing to install, survives restarts, serves several processes."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._db = Database("broker", url, settings)

    @staticmethod
    async def migrate(url: str) -> None:
        """Make its database and tables."""
        await create_database(url)
        async with raw_connection(url) as connection:
            await connection.execute("SELECT pg_advisory_lock(1)")
            await connection.execute(_LOCAL_SCHEMA)

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
        await self._db.execute(_LOCAL_PUBLISH, source, events)

    @asynccontextmanager
    async def batch(self, group: str, source: str) -> AsyncIterator[list[Envelope]]:
        """The next envelopes; the row lock on the cursor keeps other processes away meanwhile."""
        async with self._db.raw_tx() as tx:
            position = await tx.fetchval(_LOCAL_CURSOR, group, source)
            if position is None:
                await tx.execute(
                    "INSERT INTO cursors VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", group, source
                )
                position = await tx.fetchval(_LOCAL_CURSOR, group, source)
            rows = (
                await tx.fetch(_LOCAL_TAKE, source, position, BATCH) if position is not None else []
            )
            yield [Envelope.of(row["event"]) for row in rows]
            if rows:
                await tx.execute(
                    "UPDATE cursors SET position = $3 WHERE consumers = $1 AND source = $2",
                    group,
                    source,
                    rows[-1]["position"],
                )

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

    async def forget(self) -> None:
        """Drop what is older than a week and taken by every group."""
        await self._db.execute(
            "DELETE FROM messages m WHERE at < clock_timestamp() - interval '7 days'"
            " AND position <= (SELECT min(position) FROM cursors c WHERE c.source = m.source)"
        )


def broker(settings: Settings) -> LocalBroker:
    """The broker that the configuration names. Raises ValueError for unknown ones."""
    if settings.broker != "local":
        raise ValueError(f"DVOR_BROKER={settings.broker!r}: only local is built so far")
    return LocalBroker(settings.database("broker"), settings)
