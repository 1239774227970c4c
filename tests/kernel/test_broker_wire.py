"""What is on the wire, also for other tools; and which broker is chosen."""

import asyncio
import re
from dataclasses import replace
from uuid import uuid4

import aio_pika
import aiokafka
import msgspec
import pytest

from dvor.kernel.brokers import Envelope, LocalBroker, Unreadable, broker, rounds
from dvor.kernel.brokers.kafka import KafkaBroker
from dvor.kernel.config import BadConfiguration, Settings
from tests.kernel.rigs import WAIT_SECONDS, AddressOf, Rig, event, rig_of, take


class TestWire:
    async def test_rabbitmq_carries_cloud_events(
        self, settings: Settings, address_of: AddressOf
    ) -> None:
        rig = rig_of("rabbitmq", settings, address_of("rabbitmq"))
        one = await rig.open()
        told = event(uuid4(), 7, price=1)
        await one.publish("catalog", [event(uuid4(), 1)])  # by now its exchange is there
        async with await aio_pika.connect(rig.settings.broker_url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(f"{rig.settings.broker_prefix}.catalog", "catalog.#")
            await one.publish("catalog", [told])
            message = await queue.get(no_ack=True)
        assert message is not None
        assert message.content_type == "application/cloudevents+json; charset=utf-8"
        assert (message.message_id, message.type) == (str(told.message_id), told.type)
        assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        _is_cloud_event(message.body, told)
        await rig.close()

    async def test_kafka_carries_cloud_events_keyed_by_aggregate(
        self, settings: Settings, address_of: AddressOf
    ) -> None:
        rig = rig_of("kafka", settings, address_of("kafka"))
        one = await rig.open()
        told = event(uuid4(), 7, price=1)
        await one.publish("catalog", [told])
        reader = aiokafka.AIOKafkaConsumer(
            f"{rig.settings.broker_prefix}.catalog",
            bootstrap_servers=rig.settings.broker_url.removeprefix("kafka://"),
            auto_offset_reset="earliest",
        )
        await reader.start()
        async with asyncio.timeout(WAIT_SECONDS):
            record = await reader.getone()
        await reader.stop()
        assert record.key == str(told.aggregate).encode()
        assert dict(record.headers)["content-type"].startswith(b"application/cloudevents+json")
        assert record.value is not None
        _is_cloud_event(record.value, told)
        await rig.close()

    async def test_what_is_no_event_becomes_a_dead_letter_and_holds_up_nobody(
        self, remote: Rig
    ) -> None:
        one = await remote.open()
        prefix, url = remote.settings.broker_prefix, remote.settings.broker_url
        await one.publish("catalog", [event(uuid4(), 1)])
        if remote.settings.broker == "rabbitmq":
            async with await aio_pika.connect(url) as connection:
                channel = await connection.channel()
                exchange = await channel.get_exchange(f"{prefix}.catalog")
                await exchange.publish(aio_pika.Message(b"{}"), "nonsense")
        else:
            producer = aiokafka.AIOKafkaProducer(bootstrap_servers=url.removeprefix("kafka://"))
            await producer.start()
            await producer.send_and_wait(f"{prefix}.catalog", b"{}")
            await producer.stop()
        await one.publish("catalog", [event(uuid4(), 1)])
        assert len(await take(one, 2)) == 2
        async with asyncio.timeout(WAIT_SECONDS):
            while await one.lag("inventory", "catalog"):
                await take(one, 0)
                async with one.batch("inventory", "catalog"):
                    pass
                await asyncio.sleep(0.02)
        assert await _dead_letters(remote) == [b"{}"]


def _is_cloud_event(body: bytes, told: Envelope) -> None:
    found = msgspec.json.decode(body)
    assert {"specversion": "1.0", "id": str(told.message_id), "type": told.type}.items() <= (
        found.items()
    )
    assert found["source"] == "/dvor/catalog"
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in found)
    assert all(isinstance(found[name], str) for name in found.keys() - {"data"})
    assert Envelope.decode(body) == told


async def _dead_letters(rig: Rig) -> list[bytes]:
    url, name = rig.settings.broker_url, f"{rig.settings.broker_prefix}.dead"
    async with asyncio.timeout(WAIT_SECONDS):
        if rig.settings.broker == "kafka":
            reader = aiokafka.AIOKafkaConsumer(
                name,
                bootstrap_servers=url.removeprefix("kafka://"),
                auto_offset_reset="earliest",
            )
            await reader.start()
            letter = await reader.getone()
            await reader.stop()
            return [letter.value or b""]
        async with await aio_pika.connect(url) as connection:
            queue = await (await connection.channel()).get_queue(name)
            while (message := await queue.get(no_ack=True, fail=False)) is None:
                await asyncio.sleep(0.05)
            return [message.body]


class TestEnvelope:
    def test_traces_travel_as_extension_attributes(self) -> None:
        trace = {"traceparent": "00-1-2-01", "tracestate": "a=b", "dvor-request-id": "r1"}
        told = replace(event(uuid4(), 1), trace=trace)
        assert Envelope.decode(told.encode()) == told
        assert "dvorrequestid" in told.cloud_event()

    def test_what_an_older_version_stored_is_read(self) -> None:
        told = replace(event(uuid4(), 1), trace={"traceparent": "00-1-2-01"})
        old = {k: v for k, v in told.cloud_event().items() if k != "traceparent"}
        assert Envelope.of(old | {"trace": told.trace}) == told

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'"x"', b"\xff", b'{"id": 3}'])
    def test_what_is_no_envelope_is_refused(self, body: bytes) -> None:
        with pytest.raises(Unreadable):
            Envelope.decode(body)

    def test_no_round_has_two_of_one_aggregate(self) -> None:
        first, second = uuid4(), uuid4()
        told = [event(first, 1), event(first, 2), event(second, 1), event(first, 3)]
        found = rounds(told)
        assert [[(e.aggregate, e.version) for e in some] for some in found] == [
            [(first, 1), (second, 1)],
            [(first, 2)],
            [(first, 3)],
        ]


class TestChoosing:
    def test_the_usual_one_is_local(self) -> None:
        assert isinstance(broker(Settings(database_url="postgresql://x/y"), {}), LocalBroker)

    @pytest.mark.parametrize(
        "options", [{"broker": "nats"}, {"broker": "kafka"}, {"broker": "kafka", "broker_url": "h"}]
    )
    def test_what_cannot_be_used_is_refused(self, options: dict[str, str]) -> None:
        with pytest.raises(BadConfiguration):
            broker(Settings(**options), {})  # type: ignore[arg-type]

    def test_kafka_is_reached_with_a_password_by_tls(self) -> None:
        url = "kafkas://me:p%40ss@a:1,b:2?mechanism=PLAIN"
        found = KafkaBroker(Settings(broker="kafka", broker_url=url), {}).options
        assert found["bootstrap_servers"] == ["a:1", "b:2"]
        assert found["security_protocol"] == "SASL_SSL"
        assert (found["sasl_plain_username"], found["sasl_plain_password"]) == ("me", "p@ss")
