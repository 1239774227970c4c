"""Holding seats: chosen ones, the best for those who name none, and a crowd before one hall."""

import asyncio
import random
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.inventory import (
    Claim,
    Hold,
    HoldEnded,
    LeavesSingleSeat,
    LimitReached,
    Rules,
    SoldOut,
    UnknownSeat,
)
from dvor.contracts.seating import SeatPromised
from dvor.kernel import ids
from dvor.kernel.errors import Unavailable
from dvor.services.inventory import hold_queries
from tests.services.inventory.conftest import Scene, units
from tests.services.inventory.halls import Event, event, hall


def seats(offer_id: UUID, *names: str) -> Claim:
    """A claim of these seats."""
    return Claim(offer_id=offer_id, quantity=len(names), seats=names)


def names(hold: Hold) -> set[str]:
    """The seats of a hold."""
    return {seat for claim in hold.claims for seat in claim.seats}


async def small(scene: Scene, *rows: int) -> Event:
    """An event with one tier and rows of so many seats."""
    show = await event(scene)
    await show.draw(hall(*([show.tiers[0]] * n for n in rows)))
    return show


class TestChosenSeats:
    async def test_belong_to_one_hold(self, scene: Scene) -> None:
        show = await small(scene, 4)
        (tier,) = show.tiers
        held = await scene.hold(seats(tier, "1-1", "1-2"))
        assert names(held) == await show.taken() == {"1-1", "1-2"}
        with pytest.raises(SoldOut) as refused:
            await scene.hold(seats(tier, "1-2", "1-3"))
        assert refused.value.seat == "1-2"
        await scene.release(held.id)
        await scene.hold(seats(tier, "1-2", "1-3"))
        assert await scene.free(tier) == 2

    async def test_stay_as_they_are_while_somebody_has_them(self, scene: Scene) -> None:
        show = await small(scene, 3)
        held = await scene.hold(seats(show.tiers[0], "1-3"))
        await scene.confirm(held.id)
        with pytest.raises(SeatPromised) as refused:
            await show.draw(hall([show.tiers[0]] * 2), 1)
        assert refused.value.seat == "1-3"
        await show.draw(hall([show.tiers[0]] * 4), 1)
        await scene.hold(seats(show.tiers[0], "1-4"))

    async def test_there_are_no_others(self, scene: Scene) -> None:
        show = await small(scene, 2)
        with pytest.raises(UnknownSeat):
            await scene.hold(seats(show.tiers[0], "9-9"))
        await show.draw(hall(show.tiers), 1)
        with pytest.raises(UnknownSeat):
            await scene.hold(seats(show.tiers[0], "1-2"))


class TestNoSingleSeats:
    async def test_a_choice_that_leaves_one_is_refused_where_the_seller_minds(
        self, scene: Scene
    ) -> None:
        show = await small(scene, 5)
        (tier,) = show.tiers
        choice = seats(tier, "1-2", "1-3")
        await scene.release((await scene.hold(choice)).id)
        with scene.house.calling(scene.seller):
            await scene.inventory.set_rules(tier, Rules(no_single_seats=True))
        with pytest.raises(LeavesSingleSeat) as refused:
            await scene.hold(choice)
        assert refused.value.seat == "1-1"
        held = await scene.hold(seats(tier, "1-1", "1-2"))
        # Its own seats are free for it: three from the edge leave two.
        await scene.hold(seats(tier, "1-1", "1-2", "1-3"), hold_id=held.id)


