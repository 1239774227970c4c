"""Why not, and what instead: as the engine would say it, and what it grants."""

import json
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.availability import Alternative, Explanation
from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import Claim, UnknownSupply
from dvor.kernel import clock, ids
from dvor.kernel.errors import Refusal
from dvor.kernel.periods import DateRange
from tests.services.inventory.conftest import Scene, nights, units
from tests.services.inventory.halls import event, hall


async def on_sale(scene: Scene, kind: Kind, *quantities: int) -> list[UUID]:
    """Offers of one listing."""
    offers = [await scene.offer(kind, quantity) for quantity in quantities]
    listing = scene.catalog.facts[offers[0]].listing_id
    await scene.db.execute(
        "UPDATE offers SET listing_id = $1 WHERE offer_id = ANY($2)", listing, offers
    )
    await scene.publish(*offers)
    return offers


def claim_of(instead: Alternative) -> Claim:
    return Claim(**instead.model_dump())


async def refusal_of(scene: Scene, claim: Claim) -> Refusal | None:
    """What the engine says; a hold that is granted is given back."""
    try:
        hold = await scene.hold(claim)
    except Refusal as refusal:
        return refusal
    await scene.release(hold.id)
    return None


async def agrees(scene: Scene, claim: Claim) -> Explanation:
    """The explanation says what the engine says, and the engine grants each alternative."""
    told: Explanation = await scene.inventory.explain(claim)
    refusal = await refusal_of(scene, claim)
    assert told.possible is (refusal is None)
    assert told.code == (refusal.code if refusal else "")
    assert told.details == (refusal.dump() if refusal else {})
    for instead in told.alternatives:
        assert await refusal_of(scene, claim_of(instead)) is None, instead
    return told


class TestExplain:
    async def test_what_can_be_had_needs_no_words(self, scene: Scene) -> None:
        (room,) = await on_sale(scene, Kind.STAY, 2)
        told = await agrees(scene, units(room, 2, nights(3, 5)))
        assert told == Explanation(possible=True)

    async def test_names_the_next_nights_after_and_before(self, scene: Scene) -> None:
        (room,) = await on_sale(scene, Kind.STAY, 1)
        await scene.hold(units(room, 1, nights(10, 14)))
        told = await agrees(scene, units(room, 1, nights(11, 13)))
        assert json.loads(told.details["left"]) == 0 and "Not enough" in told.detail
        assert [instead.dates for instead in told.alternatives] == [nights(14, 16), nights(8, 10)]

    async def test_names_no_nights_in_the_past(self, scene: Scene) -> None:
        (room,) = await on_sale(scene, Kind.STAY, 1)
        await scene.hold(units(room, 1, nights(1, 4)))
        told = await agrees(scene, units(room, 1, nights(2, 4)))
        assert [instead.dates for instead in told.alternatives] == [nights(4, 6)]
        today = clock.now().date()
        past = DateRange(start=today - timedelta(days=2), end=today + timedelta(days=1))
        told = await agrees(scene, units(room, 1, past))
        assert told.code == "inventory.in_the_past"
        assert [instead.dates for instead in told.alternatives] == [nights(4, 7)]

    async def test_names_other_rooms_and_fewer_of_them(self, scene: Scene) -> None:
        small, large, full = await on_sale(scene, Kind.STAY, 3, 5, 3)
        await scene.hold(units(small, 2, nights(3, 4)), units(full, 3, nights(3, 4)))
        told = await agrees(scene, units(small, 2, nights(3, 5)))
        here = {(i.offer_id, i.quantity) for i in told.alternatives if i.dates == nights(3, 5)}
        assert here == {(large, 2), (small, 1)}

    async def test_goods_have_other_variants_and_fewer(self, scene: Scene) -> None:
        red, blue = await on_sale(scene, Kind.PRODUCT, 2, 9)
        told = await agrees(scene, units(red, 5))
        assert {(i.offer_id, i.quantity) for i in told.alternatives} == {(blue, 5), (red, 2)}

    async def test_what_is_off_sale_has_no_alternatives(self, scene: Scene) -> None:
        (room,) = await on_sale(scene, Kind.STAY, 1)
        await scene.archive(room)
        told = await agrees(scene, units(room, 1, nights(3, 5)))
        assert told.code == "inventory.closed" and told.alternatives == ()

    async def test_is_refused_for_what_nobody_knows(self, scene: Scene) -> None:
        with pytest.raises(UnknownSupply):
            await scene.inventory.explain(units(ids.new(), 1))

    @pytest.mark.parametrize("seed", range(6))
    async def test_agrees_with_the_engine_on_any_calendar(self, scene: Scene, seed: int) -> None:
        dice = random.Random(seed)
        offers = await on_sale(scene, Kind.STAY, 1, 2, 4)
        for _ in range(25):
            start = dice.randrange(30)
            wanted = units(
                dice.choice(offers), dice.randint(1, 2), nights(start, start + dice.randint(1, 6))
            )
            if (await scene.inventory.explain(wanted)).possible:
                await scene.hold(wanted)
        refused = 0
        for _ in range(8):
            start = dice.randrange(30)
            wanted = units(
                dice.choice(offers), dice.randint(1, 4), nights(start, start + dice.randint(1, 5))
            )
            refused += not (await agrees(scene, wanted)).possible
        assert refused


