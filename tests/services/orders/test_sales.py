"""Whose order a hold belongs to: for those who sold something in it."""

import pytest

from dvor.kernel.caller import ANONYMOUS
from dvor.kernel.errors import Unauthenticated
from tests.services.orders.conftest import Scene
from tests.services.orders.test_orders import Moves, moves

__all__ = ["moves"]


class TestSales:
    async def test_who_sold_it_and_admins_are_told(self, scene: Scene, moves: Moves) -> None:
        order = await moves.place()
        holds = tuple(scene.inventory.holds)
        for who in (scene.seller, scene.admin):
            with scene.house.calling(who):
                (sale,) = (await scene.house.orders.sales(holds)).items
            assert (sale.number, sale.customer_id) == (order.number, scene.customer.user_id)

    async def test_nobody_else_is(self, scene: Scene, moves: Moves) -> None:
        await moves.place()
        holds = tuple(scene.inventory.holds)
        for who in (scene.customer, scene.stranger):
            with scene.house.calling(who):
                assert (await scene.house.orders.sales(holds)).items == ()
        with scene.house.calling(ANONYMOUS), pytest.raises(Unauthenticated):
            await scene.house.orders.sales(holds)
