"""Why something cannot be had: each reason, on the engine and its database."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import pytest
import pytest_asyncio

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import (
    Claim,
    ClosedDates,
    LimitReached,
    NeedsDates,
    NeedsHours,
    NoSeats,
    SoldOut,
    TooFarAhead,
    TooLate,
    TooLong,
    TooShort,
    UnknownSeat,
    WrongWeekday,
)
from dvor.kernel import clock, ids
from dvor.kernel.batch import Busy
from dvor.kernel.caller import Caller
from dvor.kernel.db import raw_connection
from dvor.kernel.errors import Unauthenticated
from dvor.kernel.idempotency import KeyMissing, KeyReused
from dvor.kernel.periods import DateRange, HourRange
from dvor.services.inventory import slots
from tests.services.inventory.conftest import FakeCatalog, Nobody, Scene, nights, units


def weekday_dates(weekday: int, length: int) -> DateRange:
    """Dates that begin on a weekday (0 is Monday), at least a week ahead."""
    today = clock.now().date()
    start = today + timedelta(days=7 + (weekday - today.weekday()) % 7)
    return DateRange(start=start, end=start + timedelta(days=length))


def hours(start: int, length: int, offer_id: UUID, quantity: int = 1) -> Claim:
    """A claim of hours, counted from the full hour that begins tomorrow."""
    begin = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=24 + start)
    during = HourRange(start=begin, end=begin + timedelta(hours=length))
    return Claim(offer_id=offer_id, quantity=quantity, hours=during)


class TestRules:
    @pytest.mark.parametrize(
        ("rules", "dates", "refusal"),
        [
            ({"length_min": 2}, nights(1, 2), TooShort),
            ({"length_max": 3}, nights(1, 5), TooLong),
            ({"horizon_days": 30}, nights(29, 31), TooFarAhead),
            ({"notice_hours": 72}, nights(1, 3), TooLate),
            ({"closed": (nights(5, 8),)}, nights(3, 6), ClosedDates),
        ],
    )
    async def test_refuse_what_the_seller_does_not_want(
        self, scene: Scene, rules: Any, dates: DateRange, refusal: Any
    ) -> None:
        room = await scene.offer(Kind.STAY, 1)
        held = await scene.hold(units(room, 1, dates))
        await scene.release(held.id)
        await scene.rule(room, **rules)
        with pytest.raises(refusal):
            await scene.hold(units(room, 1, dates))

    async def test_allow_the_last_that_is_allowed(self, scene: Scene) -> None:
        rules = {"length_min": 2, "length_max": 3, "horizon_days": 30, "closed": (nights(5, 8),)}
        room = await scene.offer(Kind.STAY, 9, **rules)
        for dates in (nights(1, 3), nights(1, 4), nights(28, 30), nights(3, 5), nights(8, 10)):
            await scene.hold(units(room, 1, dates))

    async def test_days_of_the_week_are_those_of_arrival_and_departure(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 9, arrival_weekdays=(4,), departure_weekdays=(6, 0))
        await scene.hold(units(room, 1, weekday_dates(4, 2)))
        for weekday, length in ((3, 3), (4, 1)):
            with pytest.raises(WrongWeekday):
                await scene.hold(units(room, 1, weekday_dates(weekday, length)))

    async def test_what_is_held_stays_held_when_rules_change(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        held = await scene.hold(units(room, 1, nights(1, 2)))
        await scene.rule(room, length_min=2)
        assert (await scene.confirm(held.id)).status == "confirmed"

    async def test_the_buffer_keeps_the_days_after_and_gives_them_back(self, scene: Scene) -> None:
        bike = await scene.offer(Kind.RENTAL, 1, buffer=2)
        held = await scene.hold(units(bike, 1, nights(3, 5)))
        for dates in (nights(5, 6), nights(6, 7), nights(2, 3)):
            with pytest.raises(SoldOut):
                await scene.hold(units(bike, 1, dates))
        assert [await scene.free(bike, nights(n, n + 1)) for n in (0, 1, 2, 5, 6, 7)] == [
            *(1, 0, 0, 0, 0, 1)
        ]
        await scene.hold(units(bike, 1, nights(7, 9)))
        await scene.release(held.id)
        await scene.hold(units(bike, 1, nights(3, 5)))

    async def test_a_buffer_that_changes_leaves_older_holds_as_they_were(
        self, scene: Scene
    ) -> None:
        bike = await scene.offer(Kind.RENTAL, 1)
        held = await scene.hold(units(bike, 1, nights(3, 5)))
        await scene.rule(bike, buffer=3)
        await scene.hold(units(bike, 1, nights(5, 6)))
        await scene.confirm(held.id)
        await scene.release(held.id)


class TestHours:
    async def test_are_let_one_by_one(self, scene: Scene) -> None:
        court = await scene.offer(Kind.RENTAL, 1, by_hour=True)
        held = await scene.hold(hours(0, 2, court))
        await scene.hold(hours(2, 1, court))
        with pytest.raises(SoldOut) as refused:
            await scene.hold(hours(1, 3, court))
        assert refused.value.hour == held.claims[0].hours.start + timedelta(hours=1)  # type: ignore[union-attr]
        assert (await scene.get_hold(held.id)).claims == held.claims

    async def test_need_hours_and_days_need_days(self, scene: Scene) -> None:
        court, bike = (
            await scene.offer(Kind.RENTAL, 1, by_hour=True),
            await scene.offer(Kind.RENTAL),
        )
        with pytest.raises(NeedsHours):
            await scene.hold(units(court, 1, nights(1, 2)))
        with pytest.raises(NeedsDates):
            await scene.hold(hours(1, 2, bike))

    @pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
    def test_a_night_in_which_clocks_change_has_as_many_as_it_has(self, zone: str) -> None:
        for start, end in ((datetime(2027, 3, 1), datetime(2027, 4, 5)), (datetime(2027, 10, 1), datetime(2027, 11, 20))):  # fmt: skip
            begin, finish = (at.replace(tzinfo=ZoneInfo(zone)) for at in (start, end))
            counted, at = 0, begin.astimezone(UTC)
            before: range | None = None
            while at < finish:
                taken = slots.hour_slots(HourRange(start=at, end=at + timedelta(hours=1)), zone)
                assert len(taken) == 1
                assert before is None or taken.start == before.stop  # back to back, none twice
                before, counted, at = taken, counted + 1, at + timedelta(hours=1)
            assert counted == (finish.astimezone(UTC) - begin.astimezone(UTC)) // timedelta(hours=1)

    def test_hours_that_meet_never_share_a_slot_unnoticed(self) -> None:
        """In every zone, around every change of clocks until 2030: who overlaps, shares a slot."""
        for zone in sorted(available_timezones()):
            place = ZoneInfo(zone)
            for at in _changes(place):
                first = at.astimezone(place).replace(minute=0).astimezone(UTC) - timedelta(hours=2)
                spans = [HourRange(start=first + timedelta(hours=n), end=first + timedelta(hours=n + 1)) for n in range(5)]  # fmt: skip
                late = [HourRange(start=s.start + timedelta(minutes=30), end=s.end + timedelta(minutes=30)) for s in spans]  # fmt: skip
                for one in spans:
                    for other in late:
                        overlap = one.start < other.end and other.start < one.end
                        shared = set(slots.hour_slots(one, zone)) & set(
                            slots.hour_slots(other, zone)
                        )
                        assert shared or not overlap, (zone, one, other)


def _changes(place: ZoneInfo) -> list[datetime]:
    """When the offset of a zone changes between 2024 and 2030, to the day."""
    found, at = [], datetime(2024, 1, 1, tzinfo=UTC)
    while at.year < 2031:
        later = at + timedelta(days=14)
        if at.astimezone(place).utcoffset() != later.astimezone(place).utcoffset():
            found.append(at)
        at = later
    return found


class TestLimitPerCustomer:
    async def test_counts_what_is_held_and_bought_together(self, scene: Scene) -> None:
        ticket, customer = await scene.offer(Kind.EVENT, 50, per_customer=4), ids.new()
        first = await scene.hold(units(ticket, 2), customer=customer)
        await scene.confirm(first.id)
        second = await scene.hold(units(ticket, 2), customer=customer)
        with pytest.raises(LimitReached):
            await scene.hold(units(ticket), customer=customer)
        await scene.hold(units(ticket), hold_id=second.id, customer=customer)
        await scene.hold(units(ticket), customer=customer)
        await scene.hold(units(ticket, 4), customer=ids.new())

    async def test_gives_back_what_is_released_or_expired(self, scene: Scene) -> None:
        ticket, customer = await scene.offer(Kind.EVENT, 50, per_customer=1), ids.new()
        held = await scene.hold(units(ticket), customer=customer)
        await scene.release(held.id)
        await scene.hold(units(ticket), customer=customer)
        await scene.expire()
        await scene.hold(units(ticket), customer=customer)

    async def test_counts_in_each_night_of_its_own(self, scene: Scene) -> None:
        room, customer = await scene.offer(Kind.STAY, 9, per_customer=1), ids.new()
        await scene.hold(units(room, 1, nights(1, 3)), customer=customer)
        await scene.hold(units(room, 1, nights(3, 5)), customer=customer)
        with pytest.raises(LimitReached):
            await scene.hold(units(room, 1, nights(2, 4)), customer=customer)

    async def test_holds_against_many_at_once_in_two_processes(self, scene: Scene) -> None:
        """FS-10: one account, 500 holds at the same time. (`test_crowds.TestBot`: with others.)"""
        ticket, customer = await scene.offer(Kind.EVENT, 1000, per_customer=3), ids.new()
        doors = scene, scene.twin()
        answers = await asyncio.gather(
            *(doors[n % 2].hold(units(ticket), customer=customer) for n in range(500)),
            return_exceptions=True,
        )
        assert sum(not isinstance(answer, BaseException) for answer in answers) == 3
        refused = {type(a) for a in answers if isinstance(a, BaseException)}
        assert refused == {LimitReached, Busy}  # no more than a hundred of one may wait

    async def test_who_has_no_name_is_limited_by_the_cart(self, scene: Scene) -> None:
        ticket = await scene.offer(Kind.EVENT, 50, per_customer=2)
        await scene.hold(units(ticket, 2))
        with pytest.raises(LimitReached):
            await scene.hold(units(ticket, 3))


@pytest_asyncio.fixture
async def hall(scene: Scene) -> UUID:
    """A tier with the seats A1 to A5."""
    tier = await scene.offer(Kind.EVENT, 0)
    await scene.db.execute(
        """
        INSERT INTO seats (offer_id, slot, listing_id, name, row_place, place, centre, accessible)
        SELECT $1, n, $1, 'A' || n, 1, n, 6, false FROM generate_series(1, 5) AS n
        """,
        tier,
    )
    await scene.db.execute(
        "UPDATE offers SET seated = true, quantity = 5 WHERE offer_id = $1", tier
    )
    return tier


def seats(tier: UUID, *names: str) -> Claim:
    return Claim(offer_id=tier, quantity=len(names), seats=names)


class TestSeats:
    async def test_are_had_once(self, scene: Scene, hall: UUID) -> None:
        held = await scene.hold(seats(hall, "A2", "A3"))
        with pytest.raises(SoldOut) as refused:
            await scene.hold(seats(hall, "A3", "A4"))
        assert refused.value.seat == "A3"
        assert await scene.free(hall) == 3
        assert (await scene.get_hold(held.id)).claims[0].seats == ("A2", "A3")
        await scene.release(held.id)
        await scene.hold(seats(hall, "A3", "A4"))

    async def test_must_exist_and_be_chosen(self, scene: Scene, hall: UUID) -> None:
        with pytest.raises(UnknownSeat):
            await scene.hold(seats(hall, "A6"))
        goods = await scene.offer()
        with pytest.raises(NoSeats):
            await scene.hold(seats(goods, "A1"))

    async def test_are_limited_per_customer_whichever_they_are(
        self, scene: Scene, hall: UUID
    ) -> None:
        await scene.rule(hall, per_customer=2)
        customer, doors = ids.new(), (scene, scene.twin())
        answers = await asyncio.gather(
            *(
                doors[n % 2].hold(seats(hall, f"A{n % 5 + 1}"), customer=customer)
                for n in range(20)
            ),
            return_exceptions=True,
        )
        assert sum(not isinstance(answer, BaseException) for answer in answers) == 2


class TestSoldOutCache:
    @pytest_asyncio.fixture
    async def forgetful(self, make_house: Any) -> Scene:
        catalog = FakeCatalog()
        fakes = {"catalog": catalog, "identity": Nobody()}
        return Scene(await make_house("inventory", fakes=fakes, sold_out_cache_ms=60_000), catalog)

    async def test_spares_losers_the_row(self, forgetful: Scene) -> None:
        scene = forgetful
        goods = await scene.offer(quantity=1)
        await scene.hold(units(goods))
        with pytest.raises(SoldOut):
            await scene.hold(units(goods))
        database = scene.house.settings.database("inventory")
        async with raw_connection(database) as other, other.transaction():
            await other.execute("SELECT FROM cells WHERE offer_id = $1 FOR UPDATE", goods)
            with pytest.raises(SoldOut):
                await scene.hold(units(goods))

    async def test_refuses_one_wish_of_a_hold_and_not_its_next(self, forgetful: Scene) -> None:
        """Two wishes of one hold in one batch: the cart gave up what is sold out."""
        scene, name = forgetful, ids.new()
        goods, others = await scene.offer(quantity=1), await scene.offer(quantity=9)
        await scene.release((await scene.hold(units(others))).id)
        await scene.hold(units(goods))
        with pytest.raises(SoldOut):
            await scene.hold(units(goods))
        lost, had = await asyncio.gather(
            scene.hold(units(goods), hold_id=name),
            scene.hold(units(others), hold_id=name),
            return_exceptions=True,
        )
        assert isinstance(lost, SoldOut)
        assert not isinstance(had, BaseException)

    async def test_knows_at_once_what_this_process_frees(self, forgetful: Scene) -> None:
        scene = forgetful
        goods = await scene.offer(quantity=1)
        held = await scene.hold(units(goods))
        with pytest.raises(SoldOut):
            await scene.hold(units(goods))
        await scene.release(held.id)
        await scene.hold(units(goods))

    async def test_leaves_alone_who_has_the_last_one(self, forgetful: Scene) -> None:
        scene = forgetful
        goods = await scene.offer(quantity=1)
        held = await scene.hold(units(goods))
        with pytest.raises(SoldOut):
            await scene.hold(units(goods))
        assert (await scene.hold(units(goods), hold_id=held.id)).status == "held"

    async def test_forgets(self, forgetful: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        scene, twin = forgetful, forgetful.twin()
        goods = await scene.offer(quantity=1)
        held = await scene.hold(units(goods))
        await twin.release(held.id)
        with pytest.raises(SoldOut):  # the other process freed it: this one does not know yet
            await scene.hold(units(goods))
        from dvor.services.inventory import memory

        later = memory.time.monotonic() + 61
        monkeypatch.setattr(memory.time, "monotonic", lambda: later)
        await scene.hold(units(goods))


class TestReserve:
    async def test_the_key_names_the_hold(self, scene: Scene) -> None:
        goods, key = await scene.offer(quantity=3), ids.new()
        with scene.house.calling(Caller(user_id=ids.new(), key=key)):
            held = await scene.inventory.reserve((units(goods, 2),))
            assert await scene.inventory.reserve((units(goods, 2),)) == held
            with pytest.raises(KeyReused):
                await scene.inventory.reserve((units(goods, 1),))
            assert await scene.free(goods) == 1
            assert (await scene.inventory.let_go(key)).status == "released"
        assert await scene.free(goods) == 3

    async def test_the_same_key_of_two_people_names_two_holds(self, scene: Scene) -> None:
        goods, key = await scene.offer(quantity=3), ids.new()
        found = []
        for _ in range(2):
            with scene.house.calling(Caller(user_id=ids.new(), key=key)):
                found.append((await scene.inventory.reserve((units(goods),))).id)
        assert len(set(found)) == 2

    async def test_a_crowd_of_repeats_holds_once(self, scene: Scene) -> None:
        goods, person, key = await scene.offer(quantity=50), ids.new(), ids.new()
        with scene.house.calling(Caller(user_id=person, key=key)):
            asked = (scene.inventory.reserve((units(goods),)) for _ in range(40))
            assert len({hold.id for hold in await asyncio.gather(*asked)}) == 1
        assert await scene.counters(goods) == {(50, 1, 0)}

    async def test_needs_a_person_and_a_key(self, scene: Scene) -> None:
        goods = await scene.offer()
        with scene.house.calling(Caller(key=ids.new())), pytest.raises(Unauthenticated):
            await scene.inventory.reserve((units(goods),))
        with scene.house.calling(Caller(user_id=ids.new())), pytest.raises(KeyMissing):
            await scene.inventory.reserve((units(goods),))
