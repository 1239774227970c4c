"""The line for numbered seats: so many of a tier, together, all or none."""

import asyncio
import random
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.inventory import (
    Claim,
    Hold,
    LimitReached,
    NeedsDates,
    Rules,
    SoldOut,
    UnknownHold,
)
from dvor.contracts.waiting import AlreadyWaiting, NothingToWaitFor, Waiting, WaitsForAnySeats
from dvor.kernel import ids
from dvor.kernel.caller import Caller
from dvor.services.inventory import parties, waiting_queries
from dvor.services.inventory.serving import token_of
from tests.services.inventory.conftest import Scene, nights, units
from tests.services.inventory.halls import Event, event, hall
from tests.services.inventory.test_waiting import decline, state, wait_for

SEEDS = 4


async def show(scene: Scene, *rows: int) -> tuple[Event, UUID]:
    """An event with one tier in rows of so many seats: it and the tier."""
    made = await event(scene)
    (tier,) = made.tiers
    await made.draw(hall(*([tier] * row for row in rows)))
    return made, tier


async def take(scene: Scene, tier: UUID, *seats: str) -> UUID:
    """Somebody takes these seats; the hold."""
    claim = Claim(offer_id=tier, quantity=len(seats), seats=seats)
    return (await scene.hold(claim)).id


def row(number: int, *places: int) -> tuple[str, ...]:
    """Names of seats in a row."""
    return tuple(f"{number}-{place}" for place in places)


async def offered(scene: Scene, entry: Waiting) -> tuple[str, ...]:
    """The seats that are held for somebody who waited."""
    (claim,) = (await scene.get_hold(entry.id)).claims
    shown = await waiting_queries.entry(scene.db, entry.id)
    assert shown is not None and shown[1].seats == claim.seats
    return claim.seats


class TestJoining:
    async def test_one_waits_for_so_many_of_a_tier(self, scene: Scene) -> None:
        _, tier = await show(scene, 4)
        await take(scene, tier, *row(1, 1, 2, 3))
        with pytest.raises(NothingToWaitFor):
            await wait_for(scene, units(tier, 1))
        person = ids.new()
        entries = [
            await wait_for(scene, units(tier, 2), person),
            await wait_for(scene, units(tier, 3)),
        ]
        assert [(e.quantity, e.ahead, e.seats) for e in entries] == [(2, 0, ()), (3, 1, ())]
        with pytest.raises(AlreadyWaiting):
            await wait_for(scene, units(tier, 3), person)

    async def test_what_makes_no_sense_is_refused(self, scene: Scene) -> None:
        _, tier = await show(scene, 2)
        await take(scene, tier, *row(1, 1, 2))
        for claim, refusal in (
            (Claim(offer_id=tier, quantity=1, seats=row(1, 1)), WaitsForAnySeats),
            (units(tier, 1, nights(1, 2)), NeedsDates),
            (units(tier, 51), LimitReached),
        ):
            with pytest.raises(refusal):
                await wait_for(scene, claim)


class TestServing:
    async def test_all_or_nothing(self, scene: Scene) -> None:
        made, tier = await show(scene, 3, 3)
        names = row(1, 1, 2, 3) + row(2, 1, 2, 3)
        holds = {name: await take(scene, tier, name) for name in names}
        entry = await wait_for(scene, units(tier, 2))
        await scene.release(holds["1-1"])
        assert await state(scene, entry) == "waiting"
        assert await made.taken() == {*names} - {"1-1"}  # nothing is kept back meanwhile
        await scene.release(holds["2-3"])
        assert set(await offered(scene, entry)) == {"1-1", "2-3"}
        assert await made.taken() == {*names}

    async def test_the_best_of_all_that_is_free(self, scene: Scene) -> None:
        _, tier = await show(scene, 6, 6)
        left = await take(scene, tier, *row(1, 1), *row(2, 2, 3))
        await take(scene, tier, *row(1, 2, 3, 4, 5, 6), *row(2, 1, 4, 5, 6))
        entry = await wait_for(scene, units(tier, 2))
        await scene.release(left)
        assert set(await offered(scene, entry)) == set(row(2, 2, 3))

    async def test_a_party_that_does_not_fit_is_passed_over_and_keeps_its_place(
        self, scene: Scene
    ) -> None:
        _, tier = await show(scene, 4)
        holds = [await take(scene, tier, *row(1, place)) for place in (1, 2, 3, 4)]
        party, single, late = [await wait_for(scene, units(tier, n)) for n in (3, 1, 3)]
        await scene.release(holds[0])
        assert await state(scene, party, single, late) == "waiting offered waiting"
        for hold in holds[1:]:
            await scene.release(hold)
        assert await state(scene, party, single, late) == "offered offered waiting"
        assert set(await offered(scene, party)) == set(row(1, 2, 3, 4))

    async def test_nobody_comes_before_them(self, scene: Scene) -> None:
        _, tier = await show(scene, 2)
        hold = await take(scene, tier, *row(1, 1, 2))
        entry = await wait_for(scene, units(tier, 2))
        claims: tuple[Claim, ...] = (
            units(tier),
            Claim(offer_id=tier, quantity=1, seats=row(1, 1)),
            Claim(offer_id=tier, quantity=1, seats=row(1, 2)),
        )
        scenes = scene, scene.twin()
        calls: list[Any] = [scenes[n % 2].hold(claims[n % 3]) for n in range(12)]
        calls.insert(4, scenes[1].release(hold))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert not [a for a in answers if isinstance(a, Hold) and a.id != hold]
        assert all(isinstance(a, Hold | SoldOut) for a in answers)
        assert await state(scene, entry) == "offered"

    async def test_declined_it_goes_to_the_next_and_lapsed_on(self, scene: Scene) -> None:
        _, tier = await show(scene, 3)
        hold = await take(scene, tier, *row(1, 1, 2, 3))
        entries = [await wait_for(scene, units(tier, n)) for n in (3, 2, 2)]
        await scene.release(hold)
        await decline(scene, entries[0])
        assert await state(scene, *entries) == "declined offered waiting"
        await scene.expire(43_201)
        assert await state(scene, *entries) == "declined lapsed offered"

    async def test_seats_that_are_drawn_go_to_the_line(self, scene: Scene) -> None:
        made, tier = await show(scene, 2)
        await take(scene, tier, *row(1, 1, 2))
        entry = await wait_for(scene, units(tier, 2))
        await made.draw(hall([tier] * 2, [tier] * 2), 1)
        assert set(await offered(scene, entry)) == set(row(2, 1, 2))

    async def test_whoever_waited_for_a_ticket_gets_a_seat(self, scene: Scene) -> None:
        made = await event(scene)
        (tier,) = made.tiers
        with scene.house.calling(scene.seller):
            await scene.inventory.set_supply(tier, 0)
        entry = await wait_for(scene, units(tier, 2))
        await made.draw(hall([tier] * 3))
        assert len(await offered(scene, entry)) == 2

    async def test_limits_per_customer_count(self, scene: Scene) -> None:
        _, tier = await show(scene, 2)
        await scene.rule(tier, per_customer=1)
        person = ids.new()
        mine = Claim(offer_id=tier, quantity=1, seats=row(1, 1))
        hold = (await scene.hold(mine, customer=person)).id
        other = await take(scene, tier, *row(1, 2))
        entry = await wait_for(scene, units(tier), person)
        await scene.release(other)
        assert await state(scene, entry) == "waiting"
        await scene.release(hold)
        assert await state(scene, entry) == "offered"

    async def test_lines_cost_nobody_who_comes_later(self, scene: Scene) -> None:
        _, tier = await show(scene, 2)
        hold = await take(scene, tier, *row(1, 1, 2))
        entry = await wait_for(scene, units(tier, 2))
        await scene.release(hold)
        await decline(scene, entry)
        assert not await scene.db.fetchval("SELECT bool_or(waited) FROM cells WHERE slot > 0")


