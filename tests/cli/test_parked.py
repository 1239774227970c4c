"""Events that could not be applied: shown with their reason, applied again when asked."""

import pytest

from dvor.cli import parked
from dvor.contracts.identity import UserRegistered
from dvor.kernel import clock, ids
from dvor.kernel.brokers import Envelope
from tests.conftest import House, MakeHouse


async def park(house: House, *, data: dict[str, str]) -> None:
    """Leave an event in notifications' parked messages."""
    envelope = Envelope(
        message_id=ids.new(),
        source="identity",
        type=UserRegistered.wire_name,
        aggregate=ids.new(),
        version=1,
        at=clock.now(),
        trace={},
        data=data,
    )
    await house.db("notifications").execute(
        "INSERT INTO parked_messages (message_id, aggregate, version, type, envelope, error)"
        " VALUES ($1, $2, 1, $3, $4, 'the disk was full')",
        envelope.message_id,
        envelope.aggregate,
        envelope.type,
        envelope.cloud_event(),
    )


class TestParked:
    async def test_nothing_is_said_to_be_nothing(
        self, make_house: MakeHouse, capsys: pytest.CaptureFixture[str]
    ) -> None:
        house = await make_house()
        assert await parked.show(house.settings) == 0
        assert "Nothing is parked." in capsys.readouterr().out

    async def test_is_shown_and_applied_again(
        self, make_house: MakeHouse, capsys: pytest.CaptureFixture[str]
    ) -> None:
        house = await make_house()
        await park(house, data={"user_id": str(ids.new()), "name": "Ann", "language": "en"})
        assert await parked.show(house.settings) == 1
        assert "the disk was full" in " ".join(capsys.readouterr().out.split())
        assert await parked.replay(house.settings) == 0
        db = house.db("notifications")
        assert await db.fetchval("SELECT count(*) FROM parked_messages") == 0
        assert await db.fetchval("SELECT count(*) FROM notifications") == 1

    async def test_what_fails_again_stays(self, make_house: MakeHouse) -> None:
        house = await make_house()
        house.sabotaged = True  # what is parked is a promise broken: an event not applied
        await park(house, data={"name": "nobody"})
        assert await parked.replay(house.settings) == 1
        assert await parked.show(house.settings) == 1
