"""Calendar & closures of an offer, over real services."""

from collections.abc import AsyncIterator

import pytest

from dvor.kernel.config import Settings
from tests.house.call import offer_of
from tests.house.closure_calls import CALENDAR
from tests.house.world import World, open_world, stay_dates


@pytest.fixture
async def world(template: Settings) -> AsyncIterator[World]:
    async with open_world(template) as world:
        yield world


class TestClosures:
    async def test_days_are_closed_shared_and_imported(self, world: World) -> None:
        place = f"/selling/closures/{offer_of(world.stay)}"

        async def send(action: str, **form: str) -> str:
            answer = await world.page(world.seller, "POST", f"{place}/{action}", form)
            assert answer.status_code == 303, answer.text
            jar = {"notice": answer.cookies["notice"]}
            return (await world.page(world.seller, "GET", place, cookies=jar)).text

        day = str(stay_dates().start)
        text = await send("close", start=day, last=day, units="2", note="Paint")
        assert "It is closed." in text
        assert "Paint" in text
        assert "not before the first" in await send("close", start=day, last="2020-01-01")
        assert "/ical/" in await send("feed", shared="1")
        assert "/ical/" not in await send("feed", shared="0")
        assert "The calendar is imported." in await send("import", name="Elsewhere", text=CALENDAR)
        assert "This is no calendar" in await send("import", text="hello")
        assert "begins with https://" in await send("import", url="http://x.example/")

    async def test_goods_have_no_calendar(self, world: World) -> None:
        path = f"/selling/closures/{offer_of(world.product)}"
        answer = await world.page(world.seller, "GET", path)
        assert answer.status_code == 422