class TestTaking:
    async def test_goes_over_into_a_cart_seat_by_seat(self, scene: Scene) -> None:
        made, tier = await show(scene, 3)
        hold = await take(scene, tier, *row(1, 1, 2, 3))
        with scene.house.calling(scene.seller):
            await scene.inventory.set_rules(tier, Rules(no_single_seats=True))
        person = ids.new()
        entry = await wait_for(scene, units(tier, 2), person)
        await scene.release(hold)
        with scene.house.calling(Caller(user_id=person)):
            seats = (await scene.inventory.waiting_entry(entry.id)).seats
        claim = Claim(offer_id=tier, quantity=2, seats=seats)
        taken = await scene.for_orders.hold(ids.new(), (claim,), person, entry.id)
        assert set(taken.claims[0].seats) == set(seats)
        assert await state(scene, entry) == "taken" and await made.taken() == set(seats)
        with scene.house.calling(Caller(user_id=person)):  # a cart that lost it can ask again
            assert (await scene.inventory.waiting_entry(entry.id)).seats == seats


async def evening(scene: Scene, seed: int) -> int:
    """Random steps; after each, whoever is first and fits has what they wait for.

    Answers how many were served.
    """
    dice, served = random.Random(seed), 0
    _, tier = await show(scene, 5, 4)
    free = {*row(1, *range(1, 6)), *row(2, *range(1, 5))}
    held: dict[UUID, set[str]] = {}
    line: dict[UUID, int] = {}
    for number in range(45):
        step = "take" if number < 6 else dice.choice(("take", "join", "join", "release", "decline"))
        if step == "take" and free:
            names = dice.sample(sorted(free), dice.randint(1, min(3, len(free))))
            claim = Claim(offer_id=tier, quantity=len(names), seats=tuple(names))
            hold = await scene.hold(claim)
            held[hold.id], free = set(names), free - set(names)
        elif step == "join":
            quantity = dice.randint(1, 4)
            try:
                line[(await wait_for(scene, units(tier, quantity))).id] = quantity
                assert len(free) < quantity
            except NothingToWaitFor:
                assert len(free) >= quantity
        elif step in ("release", "decline") and held:
            ended = dice.choice(sorted(held))
            waited = await scene.db.fetchval("SELECT count(*) FROM waiting WHERE id = $1", ended)
            if waited:
                token = token_of(scene.house.settings.secret, ended)
                await scene.inventory.stop_waiting(ended, token)
            else:
                await scene.release(ended)
            free |= held.pop(ended)
            for entry, quantity in list(line.items()):
                if len(free) >= quantity:
                    (claim,) = (await scene.get_hold(entry)).claims
                    assert len(claim.seats) == quantity and set(claim.seats) <= free
                    held[entry], free = set(claim.seats), free - set(claim.seats)
                    del line[entry]
                    served += 1
        rows = await scene.db.fetch(
            "SELECT id FROM waiting WHERE offer_id = $1 AND status = 'waiting'", tier
        )
        assert {found["id"] for found in rows} == line.keys()
    return served


class TestOrder:
    async def test_nobody_waits_who_fits_and_nobody_jumps_the_line(self, scene: Scene) -> None:
        assert sum([await evening(scene, seed) for seed in range(SEEDS)]) > 5

    async def test_without_choosing_for_them_somebody_does(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Proves that the test above can fail."""
        monkeypatch.setattr(parties.Party, "fitting", lambda *_: None)
        with pytest.raises(UnknownHold):
            sum([await evening(scene, seed) for seed in range(SEEDS)])
