"""Answers `/metrics`: of this process, of those beside it on the same port, and of the databases."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dvor.kernel import metrics, telemetry
from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from dvor.kernel.http.gate import Gate

LOG = telemetry.log("metrics")
REMEMBERED_SECONDS = 2.0
"""Who asks more often hears the same of the databases."""
PATIENCE_SECONDS = 2.0
"""For one database, and for one worker beside us."""

_QUEUES = """
SELECT
    (SELECT count(*) FROM outbox WHERE sent_at IS NULL) AS outbox,
    (SELECT coalesce(extract(epoch FROM dvor_now() - min(at)), 0)::float
        FROM outbox WHERE sent_at IS NULL) AS outbox_age,
    (SELECT count(*) FROM parked_messages) AS parked,
    (SELECT count(*) FROM tasks WHERE state = 'due' AND run_at <= dvor_now()) AS tasks,
    (SELECT coalesce(greatest(extract(epoch FROM dvor_now() - min(run_at)), 0), 0)::float
        FROM tasks WHERE state = 'due') AS tasks_age
"""


class Scrape:
    """What one process tells of itself.

    An implementation with a method `measure` is asked to bring what it measures up to date.
    """

    def __init__(
        self,
        settings: Settings,
        databases: Mapping[str, Database],
        implementations: Mapping[str, Any],
        gate: Gate,
    ) -> None:
        self._settings = settings
        self._databases = databases
        self._implementations = implementations
        self._gate = gate
        self._measured = -REMEMBERED_SECONDS
        self._measuring = asyncio.Lock()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Let the workers beside us ask, where there are any."""
        if self._settings.metrics_folder:
            own = self._socket(self._settings.worker)
            own.unlink(missing_ok=True)  # of the one that died in our place
            self._server = await asyncio.start_unix_server(self._answer, own)

    async def close(self) -> None:
        """Answer nobody any more."""
        if self._server is not None:
            self._server.close()
            self._socket(self._settings.worker).unlink(missing_ok=True)

    async def page(self) -> str:
        """Everything, in Prometheus' text format."""
        await self._measure()
        if not self._settings.metrics_folder:
            return self._own() + metrics.written(metrics.SHARED)
        return await self._all_workers() + metrics.written(metrics.SHARED)

    def _socket(self, worker: str) -> Path:
        return Path(self._settings.metrics_folder) / f"{worker}.sock"

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(self._own().encode())
            await writer.drain()
        writer.close()

    def _own(self) -> str:
        for name, database in self._databases.items():
            busy, idle = database.connections()
            metrics.CONNECTIONS.labels(name, "busy").set(busy)
            metrics.CONNECTIONS.labels(name, "idle").set(idle)
            metrics.CONNECTIONS_MAX.labels(name).set(self._settings.database_pool)
            metrics.CONNECTIONS_WANTED.labels(name).set(database.wanted())
        metrics.CHANGES.labels("under way").set(self._gate.under_way())
        metrics.CHANGES.labels("waiting").set(self._gate.waiting())
        return metrics.written(metrics.HERE)

    def _workers(self) -> list[str]:
        sockets = Path(self._settings.metrics_folder).glob("*.sock")
        return sorted((path.stem for path in sockets), key=lambda worker: (len(worker), worker))

    async def _all_workers(self) -> str:
        workers = self._workers()
        told = await asyncio.gather(*(self._ask(worker) for worker in workers))
        pages = dict(zip(workers, told, strict=True))
        up = "".join(f'dvor_worker_up{{worker="{w}"}} {int(bool(p))}\n' for w, p in pages.items())
        head = "# HELP dvor_worker_up 1 where the worker answered\n# TYPE dvor_worker_up gauge\n"
        return metrics.merged({w: page for w, page in pages.items() if page}) + head + up

    async def _ask(self, worker: str) -> str:
        if worker == self._settings.worker:
            return self._own()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._socket(worker))
                try:
                    return (await reader.read()).decode()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return ""

    async def _measure(self) -> None:
        """Read what stands in the databases, once for all who ask at a time."""
        async with self._measuring:
            if time.monotonic() - self._measured >= REMEMBERED_SECONDS:
                await asyncio.gather(*(self._measure_one(name) for name in self._databases))
                self._measured = time.monotonic()

    async def _measure_one(self, name: str) -> None:
        """What cannot be read is not told: an old number would look like a new one."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._read(name)
        except Exception as problem:  # noqa: BLE001 - of all others it must be told
            LOG.warning("cannot be measured", service=name, problem=repr(problem))
            metrics.DATABASE_UP.labels(name).set(0)
            for gauge in _QUEUE_GAUGES:
                with suppress(KeyError):
                    gauge.remove(name)
        else:
            metrics.DATABASE_UP.labels(name).set(1)

    async def _read(self, name: str) -> None:
        row: Any = await self._databases[name].fetchrow(_QUEUES)
        for gauge, column in _QUEUE_GAUGES.items():
            gauge.labels(name).set(row[column])
        if measure := getattr(self._implementations[name], "measure", None):
            await measure()


_QUEUE_GAUGES = {
    metrics.OUTBOX_WAITING: "outbox",
    metrics.OUTBOX_AGE: "outbox_age",
    metrics.PARKED: "parked",
    metrics.TASKS_WAITING: "tasks",
    metrics.TASKS_AGE: "tasks_age",
}