class TestBestForThoseWhoNameNone:
    async def test_are_the_best_together(self, scene: Scene) -> None:
        show = await small(scene, 4, 4)
        held = await scene.hold(units(show.tiers[0], 2))
        assert names(held) in ({"1-1", "1-2"}, {"1-3", "1-4"})
        assert await show.taken() == names(held)
        assert (await scene.get_hold(held.id)).claims == held.claims

    async def test_a_repeated_call_changes_nothing(self, scene: Scene) -> None:
        show = await small(scene, 4, 4)
        first = await scene.hold(units(show.tiers[0], 2))
        await scene.hold(units(show.tiers[0], 2))
        again = await scene.hold(units(show.tiers[0], 2), hold_id=first.id)
        assert names(again) == names(first)

    async def test_stand_beside_chosen_ones_of_the_same_hold(self, scene: Scene) -> None:
        show = await small(scene, 3)
        (tier,) = show.tiers
        held = await scene.hold(seats(tier, "1-2"), units(tier, 2))
        assert names(held) == {"1-1", "1-2", "1-3"}

    async def test_a_chosen_seat_that_is_gone_is_not_replaced(self, scene: Scene) -> None:
        show = await small(scene, 4)
        (tier,) = show.tiers
        await scene.hold(seats(tier, "1-1"))
        with pytest.raises(SoldOut) as refused:
            await scene.hold(seats(tier, "1-1"), units(tier, 1))
        assert refused.value.seat == "1-1"

    async def test_says_how_many_are_left(self, scene: Scene) -> None:
        show = await small(scene, 3)
        with pytest.raises(SoldOut) as refused:
            await scene.hold(units(show.tiers[0], 4))
        assert refused.value.left == 3

    async def test_up_to_fifty_at_once(self, scene: Scene) -> None:
        show = await small(scene, 60)
        with pytest.raises(LimitReached):
            await scene.hold(units(show.tiers[0], 51))

    async def test_go_with_other_things_or_not_at_all(self, scene: Scene) -> None:
        show = await small(scene, 2)
        sold_out = await scene.offer(quantity=0)
        with pytest.raises(SoldOut) as refused:
            await scene.hold(units(show.tiers[0], 2), units(sold_out))
        assert refused.value.offer_id == sold_out
        assert not await show.taken()


class TestWhatIsKnownOfSeats:
    async def test_stays_known_while_it_is_read_again(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two batches at once, each of which reads the seats because somebody named none."""
        show, read = await small(scene, 4), hold_queries.seats

        async def slowly(*asked: Any) -> Any:
            found = await read(*asked)
            await asyncio.sleep(random.random() / 50)
            return found

        monkeypatch.setattr(hold_queries, "seats", slowly)
        (tier,) = show.tiers
        hold_ids = [ids.new() for _ in range(6)]

        async def meddle(number: int) -> None:
            for _ in range(8):
                await asyncio.sleep(random.random() / 100)
                which = random.randrange(len(hold_ids))
                wish = units(tier) if number % 2 else seats(tier, f"1-{number % 4 + 1}")
                with suppress(SoldOut, HoldEnded, Unavailable):
                    held = await scene.hold(wish, hold_id=hold_ids[which])
                    await scene.release(held.id)
                hold_ids[which] = ids.new()

        await asyncio.gather(*(meddle(number) for number in range(16)))


class TestCrowd:
    """FS-4."""

    async def test_three_hundred_seats_have_one_owner_each(self, scene: Scene) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        drawn = hall(*[[tier] * 20] * 15)
        await show.draw(drawn)
        everything = [placed.name for placed in drawn.placed()]
        dice = random.Random(4)
        twin = scene.twin()

        async def buy(number: int) -> set[str]:
            """Two of three name their seats; all want to have paid a moment later."""
            count = dice.randint(1, 6)
            at = dice.randrange(len(everything) - count)
            wish = seats(tier, *everything[at : at + count]) if number % 3 else units(tier, count)
            who = twin if number % 2 else scene
            try:
                held = await who.hold(wish, hold_id=ids.new())
            except (SoldOut, Unavailable):
                return set()
            await who.confirm(held.id)
            return names(held)

        owned = await asyncio.gather(*(buy(number) for number in range(200)))
        # Whoever wanted what was gone takes anything: nothing may stay unsold.
        while await scene.free(tier):
            more = await asyncio.gather(*(self.anything(scene, tier) for _ in range(20)))
            assert any(more)
            owned += more
        sold = [seat for some in owned for seat in some]
        assert len(sold) == len(set(sold)) == 300
        assert await show.taken() == set(sold)
        assert await scene.counters(tier) - {(0, 0, 0)} == {(1, 0, 1)}

    async def anything(self, scene: Scene, tier: UUID) -> set[str]:
        """One seat, whichever."""
        try:
            held = await scene.hold(units(tier, 1))
        except SoldOut:
            return set()
        await scene.confirm(held.id)
        return names(held)
