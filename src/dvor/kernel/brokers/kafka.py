"""The broker on Kafka: a topic for each source, keyed by aggregate, a consumer group for each reader.

Order is a partition's, so an aggregate's. Several processes of a group share the partitions. The
producer is idempotent and waits for all replicas in sync; it is thrown away after any failure,
because what it had under way is unknown then.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from dvor.kernel import telemetry
from dvor.kernel.brokers.envelope import CONTENT_TYPE, Envelope, Unreadable, rounds
from dvor.kernel.brokers.feeds import Feed, keep, unreadable
from dvor.kernel.brokers.port import BATCH, Groups
from dvor.kernel.config import BadConfiguration, Settings
from dvor.kernel.db import assert_no_transaction
from dvor.kernel.errors import Unavailable

LOG = telemetry.log("events")
MESSAGE_MAX_BYTES = 16 * 2**20
"""The largest event; more than the largest request that could become one."""
METADATA_SECONDS = 30
"""How often clients ask which topics and partitions there are."""

_TROUBLE = (KafkaError, OSError, TimeoutError)
_HEADERS = [("content-type", CONTENT_TYPE.encode())]


class KafkaBroker:
    """Idempotent producer with acks=all; offsets committed after our commit, never by a timer."""

    def __init__(self, settings: Settings, groups: Groups) -> None:
        self._settings = settings
        self._groups = groups
        self.options = _options(settings.broker_url)
        self._producer: AIOKafkaProducer | None = None
        self._producing = asyncio.Lock()
        self._feeds: dict[tuple[str, str], _TopicFeed] = {}
        self._hints: set[Callable[[str], None]] = set()
        self._loops: set[asyncio.Task[Any]] = set()
        self._inspectors: tuple[AIOKafkaConsumer, AIOKafkaAdminClient] | None = None
        self._inspecting = asyncio.Lock()
        self._reached = False

    async def open(self) -> None:
        """Begin to connect: make the topics, and have a producer at hand."""
        self._run(keep("Kafka", self._look, self._settings))

    async def _look(self) -> None:
        """Look whether it answers, until it does not."""
        try:
            while True:
                producer = await self.producer()
                async with asyncio.timeout(self._settings.broker_timeout_seconds):
                    if not await producer.client.force_metadata_update():
                        raise TimeoutError("Kafka does not answer")
                self._reached = True
                await asyncio.sleep(self._settings.broker_retry_seconds)
        finally:
            self._reached = False

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._loops.add(task)
        task.add_done_callback(self._loops.discard)

    async def close(self) -> None:
        """Disconnect; members leave their groups, so that others take over at once."""
        loops = list(self._loops)
        for loop in loops:
            loop.cancel()
        if loops:
            await asyncio.wait(loops, timeout=self._settings.broker_timeout_seconds)
        await self._end_inspection()
        if self._producer is not None:
            await _stop(self._producer, self._settings)
            self._producer = None

    async def publish(self, source: str, envelopes: Sequence[Envelope]) -> None:
        """Returns when all replicas in sync have them."""
        assert_no_transaction("publishing")
        producer = None
        try:
            async with asyncio.timeout(self._settings.broker_timeout_seconds):
                producer = await self.producer()
                for some in rounds(envelopes):
                    await self._publish_together(producer, source, some)
        except _TROUBLE as problem:
            if producer is not None and producer is self._producer:
                self._producer = None
                self._run(_stop(producer, self._settings))
            raise Unavailable from problem

    async def _publish_together(
        self, producer: AIOKafkaProducer, source: str, envelopes: Sequence[Envelope]
    ) -> None:
        topic = self.topic(source)
        under_way = [
            await producer.send(
                topic, envelope.encode(), key=str(envelope.aggregate).encode(), headers=_HEADERS
            )
            for envelope in envelopes
        ]
        for answer in await asyncio.gather(*under_way, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer

    async def producer(self) -> AIOKafkaProducer:
        """The one at hand, or a new one; then all topics are there. Raises KafkaError."""
        async with self._producing:
            return self._producer or await self._produce()

    async def _produce(self) -> AIOKafkaProducer:
        async with asyncio.timeout(self._settings.broker_timeout_seconds):
            await self._make_topics()
            producer = AIOKafkaProducer(
                **self.options,
                client_id="dvor",
                acks="all",
                enable_idempotence=True,
                max_request_size=MESSAGE_MAX_BYTES,
                request_timeout_ms=round(self._settings.broker_timeout_seconds * 1000),
                metadata_max_age_ms=METADATA_SECONDS * 1000,
            )
            try:
                await producer.start()
            except BaseException:
                self._run(_stop(producer, self._settings))
                raise
        LOG.info("broker is there", what="Kafka")
        self._producer = producer
        return producer

    async def _make_topics(self) -> None:
        """All of them: who reads a topic that is not there hears of it only much later."""
        copies = self._settings.broker_copies
        configs = {
            "min.insync.replicas": str(max(copies - 1, 1)),
            "max.message.bytes": str(MESSAGE_MAX_BYTES),
            "retention.ms": str(self._settings.broker_kept_days * 86_400_000),
        }
        partitions = self._settings.broker_partitions
        wanted = {self.topic(source): partitions for source in self._groups} | {self._dead: 1}
        admin = self._administrator()
        try:
            await admin.start()
            known = set(await admin.list_topics())
            missing = [
                NewTopic(name, number, copies, topic_configs=configs)
                for name, number in wanted.items()
                if name not in known
            ]
            if missing:
                answer: Any = await admin.create_topics(missing)
                for _, code, *_ in answer.topic_errors:
                    error = for_code(code)
                    if code and error is not TopicAlreadyExistsError:  # another process was faster
                        raise error
        finally:
            await admin.close()

    def _administrator(self) -> AIOKafkaAdminClient:
        limit = round(self._settings.broker_timeout_seconds * 1000)
        return AIOKafkaAdminClient(**self.options, client_id="dvor", request_timeout_ms=limit)

    def topic(self, source: str) -> str:
        """Of what `source` tells."""
        return f"{self._settings.broker_prefix}.{source}"

    @property
    def _dead(self) -> str:
        return f"{self._settings.broker_prefix}.dead"

    def group(self, group: str, source: str) -> str:
        """One consumer group of Kafka for each source: a rebalance of one holds up no other."""
        return f"{self._settings.broker_prefix}.{group}.{source}"

    async def bury(self, body: bytes) -> None:
        """Keep what nobody can read where a person can look at it. Raises KafkaError."""
        producer = await self.producer()
        await producer.send_and_wait(self._dead, body)

    @asynccontextmanager
    async def batch(self, group: str, source: str) -> AsyncIterator[list[Envelope]]:
        """What was fetched; the first call joins the group."""
        found = self._feeds.get((group, source))
        if found is None:
            found = self._feeds[group, source] = _TopicFeed(self, self._settings, group, source)
            name = f"Kafka, {self.group(group, source)}"
            self._run(keep(name, found.hold, self._settings))
        async with found.feed.batch(found.acknowledge) as envelopes:
            yield envelopes

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
        """The ends of the partitions less what the group committed."""
        topic = self.topic(source)
        try:
            async with asyncio.timeout(self._settings.broker_timeout_seconds):
                producer = await self.producer()
                parts = [TopicPartition(topic, n) for n in await producer.partitions_for(topic)]
                async with self._inspecting:
                    reader, admin = self._inspectors or await self._inspect()
                    ends = await reader.end_offsets(parts)
                    begins = await reader.beginning_offsets(parts)
                    done = await admin.list_consumer_group_offsets(self.group(group, source))
        except _TROUBLE as problem:
            await self._end_inspection()
            raise Unavailable from problem
        taken = {part: done[part].offset if part in done else 0 for part in parts}
        return sum(ends[part] - max(taken[part], begins[part]) for part in parts)

    async def _inspect(self) -> tuple[AIOKafkaConsumer, AIOKafkaAdminClient]:
        reader, admin = self.consumer(None), self._administrator()
        self._inspectors = reader, admin
        await reader.start()
        await admin.start()
        return reader, admin

    async def _end_inspection(self) -> None:
        if self._inspectors is not None:
            (reader, admin), self._inspectors = self._inspectors, None
            await _stop(reader, self._settings)
            await admin.close()

    def consumer(self, group: str | None) -> AIOKafkaConsumer:
        """A client that reads for a group."""
        silence = self._settings.broker_silence_seconds * 1000
        return AIOKafkaConsumer(
            **self.options,
            client_id="dvor",
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=silence,
            heartbeat_interval_ms=silence // 4,
            max_poll_interval_ms=300_000,
            request_timeout_ms=max(
                round(self._settings.broker_timeout_seconds * 1000), silence + 1
            ),
            metadata_max_age_ms=METADATA_SECONDS * 1000,
        )

    async def reachable(self) -> bool:
        """Whether it answered when it was looked at last."""
        return self._reached

    async def forget(self) -> None:
        """Nothing: Kafka drops what is older than its topic's retention."""


