"""A service's facts on their way out: one relay publishes them in the order they were told."""

import asyncio

from dvor.kernel import metrics, points, telemetry
from dvor.kernel.brokers import Broker, Envelope
from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from dvor.kernel.tasks import Lease, Pace, hinted, pause

LOG = telemetry.log("events")
BATCH = 500
"""Events published at once."""
RELAY_LEASE_SECONDS = 5
PACE_SECONDS = 0.05
"""Facts leave together with those told so soon before them."""

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
        self._lease = Lease(database, "relay", RELAY_LEASE_SECONDS)
        self._pace = Pace(PACE_SECONDS)
        self._hint = asyncio.Event()

    def notice(self, _payload: str = "") -> None:
        """There may be something to publish."""
        self._hint.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        failures = 0
        while True:
            await self._pace.turn()
            self._hint.clear()
            try:
                sent = await self.publish_batch()
                failures = 0
            except Exception as problem:  # noqa: BLE001 - a relay that dies would stop all facts
                if not failures:
                    LOG.warning("relay waits", service=self._db.service, problem=repr(problem))
                sent, failures = 0, failures + 1
                await asyncio.sleep(pause(failures, self._settings.broker_retry_seconds))
            if not self._lease.ours:  # whoever publishes hears the hints, too
                await asyncio.sleep(self._settings.poll_seconds)
            elif sent < BATCH:
                await hinted(self._hint, self._settings.poll_seconds)

    async def publish_batch(self) -> int:
        """Publish the oldest unsent events if the lease is ours; answers how many."""
        service = self._db.service
        if not await self._lease.hold():
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
        points.reached(f"{service}.before_publish")
        await self._broker.publish(service, envelopes)
        points.reached(f"{service}.after_publish")
        await self._db.execute(_SENT, [row["id"] for row in rows])
        points.reached(f"{service}.after_marking")
        metrics.EVENTS_SENT.labels(service).inc(len(rows))
        return len(rows)

    async def forget(self) -> None:
        """Drop events that were sent a week ago."""
        await self._db.execute(_FORGET_SENT)
