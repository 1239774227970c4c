"""Who waits is served exactly in order: against a model, and while newcomers race for the same."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import BelowPromised, Claim, Hold, SoldOut
from dvor.contracts.waiting import NothingToWaitFor, Waiting
from dvor.kernel import ids
from dvor.kernel.caller import Caller
from dvor.services.inventory import allocation, waiting_queries
from tests.services.inventory.conftest import FakeCatalog, Nobody, Scene, nights, units
from tests.services.inventory.test_waiting import decline, state, wait_for

SEEDS, STEPS = 6, 60
NIGHTS = 5
OFFER_SECONDS = 600


@pytest.fixture
async def scene(make_house: Any) -> Scene:
    catalog = FakeCatalog()
    fakes = {"catalog": catalog, "identity": Nobody()}
    options = {"sold_out_cache_ms": 0, "waiting_offer_seconds": OFFER_SECONDS}
    return Scene(await make_house("inventory", fakes=fakes, **options), catalog)


@dataclass
class Line:
    """What should be true: units per cell, who has them, who waits for them in which order."""

    free: Counter[Any]
    holds: dict[UUID, Counter[Any]] = field(default_factory=dict)
    waiting: dict[UUID, Counter[Any]] = field(default_factory=dict)
    status: dict[UUID, str] = field(default_factory=dict)

    def fits(self, cells: Counter[Any]) -> bool:
        return all(self.free[cell] >= n for cell, n in cells.items())

    def take(self, hold_id: UUID, cells: Counter[Any]) -> None:
        self.free.subtract(cells)
        self.holds[hold_id] = cells

    def give_back(self, hold_id: UUID, status: str = "") -> None:
        self.free.update(self.holds.pop(hold_id))
        if status:
            self.status[hold_id] = status
        self.serve()

    def serve(self) -> None:
        for entry, cells in list(self.waiting.items()):
            if self.fits(cells):
                del self.waiting[entry]
                self.take(entry, cells)
                self.status[entry] = "offered"


class History:
    """Random steps, the same in the service and in the model."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene = scene
        self.dice = random.Random(seed)

    async def run(self) -> None:
        self.goods = await self.scene.offer(quantity=3)
        self.room = await self.scene.offer(Kind.STAY, 2)
        self.told = await self.scene.db.fetchval("SELECT coalesce(max(id), 0) FROM outbox")
        self.line = Line(Counter({(self.room, n): 2 for n in range(NIGHTS)} | {self.goods: 3}))
        self.supply = 3
        steps = [self.join, self.join, self.hold, self.hold, self.release, self.resize]
        steps += [self.decline, self.leave, self.confirm]
        for _ in range(STEPS):
            await self.dice.choice(steps)()
            await self.pass_time()
            rows = await self.scene.db.fetch(
                "SELECT id, status FROM waiting WHERE offer_id IN ($1, $2)", self.goods, self.room
            )
            assert {row["id"]: row["status"] for row in rows} == self.line.status

    def wish(self) -> tuple[Claim, Counter[Any]]:
        many = self.dice.choice((1, 1, 1, 2, 2, 3))
        if self.dice.random() < 0.5:
            return units(self.goods, many), Counter({self.goods: many})
        first = self.dice.randrange(NIGHTS)
        end = self.dice.randint(first + 1, NIGHTS)
        many = min(many, 2)
        cells = Counter({(self.room, night): many for night in range(first, end)})
        return units(self.room, many, nights(10 + first, 10 + end)), cells

    async def join(self) -> None:
        claim, cells = self.wish()
        try:
            entry = await wait_for(self.scene, claim)
        except NothingToWaitFor:
            assert self.line.fits(cells)
            return
        assert not self.line.fits(cells)
        self.line.waiting[entry.id] = cells
        self.line.status[entry.id] = "waiting"

    async def hold(self) -> None:
        claim, cells = self.wish()
        try:
            hold = await self.scene.hold(claim)
        except SoldOut:
            assert not self.line.fits(cells)
            return
        assert self.line.fits(cells)
        self.line.take(hold.id, cells)

    def newcomers(self) -> list[UUID]:
        return [hold for hold in self.line.holds if hold not in self.line.status]

    async def release(self) -> None:
        if alive := self.newcomers():
            hold = self.dice.choice(alive)
            await self.scene.release(hold)
            self.line.give_back(hold)

    async def confirm(self) -> None:
        alive = self.newcomers()
        if alive:
            await self.scene.confirm(self.dice.choice(alive))

    async def resize(self) -> None:
        wanted = self.dice.randint(1, 5)
        promised = self.supply - self.line.free[self.goods]
        with self.scene.house.calling(self.scene.seller):
            try:
                await self.scene.inventory.set_supply(self.goods, wanted)
            except BelowPromised:
                assert wanted < promised
                return
        self.line.free[self.goods] += wanted - self.supply
        self.supply = wanted
        self.line.serve()

    def some(self, status: str) -> Waiting | None:
        found = [entry for entry, known in self.line.status.items() if known == status]
        if not found:
            return None
        return Waiting.model_construct(id=self.dice.choice(found))

    async def decline(self) -> None:
        if entry := self.some("offered"):
            await decline(self.scene, entry)
            self.line.give_back(entry.id, "declined")

    async def leave(self) -> None:
        if entry := self.some("waiting"):
            await decline(self.scene, entry)
            del self.line.waiting[entry.id]
            self.line.status[entry.id] = "left"

    async def pass_time(self) -> None:
        """A minute; what runs out does so in the order in which the service told it."""
        await self.scene.expire(60)
        rows = await self.scene.db.fetch(
            "SELECT id, data FROM outbox WHERE type = 'inventory.hold_expired.v1' AND id > $1"
            " ORDER BY id",
            self.told,
        )
        for row in rows:
            self.told = row["id"]
            hold_id = UUID(row["data"]["hold_id"])
            if hold_id in self.line.holds:  # else an earlier history's
                self.line.give_back(hold_id, "lapsed" if hold_id in self.line.status else "")


