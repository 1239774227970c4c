"""Seat maps: drawn whole, changed only where nothing is promised."""

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import NoSeats, SoldOut, UnknownSupply
from dvor.contracts.seating import (
    NotATier,
    SeatMap,
    SeatMapOutdated,
    SeatPromised,
    SeatsCounted,
    TicketsPromised,
)
from dvor.kernel import ids
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import Forbidden, Unauthenticated
from tests.services.inventory.conftest import Scene, units
from tests.services.inventory.halls import event, hall


class TestSetSeatMap:
    async def test_gives_each_tier_as_many_as_it_has_seats(self, scene: Scene) -> None:
        show = await event(scene, tiers=2)
        dear, cheap = show.tiers
        drawn = await show.draw(hall([dear, dear], [cheap, None, cheap, cheap]))
        assert drawn.version == 1
        assert await scene.inventory.seat_map(show.id) == drawn
        assert [await scene.free(tier) for tier in show.tiers] == [2, 3]
        supplies = (await scene.inventory.supplies(show.tiers)).items
        assert [(s.quantity, s.free) for s in supplies] == [(2, 2), (3, 3)]

    async def test_starts_from_the_version_it_names(self, scene: Scene) -> None:
        show = await event(scene)
        await show.draw(hall([show.tiers[0]]))
        for version in (0, 2):
            with pytest.raises(SeatMapOutdated):
                await show.draw(hall([show.tiers[0]] * 2), version)
        assert (await show.draw(hall([show.tiers[0]] * 2), 1)).version == 2

    async def test_takes_seats_away_and_puts_them_back_in_their_old_cells(
        self, scene: Scene
    ) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        for version, count in enumerate((3, 1, 3)):
            await show.draw(hall([tier] * count), version)
            assert await scene.free(tier) == count
        assert await scene.counters(tier) == {(0, 0, 0), (1, 0, 0)}
        assert len(await scene.db.fetch("SELECT 1 FROM seats")) == 3

    async def test_moves_seats_to_another_tier(self, scene: Scene) -> None:
        show = await event(scene, tiers=2)
        first, second = show.tiers
        await show.draw(hall([first, first]))
        await show.draw(hall([first, second]), 1)
        assert [await scene.free(tier) for tier in show.tiers] == [1, 1]

    @pytest.mark.parametrize("sold", [False, True])
    async def test_keeps_what_is_promised(self, scene: Scene, *, sold: bool) -> None:
        show = await event(scene, tiers=2)
        first, second = show.tiers
        await show.draw(hall([first, first], name="Stalls"))
        await promise(scene, first, slot=2, sold=sold)
        for other in (hall([first], name="Stalls"), hall([first, second], name="Stalls")):
            with pytest.raises(SeatPromised) as refused:
                await show.draw(other, 1)
            assert refused.value.seat == "Stalls 1-2"
        assert (await scene.inventory.seat_map(show.id)).version == 1
        assert await show.taken() == {"Stalls 1-2"}
        await show.draw(hall([None, first], name="Stalls"), 1)
        scene.house.sabotaged = True

    async def test_refuses_numbers_for_tickets_already_promised(self, scene: Scene) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        with scene.house.calling(scene.seller):
            await scene.inventory.set_supply(tier, 5)
        held = await scene.hold(units(tier, 2))
        with pytest.raises(TicketsPromised) as refused:
            await show.draw(hall([tier] * 5))
        assert refused.value.promised == 2
        await scene.release(held.id)
        await show.draw(hall([tier] * 5))

    async def test_takes_the_numbers_away_again(self, scene: Scene) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        await show.draw(hall([tier]))
        await show.draw(SeatMap(sections=()), 1)
        assert await scene.free(tier) == 0
        with scene.house.calling(scene.seller):
            await scene.inventory.set_supply(tier, 7)
        assert await scene.free(tier) == 7
        await scene.hold(units(tier, 7))

    async def test_only_an_events_own_tiers_have_seats(self, scene: Scene) -> None:
        show, other = await event(scene), await event(scene)
        with pytest.raises(NotATier):
            await show.draw(hall([other.tiers[0]]))
        shop = await event(scene, kind=Kind.PRODUCT)
        with pytest.raises(NotATier):
            await shop.draw(hall([shop.tiers[0]]))

    async def test_only_its_seller_and_admins_draw(self, scene: Scene) -> None:
        show = await event(scene)
        rival = Caller(user_id=ids.new(), roles=(Role.SELLER,))
        with pytest.raises(Forbidden):
            await show.draw(hall([show.tiers[0]]), by=rival)
        with pytest.raises(Unauthenticated):
            await show.draw(hall([show.tiers[0]]), by=Caller())
        await show.draw(hall([show.tiers[0]]), by=Caller(user_id=ids.new(), roles=(Role.ADMIN,)))


class TestSetSupply:
    async def test_is_refused_where_seats_are_counted(self, scene: Scene) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        await show.draw(hall([tier]))
        with scene.house.calling(scene.seller), pytest.raises(SeatsCounted):
            await scene.inventory.set_supply(tier, 5)
        assert await scene.free(tier) == 1


class TestSeatMap:
    async def test_is_empty_where_there_is_none(self, scene: Scene) -> None:
        nowhere = await scene.inventory.seat_map(ids.new())
        assert (nowhere.version, nowhere.map.sections) == (0, ())


class TestBestSeats:
    async def test_answers_free_ones_beside_each_other(self, scene: Scene) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        await show.draw(hall([tier] * 4, [tier] * 4))
        await promise(scene, tier, slot=2, sold=False)
        found = await scene.inventory.best_seats(tier, 3)
        assert found.seats in (("2-1", "2-2", "2-3"), ("2-2", "2-3", "2-4"))
        scene.house.sabotaged = True

    async def test_refuses_more_than_are_free(self, scene: Scene) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        await show.draw(hall([tier] * 2))
        with pytest.raises(SoldOut) as refused:
            await scene.inventory.best_seats(tier, 3)
        assert refused.value.left == 2

    async def test_refuses_what_has_no_seats(self, scene: Scene) -> None:
        with pytest.raises(NoSeats):
            await scene.inventory.best_seats(await scene.offer(Kind.EVENT), 1)
        with pytest.raises(UnknownSupply):
            await scene.inventory.best_seats(ids.new(), 1)


async def promise(scene: Scene, offer_id: object, slot: int, *, sold: bool) -> None:
    """Count a seat as taken, as the engine would."""
    column = "sold" if sold else "held"
    await scene.db.execute(
        f"UPDATE cells SET {column} = 1 WHERE offer_id = $1 AND slot = $2", offer_id, slot
    )
