"""Which offers can be had: the search, against asking for each."""

import random
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from dvor.contracts.availability import AvailabilitySearch
from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import Claim, SoldOut
from dvor.kernel import clock, ids
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import InvalidFields
from dvor.kernel.periods import DateRange, HourRange
from dvor.services.inventory import availability, slots
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


ZONES = ("UTC", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin")


def change_at_lord_howe() -> datetime:
    """The next change of clocks there, by half an hour: on the first Sunday of April."""
    years = (clock.now().year, clock.now().year + 1)
    sundays = (date(year, 4, 7 - date(year, 4, 7).isoweekday() % 7) for year in years)
    sunday = next(day for day in sundays if day > clock.now().date() + timedelta(days=7))
    return datetime.combine(sunday, time(), UTC) - timedelta(hours=9)


async def agreement(scene: Scene, seed: int, asks: int) -> tuple[int, int]:
    """Asks at random for hours of offers in many zones, a part of which is taken.

    The search must find exactly what the engine would grant. Answers how often it did and did not.
    """
    dice = random.Random(seed)
    offers = {}
    for zone in ZONES:
        for buffer in (0, 2):
            offer = await scene.offer(
                Kind.RENTAL, dice.randint(1, 2), by_hour=True, timezone=zone, buffer=buffer
            )
            await scene.publish(offer)
            offers[offer] = zone
    middle = change_at_lord_howe()

    def hours(zone: str = "UTC") -> HourRange:
        start = middle + timedelta(hours=dice.randrange(-30, 30), minutes=dice.choice((0, 15, 30)))
        phase = timedelta(seconds=slots.hour_phase(zone) if dice.random() < 0.5 else 0)
        return HourRange(
            start=start + phase, end=start + phase + timedelta(hours=dice.randint(1, 5))
        )

    for offer, zone in offers.items():
        for _ in range(6):
            with suppress(SoldOut):
                await scene.hold(Claim(offer_id=offer, quantity=1, hours=hours(zone)))
    granted = refused = 0
    for _ in range(asks):
        during, quantity = hours(dice.choice(ZONES)), dice.choice((1, 1, 2))
        there = await found(scene, kind=Kind.RENTAL, hours=during, quantity=quantity)
        for offer, zone in offers.items():
            claim = Claim(offer_id=offer, quantity=quantity, hours=during)
            try:
                hold = await scene.hold(claim)
            except SoldOut:
                assert offer not in there, (zone, during)
                refused += 1
            else:
                assert there.get(offer, 0) >= quantity, (zone, during)
                await scene.release(hold.id)
                granted += 1
    return granted, refused


class TestZonesWithHalfHours:
    async def test_the_search_finds_what_the_engine_grants(self, scene: Scene) -> None:
        granted, refused = await agreement(scene, 7, 24)
        assert granted > 40 and refused > 40

    async def test_counting_their_hours_as_those_of_utc_is_noticed(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Proves that the test above can fail."""
        monkeypatch.setattr(slots, "odd_zones", lambda: ())
        with pytest.raises(AssertionError):
            await agreement(scene, 7, 24)
