"""What is booked can be made less, and moved: never lost, never twice."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import (
    Claim,
    HoldEnded,
    HoldStatus,
    LimitReached,
    SoldOut,
    TooLate,
    UnknownHold,
)
from dvor.kernel import clock, ids
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import Forbidden
from dvor.kernel.periods import HourRange
from tests.services.inventory.conftest import Scene, nights, units
from tests.services.inventory.halls import event, hall


async def booked(scene: Scene, *claims: Any, customer: UUID | None = None) -> UUID:
    held = await scene.hold(*claims, customer=customer)
    await scene.confirm(held.id)
    return held.id


class TestRestate:
    async def test_frees_what_is_no_longer_claimed_once(self, scene: Scene) -> None:
        goods, room = await scene.offer(quantity=5), await scene.offer(Kind.STAY, 3)
        stay = nights(2, 5)
        hold_id = await booked(scene, units(goods, 4), units(room, 2, stay))
        left = (units(goods, 1), units(room, 2, stay))
        for _ in range(2):
            hold = await scene.for_orders.restate(hold_id, left)
            assert (hold.status, hold.claims) == (HoldStatus.CONFIRMED, left)
            assert (await scene.free(goods), await scene.free(room, stay)) == (4, 1)
        await scene.for_orders.restate(hold_id, (units(room, 1, stay),))
        assert (await scene.free(goods), await scene.free(room, stay)) == (5, 2)
        await scene.release(hold_id)
        assert await scene.free(room, stay) == 3

    async def test_moves_to_other_dates_at_once_or_not_at_all(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        hold_id = await booked(scene, units(room, 1, nights(2, 5)))
        moved = await scene.for_orders.restate(hold_id, (units(room, 1, nights(4, 7)),))
        assert moved.claims == (units(room, 1, nights(4, 7)),)
        assert await scene.free(room, nights(2, 4)) == 1
        await booked(scene, units(room, 1, nights(8, 9)))
        with pytest.raises(SoldOut) as refused:
            await scene.for_orders.restate(hold_id, (units(room, 1, nights(6, 9)),))
        assert refused.value.details["day"] == nights(8, 9).start
        assert (await scene.get_hold(hold_id)).claims == moved.claims
        assert await scene.free(room, nights(4, 7)) == 0

    async def test_asks_no_rules_of_what_was_booked_before(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 5, buffer=2)
        stay = nights(2, 4)
        hold_id = await booked(scene, units(room, 3, stay))
        await scene.rule(room, notice_hours=24 * 30, per_customer=1, buffer=0)
        await scene.for_orders.restate(hold_id, (units(room, 2, stay),))
        cells = await scene.db.fetch("SELECT sold FROM cells WHERE offer_id = $1", room)
        assert [row["sold"] for row in cells] == [2, 2, 2, 2]  # the pause that was promised, too
        with pytest.raises(TooLate):
            await scene.for_orders.restate(hold_id, (units(room, 2, nights(3, 5)),))

    async def test_counts_limits_of_what_is_new(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=9, per_customer=3)
        customer = ids.new()
        hold_id = await booked(scene, units(goods, 1), customer=customer)
        await booked(scene, units(goods, 1), customer=customer)
        assert (await scene.for_orders.restate(hold_id, (units(goods, 2),))).claims[0].quantity == 2
        with pytest.raises(LimitReached):
            await scene.for_orders.restate(hold_id, (units(goods, 3),))

    async def test_gives_seats_back_one_by_one(self, scene: Scene) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        await show.draw(hall((tier,) * 4))
        names = [seat.name for seat in hall((tier,) * 4).placed()]
        first, second, third, _fourth = names

        def seats(*chosen: str) -> Claim:
            return Claim(offer_id=tier, quantity=len(chosen), seats=chosen)

        hold_id = await booked(scene, seats(first, second, third))
        await scene.for_orders.restate(hold_id, (seats(first, third),))
        assert await show.taken() == {first, third}
        await booked(scene, seats(second))
        with pytest.raises(SoldOut):
            await scene.hold(seats(third))

    async def test_serves_who_waits(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=2)
        hold_id = await booked(scene, units(goods, 2))
        waiting = Caller(user_id=ids.new(), roles=(Role.CUSTOMER,))
        with scene.house.calling(waiting):
            await scene.inventory.wait(units(goods, 1))
        await scene.for_orders.restate(hold_id, (units(goods, 1),))
        with scene.house.calling(waiting):
            (entry,) = (await scene.inventory.waiting()).items
        assert entry.status == "offered"

    async def test_is_for_confirmed_holds_and_the_orders_service(self, scene: Scene) -> None:
        goods = await scene.offer()
        held = await scene.hold(units(goods))
        with pytest.raises(HoldEnded):
            await scene.for_orders.restate(held.id, (units(goods),))
        with pytest.raises(UnknownHold):
            await scene.for_orders.restate(ids.new(), (units(goods),))
        with scene.house.calling(scene.seller), pytest.raises(Forbidden):
            await scene.inventory.restate(held.id, (units(goods),))


class TestHoldBeyond:
    async def test_holds_only_what_is_lacking_and_hands_it_over(self, scene: Scene) -> None:
        room, goods = await scene.offer(Kind.STAY, 1), await scene.offer()
        hold_id = await booked(scene, units(room, 1, nights(3, 6)), units(goods))
        wider = (units(room, 1, nights(2, 8)), units(goods))
        for confirmed in (False, True):
            extra = ids.new()
            hold = await scene.for_orders.hold_beyond(extra, wider, hold_id)
            again = await scene.for_orders.hold_beyond(extra, wider, hold_id)
            assert (again.id, again.claims) == (hold.id, hold.claims)
            dates = [claim.dates for claim in hold.claims]
            assert dates == [nights(2, 3), nights(6, 8)]
            with pytest.raises(SoldOut):
                await scene.hold(units(room, 1, nights(7, 8)))
            assert (await scene.get_hold(hold_id)).claims[0].dates == nights(3, 6)
            if confirmed:
                await scene.confirm(extra)
            for _ in range(2):
                await scene.for_orders.restate(hold_id, wider, extra)
            assert (await scene.get_hold(extra)).status is HoldStatus.RELEASED
            assert await scene.free(room, nights(2, 8)) == 0
            await scene.for_orders.restate(hold_id, (units(room, 1, nights(3, 6)), units(goods)))
            assert await scene.free(room, nights(6, 8)) == 1

    async def test_a_lost_one_leaves_what_was_booked(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        hold_id, extra = await booked(scene, units(room, 1, nights(3, 6))), ids.new()
        later, before, last = (units(room, 1, nights(5, 8)),), nights(3, 6), nights(7, 8)
        await scene.for_orders.hold_beyond(extra, later, hold_id)
        await scene.expire()
        taken = await booked(scene, units(room, 1, last))
        with pytest.raises(HoldEnded):
            await scene.confirm(extra)
        with pytest.raises(SoldOut):
            await scene.for_orders.hold_beyond(extra, later, hold_id)
        with pytest.raises(SoldOut):
            await scene.for_orders.restate(hold_id, later, extra)
        assert (await scene.get_hold(hold_id)).claims == (units(room, 1, before),)
        await scene.release(taken)
        await scene.for_orders.hold_beyond(extra, later, hold_id)
        await scene.release(extra)
        with pytest.raises(HoldEnded):
            await scene.for_orders.hold_beyond(extra, later, hold_id)

    async def test_hours_are_lacking_as_hours(self, scene: Scene) -> None:
        bike = await scene.offer(Kind.RENTAL, 1, by_hour=True, timezone="Asia/Kolkata")
        half = timedelta(minutes=30)
        start = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=1) + half

        def during(first: int, last: int) -> Claim:
            hours = timedelta(hours=1)
            period = HourRange(start=start + first * hours, end=start + last * hours)
            return Claim(offer_id=bike, quantity=1, hours=period)

        hold_id, extra = await booked(scene, during(0, 3)), ids.new()
        hold = await scene.for_orders.hold_beyond(extra, (during(1, 5),), hold_id)
        assert hold.claims == (during(3, 5),)
        await scene.for_orders.restate(hold_id, (during(1, 5),), extra)
        await booked(scene, during(0, 1))
