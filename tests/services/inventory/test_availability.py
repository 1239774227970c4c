"""Which offers can be had: the search, against asking for each."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from dvor.contracts.availability import AvailabilitySearch
from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import Claim
from dvor.kernel import clock, ids
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import InvalidFields
from dvor.kernel.periods import DateRange, HourRange
from dvor.services.inventory import availability
from tests.services.inventory.conftest import Scene, nights, units
from tests.services.inventory.halls import event, hall


async def found(scene: Scene, **asked: Any) -> dict[UUID, int]:
    """Every offer that the search finds, page by page, with what is free of it."""
    every: dict[UUID, int] = {}
    cursor = None
    while True:
        page = await scene.inventory.available(AvailabilitySearch(cursor=cursor, **asked))
        assert len(page.items) <= asked.get("limit", 20)
        assert not every.keys() & {item.offer_id for item in page.items}
        every |= {item.offer_id: item.free for item in page.items}
        cursor = page.next_cursor
        if cursor is None:
            return every


async def on_sale(scene: Scene, kind: Kind, quantity: int) -> UUID:
    offer = await scene.offer(kind, quantity)
    await scene.publish(offer)
    return offer


class TestAvailable:
    async def test_leaves_out_what_is_taken_on_one_of_the_nights(self, scene: Scene) -> None:
        taken, partly, free = [await on_sale(scene, Kind.STAY, 2) for _ in range(3)]
        await scene.hold(units(taken, 2, nights(4, 5)), units(partly, 1, nights(3, 9)))
        assert await found(scene, kind=Kind.STAY, dates=nights(3, 6)) == {partly: 1, free: 2}
        assert await found(scene, kind=Kind.STAY, dates=nights(5, 6)) == {
            taken: 2, partly: 1, free: 2,
        }  # fmt: skip

    async def test_asks_for_a_quantity(self, scene: Scene) -> None:
        few, many = await on_sale(scene, Kind.STAY, 2), await on_sale(scene, Kind.STAY, 5)
        await scene.hold(units(many, 2, nights(3, 4)))
        dates = nights(3, 5)
        assert await found(scene, kind=Kind.STAY, dates=dates, quantity=2) == {few: 2, many: 3}
        assert await found(scene, kind=Kind.STAY, dates=dates, quantity=3) == {many: 3}
        assert await found(scene, kind=Kind.STAY, dates=dates, quantity=4) == {}

    async def test_finds_goods_and_tickets_now(self, scene: Scene) -> None:
        mug, gone = await on_sale(scene, Kind.PRODUCT, 3), await on_sale(scene, Kind.PRODUCT, 1)
        concert = await on_sale(scene, Kind.EVENT, 4)
        await scene.hold(units(gone, 1), units(mug, 1))
        assert await found(scene, kind=Kind.PRODUCT) == {mug: 2}
        assert await found(scene, kind=Kind.EVENT) == {concert: 4}

    async def test_what_becomes_free_is_found_again(self, scene: Scene) -> None:
        offer = await on_sale(scene, Kind.PRODUCT, 1)
        hold = await scene.hold(units(offer, 1))
        assert await found(scene, kind=Kind.PRODUCT) == {}
        await scene.release(hold.id)
        assert await found(scene, kind=Kind.PRODUCT) == {offer: 1}

    async def test_follows_the_supply(self, scene: Scene) -> None:
        offer = await on_sale(scene, Kind.PRODUCT, 1)
        await scene.hold(units(offer, 1))
        with scene.house.calling(scene.seller):
            await scene.inventory.set_supply(offer, 3)
        assert await found(scene, kind=Kind.PRODUCT) == {offer: 2}

    async def test_leaves_out_what_is_not_on_sale(self, scene: Scene) -> None:
        shown = await on_sale(scene, Kind.PRODUCT, 3)
        hidden = await scene.offer(Kind.PRODUCT, 3, on_sale=False)
        assert await found(scene, kind=Kind.PRODUCT) == {shown: 3}
        await scene.archive(shown)
        assert hidden not in await found(scene, kind=Kind.PRODUCT)
        assert await found(scene, kind=Kind.PRODUCT) == {}

    async def test_leaves_out_what_the_calendar_refuses(self, scene: Scene) -> None:
        await on_sale(scene, Kind.STAY, 3)
        today = clock.now().date()
        past = DateRange(start=today - timedelta(days=2), end=today)
        assert await found(scene, kind=Kind.STAY, dates=past) == {}
        assert await found(scene, kind=Kind.STAY, dates=nights(900, 902)) == {}

    async def test_what_is_let_by_the_day_is_not_let_by_the_hour(self, scene: Scene) -> None:
        drill = await on_sale(scene, Kind.RENTAL, 3)
        start = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
        hours = HourRange(start=start, end=start + timedelta(hours=3))
        assert await found(scene, kind=Kind.RENTAL, hours=hours) == {}
        assert await found(scene, kind=Kind.RENTAL, dates=nights(2, 3)) == {drill: 3}

    async def test_pages_follow_each_other_without_gaps(self, scene: Scene) -> None:
        offers = [await on_sale(scene, Kind.PRODUCT, 1) for _ in range(7)]
        await scene.hold(units(offers[2], 1))
        for limit in (1, 2, 3, 6, 7):
            everything = await found(scene, kind=Kind.PRODUCT, limit=limit)
            assert everything == dict.fromkeys(sorted({*offers} - {offers[2]}), 1)

    async def test_one_statement_looks_at_a_bounded_number(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        offers = [await on_sale(scene, Kind.PRODUCT, 1) for _ in range(7)]
        await scene.hold(*(units(offer, 1) for offer in sorted(offers)[:6]))
        monkeypatch.setattr(availability, "LOOKS", (2,))
        page = await scene.inventory.available(AvailabilitySearch(kind=Kind.PRODUCT))
        assert page.items == () and page.next_cursor == sorted(offers)[1].hex
        assert await found(scene, kind=Kind.PRODUCT) == {max(offers): 1}

    async def test_anybody_may_look(self, scene: Scene) -> None:
        offer = await on_sale(scene, Kind.PRODUCT, 1)
        with scene.house.calling(Caller(user_id=ids.new(), roles=(Role.CUSTOMER,))):
            assert await found(scene, kind=Kind.PRODUCT) == {offer: 1}

    async def test_refuses_a_strange_cursor(self, scene: Scene) -> None:
        with pytest.raises(InvalidFields):
            await scene.inventory.available(AvailabilitySearch(kind=Kind.PRODUCT, cursor="x"))

    def test_rooms_need_dates_and_goods_have_none(self) -> None:
        with pytest.raises(ValidationError):
            AvailabilitySearch(kind=Kind.STAY)
        with pytest.raises(ValidationError):
            AvailabilitySearch(kind=Kind.PRODUCT, dates=nights(1, 2))


class TestSearchRoute:
    async def test_answers_what_is_free(self, scene: Scene) -> None:
        room = await on_sale(scene, Kind.STAY, 2)
        dates = nights(3, 5)
        asked = {"kind": "stay", "start": str(dates.start), "end": str(dates.end), "quantity": 2}
        answer = await scene.house.http.get("/api/v1/availability/search", params=asked)
        assert answer.status_code == 200
        assert [item["offer_id"] for item in answer.json()["items"]] == [str(room)]
        half = {"kind": "stay", "start": str(dates.start)}
        answer = await scene.house.http.get("/api/v1/availability/search", params=half)
        assert answer.status_code == 422


class TestRules:
    async def test_leaves_out_what_its_rules_refuse(self, scene: Scene) -> None:
        short, long = [await on_sale(scene, Kind.STAY, 1) for _ in range(2)]
        await scene.rule(short, length_max=2)
        await scene.rule(long, length_min=3)
        assert await found(scene, kind=Kind.STAY, dates=nights(3, 5)) == {short: 1}
        assert await found(scene, kind=Kind.STAY, dates=nights(3, 6)) == {long: 1}
        assert await scene.free(short, nights(3, 6)) == 0

    async def test_the_time_to_clean_must_be_free(self, scene: Scene) -> None:
        drill = await on_sale(scene, Kind.RENTAL, 1)
        await scene.rule(drill, buffer=1)
        await scene.hold(units(drill, 1, nights(5, 6)))
        assert await found(scene, kind=Kind.RENTAL, dates=nights(3, 5)) == {}
        assert await found(scene, kind=Kind.RENTAL, dates=nights(3, 4)) == {drill: 1}

    async def test_numbered_seats_are_counted_one_by_one(self, scene: Scene) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        await show.draw(hall([tier] * 3))
        await scene.publish(tier)
        await scene.hold(Claim(offer_id=tier, quantity=2, seats=("1-1", "1-2")))
        assert await found(scene, kind=Kind.EVENT) == {tier: 1}
        assert await found(scene, kind=Kind.EVENT, quantity=2) == {}
