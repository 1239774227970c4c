"""RabbitMQ and Kafka stopped and started again while events travel."""

import asyncio
from pathlib import Path

import pytest

from dvor.cli.servers import Kafka, RabbitMQ, Server
from dvor.kernel.config import Settings
from tests.kernel.rigs import rig_of, through

DOWN_SECONDS = 10
DRAINED_SECONDS = 60

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("kind", [RabbitMQ, Kafka])
async def test_a_restart_loses_and_reorders_nothing(
    kind: type[Server], settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(kind.variable, raising=False)  # that one is not ours to stop
    server = kind(tmp_path)
    running = await asyncio.to_thread(server.start)
    try:
        rig = rig_of(kind.name, settings, running.address)
        publisher, consumer = await rig.open(), await rig.open()

        async def restart() -> None:
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(DOWN_SECONDS)
            assert not await publisher.reachable()
            await asyncio.to_thread(server.start)

        late = await through(publisher, consumer, restart)
        assert max(late, default=0) < DRAINED_SECONDS
        assert await publisher.reachable()
        await rig.close()
    finally:
        await asyncio.to_thread(server.stop)
