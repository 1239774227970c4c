"""The tape chart of a hotelier, over real services."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dvor.kernel.config import Settings
from tests.house import room_calls
from tests.house.world import World, open_world, stay_dates


@pytest.fixture
async def world(template: Settings) -> AsyncIterator[World]:
    async with open_world(template) as world:
        yield world


async def page(world: World, listing_id: Any, **query: Any) -> str:
    first = stay_dates().start
    more = "".join(f"&{name}={value}" for name, value in query.items())
    path = f"/selling/rooms/{listing_id}?first={first}{more}"
    answer = await world.page(world.seller, "GET", path)
    assert answer.status_code == 200
    return answer.text


class TestChart:
    async def test_a_stay_is_given_a_room_moved_and_closed_around(self, world: World) -> None:
        offer_id, stay_id, room_id = await room_calls.booked(world)
        with world.seller.asking():
            facts = (await world.house.catalog.offers((offer_id,))).items[0]
        listing_id = facts.listing_id
        text = await page(world, listing_id)
        assert "No room yet" in text
        assert f'data-stay="{stay_id}"' in text
        assert "Carla Customer" in text
        text = await page(world, listing_id, stay=stay_id)
        assert "Give this room" in text

        async def send(action: str, **form: Any) -> str:
            known = {"offer": offer_id, "first": stay_dates().start}
            sent = {name: str(value) for name, value in (known | form).items()}
            path = f"/selling/rooms/{listing_id}/{action}"
            answer = await world.page(world.seller, "POST", path, sent)
            assert answer.status_code == 303, answer.text
            jar = {"notice": answer.cookies["notice"]}
            shown = await world.page(world.seller, "GET", answer.headers["location"], cookies=jar)
            return shown.text

        text = await send("assign", stay=stay_id, room=room_id)
        assert "The room is assigned." in text
        assert "No room yet" not in text
        row = re.search(rf'<tr data-room="{room_id}".*?</tr>', text, re.DOTALL)
        assert row is not None
        assert str(stay_id) in row[0]
        start = stay_dates().start
        text = await send("close", room=room_id, start=start, last=start, note="Paint")
        assert "Somebody else has room 1" in text
        text = await send("assign", stay=stay_id, room="")
        assert "The stay has no room now." in text
        assert "The room is closed." in await send(
            "close", room=room_id, start=start, last=start, note="Paint"
        )
        text = await send("arrange")
        assert "1 stay got a room." in text
        assert "Paint" in text
        closure = re.search(r'name="closure" value="([^"]+)"', text)
        assert closure is not None
        assert "The room is open again." in await send("reopen", closure=closure[1])
        assert "has guests ahead" in await send("rooms", names="3")
        text = await send("rooms", names="1\n2\n3")
        assert "Rooms here and rooms on sale differ" in text

    async def test_goods_have_none(self, world: World) -> None:
        answer = await world.page(world.seller, "GET", f"/selling/rooms/{world.product.id}")
        assert answer.status_code == 404
