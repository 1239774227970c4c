"""The broker on RabbitMQ: a topic exchange for each source, a quorum queue for each of its groups.

Order is the queue's: it gives to one consumer at a time (single active consumer), so that several
processes of a group stand by for each other. Publishing and consuming have connections of their
own, because RabbitMQ stops reading from those that publish when it runs out of memory or disk.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aio_pika import Channel, Connection, DeliveryMode, ExchangeType, Message
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractIncomingMessage,
    AbstractQueue,
)
from aio_pika.connection import make_url
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from dvor.kernel import telemetry
from dvor.kernel.brokers.envelope import CONTENT_TYPE, Envelope, Unreadable, rounds
from dvor.kernel.brokers.feeds import Feed, keep, unreadable
from dvor.kernel.brokers.port import BATCH, Groups
from dvor.kernel.config import Settings
from dvor.kernel.db import assert_no_transaction
from dvor.kernel.errors import Unavailable

LOG = telemetry.log("events")
PREFETCH = 2 * BATCH
"""Messages delivered and not acknowledged: one batch is applied while the next arrives."""
DELIVERIES_MAX = 1_000_000
"""Never: RabbitMQ 4 throws away what was delivered 20 times unless it is told otherwise."""

_TROUBLE = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)


class RabbitBroker:
    """Publisher confirms, mandatory routing, durable queues, acknowledgement after our commit."""

    def __init__(self, settings: Settings, groups: Groups) -> None:
        self._settings = settings
        self._groups = groups
        self._exchanges: dict[str, AbstractExchange] = {}
        self._publishing = _Link("publishing", settings, self._declare)
        self._consuming = _Link("consuming", settings)
        self._feeds: dict[tuple[str, str], _QueueFeed] = {}
        self._hints: set[Callable[[str], None]] = set()
        self._loops: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin to connect."""
        for link in (self._publishing, self._consuming):
            self._keep(f"RabbitMQ, {link.name}", link.hold)

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._loops.append(asyncio.create_task(keep(name, work, self._settings)))

    async def close(self) -> None:
        """Disconnect: what was delivered and not acknowledged goes to others."""
        for loop in reversed(self._loops):
            loop.cancel()
        if self._loops:
            await asyncio.wait(self._loops, timeout=self._settings.broker_timeout_seconds)
        self._loops.clear()

    async def publish(self, source: str, envelopes: Sequence[Envelope]) -> None:
        """Returns when every queue of the source has them on disk."""
        assert_no_transaction("publishing")
        try:
            async with asyncio.timeout(self._settings.broker_timeout_seconds):
                await self._publishing.up.wait()
                for some in rounds(envelopes):
                    await self._publish_together(source, some)
        except _TROUBLE as problem:
            self._publishing.drop()  # what became of the others is unknown: begin anew
            raise Unavailable from problem

    async def _publish_together(self, source: str, envelopes: Sequence[Envelope]) -> None:
        exchange = self._exchanges[source]
        wanted = bool(self._groups[source])
        answers = await asyncio.gather(
            *(
                exchange.publish(_message(envelope), envelope.type, mandatory=wanted)
                for envelope in envelopes
            ),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def _declare(self, connection: AbstractConnection) -> None:
        """All exchanges and queues: what is published before its readers start waits for them."""
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        dead = await channel.declare_exchange(self._dead, ExchangeType.FANOUT, durable=True)
        letters = await channel.declare_queue(
            self._dead, durable=True, arguments={"x-queue-type": "quorum"}
        )
        await letters.bind(dead)
        for source, groups in self._groups.items():
            name = f"{self._settings.broker_prefix}.{source}"
            exchange = await channel.declare_exchange(name, ExchangeType.TOPIC, durable=True)
            for group in groups:
                queue = await self.declare_queue(channel, group, source)
                await queue.bind(exchange, "#")
            self._exchanges[source] = exchange

    @property
    def _dead(self) -> str:
        return f"{self._settings.broker_prefix}.dead"

    def queue_name(self, group: str, source: str) -> str:
        """Of what `group` takes from `source`."""
        return f"{self._settings.broker_prefix}.{group}.{source}"

    async def declare_queue(
        self, channel: AbstractChannel, group: str, source: str
    ) -> AbstractQueue:
        """The queue of a group. Its arguments cannot be changed later without another name."""
        arguments: dict[str, Any] = {
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERIES_MAX,
            "x-dead-letter-exchange": self._dead,
        }
        name = self.queue_name(group, source)
        return await channel.declare_queue(name, durable=True, arguments=arguments)

    @asynccontextmanager
    async def batch(self, group: str, source: str) -> AsyncIterator[list[Envelope]]:
        """What was delivered; the first call begins to consume."""
        found = self._feeds.get((group, source))
        if found is None:
            found = self._feeds[group, source] = _QueueFeed(self, self._settings, group, source)
            self._keep(f"RabbitMQ, {self.queue_name(group, source)}", found.hold)
        async with found.feed.batch(found.acknowledge) as envelopes:
            yield envelopes

    async def consuming(self) -> AbstractConnection:
        """The connection to consume by, when there is one."""
        await self._consuming.up.wait()
        assert self._consuming.connection is not None
        return self._consuming.connection

    def notice(self, source: str) -> None:
        """There is something new of this source."""
        for hint in self._hints:
            hint(source)

    async def watch(self, hint: Callable[[str], None]) -> None:
        """Call back when messages arrive for a group that consumes here."""
        self._hints.add(hint)
        try:
            await asyncio.Event().wait()
        finally:
            self._hints.discard(hint)

    async def lag(self, group: str, source: str) -> int:
        """What waits in the queue, with what was delivered to this process.

        What another process has and did not acknowledge yet is not counted: AMQP does not say.
        """
        try:
            async with asyncio.timeout(self._settings.broker_timeout_seconds):
                found = self._feeds.get((group, source))
                if found and found.channel and not found.channel.is_closed:
                    return await self._waiting(found.channel, group, source) + len(found.feed)
                channel = await (await self.consuming()).channel(publisher_confirms=False)
                try:
                    return await self._waiting(channel, group, source)
                finally:
                    await channel.close()
        except _TROUBLE as problem:
            raise Unavailable from problem

    async def _waiting(self, channel: AbstractChannel, group: str, source: str) -> int:
        # Asked on the channel that consumes: all it counts as delivered has arrived by then.
        queue = await channel.declare_queue(self.queue_name(group, source), passive=True)
        return queue.declaration_result.message_count or 0

    async def reachable(self) -> bool:
        """Whether both connections stand."""
        return self._publishing.up.is_set() and self._consuming.up.is_set()

    async def forget(self) -> None:
        """Nothing: what was acknowledged is gone."""


class _Link:
    """One connection, for one purpose."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        prepare: Callable[[AbstractConnection], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self.up = asyncio.Event()
        self.connection: AbstractConnection | None = None
        self._settings = settings
        self._prepare = prepare
        self._lost = asyncio.Event()
        self._urls = settings.broker_url.split(",")

    def drop(self) -> None:
        """It is of no use any more."""
        self.up.clear()
        self._lost.set()

    async def hold(self) -> None:
        """Connect, and return when the connection is lost."""
        self._lost.clear()
        self._urls.append(self._urls.pop(0))  # several nodes take turns
        limit = self._settings.broker_timeout_seconds
        connection = Connection(make_url(_address(self._urls[-1], self._settings)))
        try:
            await connection.connect(timeout=limit)
            connection.close_callbacks.add(lambda *_: self._lost.set())
            if self._prepare:
                async with asyncio.timeout(limit):
                    await self._prepare(connection)
            self.connection = connection
            self.up.set()
            LOG.info("broker is there", what=f"RabbitMQ, {self.name}")
            await self._lost.wait()
        finally:
            self.up.clear()
            await _shut(connection, limit)


class _QueueFeed:
    """Consumes one queue for this process."""

    def __init__(self, owner: RabbitBroker, settings: Settings, group: str, source: str) -> None:
        self.feed = Feed(lambda: owner.notice(source))
        self.channel: AbstractChannel | None = None
        self._owner = owner
        self._settings = settings
        self._group = group
        self._source = source

    async def hold(self) -> None:
        """Consume, and return when the channel or the queue is lost."""
        settings = self._settings
        connection = await self._owner.consuming()
        lost = asyncio.Event()
        async with asyncio.timeout(settings.broker_timeout_seconds):
            channel = await connection.channel(publisher_confirms=False)
        assert isinstance(channel, Channel)
        try:
            channel.close_callbacks.add(lambda *_: lost.set())
            async with asyncio.timeout(settings.broker_timeout_seconds):
                await channel.set_qos(prefetch_count=PREFETCH)
                queue = await self._owner.declare_queue(channel, self._group, self._source)
                underlay = await channel.get_underlay_channel()
                underlay.on_consumer_cancel_callbacks.add(lambda *_: lost.set())
                await queue.consume(self._take)
            self.channel = channel
            await lost.wait()
        finally:
            self.channel = None
            self.feed.drop()
            await _shut(channel, settings.broker_timeout_seconds)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        try:
            envelope = Envelope.decode(message.body)
        except Unreadable as problem:
            unreadable(self._group, self._source, problem)
            with suppress(*_TROUBLE):  # comes again otherwise
                await message.reject(requeue=False)
        else:
            self.feed.put(envelope, message)

    async def acknowledge(self, marks: list[Any]) -> None:
        """These and all before them are done."""
        try:
            async with asyncio.timeout(self._settings.broker_timeout_seconds):
                await marks[-1].ack(multiple=True)
        except _TROUBLE as problem:  # they come again and are known then
            LOG.info("not acknowledged", group=self._group, problem=repr(problem))


def _message(envelope: Envelope) -> Message:
    return Message(
        envelope.encode(),
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=str(envelope.message_id),
        type=envelope.type,
        timestamp=envelope.at,
        app_id="dvor",
    )


def _address(url: str, settings: Settings) -> str:
    """With the heartbeat by which both sides notice that the other has gone silently."""
    joint = "&" if "?" in url else "?"
    return (
        url if "heartbeat=" in url else f"{url}{joint}heartbeat={settings.broker_silence_seconds}"
    )


async def _shut(what: AbstractConnection | AbstractChannel, seconds: float) -> None:
    with suppress(*_TROUBLE):
        async with asyncio.timeout(seconds):
            await what.close()