class TestExplainRoute:
    async def test_answers_without_a_key(self, scene: Scene) -> None:
        (room,) = await on_sale(scene, Kind.STAY, 1)
        await scene.hold(units(room, 1, nights(3, 5)))
        body: dict[str, Any] = units(room, 1, nights(3, 5)).model_dump(mode="json")
        answer = await scene.house.http.post("/api/v1/availability/explain", json=body)
        assert answer.status_code == 200
        assert answer.json()["code"] == "inventory.sold_out" and answer.json()["alternatives"]


class TestRules:
    async def test_offers_the_length_that_is_asked_for(self, scene: Scene) -> None:
        (room,) = await on_sale(scene, Kind.STAY, 1)
        await scene.rule(room, length_min=3)
        told = await agrees(scene, units(room, 1, nights(5, 6)))
        assert told.code == "inventory.too_short"
        assert [instead.dates for instead in told.alternatives] == [nights(5, 8), nights(4, 7)]
        await scene.rule(room, length_max=2)
        told = await agrees(scene, units(room, 1, nights(5, 9)))
        assert told.code == "inventory.too_long"
        assert [instead.dates for instead in told.alternatives] == [nights(5, 7), nights(4, 6)]

    async def test_keeps_off_closed_days_and_counts_the_time_to_clean(self, scene: Scene) -> None:
        (drill,) = await on_sale(scene, Kind.RENTAL, 1)
        await scene.rule(drill, buffer=1, closed=(nights(5, 7),))
        await scene.hold(units(drill, 1, nights(10, 12)))
        told = await agrees(scene, units(drill, 1, nights(6, 8)))
        assert told.code == "inventory.closed_dates"
        assert [instead.dates for instead in told.alternatives] == [nights(7, 9), nights(3, 5)]
        told = await agrees(scene, units(drill, 1, nights(8, 10)))
        assert told.code == "inventory.sold_out"
        assert [instead.dates for instead in told.alternatives] == [nights(13, 15), nights(7, 9)]

    @pytest.mark.parametrize("seed", range(4))
    async def test_agrees_with_the_engine_on_any_rules(self, scene: Scene, seed: int) -> None:
        dice = random.Random(seed)
        offers = await on_sale(scene, Kind.RENTAL, 1, 2)
        for offer in offers:
            await scene.rule(
                offer,
                length_min=dice.choice((0, 2)),
                length_max=dice.choice((0, 4)),
                buffer=dice.randrange(3),
                arrival_weekdays=dice.choice(((), (0, 2, 4), (5, 6))),
                closed=(nights(9, 11),),
                horizon_days=dice.choice((0, 40)),
            )
        for _ in range(30):
            start = dice.randrange(45)
            wanted = units(dice.choice(offers), 1, nights(start, start + dice.randint(1, 5)))
            if (await agrees(scene, wanted)).possible:
                await scene.hold(wanted)


class TestSeats:
    async def test_names_seats_that_are_together_elsewhere(self, scene: Scene) -> None:
        show = await event(scene)
        (tier,) = show.tiers
        await show.draw(hall([tier] * 4, [tier] * 4))
        await scene.publish(tier)
        first = Claim(offer_id=tier, quantity=2, seats=("1-1", "1-2"))
        assert (await agrees(scene, first)).possible
        await scene.hold(first)
        told = await agrees(scene, Claim(offer_id=tier, quantity=2, seats=("1-2", "1-3")))
        assert told.code == "inventory.sold_out" and json.loads(told.details["seat"]) == "1-2"
        (instead,) = told.alternatives
        assert len(instead.seats) == 2 and not {"1-1", "1-2"} & set(instead.seats)
        told = await agrees(scene, Claim(offer_id=tier, quantity=1, seats=("9-9",)))
        assert told.code == "inventory.unknown_seat" and len(told.alternatives[0].seats) == 1
        assert (await agrees(scene, Claim(offer_id=tier, quantity=3))).possible
        assert not (await agrees(scene, Claim(offer_id=tier, quantity=7))).possible
