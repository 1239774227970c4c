"""Seats go with a line from the cart to the order; those the hold chose are shown, too."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from dvor.contracts.inventory import LimitReached
from dvor.contracts.orders import Cart, Wish
from tests.services.orders.conftest import Scene


class TestSeats:
    @pytest.fixture
    async def hall(self, scene: Scene) -> AsyncIterator[Scene]:
        """A tier with seats; the customer asks."""
        assert scene.seller.user_id is not None
        self.tier = scene.catalog.offer(scene.seller.user_id)
        scene.inventory.seated.add(self.tier)
        with scene.house.calling(scene.customer):
            yield scene

    async def add(self, hall: Scene, quantity: int, *seats: str) -> Cart:
        wish = Wish(offer_id=self.tier, quantity=quantity, seats=seats)
        cart: Cart = await hall.house.orders.add_to_cart(wish)
        return cart

    async def test_chosen_ones_stay_in_the_cart_and_the_order(self, hall: Scene) -> None:
        cart = await self.add(hall, 2, "5-1", "5-2")
        assert cart.lines[0].seats == ("5-1", "5-2")
        assert (await hall.house.orders.cart()).lines[0].seats == ("5-1", "5-2")
        order = await hall.house.orders.check_out(cart.version)
        assert order.lines[0].seats == ("5-1", "5-2")

    async def test_news_name_the_lines(self, hall: Scene) -> None:
        cart = await self.add(hall, 2, "5-1", "5-2")
        order = await hall.house.orders.check_out(cart.version)
        await hall.house.orders.cancel(order.id)
        for news in ("created", "cancelled"):
            data = await hall.house.db("orders").fetchval(
                "SELECT data FROM outbox WHERE type = $1", f"orders.order_{news}.v1"
            )
            (line,) = data["lines"]
            assert line["seats"] == ["5-1", "5-2"] and line["quantity"] == 2
            assert line["title"] == order.lines[0].title.model_dump()
            assert line["total"] == order.lines[0].total.model_dump()
            assert line["seller_id"] == str(hall.seller.user_id)

    async def test_those_the_hold_chose_are_shown_and_held_again(self, hall: Scene) -> None:
        assert (await self.add(hall, 2)).lines[0].seats == ("A", "B")
        await hall.house.orders.hold_cart()
        (hold,) = hall.inventory.holds.values()
        assert [claim.seats for claim in hold.claims] == [("A", "B")]

    async def test_placed_without_a_cart(self, hall: Scene) -> None:
        wishes = (Wish(offer_id=self.tier, seats=("5-1",)), Wish(offer_id=self.tier, quantity=2))
        order = await hall.house.orders.place(wishes)
        assert [line.seats for line in order.lines] == [("5-1",), ("A", "B")]

    async def test_more_of_the_same_join_each_once(self, hall: Scene) -> None:
        await self.add(hall, 2, "5-1", "5-2")
        cart = await self.add(hall, 2, "5-2", "5-3")
        assert (cart.lines[0].quantity, cart.lines[0].seats) == (3, ("5-1", "5-2", "5-3"))
        cart = await self.add(hall, 1)
        assert (cart.lines[0].quantity, cart.lines[0].seats) == (4, ("5-1", "5-2", "5-3", "A"))

    async def test_another_quantity_keeps_the_first_and_finds_more(self, hall: Scene) -> None:
        line = (await self.add(hall, 2, "5-1", "5-2")).lines[0]
        cart = await hall.house.orders.change_line(line.id, 3)
        assert cart.lines[0].seats == ("5-1", "5-2", "A")
        cart = await hall.house.orders.change_line(line.id, 1)
        assert (cart.lines[0].quantity, cart.lines[0].seats) == (1, ("5-1",))

    async def test_no_more_than_fifty_of_a_tier(self, hall: Scene) -> None:
        await self.add(hall, 50, *(f"1-{n}" for n in range(50)))
        with pytest.raises(LimitReached):
            await self.add(hall, 1, "2-1")

    @pytest.mark.parametrize("seats", [("A", "A"), ("A", "B", "C")])
    def test_a_wish_names_different_seats_up_to_its_quantity(self, seats: Any) -> None:
        with pytest.raises(ValidationError):
            Wish(offer_id=UUID(int=1), quantity=2, seats=seats)
