"""Flash sales (FS of the catalogue of tests): crowds on few things, none too many, none too few."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import BelowPromised, Claim, Hold, SoldOut
from dvor.kernel import ids
from dvor.kernel.batch import Busy
from dvor.kernel.errors import Refusal
from dvor.kernel.periods import DateRange
from dvor.services.inventory import engine, queries
from tests import seeds
from tests.services.inventory.conftest import Scene, nights, units

AT_ONCE = 64
"""Buyers who wait for an answer at the same time."""


async def crowd(scene: Scene, carts: Sequence[Sequence[Claim]]) -> list[Hold | Refusal]:
    """Each cart is held, in two processes; answers or refusals in the order of the carts."""
    doors, gate = (scene, scene.twin()), asyncio.Semaphore(AT_ONCE)

    async def buy(number: int, cart: Sequence[Claim]) -> Hold | Refusal:
        async with gate:
            try:
                return await doors[number % 2].hold(*cart)
            except Refusal as refusal:
                return refusal

    return await asyncio.gather(*(buy(number, cart) for number, cart in enumerate(carts)))


def granted(answers: Iterable[Hold | Refusal]) -> list[Claim]:
    return [claim for answer in answers if isinstance(answer, Hold) for claim in answer.claims]


def by_offer_and_day(claims: Iterable[Claim]) -> Counter[tuple[UUID, date]]:
    return Counter((c.offer_id, day) for c in claims if c.dates for day in c.dates.days())


def is_justified(refusal: Any, cart: Sequence[Claim], full: set[tuple[UUID, date]]) -> bool:
    """Nothing is given back in these tests: what was full for a loser is full in the end."""
    return isinstance(refusal, SoldOut) and bool(full & by_offer_and_day(cart).keys())


async def deadlocks(scene: Scene) -> int:
    """All there ever were in this database, which tests use one after another."""
    await scene.db.execute("SELECT pg_stat_force_next_flush()")
    return await scene.db.fetchval(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )


class TestRanges:
    """FS-2."""

    @pytest.mark.parametrize(
        ("runs", "buyers"), [(1, 300), pytest.param(10, 2000, marks=pytest.mark.nightly)]
    )
    async def test_nobody_rents_what_somebody_has(
        self, scene: Scene, runs: int, buyers: int
    ) -> None:
        before = await deadlocks(scene)
        for _ in range(runs):
            chance = random.Random(seeds.fresh())
            items = [await scene.offer(Kind.RENTAL, 1) for _ in range(5)]
            carts = []
            for _ in range(buyers):
                start = chance.randrange(60)
                dates = nights(start, start + chance.randint(1, 10))
                carts.append([units(chance.choice(items), 1, dates)])
            answers = await crowd(scene, carts)
            taken = by_offer_and_day(granted(answers))
            assert set(taken.values()) == {1}
            for answer, cart in zip(answers, carts, strict=True):
                assert isinstance(answer, Hold) or is_justified(answer, cart, set(taken)), answer
        assert await deadlocks(scene) == before


class TestRooms:
    """FS-3."""

    @pytest.mark.parametrize("guests", [300, pytest.param(2000, marks=pytest.mark.nightly)])
    async def test_late_assignment_of_rooms_always_succeeds(
        self, scene: Scene, guests: int
    ) -> None:
        chance = random.Random(seeds.fresh())
        year = guests * 365 // 2000
        hotel = await scene.offer(Kind.STAY, 10)
        carts = []
        for _ in range(guests):
            start = chance.randrange(year)
            carts.append([units(hotel, 1, nights(start, start + chance.randint(1, 14)))])
        answers = await crowd(scene, carts)
        taken = by_offer_and_day(granted(answers))
        full = {night for night, rooms in taken.items() if rooms == 10}
        assert max(taken.values()) == 10
        for answer, cart in zip(answers, carts, strict=True):
            assert isinstance(answer, Hold) or is_justified(answer, cart, full), answer
        assert max(assigned([claim.dates for claim in granted(answers) if claim.dates])) < 10


def assigned(stays: Iterable[DateRange]) -> list[int]:
    """A room for each stay, in order of arrival: the first that is free then."""
    free_from: list[date] = []
    rooms = []
    for stay in sorted(stays, key=lambda stay: stay.start):
        room = next((n for n, day in enumerate(free_from) if day <= stay.start), len(free_from))
        free_from[room : room + 1] = [stay.end]
        rooms.append(room)
    return rooms


class TestCarts:
    """FS-5."""

    async def test_three_lines_of_one_thing_are_judged_together(self, scene: Scene) -> None:
        lamp = await scene.offer(quantity=10)
        answers = await crowd(scene, [[units(lamp)] * 3] * 60)
        assert len(granted(answers)) == 9
        assert await scene.counters(lamp) == {(10, 9, 0)}

    async def test_a_cart_of_all_kinds_with_one_line_too_many_takes_nothing(
        self, scene: Scene
    ) -> None:
        dates = nights(1, 4)
        cart = [units(await scene.offer(Kind.PRODUCT, 200), 2)]
        cart += [units(await scene.offer(Kind.EVENT, 200), 1)]
        cart += [units(await scene.offer(Kind.RENTAL, 200), 1, dates)]
        room = await scene.offer(Kind.STAY, 1)
        await scene.hold(units(room, 1, nights(2, 3)))
        carts = []
        for number in range(40):
            lines = [*cart, units(room, 1, dates)]
            random.Random(number).shuffle(lines)
            carts.append(lines)
        assert granted(await crowd(scene, carts)) == []
        for claim in cart:
            assert await scene.counters(claim.offer_id) <= {(200, 0, 0)}
        assert len(granted(await crowd(scene, [cart] * 40))) == 40 * len(cart)


class TestOneByOne:
    """FS-6: how fast is said by `./dvor bench holds`; here, that it makes no difference."""

    @pytest.mark.parametrize("asked", [400, pytest.param(5000, marks=pytest.mark.nightly)])
    async def test_a_batch_answers_as_each_alone(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch, asked: int
    ) -> None:
        seed = seeds.fresh()
        monkeypatch.setattr(engine, "LANES", 1)  # answers in order of arrival
        together, apart = scene.twin(), scene.twin()
        answers = []
        for door, waits in ((together, False), (apart, True)):
            lamp, room = await scene.offer(quantity=30), await scene.offer(Kind.STAY, 4)
            calls = stream(door, random.Random(seed), lamp, room, asked)
            if waits:
                answers.append([await told(call) for call in calls])
            else:
                answers.append(await asyncio.gather(*map(told, calls)))
            answers[-1].append(repr([await scene.counters(lamp), await scene.free(lamp)]))
        assert answers[0] == answers[1]
        kinds = Counter(answer.partition(" ")[0] for answer in answers[0])
        assert kinds.keys() >= {"held", "confirmed", "released", "SoldOut", "HoldEnded"}


def stream(door: Scene, chance: random.Random, lamp: UUID, room: UUID, count: int) -> list[Any]:
    names = [ids.new() for _ in range(25)]
    calls = []
    for _ in range(count):
        number = chance.randrange(len(names))
        match chance.choice(("hold",) * 6 + ("confirm", "release", "anew")):
            case "hold":
                start = chance.randrange(4)
                claims = (
                    units(lamp, chance.randint(1, 3)),
                    units(room, 1, nights(start, start + chance.randint(1, 3))),
                )[chance.randrange(2) :]
                calls.append(door.hold(*claims, hold_id=names[number]))
            case "confirm":
                calls.append(door.confirm(names[number]))
            case verb:
                calls.append(door.release(names[number]))
                if verb == "anew":
                    names[number] = ids.new()
    return calls


async def told(call: Any) -> str:
    try:
        return str((await call).status)
    except Refusal as refusal:
        return f"{type(refusal).__name__} {getattr(refusal, 'left', '')}"


class TestAbandoned:
    """FS-7."""

    @pytest.mark.parametrize("carts", [100, pytest.param(500, marks=pytest.mark.nightly)])
    async def test_what_nobody_pays_for_is_free_again(self, scene: Scene, carts: int) -> None:
        lamp, room = await scene.offer(quantity=carts), await scene.offer(Kind.STAY, carts)
        dates, twin = nights(0, 3), scene.twin()
        abandon = (held, renewed, cancelled, bought_and_cancelled, let_go_before_it_came)
        claims = units(lamp), units(room, 1, dates)
        await asyncio.gather(
            *(
                abandon[number % len(abandon)]((scene, twin)[number // 7 % 2], claims)
                for number in range(carts)
            )
        )
        paid = await scene.hold(*claims)
        await scene.confirm(paid.id)
        await scene.expire()
        assert await scene.free(lamp) == carts - 1
        assert await scene.free(room, dates) == carts - 1
        for offer in (lamp, room):
            assert await scene.counters(offer) == {(carts, 0, 1)}

    async def test_a_cut_below_what_is_promised_is_refused(self, scene: Scene) -> None:
        lamp = await scene.offer(quantity=10)
        holds = await asyncio.gather(*(scene.hold(units(lamp)) for _ in range(6)))
        await asyncio.gather(*(scene.confirm(hold.id) for hold in holds[:3]))
        with scene.house.calling(scene.seller):
            with pytest.raises(BelowPromised):
                await scene.inventory.set_supply(lamp, 5)
            await scene.expire()
            with pytest.raises(BelowPromised):
                await scene.inventory.set_supply(lamp, 2)
            await scene.inventory.set_supply(lamp, 3)
        assert await scene.free(lamp) == 0


async def held(door: Scene, claims: Sequence[Claim]) -> None:
    await door.hold(*claims)


async def renewed(door: Scene, claims: Sequence[Claim]) -> None:
    hold = await door.hold(*claims)
    await door.hold(*claims[:1], hold_id=hold.id)


async def cancelled(door: Scene, claims: Sequence[Claim]) -> None:
    """The customer leaves while the answer is on its way."""
    asked = asyncio.create_task(door.hold(*claims))
    await asyncio.sleep(0.002)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)


async def bought_and_cancelled(door: Scene, claims: Sequence[Claim]) -> None:
    hold = await door.hold(*claims)
    await door.confirm(hold.id)
    await door.release(hold.id)


async def let_go_before_it_came(door: Scene, claims: Sequence[Claim]) -> None:
    name = ids.new()
    await asyncio.gather(
        door.release(name), door.hold(*claims, hold_id=name), return_exceptions=True
    )


class TestLies:
    """FS-9."""

    async def test_a_page_may_lie_a_checkout_never(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lamp = await scene.offer(quantity=5)

        async def lie(_db: Any, offer_ids: Iterable[UUID], *_: Any) -> dict[UUID, int]:
            return dict.fromkeys(offer_ids, 1000)

        monkeypatch.setattr(queries, "free", lie)
        assert await scene.free(lamp) == 1000
        assert len(granted(await crowd(scene, [[units(lamp)]] * 100))) == 5


class TestBot:
    """FS-10: one account asks 500 times at once, again and again, until the others are done."""

    async def test_its_limit_is_exact_and_others_are_served(self, patient: Scene) -> None:
        scene = patient
        limit, doors = 3, (scene, scene.twin())
        ticket = await scene.offer(Kind.EVENT, 5000, per_customer=limit)
        quiet = await shop(doors, ticket)
        bot, over, answers = ids.new(), asyncio.Event(), Counter[str]()

        async def grab(number: int) -> None:
            asked = False
            while not (asked and over.is_set()):
                try:
                    await doors[number % 2].hold(units(ticket), customer=bot)
                    answers["held"] += 1
                except Refusal as refusal:
                    answers[type(refusal).__name__] += 1
                    if isinstance(refusal, Busy):  # come again in a moment, it says
                        await asyncio.sleep(refusal.retry_after_seconds or 1)
                asked = True

        async with asyncio.TaskGroup() as grabbing:
            for number in range(500):
                grabbing.create_task(grab(number))
            beside = await shop(doors, ticket)
            over.set()
        assert answers.keys() == {"held", "LimitReached", "Busy"}
        assert answers["held"] == limit
        print(
            f"{answers.total()} holds of a bot, {limit} granted; p99 of the others "
            f"{beside * 1000:.1f} ms beside it, {quiet * 1000:.1f} ms without: {beside / quiet:.1f}"
        )


async def shop(doors: Sequence[Scene], ticket: UUID) -> float:
    """15 times, eight customers at once hold a ticket each: the 99th percentile, in seconds."""
    waits: list[float] = []

    async def customer(number: int) -> None:
        for _ in range(15):
            begun = time.perf_counter()
            await doors[number % 2].hold(units(ticket), customer=ids.new())
            waits.append(time.perf_counter() - begun)

    await asyncio.gather(*(customer(number) for number in range(8)))
    return sorted(waits)[len(waits) * 99 // 100]