class _TopicFeed(ConsumerRebalanceListener):
    """Reads some partitions of one topic as a member of a group."""

    def __init__(self, owner: KafkaBroker, settings: Settings, group: str, source: str) -> None:
        self.feed = Feed(lambda: owner.notice(source))
        self._owner = owner
        self._settings = settings
        self._group = group
        self._source = source
        self._consumer: AIOKafkaConsumer | None = None

    async def hold(self) -> None:
        """Read until something fails."""
        await self._owner.producer()
        consumer = self._owner.consumer(self._owner.group(self._group, self._source))
        try:
            async with asyncio.timeout(2 * self._settings.broker_timeout_seconds):
                await consumer.start()
            consumer.subscribe([self._owner.topic(self._source)], listener=self)
            self._consumer = consumer
            while True:
                await self._fetch(consumer)
                await self.feed.emptied()
        finally:
            self._consumer = None
            self.feed.drop()
            await _stop(consumer, self._settings)

    async def _fetch(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
        for part, records in fetched.items():
            for record in records:
                await self._take(part, record)

    async def _take(self, part: TopicPartition, record: ConsumerRecord[Any, Any]) -> None:
        try:
            envelope = Envelope.decode(record.value or b"")
        except Unreadable as problem:
            unreadable(self._group, self._source, problem)
            await self._owner.bury(record.value or b"")
            envelope = None
        self.feed.put(envelope, (part, record.offset + 1))

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - may be
        self, revoked: Any
    ) -> None:
        """Others will read them: finish what is under way, then forget the rest."""
        await self.feed.idle(self._settings.broker_silence_seconds / 2)
        self.feed.drop()

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Reading goes on from what the group committed."""

    async def acknowledge(self, marks: list[Any]) -> None:
        """The group need not see these again."""
        if self._consumer is None:
            return
        offsets = dict(marks)  # the last of each partition
        try:
            async with asyncio.timeout(self._settings.broker_timeout_seconds):
                await self._consumer.commit(offsets)
        except _TROUBLE as problem:  # they come again, here or elsewhere, and are known then
            LOG.info("not acknowledged", group=self._group, problem=repr(problem))


def _options(url: str) -> dict[str, Any]:
    """`kafka://[user:password@]host:port,…[?mechanism=PLAIN]`; `kafkas://` is by TLS."""
    parts = urlsplit(url)
    if parts.scheme not in ("kafka", "kafkas") or not parts.netloc:
        raise BadConfiguration("DVOR_BROKER_URL: is kafka://host:port,… or kafkas://host:port,…")
    login, _, hosts = parts.netloc.rpartition("@")
    found: dict[str, Any] = {"bootstrap_servers": hosts.split(",")}
    if parts.scheme == "kafkas":
        found["ssl_context"] = ssl.create_default_context()
    if login:
        user, _, password = login.partition(":")
        query = parse_qs(parts.query)
        found |= {
            "sasl_mechanism": query.get("mechanism", ["SCRAM-SHA-512"])[0],
            "sasl_plain_username": unquote(user),
            "sasl_plain_password": unquote(password),
        }
    protocol = ("SASL_" if login else "") + ("SSL" if parts.scheme == "kafkas" else "PLAINTEXT")
    return found | {"security_protocol": protocol}


async def _stop(client: AIOKafkaConsumer | AIOKafkaProducer, settings: Settings) -> None:
    with suppress(*_TROUBLE):
        async with asyncio.timeout(settings.broker_timeout_seconds):
            await client.stop()
