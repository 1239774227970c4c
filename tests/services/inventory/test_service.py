"""Units are promised once: every operation of the contract, and every refusal."""

from datetime import timedelta
from typing import Any

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import (
    BelowPromised,
    Closed,
    HoldEnded,
    HoldStatus,
    InThePast,
    NeedsDates,
    SoldOut,
    TooFarAhead,
    UnknownHold,
    UnknownSupply,
)
from dvor.kernel import clock, ids
from dvor.kernel.caller import ANONYMOUS, Caller, Role
from dvor.kernel.errors import Conflict, Forbidden, Unauthenticated
from tests.services.inventory.conftest import Scene, nights, units


class TestSetSupply:
    async def test_says_how_many_there_are(self, scene: Scene) -> None:
        offer = await scene.offer(quantity=7)
        (supply,) = (await scene.inventory.supplies((offer,))).items
        assert (supply.quantity, supply.free, supply.open) == (7, 7, True)

    async def test_refuses_strangers_other_sellers_and_unknown_offers(self, scene: Scene) -> None:
        offer = await scene.offer()
        other = Caller(user_id=ids.new(), roles=(Role.SELLER,))
        for caller, refusal in ((ANONYMOUS, Unauthenticated), (other, Forbidden)):
            with scene.house.calling(caller), pytest.raises(refusal):
                await scene.inventory.set_supply(offer, 1)
        with scene.house.calling(scene.seller), pytest.raises(UnknownSupply):
            await scene.inventory.set_supply(ids.new(), 1)

    async def test_lets_admins(self, scene: Scene) -> None:
        offer = await scene.offer(quantity=7)
        admin = Caller(user_id=ids.new(), roles=(Role.ADMIN,))
        with scene.house.calling(admin):
            assert (await scene.inventory.set_supply(offer, 8)).free == 8

    async def test_cannot_go_below_what_is_promised(self, scene: Scene) -> None:
        goods, room = await scene.offer(quantity=5), await scene.offer(Kind.STAY, 5)
        await scene.hold(
            units(goods, 3), units(room, 2, nights(3, 5)), units(room, 2, nights(4, 6))
        )
        with scene.house.calling(scene.seller):
            with pytest.raises(BelowPromised) as refused:
                await scene.inventory.set_supply(goods, 2)
            assert refused.value.details == {"offer_id": goods, "promised": 3, "day": None}
            with pytest.raises(BelowPromised) as refused:
                await scene.inventory.set_supply(room, 3)
            assert refused.value.details["promised"] == 4
            assert refused.value.details["day"] == nights(4, 5).start
            assert (await scene.inventory.set_supply(goods, 3)).free == 0
            await scene.inventory.set_supply(room, 4)
        assert await scene.counters(room) == {(4, 2, 0), (4, 4, 0)}

    async def test_leaves_past_days_as_they_were(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 5)
        held = await scene.hold(units(room, 5, nights(0, 3)))
        await scene.confirm(held.id)
        await scene.house.clock.advance(seconds=2 * 86_400)
        await scene.release((await scene.hold(units(room, 5, nights(2, 3)))).id)
        with scene.house.calling(scene.seller), pytest.raises(BelowPromised):
            await scene.inventory.set_supply(room, 4)
        await scene.house.clock.advance(seconds=86_400)
        with scene.house.calling(scene.seller):
            await scene.inventory.set_supply(room, 1)
        assert (5, 0, 5) in await scene.counters(room)

    async def test_a_night_first_booked_later_has_the_new_quantity(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 5)
        with scene.house.calling(scene.seller):
            await scene.inventory.set_supply(room, 1)
        await scene.hold(units(room, 1, nights(0, 1)))
        with pytest.raises(SoldOut):
            await scene.hold(units(room, 1, nights(0, 1)))