class TestOrder:
    async def test_grants_are_exactly_those_of_the_model(self, scene: Scene) -> None:
        reached: set[str] = set()
        for seed in range(SEEDS):
            history = History(scene, seed)
            await history.run()
            reached.update(history.line.status.values())
        assert reached >= {"waiting", "offered", "lapsed", "declined", "left"}

    async def test_without_serving_the_model_disagrees(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Proves that the test above can fail."""
        monkeypatch.setattr(allocation, "serve", lambda books: None)
        with pytest.raises(AssertionError):
            await History(scene, 0).run()


async def scramble(scene: Scene, rounds: int) -> tuple[int, int]:
    """A unit comes free while many newcomers reach for it; answers (served, snatched)."""
    scenes = scene, scene.twin()
    served = snatched = 0
    for _ in range(rounds):
        offer = await scene.offer(quantity=1)
        kept = (await scene.hold(units(offer))).id
        entry = await wait_for(scene, units(offer))
        calls: list[Any] = [scenes[n % 2].hold(units(offer)) for n in range(24)]
        calls.insert(random.Random(rounds).randrange(8, 16), scenes[1].release(kept))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        served += await state(scene, entry) == "offered"
        won = [a for a in answers if isinstance(a, Hold) and a.id != kept]
        assert all(isinstance(a, SoldOut) for a in answers if isinstance(a, BaseException))
        snatched += len(won)
    return served, snatched


class TestNewcomers:
    async def test_never_come_before_one_who_waits(self, scene: Scene) -> None:
        assert await scramble(scene, 12) == (12, 0)

    async def test_without_serving_they_do(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Proves that the test above can fail."""
        monkeypatch.setattr(allocation, "serve", lambda books: None)
        _, snatched = await scramble(scene, 12)
        assert snatched > 0

    async def test_cannot_reach_between_an_offer_and_a_cart(self, scene: Scene) -> None:
        scenes = scene, scene.twin()
        for _ in range(10):
            offer = await scene.offer(quantity=1)
            kept = (await scene.hold(units(offer))).id
            entry = await wait_for(scene, units(offer))
            await scene.release(kept)
            calls: list[Any] = [scenes[n % 2].hold(units(offer)) for n in range(12)]
            cart = ids.new()
            calls.insert(6, scenes[1].for_orders.hold(cart, (units(offer),), None, entry.id))
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert [a.id for a in answers if isinstance(a, Hold)] == [cart]
            assert all(isinstance(a, Hold | SoldOut) for a in answers)
            assert await state(scene, entry) == "taken"


async def stampede(scene: Scene) -> list[str]:
    """People join while what they want comes free; answers what became of them."""
    scenes = scene, scene.twin()
    offer = await scene.offer(quantity=6)
    kept = [(await scene.hold(units(offer))).id for _ in range(6)]
    calls: list[Any] = [wait_for(scene, units(offer)) for _ in range(12)]
    for n, hold in enumerate(kept):
        calls.insert(2 * n, scenes[n % 2].release(hold))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    entries = [a for a in answers if isinstance(a, Waiting)]
    assert all(isinstance(a, NothingToWaitFor) for a in answers if isinstance(a, Exception))
    return (await state(scene, *entries)).split() + ["free"] * await scene.free(offer)


class TestJoiningMeanwhile:
    async def test_nobody_waits_beside_free_units(self, scene: Scene) -> None:
        for _ in range(8):
            fates = Counter(await stampede(scene))
            assert not (fates["waiting"] and fates["free"]), fates

    async def test_without_the_mark_on_the_cell_they_do(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Proves that the test above can fail."""

        async def forget(*_: Any, **__: Any) -> None:
            return None

        monkeypatch.setattr(waiting_queries, "mark", forget)
        fates = [Counter(await stampede(scene)) for _ in range(8)]
        assert any(each["waiting"] and each["free"] for each in fates)


class TestTwoAtOnce:
    async def test_a_decline_and_a_cart_at_once_leave_one_of_both(self, scene: Scene) -> None:
        for _ in range(10):
            offer = await scene.offer(quantity=1)
            kept = (await scene.hold(units(offer))).id
            entry = await wait_for(scene, units(offer))
            await scene.release(kept)
            cart = ids.new()
            taken, _ = await asyncio.gather(
                scene.twin().for_orders.hold(cart, (units(offer),), None, entry.id),
                decline(scene, entry),
                return_exceptions=True,
            )
            ended = await state(scene, entry)
            assert ended in ("taken", "declined")
            assert not isinstance(taken, BaseException)  # declined first: it is free for anybody
            assert await scene.counters(offer) == {(1, 1, 0)}

    async def test_leaving_and_being_served_at_once_lose_no_unit(self, scene: Scene) -> None:
        for _ in range(10):
            offer = await scene.offer(quantity=1)
            kept = (await scene.hold(units(offer))).id
            person = ids.new()
            entry = await wait_for(scene, units(offer), person)
            after = await wait_for(scene, units(offer))
            with scene.house.calling(Caller(user_id=person)):
                await asyncio.gather(
                    scene.twin().release(kept), scene.inventory.stop_waiting(entry.id)
                )
            assert (await state(scene, entry)) in ("left", "declined")
            assert await state(scene, after) == "offered"
