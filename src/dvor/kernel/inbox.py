"""The facts of others on their way in: each applied once, a batch in one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from dvor.kernel import metrics, points, telemetry
from dvor.kernel.brokers import BATCH, Broker, Envelope
from dvor.kernel.caller import Caller, asking
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Tx
from dvor.kernel.errors import Unavailable
from dvor.kernel.events import Event
from dvor.kernel.tasks import Pace, hinted, pause

Handler = Callable[[Tx, Any], Awaitable[None]]

LOG = telemetry.log("events")
ATTEMPTS_MAX = 5
"""Tries before a message is parked."""
PACE_SECONDS = 0.1
"""Events are taken together with those that come so soon after them."""
OBSERVED_SECONDS = 15
"""How often the events that wait are counted."""

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
    """Applies events to one service's tables: each once, a batch in one transaction.

    `turn`: awaited before a batch; none where it is in a hurry.
    """

    def __init__(
        self,
        database: Database,
        broker: Broker,
        handlers: Mapping[type[Event], Handler],
        settings: Settings,
        turn: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._db = database
        self._turn = turn
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
        pace = Pace(PACE_SECONDS)
        failures = 0
        while True:
            await pace.turn()
            if self._turn:
                await self._turn()
            hint.clear()
            try:
                taken = await self.take_batch(source)
                failures = 0
            except Exception as problem:  # noqa: BLE001 - a consumer must outlive a bad moment
                if not failures:
                    LOG.warning("consumer waits", service=self._db.service, problem=repr(problem))
                taken, failures = 0, failures + 1
                await asyncio.sleep(pause(failures, self._settings.broker_retry_seconds))
            if taken < BATCH:
                await hinted(hint, self._settings.poll_seconds)

    async def observe(self) -> None:
        """Count what waits, for the metrics, until cancelled."""
        while True:
            await asyncio.sleep(OBSERVED_SECONDS)
            for source in self.sources:
                with suppress(Unavailable):
                    lag = await self._broker.lag(self._db.service, source)
                    metrics.EVENTS_WAITING.labels(self._db.service, source).set(lag)

    async def take_batch(self, source: str) -> int:
        """Apply the next events of `source`; answers how many were taken."""
        async with self._broker.batch(self._db.service, source) as envelopes:
            ours = [envelope for envelope in envelopes if envelope.type in self._handlers]
            if ours:
                await self._apply(ours)
                points.reached(f"{self._db.service}.before_ack")
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
            async with self._db.tx(f"{self._db.service}.inbox") as tx:
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
        with telemetry.extract(envelope.trace, f"event {envelope.type}", kind="consumer"):
            # A newer process may say more than we know of.
            await handler(tx, cls.model_validate(envelope.data, extra="ignore"))
        metrics.EVENTS_TAKEN.labels(self._db.service, envelope.type).inc()

    async def _park(self, envelope: Envelope, error: str) -> None:
        async with self._db.tx() as tx:
            taken = await tx.fetch(
                _TAKE_IN, [envelope.message_id], [envelope.aggregate], [envelope.version],
                [envelope.type],
            )  # fmt: skip
            if not taken:  # another process of ours applied it meanwhile
                return
            await tx.execute(_PARK, *_parked(envelope, error[:2000]))
        LOG.error("parked", service=self._db.service, type=envelope.type, error=error)
        metrics.EVENTS_PARKED.labels(self._db.service).inc()

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
