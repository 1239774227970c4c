"""Brokers as tests use them: one of each kind, several processes, lines that break."""

import asyncio
import itertools
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Self
from uuid import UUID, uuid4

from dvor.kernel.brokers import Broker, Envelope, broker
from dvor.kernel.brokers.kafka import KafkaBroker
from dvor.kernel.config import Settings
from dvor.kernel.errors import Unavailable

AddressOf = Callable[[str], str]
"""`local`, `rabbitmq` or `kafka` -> the URL of one that runs."""
KINDS = ("local", "rabbitmq", "kafka")
REMOTE = ("rabbitmq", "kafka")
GROUPS = {"catalog": ["inventory", "notifications"], "orders": ["notifications"], "audits": []}
WAIT_SECONDS = 120
_numbers = itertools.count()


def event(aggregate: UUID, version: int, **data: Any) -> Envelope:
    """An envelope."""
    return Envelope(
        uuid4(), "catalog", "catalog.x.v1", aggregate, version, datetime.now(UTC), {}, data
    )


@dataclass
class Rig:
    """One broker with names of its own; `open` gives a client, as another process has one."""

    settings: Settings
    opened: list[Broker] = field(default_factory=list)

    async def open(self, **changes: Any) -> Broker:
        """One more process."""
        found = broker(replace(self.settings, **changes), GROUPS)
        await found.open()
        self.opened.append(found)
        return found

    async def close(self) -> None:
        """End all."""
        for one in self.opened:
            await one.close()

    @property
    def environment(self) -> dict[str, str]:
        """What another process needs to know."""
        return os.environ | {
            "DVOR_BROKER": self.settings.broker,
            "DVOR_BROKER_URL": self.settings.broker_url,
            "DVOR_BROKER_PREFIX": self.settings.broker_prefix,
            "DVOR_BROKER_SILENCE_SECONDS": str(self.settings.broker_silence_seconds),
            "DVOR_DATABASE_URL": self.settings.database_url,
            "DVOR_DATABASE_PREFIX": self.settings.database_prefix,
        }


def rig_of(kind: str, settings: Settings, address: str) -> Rig:
    """A rig on a server that runs."""
    return Rig(
        replace(
            settings,
            broker=kind,
            broker_url=address,
            broker_prefix=f"t{os.getpid()}-{next(_numbers)}",
            broker_timeout_seconds=60.0,  # as slow as the machine is
            broker_partitions=4,
            broker_retry_seconds=0.5,
            broker_silence_seconds=6,
        )
    )


async def take(one: Broker, number: int, group: str = "inventory") -> list[Envelope]:
    """Take and acknowledge so many of catalog."""
    found: list[Envelope] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while len(found) < number:
            async with one.batch(group, "catalog") as envelopes:
                found += envelopes
            if not envelopes:
                await asyncio.sleep(0.01)
    return found


def in_order(envelopes: Sequence[Envelope]) -> bool:
    """Whether each aggregate's first deliveries come in the order of their versions."""
    seen: dict[UUID, dict[int, None]] = {}
    for envelope in envelopes:
        seen.setdefault(envelope.aggregate, {}).setdefault(envelope.version)
    return all(list(versions) == sorted(versions) for versions in seen.values())


class Line:
    """A way to RabbitMQ that can be cut."""

    def __init__(self, url: str) -> None:
        self._to = re.split("[@:/]+", url)[-3:-1]
        self._open: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"amqp://guest:guest@127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self._server.close()
        await asyncio.gather(*self._tasks)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, beyond = await asyncio.open_connection(*self._to)
        self._open += [writer, beyond]
        self._tasks += [
            asyncio.create_task(self._carry(reader, beyond)),
            asyncio.create_task(self._carry(there, writer)),
        ]

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(65536):
                writer.write(some)
                await writer.drain()
        writer.transport.abort()

    def cut(self) -> None:
        """Break all connections."""
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()


def cut(one: KafkaBroker) -> None:
    """Break all connections of a client: there can be no line between, Kafka tells its address."""
    clients = [one._producer.client] if one._producer else []
    clients += [feed._consumer._client for feed in one._feeds.values() if feed._consumer]
    for line in [line for client in clients for line in client._conns.values()]:
        line.close()


async def through(
    publisher: Broker, consumer: Broker, trouble: Callable[[], Awaitable[None]]
) -> list[float]:
    """Publish and consume while there is trouble: nothing is lost or reordered.

    Answers when each event arrived after the trouble, in seconds.
    """
    aggregates = [uuid4() for _ in range(5)]
    told: list[Envelope] = []
    over = asyncio.Event()

    async def publish() -> None:
        version = 0
        while not over.is_set():
            version += 1
            some = [event(aggregate, version) for aggregate in aggregates]
            told.extend(some)
            while True:  # as a relay does
                try:
                    await publisher.publish("catalog", some)
                    break
                except Unavailable:
                    await asyncio.sleep(0.1)
            await asyncio.sleep(0.02)

    publishing = asyncio.create_task(publish())
    got = await take(consumer, 20)
    await trouble()
    began = monotonic()
    over.set()
    await publishing
    late = []
    while {e.message_id for e in got} != {e.message_id for e in told}:
        got += await take(consumer, 1)
        late.append(monotonic() - began)
    assert in_order(got)
    return late