class TestHold:
    async def test_takes_units_until_a_deadline(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=3)
        held = await scene.hold(units(goods, 2))
        left = held.expires_at - clock.now()
        assert held.status is HoldStatus.HELD
        assert timedelta(seconds=890) < left <= timedelta(seconds=900)
        assert await scene.free(goods) == 1

    async def test_takes_four_kinds_in_one_hold(self, scene: Scene) -> None:
        goods, ticket = await scene.offer(Kind.PRODUCT, 1), await scene.offer(Kind.EVENT, 2)
        drill, room = await scene.offer(Kind.RENTAL, 1), await scene.offer(Kind.STAY, 1)
        claims = (
            units(goods),
            units(ticket, 2),
            units(drill, 1, nights(1, 4)),
            units(room, 1, nights(0, 2)),
        )
        held = await scene.hold(*claims)
        assert (await scene.get_hold(held.id)).claims == claims
        assert [await scene.free(o) for o in (goods, ticket)] == [0, 0]

    async def test_is_all_or_nothing(self, scene: Scene) -> None:
        plenty, scarce = await scene.offer(quantity=9), await scene.offer(quantity=1)
        hold_id = ids.new()
        with pytest.raises(SoldOut) as refused:
            await scene.hold(units(plenty), units(scarce, 2), hold_id=hold_id)
        assert (refused.value.offer_id, refused.value.left) == (scarce, 1)
        assert [await scene.free(o) for o in (plenty, scarce)] == [9, 1]
        with pytest.raises(UnknownHold):
            await scene.get_hold(hold_id)

    async def test_judges_lines_on_one_thing_together(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=3)
        with pytest.raises(SoldOut):
            await scene.hold(units(goods, 2), units(goods, 2))
        await scene.hold(units(goods, 2), units(goods, 1))

    async def test_names_the_scarcest_night(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 3)
        await scene.hold(units(room, 2, nights(2, 3)))
        with pytest.raises(SoldOut) as refused:
            await scene.hold(units(room, 2, nights(0, 5)))
        assert (refused.value.left, refused.value.day) == (1, nights(2, 3).start)

    async def test_a_guest_arrives_on_the_day_another_leaves(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        await scene.hold(units(room, 1, nights(0, 2)))
        await scene.hold(units(room, 1, nights(2, 4)))
        with pytest.raises(SoldOut):
            await scene.hold(units(room, 1, nights(1, 2)))

    async def test_refuses_what_cannot_be_held(self, scene: Scene) -> None:
        goods, room = await scene.offer(), await scene.offer(Kind.STAY)
        closed = await scene.offer(on_sale=False)
        for claim, refusal in (
            (units(ids.new()), UnknownSupply),
            (units(closed), Closed),
            (units(room), NeedsDates),
            (units(goods, 1, nights(0, 1)), NeedsDates),
            (units(room, 1, nights(-1, 1)), InThePast),
            (units(room, 1, nights(700, 731)), TooFarAhead),
        ):
            with pytest.raises(refusal):
                await scene.hold(units(goods), claim)
        assert await scene.free(goods) == 10

    async def test_only_orders_may(self, scene: Scene) -> None:
        goods = await scene.offer()
        for part in ("", "web", "payments"):
            inventory = scene.house.proxy("inventory", part)
            for call in (
                inventory.hold(ids.new(), (units(goods),)),
                inventory.get_hold(ids.new()),
                inventory.confirm(ids.new()),
                inventory.release(ids.new()),
            ):
                with pytest.raises(Forbidden):
                    await call

    async def test_again_replaces_what_it_had(self, scene: Scene) -> None:
        first, second = await scene.offer(quantity=2), await scene.offer(quantity=2)
        held = await scene.hold(units(first, 2))
        await scene.hold(units(first, 1), units(second, 2), hold_id=held.id)
        assert [await scene.free(o) for o in (first, second)] == [1, 0]
        await scene.hold(units(second, 1), hold_id=held.id)
        assert [await scene.free(o) for o in (first, second)] == [2, 1]

    async def test_again_refused_stays_as_it_was(self, scene: Scene) -> None:
        first, second = await scene.offer(quantity=2), await scene.offer(quantity=2)
        held = await scene.hold(units(first, 2))
        with pytest.raises(SoldOut):
            await scene.hold(units(first, 1), units(second, 3), hold_id=held.id)
        assert (await scene.get_hold(held.id)) == held
        assert [await scene.free(o) for o in (first, second)] == [0, 2]

    async def test_repeated_is_harmless_and_moves_the_deadline(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=2)
        held = await scene.hold(units(goods, 2))
        await scene.house.clock.advance(seconds=600)
        again = await scene.hold(units(goods, 2), hold_id=held.id)
        assert again.expires_at > held.expires_at
        assert await scene.counters(goods) == {(2, 2, 0)}

    async def test_renewed_it_ends_an_hour_after_it_was_made(self, scene: Scene) -> None:
        goods = await scene.offer()
        held = await scene.hold(units(goods))
        made_at = held.expires_at - timedelta(seconds=900)
        for _ in range(4):
            await scene.house.clock.advance(seconds=800)
            held = await scene.hold(units(goods), hold_id=held.id)
        assert held.expires_at == made_at + timedelta(seconds=3600)

    async def test_expired_is_taken_anew(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=1)
        swept, unswept = await scene.hold(units(goods)), ids.new()
        await scene.expire()
        again = await scene.hold(units(goods), hold_id=swept.id)
        assert again.expires_at - clock.now() > timedelta(seconds=890)
        await scene.release(swept.id)
        await scene.hold(units(goods), hold_id=unswept)
        await scene.house.clock.advance(seconds=4000)
        again = await scene.hold(units(goods), hold_id=unswept)
        assert again.expires_at - clock.now() > timedelta(seconds=890)
        assert await scene.counters(goods) == {(1, 1, 0)}

    async def test_confirmed_or_released_is_not_taken_again(self, scene: Scene) -> None:
        goods = await scene.offer()
        confirmed, released = await scene.hold(units(goods)), await scene.hold(units(goods))
        await scene.confirm(confirmed.id)
        await scene.release(released.id)
        with pytest.raises(Conflict):
            await scene.hold(units(goods), hold_id=confirmed.id)
        with pytest.raises(HoldEnded):
            await scene.hold(units(goods), hold_id=released.id)


class TestConfirm:
    async def test_turns_held_into_sold_once(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        held = await scene.hold(units(room, 2, nights(0, 3)))
        for _ in range(2):
            assert (await scene.confirm(held.id)).status is HoldStatus.CONFIRMED
        assert await scene.counters(room) == {(2, 0, 2)}

    async def test_outlives_the_deadline(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=1)
        held = await scene.hold(units(goods))
        await scene.confirm(held.id)
        await scene.expire()
        assert (await scene.get_hold(held.id)).status is HoldStatus.CONFIRMED
        assert await scene.free(goods) == 0

    async def test_is_refused_after_the_deadline_swept_or_not(self, scene: Scene) -> None:
        goods = await scene.offer()
        held = await scene.hold(units(goods))
        await scene.house.clock.advance(seconds=901)
        assert (await scene.get_hold(held.id)).status is HoldStatus.EXPIRED
        with pytest.raises(HoldEnded):
            await scene.confirm(held.id)
        await scene.expire(seconds=0)
        with pytest.raises(HoldEnded):
            await scene.confirm(held.id)

    async def test_is_refused_for_released_and_unknown_ones(self, scene: Scene) -> None:
        held = await scene.hold(units(await scene.offer()))
        await scene.release(held.id)
        with pytest.raises(HoldEnded):
            await scene.confirm(held.id)
        with pytest.raises(UnknownHold):
            await scene.confirm(ids.new())


class TestRelease:
    async def test_frees_held_and_sold_units_once(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=5)
        held, sold = await scene.hold(units(goods, 2)), await scene.hold(units(goods, 3))
        await scene.confirm(sold.id)
        for hold in (held, sold, held, sold):
            assert (await scene.release(hold.id)).status is HoldStatus.RELEASED
        assert await scene.counters(goods) == {(5, 0, 0)}

    async def test_of_an_expired_one_frees_nothing_more_and_is_final(self, scene: Scene) -> None:
        goods = await scene.offer()
        held = await scene.hold(units(goods, 2))
        await scene.expire()
        assert (await scene.release(held.id)).status is HoldStatus.RELEASED
        assert await scene.free(goods) == 10
        with pytest.raises(HoldEnded):  # an owner of its order that slept meanwhile
            await scene.hold(units(goods, 2), hold_id=held.id)

    async def test_before_the_hold_came_refuses_the_hold(self, scene: Scene) -> None:
        goods, hold_id = await scene.offer(), ids.new()
        assert (await scene.release(hold_id)).status is HoldStatus.RELEASED
        with pytest.raises(HoldEnded):
            await scene.hold(units(goods), hold_id=hold_id)


class TestExpiry:
    async def test_frees_the_units_and_tells(self, scene: Scene) -> None:
        goods, room = await scene.offer(quantity=3), await scene.offer(Kind.STAY, 1)
        ended = [
            await scene.hold(units(goods, 2)),
            await scene.hold(units(goods, 1), units(room, 1, nights(0, 3))),
        ]
        await scene.house.clock.advance(seconds=600)
        alive = await scene.hold(units(await scene.offer()))
        await scene.expire(seconds=301)
        assert [(await scene.get_hold(h.id)).status for h in ended] == [HoldStatus.EXPIRED] * 2
        assert (await scene.get_hold(alive.id)).status is HoldStatus.HELD
        assert await scene.counters(goods) == {(3, 0, 0)}
        assert await scene.counters(room) == {(1, 0, 0)}
        rows = await scene.db.fetch(
            "SELECT aggregate FROM outbox WHERE type = 'inventory.hold_expired.v1'"
        )
        assert {row["aggregate"] for row in rows} == {hold.id for hold in ended}

    async def test_takes_more_than_one_batch(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=1000)
        for _ in range(230):
            await scene.hold(units(goods))
        await scene.expire()
        assert await scene.counters(goods) == {(1000, 0, 0)}


class TestAvailability:
    async def test_days_nobody_asked_for_are_free(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 4)
        await scene.hold(units(room, 3, nights(1, 3)))
        calendar = await scene.inventory.calendar(room, nights(0, 4))
        assert [day.free for day in calendar.days] == [4, 1, 1, 4]
        assert [day.day for day in calendar.days] == list(nights(0, 4).days())

    async def test_a_calendar_is_for_known_things_let_by_dates(self, scene: Scene) -> None:
        goods = await scene.offer()
        with pytest.raises(NeedsDates):
            await scene.inventory.calendar(goods, nights(0, 1))
        with pytest.raises(UnknownSupply):
            await scene.inventory.calendar(ids.new(), nights(0, 1))

    async def test_free_is_the_least_of_all_days(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 4)
        await scene.hold(units(room, 1, nights(0, 2)), units(room, 2, nights(1, 3)))
        asked = [nights(0, 1), nights(0, 4), nights(2, 4), nights(3, 4)]
        assert [await scene.free(room, dates) for dates in asked] == [3, 1, 2, 4]
        assert await scene.free(room) == 3

    async def test_many_at_once_in_the_order_asked_with_0_for_unknown(self, scene: Scene) -> None:
        goods, room, nobody = await scene.offer(quantity=2), await scene.offer(Kind.STAY), ids.new()
        found = await scene.inventory.free((nobody, room, goods), nights(0, 1))
        assert [(f.offer_id, f.free) for f in found.items] == [(nobody, 0), (room, 10), (goods, 2)]

    async def test_supplies_leave_out_unknown_ones(self, scene: Scene) -> None:
        goods, room = await scene.offer(quantity=5), await scene.offer(Kind.STAY, 3)
        await scene.hold(units(goods, 2), units(room, 1, nights(0, 1)))
        found = await scene.inventory.supplies((room, ids.new(), goods))
        assert [(s.offer_id, s.quantity, s.free) for s in found.items] == [
            (room, 3, 3),
            (goods, 5, 3),
        ]


class TestNews:
    async def test_publishing_opens_and_archiving_closes(self, scene: Scene) -> None:
        offer = await scene.offer(on_sale=False)
        await scene.publish(offer)
        await scene.hold(units(offer))
        await scene.archive(offer)
        with pytest.raises(Closed):
            await scene.hold(units(offer))

    async def test_an_offer_without_supply_has_nothing_to_sell(self, scene: Scene) -> None:
        offer = await scene.offer(quantity=None)
        await scene.publish(offer)
        with pytest.raises(SoldOut):
            await scene.hold(units(offer))
        (supply,) = (await scene.inventory.supplies((offer,))).items
        assert (supply.quantity, supply.open) == (0, True)

    async def test_offers_that_a_listing_lost_close(self, scene: Scene) -> None:
        kept, lost = await scene.offer(), await scene.offer()
        facts = scene.catalog.facts
        facts[lost] = facts[lost].model_copy(update={"listing_id": facts[kept].listing_id})
        await scene.db.execute(
            "UPDATE offers SET listing_id = $2 WHERE offer_id = $1", lost, facts[kept].listing_id
        )
        await scene.publish(kept, lost)
        await scene.publish(kept)
        await scene.hold(units(kept))
        with pytest.raises(Closed):
            await scene.hold(units(lost))

    async def test_a_late_supply_does_not_reopen_an_archived_offer(self, scene: Scene) -> None:
        offer = await scene.offer(quantity=None)
        await scene.archive(offer)
        with scene.house.calling(scene.seller):
            assert not (await scene.inventory.set_supply(offer, 3)).open

    async def test_a_moved_listing_changes_where_days_begin(self, scene: Scene) -> None:
        offer = await scene.offer(Kind.STAY)
        moved = {"timezone": "Pacific/Kiritimati"}
        scene.catalog.facts[offer] = scene.catalog.facts[offer].model_copy(update=moved)
        await scene.publish(offer)
        await scene.house.settle()
        stored = await scene.db.fetchval("SELECT timezone FROM offers WHERE offer_id = $1", offer)
        assert stored == "Pacific/Kiritimati"


class TestRest:
    async def test_shows_availability_to_everybody(self, scene: Scene) -> None:
        room, goods = await scene.offer(Kind.STAY, 2), await scene.offer(quantity=3)
        days = nights(0, 2)
        when = {"start": str(days.start), "end": str(days.end)}
        http: Any = scene.house.http
        calendar = await http.get(f"/api/v1/offers/{room}/calendar", params=when)
        assert [day["free"] for day in calendar.json()["days"]] == [2, 2]
        asked = {"offer_id": [str(room), str(goods)], **when}
        free = await http.get("/api/v1/availability", params=asked)
        assert [item["free"] for item in free.json()["items"]] == [2, 3]

    async def test_refuses_dates_that_are_none(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        http: Any = scene.house.http
        backwards = {"start": "2027-01-02", "end": "2027-01-01"}
        one = {"offer_id": str(room), "start": "2027-01-02"}
        for path, asked in (
            (f"/api/v1/offers/{room}/calendar", backwards),
            ("/api/v1/availability", {"offer_id": str(room), **backwards}),
            ("/api/v1/availability", one),
            ("/api/v1/availability", {}),
        ):
            assert (await http.get(path, params=asked)).status_code == 422

    async def test_strangers_cannot_set_a_supply(self, scene: Scene) -> None:
        offer = await scene.offer()
        answer = await scene.house.http.put(
            f"/api/v1/offers/{offer}/supply",
            json={"quantity": 5},
            headers={"Idempotency-Key": str(ids.new())},
        )
        assert answer.status_code == 401
