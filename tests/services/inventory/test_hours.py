"""The hours of a day: what is free in each, also where the day has 23 or 25 of them."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.hours import DayHours
from dvor.contracts.inventory import (
    Claim,
    InThePast,
    NeedsDates,
    TooFarAhead,
    UnknownSupply,
)
from dvor.kernel import clock, ids
from dvor.kernel.periods import DateRange, HourRange
from dvor.services.inventory.hours import hours_of
from tests.services.inventory.conftest import Scene


def tomorrow() -> date:
    return clock.now().date() + timedelta(days=1)


async def read(scene: Scene, offer_id: Any, day: date | None = None) -> DayHours:
    return await scene.inventory.hours(offer_id, day or tomorrow())  # type: ignore[no-any-return]


class TestHours:
    async def test_says_what_is_free_in_each(self, scene: Scene) -> None:
        court = await scene.offer(Kind.RENTAL, 2, by_hour=True)
        at_ten = datetime.combine(tomorrow(), datetime.min.time(), UTC) + timedelta(hours=10)
        booked = HourRange(start=at_ten, end=at_ten + timedelta(hours=2))
        await scene.hold(Claim(offer_id=court, quantity=1, hours=booked))
        found = await read(scene, court)
        assert [hour.free for hour in found.hours] == [2] * 10 + [1] * 2 + [2] * 12
        assert found.hours[10].start == at_ten

    async def test_a_pause_after_a_rental_is_not_free(self, scene: Scene) -> None:
        court = await scene.offer(Kind.RENTAL, 1, by_hour=True, buffer=1)
        at_ten = datetime.combine(tomorrow(), datetime.min.time(), UTC) + timedelta(hours=10)
        booked = HourRange(start=at_ten, end=at_ten + timedelta(hours=2))
        await scene.hold(Claim(offer_id=court, quantity=1, hours=booked))
        found = await read(scene, court)
        assert [n for n, hour in enumerate(found.hours) if not hour.free] == [10, 11, 12]

    async def test_hours_that_have_passed_are_not_free(self, scene: Scene) -> None:
        court = await scene.offer(Kind.RENTAL, 1, by_hour=True)
        found = await read(scene, court, clock.now().date())
        hour = clock.now().hour
        assert [h.free for h in found.hours] == [0] * hour + [1] * (24 - hour)

    async def test_closed_dates_are_not_free_and_a_shortest_length_closes_nothing(
        self, scene: Scene
    ) -> None:
        closed = DateRange(start=tomorrow(), end=tomorrow() + timedelta(days=1))
        court = await scene.offer(Kind.RENTAL, 1, by_hour=True, closed=(closed,), length_min=3)
        assert {hour.free for hour in (await read(scene, court)).hours} == {0}
        later = await read(scene, court, tomorrow() + timedelta(days=1))
        assert {hour.free for hour in later.hours} == {1}

    async def test_refuses_what_has_no_hours(self, scene: Scene) -> None:
        court = await scene.offer(Kind.RENTAL, 1, by_hour=True)
        boat = await scene.offer(Kind.RENTAL, 1)
        today = clock.now().date()
        for offer_id, day, why in (
            (ids.new(), today, UnknownSupply),
            (boat, today, NeedsDates),
            (court, today - timedelta(days=1), InThePast),
            (court, date.min, InThePast),
            (court, date.max, TooFarAhead),
        ):
            with pytest.raises(why):
                await read(scene, offer_id, day)


class TestFree:
    async def test_answers_in_the_unit_of_the_offer_only(self, scene: Scene) -> None:
        court = await scene.offer(Kind.RENTAL, 2, by_hour=True)
        boat = await scene.offer(Kind.RENTAL, 2)
        at_ten = datetime.combine(tomorrow(), datetime.min.time(), UTC) + timedelta(hours=10)
        hours = HourRange(start=at_ten, end=at_ten + timedelta(hours=1))
        dates = DateRange(start=tomorrow(), end=tomorrow() + timedelta(days=1))
        for period, free in (({"hours": hours}, [2, 0]), ({"dates": dates}, [0, 2])):
            found = await scene.inventory.free((court, boat), **period)
            assert [item.free for item in found.items] == free


class TestHoursOf:
    @pytest.mark.parametrize(
        ("day", "timezone", "length"),
        [
            (date(2027, 10, 31), "Europe/Berlin", 25),
            (date(2027, 3, 28), "Europe/Berlin", 23),
            (date(2027, 6, 1), "Asia/Kolkata", 24),
            (date(2027, 9, 5), "America/Santiago", 23),
            (date(2027, 4, 4), "Australia/Lord_Howe", 24),
        ],
    )
    def test_are_elapsed_time(self, day: date, timezone: str, length: int) -> None:
        found = list(hours_of(day, timezone))
        assert len(found) == length
        assert all(a.end == b.start for a, b in pairwise(found))
