"""Many at once: nothing is promised twice, nobody waits in a circle. With its negative control."""

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import SoldOut
from dvor.kernel import ids
from dvor.kernel.errors import Refusal
from dvor.services.inventory import hold_queries, rules
from dvor.services.inventory.hold_queries import Columns
from tests.services.inventory.conftest import Scene, nights, units

BUYERS, UNITS = 200, 20


async def stock(scene: Scene) -> Any:
    """A few units in a cell that exists: making it is a lock, too."""
    offer = await scene.offer(quantity=UNITS)
    await scene.release((await scene.hold(units(offer))).id)
    return offer


async def rush(scene: Scene, offer: Any) -> tuple[int, int]:
    """Everybody, in two processes, wants one of a few units; answers (holds won, refused)."""
    scenes = scene, scene.twin()
    answers = await asyncio.gather(
        *(scenes[n % 2].hold(units(offer)) for n in range(BUYERS)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, SoldOut)]
    won = [answer for answer in answers if not isinstance(answer, BaseException)]
    others = set(map(repr, answers)) - set(map(repr, refused)) - set(map(repr, won))
    assert not others
    return len(won), len(refused)


DEADLOCK_TRIES = 15
"""How often the wrong order may get away with it before we doubt the test."""


class TestRush:
    async def test_as_many_win_as_there_are_units(self, scene: Scene) -> None:
        assert await rush(scene, await stock(scene)) == (UNITS, BUYERS - UNITS)

    async def test_without_the_guards_units_are_promised_twice(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Proves that the test above can fail: no row lock, no constraint."""

        both_looked = asyncio.Barrier(2)

        async def look_without_locking(db: Any, holds: Any, cells: Columns) -> Any:
            rows = await db.fetch(
                """
                SELECT dvor_now() AS now, 1 AS number, capacity, held, sold, waited,
                    offers.xmin AS version
                FROM cells JOIN offers USING (offer_id) WHERE offer_id = $1
                """,
                cells[0][0],
            )
            with suppress(TimeoutError, asyncio.BrokenBarrierError):
                async with asyncio.timeout(1):
                    await both_looked.wait()
            return rows[0]["now"], False, rows

        offer = await stock(scene)
        await scene.db.execute("ALTER TABLE cells DROP CONSTRAINT cells_within_capacity")
        monkeypatch.setattr(hold_queries, "open_books", look_without_locking)
        scene.house.sabotaged = True
        won, _ = await rush(scene, offer)
        assert won > UNITS

    async def test_the_constraint_alone_still_refuses(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The last wall: a judge that lets everybody through does not oversell."""
        monkeypatch.setattr(rules, "judge", lambda *_: None)
        offer = await scene.offer(quantity=UNITS)
        answers = await asyncio.gather(
            *(scene.hold(units(offer)) for _ in range(BUYERS)), return_exceptions=True
        )
        won = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(won) == UNITS
        assert await scene.counters(offer) == {(UNITS, UNITS, 0)}


class TestMixedTraffic:
    async def test_no_deadlock_and_the_counters_agree_with_the_claims(self, scene: Scene) -> None:
        assert await traffic(scene) == 0
        assert await scene.db.fetchval("SELECT count(*) FROM claims") > 100

    async def test_locking_in_any_other_order_deadlocks(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Proves that the test above can fail."""
        lock_in_order = hold_queries.lock_cells

        async def lock_in_any_order(db: Any, cells: Columns) -> Any:
            rows: list[Any] = []
            wanted = list(zip(*cells, strict=True))
            for number in random.sample(range(len(wanted)), len(wanted)):
                offer_id, slot = wanted[number]
                found = await lock_in_order(db, ([offer_id], [slot]))
                rows.extend({**row, "number": number + 1} for row in found)
            return rows

        async def never_swift(db: Any, holds: Any, cells: Any) -> Any:
            return None, True, []

        monkeypatch.setattr(hold_queries, "lock_cells", lock_in_any_order)
        monkeypatch.setattr(hold_queries, "open_books", never_swift)
        for _ in range(DEADLOCK_TRIES):
            if await traffic(scene, customers=12, steps=6):
                return
        pytest.fail("no deadlock: the test above proves nothing")

    async def test_resizing_meanwhile_never_leaves_more_promised_than_there_is(
        self, scene: Scene
    ) -> None:
        room = await scene.offer(Kind.STAY, 6)
        chance = random.Random(7)

        async def resize() -> None:
            for _ in range(25):
                with scene.house.calling(scene.seller):
                    assert not await tried(scene.inventory.set_supply(room, chance.randint(2, 8)))

        async def book(number: int) -> None:
            for step in range(12):
                start = (number * 5 + step) % 30
                assert not await tried(scene.hold(units(room, 1, nights(start, start + 4))))

        await asyncio.gather(resize(), *(book(number) for number in range(8)))
        stray = await scene.db.fetchval(
            "SELECT count(*) FROM cells JOIN offers USING (offer_id) WHERE capacity <> quantity"
        )
        assert stray == 0


async def traffic(scene: Scene, customers: int = 24, steps: int = 25) -> int:
    """Customers of two processes; answers how many calls failed for the database's sake."""
    seed = random.randrange(10**9)
    print("seed", seed)
    goods = [await scene.offer(quantity=40) for _ in range(4)]
    rooms = [await scene.offer(Kind.STAY, 12) for _ in range(4)]
    scenes = scene, scene.twin()
    failed = await asyncio.gather(
        *(customer(scenes[n % 2], goods, rooms, seed + n, steps) for n in range(customers))
    )
    await scene.db.execute("SELECT pg_stat_force_next_flush()")
    name = await scene.db.fetchval("SELECT current_database()")
    deadlocks = await scene.db.fetchval(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = $1", name
    )
    return sum(failed) + deadlocks


async def customer(scene: Scene, goods: list[Any], rooms: list[Any], seed: int, steps: int) -> int:
    """Holds, changes, confirms and lets go at random, with overlapping claims."""
    chance = random.Random(seed)
    mine = [ids.new() for _ in range(3)]
    failed = 0
    for _ in range(steps):
        hold_id = chance.choice(mine)
        match chance.choice(["hold", "hold", "hold", "confirm", "release", "new"]):
            case "hold":
                claims = [units(chance.choice(goods), chance.randint(1, 3)) for _ in range(2)]
                start = chance.randint(0, 10)
                dates = nights(start, start + chance.randint(1, 7))
                claims += [units(room, 1, dates) for room in chance.sample(rooms, 2)]
                chance.shuffle(claims)
                failed += await tried(scene.hold(*claims, hold_id=hold_id))
            case "confirm":
                failed += await tried(scene.confirm(hold_id))
            case "release":
                failed += await tried(scene.release(hold_id))
            case _:
                mine[mine.index(hold_id)] = ids.new()
    return failed


async def tried(call: Any) -> bool:
    """Refusals are fine; answers whether it failed otherwise: a deadlock, too long a wait."""
    try:
        await call
    except Refusal as refusal:
        return refusal.http_status >= 500
    return False
