"""Everything at once on few hot cells (MD-5): nobody waits in a circle, nobody waits long."""

import asyncio
import random
import time
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import Claim, Rules
from dvor.kernel import ids
from dvor.kernel.errors import Refusal
from tests import seeds
from tests.services.inventory.conftest import Scene, nights, units

CLIENTS = 32
KINDS = (Kind.PRODUCT, Kind.EVENT, Kind.RENTAL, Kind.STAY)
NIGHTS = 5


class Market:
    """Customers with random carts, a seller who edits, the sweeper; two engines."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene, self.doors, self.seed = scene, (scene, scene.twin()), seed
        self.offers: list[tuple[UUID, Kind]] = []
        self.failures: list[Refusal] = []
        self.done = 0

    async def open(self) -> None:
        for kind in KINDS:
            self.offers += [(await self.scene.offer(kind, 60), kind) for _ in range(5)]

    def cart(self, chance: random.Random) -> list[Claim]:
        lines = []
        for offer, kind in chance.sample(self.offers, chance.randint(1, 5)):
            start = chance.randrange(NIGHTS)
            dates = nights(start, chance.randint(start + 1, NIGHTS))
            timed = kind in (Kind.RENTAL, Kind.STAY)
            lines.append(units(offer, chance.randint(1, 2), dates if timed else None))
        return lines

    async def tried(self, work: Any) -> None:
        try:
            await work
        except Refusal as refusal:
            if refusal.http_status >= 500:
                self.failures.append(refusal)
        self.done += 1

    async def customer(self, number: int, until: float) -> None:
        chance, door = random.Random(f"{self.seed} {number}"), self.doors[number % 2]
        mine = [ids.new() for _ in range(3)]
        while time.monotonic() < until:
            which = chance.randrange(3)
            match chance.choice(("hold", "hold", "hold", "hold", "confirm", "release")):
                case "hold":
                    await self.tried(door.hold(*self.cart(chance), hold_id=mine[which]))
                case "confirm":
                    await self.tried(door.confirm(mine[which]))
                case _:
                    await self.tried(door.release(mine[which]))
                    mine[which] = ids.new()

    async def seller(self, until: float) -> None:
        chance = random.Random(f"{self.seed} seller")
        with self.scene.house.calling(self.scene.seller):
            while time.monotonic() < until:
                offer = chance.choice(self.offers)[0]
                rules = Rules(notice_hours=0, length_max=chance.randint(3, NIGHTS))
                for work in (
                    self.scene.inventory.set_supply(offer, chance.randint(40, 80)),
                    self.scene.inventory.set_rules(offer, rules),
                    self.scene.archive(offer),
                    self.scene.publish(offer),
                ):
                    await self.tried(work)
                    await asyncio.sleep(0.01)

    async def sweeper(self, until: float) -> None:
        while time.monotonic() < until:
            await self.scene.expire(300)
            await asyncio.sleep(0.05)

    async def deadlocks(self) -> int:
        """All there ever were: tests before this one have used the database, too."""
        await self.scene.db.execute("SELECT pg_stat_force_next_flush()")
        sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return await self.scene.db.fetchval(sql)


class TestMarket:
    @pytest.mark.timeout(1200)
    @pytest.mark.parametrize("seconds", [4, pytest.param(600, marks=pytest.mark.nightly)])
    async def test_nobody_waits_in_a_circle(self, scene: Scene, seconds: int) -> None:
        market = Market(scene, seeds.fresh())
        await market.open()
        before = await market.deadlocks()
        until = time.monotonic() + seconds
        await asyncio.gather(
            *(market.customer(number, until) for number in range(CLIENTS)),
            market.seller(until),
            market.sweeper(until),
        )
        assert (await market.deadlocks() - before, market.failures) == (0, [])
        assert market.done > CLIENTS
