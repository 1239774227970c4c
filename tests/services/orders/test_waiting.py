"""What somebody waited for goes into their cart, once."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from dvor.contracts.catalog import Text
from dvor.contracts.inventory import SoldOut
from dvor.contracts.orders import Wish
from dvor.contracts.waiting import OfferOver, UnknownWaiting, Waiting, WaitingStatus
from dvor.kernel import clock
from dvor.kernel.caller import Caller
from dvor.kernel.errors import Internal, Unauthenticated
from dvor.services.orders import queries
from tests.services.orders.conftest import Scene


class TestTaking:
    @pytest.fixture
    async def line(self, scene: Scene) -> AsyncIterator[Scene]:
        """The customer asks, who waited for two of something."""
        assert scene.seller.user_id is not None
        self.offer = scene.catalog.offer(scene.seller.user_id)
        self.entry = self.become(scene, WaitingStatus.OFFERED)
        with scene.house.calling(scene.customer):
            yield scene

    def become(self, scene: Scene, status: WaitingStatus) -> UUID:
        entry = Waiting(
            id=getattr(self, "entry", None) or uuid4(),
            status=status,
            offer_id=self.offer,
            listing_id=self.offer,
            title=Text(en="A lamp"),
            name=Text(),
            quantity=2,
            joined_at=clock.now(),
        )
        scene.inventory.waiting[entry.id] = entry
        return entry.id

    async def test_the_carts_hold_takes_it_over(self, line: Scene) -> None:
        other = line.catalog.offer(self.offer)
        await line.house.orders.add_to_cart(Wish(offer_id=other))
        cart = await line.house.orders.take_waiting(self.entry)
        assert [(n.offer_id, n.quantity) for n in cart.lines] == [(other, 1), (self.offer, 2)]
        assert line.inventory.given_back == [self.entry]
        (hold,) = line.inventory.holds.values()
        assert [claim.quantity for claim in hold.claims] == [1, 2]

    async def test_the_seats_that_are_held_go_with_it(self, line: Scene) -> None:
        line.inventory.seated.add(self.offer)
        entry = line.inventory.waiting[self.entry]
        line.inventory.waiting[self.entry] = entry.model_copy(update={"seats": ("5-1", "5-2")})
        cart = await line.house.orders.take_waiting(self.entry)
        assert cart.lines[0].seats == ("5-1", "5-2")
        assert line.inventory.given_back == [self.entry]

    async def test_twice_is_once(self, line: Scene) -> None:
        first = await line.house.orders.take_waiting(self.entry)
        self.become(line, WaitingStatus.TAKEN)
        assert await line.house.orders.take_waiting(self.entry) == first
        assert first.lines[0].quantity == 2

    async def test_a_crash_before_the_cart_was_written_is_made_good(
        self, line: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def crash(*_: Any) -> None:
            raise RuntimeError

        with monkeypatch.context() as broken:
            broken.setattr(queries, "write_cart", crash)
            with pytest.raises(Internal):
                await line.house.orders.take_waiting(self.entry)
        self.become(line, WaitingStatus.TAKEN)
        cart = await line.house.orders.take_waiting(self.entry)
        assert [n.quantity for n in cart.lines] == [2]
        assert len(line.inventory.holds) == 1

    async def test_a_cart_at_the_end_of_its_life_lets_nothing_go(self, line: Scene) -> None:
        line.inventory.minutes = 1
        cart = await line.house.orders.take_waiting(self.entry)
        first, second = line.inventory.holds
        assert line.inventory.given_back == [self.entry, first]
        assert cart.held_until == line.inventory.holds[second].expires_at
        assert line.inventory.holds[first].status == "held"  # given back, never let go before

    @pytest.mark.parametrize(
        "status", [WaitingStatus.WAITING, WaitingStatus.LAPSED, WaitingStatus.DECLINED]
    )
    async def test_what_is_not_offered_cannot_be_taken(
        self, line: Scene, status: WaitingStatus
    ) -> None:
        self.become(line, status)
        with pytest.raises(OfferOver):
            await line.house.orders.take_waiting(self.entry)
        assert line.inventory.holds == {}

    async def test_too_late_the_cart_stays_as_it_was(self, line: Scene) -> None:
        line.inventory.sold_out.add(self.offer)
        with pytest.raises(SoldOut):
            await line.house.orders.take_waiting(self.entry)
        assert (await line.house.orders.cart()).lines == ()

    async def test_needs_the_person_who_waited(self, line: Scene) -> None:
        with pytest.raises(UnknownWaiting):
            await line.house.orders.take_waiting(uuid4())
        with line.house.calling(Caller()), pytest.raises(Unauthenticated):
            await line.house.orders.take_waiting(self.entry)
