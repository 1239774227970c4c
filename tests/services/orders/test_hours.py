"""Lines for hours: from the cart to the order."""

from datetime import datetime, timedelta
from uuid import UUID

from dvor.contracts.orders import Wish
from dvor.kernel import clock
from dvor.kernel.periods import HourRange
from tests.services.orders.conftest import Scene


def hours(first: int, length: int) -> HourRange:
    """Hours counted from the full hour that begins tomorrow."""
    begin: datetime = clock.now().replace(minute=0, second=0, microsecond=0)
    begin += timedelta(hours=24 + first)
    return HourRange(start=begin, end=begin + timedelta(hours=length))


def wish(offer_id: UUID, first: int = 0, length: int = 2) -> Wish:
    return Wish(offer_id=offer_id, hours=hours(first, length))


class TestAddToCart:
    async def test_holds_the_hours_and_says_them(self, scene: Scene) -> None:
        court = scene.catalog.offer(scene.seller.user_id)  # type: ignore[arg-type]
        with scene.house.calling(scene.customer):
            cart = await scene.house.orders.add_to_cart(wish(court))
            again = await scene.house.orders.cart()
        assert cart.lines[0].hours == again.lines[0].hours == hours(0, 2)
        (hold,) = scene.inventory.holds.values()
        assert hold.claims[0].hours == hours(0, 2)

    async def test_joins_the_same_hours_and_no_others(self, scene: Scene) -> None:
        court = scene.catalog.offer(scene.seller.user_id)  # type: ignore[arg-type]
        for first in (0, 0, 1):
            with scene.house.calling(scene.customer):
                cart = await scene.house.orders.add_to_cart(wish(court, first))
        assert [(n.quantity, n.hours) for n in cart.lines] == [(2, hours(0, 2)), (1, hours(1, 2))]


class TestCheckOut:
    async def test_takes_the_hours_into_the_order(self, scene: Scene) -> None:
        court = scene.catalog.offer(scene.seller.user_id)  # type: ignore[arg-type]
        with scene.house.calling(scene.customer):
            cart = await scene.house.orders.add_to_cart(wish(court, length=1))
        with scene.house.calling(scene.customer):
            order = await scene.house.orders.check_out(cart.version)
            assert order.lines[0].hours == hours(0, 1)
            assert (await scene.house.orders.order(order.id)).lines[0].hours == hours(0, 1)
