"""Brokers that are away, and lines to them that break."""

import asyncio
from dataclasses import replace
from time import monotonic
from uuid import uuid4

import pytest

from dvor.kernel import metrics
from dvor.kernel.brokers.kafka import KafkaBroker
from dvor.kernel.config import Settings
from dvor.kernel.errors import Unavailable
from tests.conftest import MakeHouse
from tests.kernel.rigs import REMOTE, AddressOf, Line, Rig, cut, event, rig_of, through


class TestServerAway:
    @pytest.mark.parametrize("kind", REMOTE)
    async def test_a_process_starts_without_its_broker(self, kind: str, settings: Settings) -> None:
        scheme = {"rabbitmq": "amqp", "kafka": "kafka"}[kind]
        found = Rig(
            replace(
                settings,
                broker=kind,
                broker_url=f"{scheme}://127.0.0.1:9",
                broker_timeout_seconds=0.5,
                broker_retry_seconds=0.2,
            )
        )
        began = monotonic()
        one = await found.open()
        async with one.batch("inventory", "catalog") as envelopes:
            assert envelopes == []
        with pytest.raises(Unavailable):
            await one.publish("catalog", [event(uuid4(), 1)])
        with pytest.raises(Unavailable):
            await one.lag("inventory", "catalog")
        assert not await one.reachable()
        await found.close()
        assert monotonic() - began < 10

    async def test_a_process_without_its_broker_serves_and_says_so(
        self, make_house: MakeHouse
    ) -> None:
        there = await make_house("identity")
        away = await make_house("identity", broker="rabbitmq", broker_url="amqp://127.0.0.1:9")
        for house, up in ((there, True), (away, False)):
            answer = await house.http.get("/readyz")
            assert answer.status_code == 200
            assert answer.json() == {"identity": True, "broker": up}
            assert metrics.BROKER_UP._value.get() == up

    async def test_broken_lines_to_rabbitmq_lose_and_reorder_nothing(
        self, settings: Settings, address_of: AddressOf
    ) -> None:
        rig = rig_of("rabbitmq", settings, address_of("rabbitmq"))
        async with Line(rig.settings.broker_url) as line:

            async def trouble() -> None:
                for _ in range(5):
                    line.cut()
                    await asyncio.sleep(0.5)

            publisher, consumer = [await rig.open(broker_url=line.url) for _ in "12"]
            await through(publisher, consumer, trouble)
            await rig.close()

    async def test_broken_lines_to_kafka_lose_and_reorder_nothing(
        self, settings: Settings, address_of: AddressOf
    ) -> None:
        rig = rig_of("kafka", settings, address_of("kafka"))
        publisher, consumer = await rig.open(), await rig.open()
        assert isinstance(publisher, KafkaBroker) and isinstance(consumer, KafkaBroker)

        async def trouble() -> None:
            for _ in range(5):
                cut(publisher)
                cut(consumer)
                await asyncio.sleep(0.5)

        await through(publisher, consumer, trouble)
        await rig.close()
