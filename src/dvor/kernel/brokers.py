"""How events travel: outbox -> relay -> broker -> inbox, in order, at least once, applied once.

A relay publishes its service's outbox; a consumer takes batches for its service. Between them
stands a broker: here `local`, a log of messages in a database of its own, read by every group of
consumers at its own pace. It serves one process, or several on one PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from dvor.kernel import telemetry
from dvor.kernel.caller import Caller, asking
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Tx, create_database, raw_connection
from dvor.kernel.events import Event
from dvor.kernel.ids import new
from dvor.kernel.tasks import hinted, lease

Handler = Callable[[Tx, Any], Awaitable[None]]

LOG = telemetry.log("events")
BATCH = 500
"""Messages published or taken at once."""
ATTEMPTS_MAX = 5
"""Tries before a message is parked."""
RELAY_LEASE_SECONDS = 5


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


_UNSENT = """
SELECT id, message_id, aggregate, version, type, data, trace, at FROM outbox
WHERE sent_at IS NULL ORDER BY id LIMIT $1
"""
_SENT = "UPDATE outbox SET sent_at = dvor_now() WHERE id = ANY($1::bigint[])"
_FORGET_SENT = "DELETE FROM outbox WHERE sent_at < dvor_now() - interval '7 days'"


class Relay:
    """Publishes one service's outbox in the order of its rows; one relay at a time has the lease.

    An id watermark, several relays with SKIP LOCKED or a bound by transaction id would be faster
    and lose or reorder events.
    """

    def __init__(self, database: Database, broker: Broker, settings: Settings) -> None:
        self._db = database
        self._broker = broker
        self._settings = settings
        self._holder = new()
        self._hint = asyncio.Event()

    def notice(self, _payload: str = "") -> None:
        """There may be something to publish."""
        self._hint.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            self._hint.clear()
            try:
                sent = await self.publish_batch()
            except Exception as problem:  # noqa: BLE001 - a relay that dies would stop all facts
                LOG.warning("relay waits", service=self._db.service, problem=repr(problem))
                sent = 0
                await asyncio.sleep(self._settings.poll_seconds)
            if sent < BATCH:
                await hinted(self._hint, self._settings.poll_seconds)

    async def publish_batch(self) -> int:
        """Publish the oldest unsent events if the lease is ours; answers how many."""
        service = self._db.service
        if not await lease(self._db, "relay", self._holder, RELAY_LEASE_SECONDS):
            return 0
        rows = await self._db.fetch(_UNSENT, BATCH)
        if not rows:
            return 0
        envelopes = [
            Envelope(
                message_id=row["message_id"],
                source=service,
                type=row["type"],
                aggregate=row["aggregate"],
                version=row["version"],
                at=row["at"],
                trace=row["trace"],
                data=row["data"],
            )
            for row in rows
        ]
        await self._broker.publish(service, envelopes)
        await self._db.execute(_SENT, [row["id"] for row in rows])
        telemetry.EVENTS_SENT.labels(service).inc(len(rows))
        return len(rows)

    async def forget(self) -> None:
        """Drop events that were sent a week ago."""
        await self._db.execute(_FORGET_SENT)


_TAKE_IN = """
INSERT INTO inbox (message_id, aggregate, version, type)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[])
ON CONFLICT (message_id) DO NOTHING RETURNING message_id
"""
_PARK = """
INSERT INTO parked_messages (message_id, aggregate, version, type, envelope, error)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (message_id) DO NOTHING
"""
_PARKED_AGGREGATES = "SELECT aggregate FROM parked_messages WHERE aggregate = ANY($1::uuid[])"


class Consumer:
    """Applies events to one service's tables: each once, a batch in one transaction."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        handlers: Mapping[type[Event], Handler],
        settings: Settings,
    ) -> None:
        self._db = database
        self._broker = broker
        self._handlers = {cls.wire_name: (cls, handler) for cls, handler in handlers.items()}
        self._settings = settings
        self.sources = sorted({cls.source for cls in handlers})
        self._hints = {source: asyncio.Event() for source in self.sources}

    def notice(self, source: str) -> None:
        """There may be something of `source` to take."""
        if source in self._hints:
            self._hints[source].set()

    async def run(self) -> None:
        """Consume until cancelled."""
        async with asyncio.TaskGroup() as group:
            for source in self.sources:
                group.create_task(self._follow(source))

    async def _follow(self, source: str) -> None:
        hint = self._hints[source]
        while True:
            hint.clear()
            try:
                taken = await self.take_batch(source)
            except Exception as problem:  # noqa: BLE001 - a consumer must outlive a bad moment
                LOG.warning("consumer waits", service=self._db.service, problem=repr(problem))
                taken = 0
                await asyncio.sleep(self._settings.poll_seconds)
            if taken < BATCH:
                await hinted(hint, self._settings.poll_seconds)

    async def take_batch(self, source: str) -> int:
        """Apply the next events of `source`; answers how many were taken."""
        async with self._broker.batch(self._db.service, source) as envelopes:
            ours = [envelope for envelope in envelopes if envelope.type in self._handlers]
            if ours:
                await self._apply(ours)
            return len(envelopes)

    async def _apply(self, envelopes: list[Envelope]) -> None:
        try:
            await self._apply_together(envelopes)
        except Exception as problem:  # noqa: BLE001 - one bad message must not hold up the rest
            if len(envelopes) > 1:
                LOG.info(
                    "batch failed, one by one", service=self._db.service, problem=repr(problem)
                )
            for envelope in envelopes:
                await self._apply_alone(envelope)

    async def _apply_alone(self, envelope: Envelope) -> None:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                await self._apply_together([envelope])
            except Exception as problem:  # noqa: BLE001 - kept with the parked message
                if attempt == ATTEMPTS_MAX:
                    await self._park(envelope, f"{type(problem).__name__}: {problem}")
                else:
                    await asyncio.sleep(0.05 * 2**attempt)
            else:
                return

    async def _apply_together(self, envelopes: list[Envelope]) -> None:
        with asking(Caller(service=self._db.service)):
            async with self._db.tx() as tx:
                taken = await tx.fetch(
                    _TAKE_IN,
                    [e.message_id for e in envelopes],
                    [e.aggregate for e in envelopes],
                    [e.version for e in envelopes],
                    [e.type for e in envelopes],
                )
                fresh = {row["message_id"] for row in taken}
                rows = await tx.fetch(_PARKED_AGGREGATES, [e.aggregate for e in envelopes])
                blocked = {row["aggregate"] for row in rows}
                for envelope in envelopes:
                    if envelope.message_id not in fresh:
                        continue
                    fresh.discard(envelope.message_id)  # its twin may be in the same batch
                    if envelope.aggregate in blocked:
                        await tx.execute(_PARK, *_parked(envelope, "an earlier one is parked"))
                    else:
                        await self._handle(tx, envelope)

    async def _handle(self, tx: Tx, envelope: Envelope) -> None:
        cls, handler = self._handlers[envelope.type]
        with telemetry.extract(envelope.trace, f"event {envelope.type}", server=False):
            await handler(tx, cls.model_validate(envelope.data))
        telemetry.EVENTS_TAKEN.labels(self._db.service, envelope.type).inc()

    async def _park(self, envelope: Envelope, error: str) -> None:
        LOG.error("parked", service=self._db.service, type=envelope.type, error=error)
        telemetry.EVENTS_PARKED.labels(self._db.service).inc()
        async with self._db.tx() as tx:
            await tx.fetch(
                _TAKE_IN, [envelope.message_id], [envelope.aggregate], [envelope.version],
                [envelope.type],
            )  # fmt: skip
            await tx.execute(_PARK, *_parked(envelope, error[:2000]))

    async def replay_parked(self) -> tuple[int, int]:
        """Try parked messages again, oldest first; answers (applied, still parked).

        A message of an aggregate whose earlier one fails again stays parked.
        """
        rows = await self._db.fetch(
            "SELECT message_id, envelope FROM parked_messages ORDER BY aggregate, version"
        )
        applied, stuck = 0, set[UUID]()
        for row in rows:
            envelope = Envelope.of(row["envelope"])
            if envelope.aggregate in stuck:
                continue
            try:
                with asking(Caller(service=self._db.service)):
                    async with self._db.tx() as tx:
                        await tx.execute(
                            "DELETE FROM parked_messages WHERE message_id = $1", row["message_id"]
                        )
                        await self._handle(tx, envelope)
                applied += 1
            except Exception as problem:  # noqa: BLE001 - stays parked, said in the log
                stuck.add(envelope.aggregate)
                LOG.warning("still parked", type=envelope.type, error=repr(problem))
        return applied, len(rows) - applied


def _parked(envelope: Envelope, error: str) -> tuple[Any, ...]:
    return (
        envelope.message_id,
        envelope.aggregate,
        envelope.version,
        envelope.type,
        envelope.cloud_event(),
        error,
    )


def broker(settings: Settings) -> LocalBroker:
    """The broker that the configuration names. Raises ValueError for unknown ones."""
    if settings.broker != "local":
        raise ValueError(f"DVOR_BROKER={settings.broker!r}: only local is built so far")
    return LocalBroker(settings.database("broker"), settings)
