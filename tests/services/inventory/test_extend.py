"""A hold whose money is set aside lives as long as an answer may take."""

from datetime import timedelta

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import HoldEnded, HoldStatus, UnknownHold
from dvor.kernel import clock, ids
from dvor.kernel.errors import Forbidden
from tests.services.inventory.conftest import Scene, units

DAY = 86_400


class TestExtend:
    async def test_a_hold_outlives_the_lifetime_of_carts(self, scene: Scene) -> None:
        thing = await scene.offer(Kind.PRODUCT, 1)
        hold = await scene.hold(units(thing))
        inventory = scene.for_orders
        longer = await inventory.extend(hold.id, DAY)
        assert abs(longer.expires_at - clock.now() - timedelta(days=1)) < timedelta(seconds=30)
        assert (await inventory.extend(hold.id, 60)).expires_at == longer.expires_at
        await scene.house.clock.advance(hours=23)
        await scene.house.process.implementation("inventory").expire_due()
        assert (await inventory.confirm(hold.id)).status is HoldStatus.CONFIRMED
        assert (await inventory.extend(hold.id, DAY)).status is HoldStatus.CONFIRMED

    async def test_one_that_ended_stays_so(self, scene: Scene) -> None:
        thing = await scene.offer(Kind.PRODUCT, 1)
        hold = await scene.hold(units(thing))
        inventory = scene.for_orders
        await scene.house.clock.advance(minutes=16)
        with pytest.raises(HoldEnded):
            await inventory.extend(hold.id, DAY)
        with pytest.raises(UnknownHold):
            await inventory.extend(ids.new(), DAY)
        with pytest.raises(Forbidden):
            await scene.inventory.extend(hold.id, DAY)
