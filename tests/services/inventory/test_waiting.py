"""The line for what is sold out: joining, being served, taking, declining, leaving."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import (
    Claim,
    Closed,
    InThePast,
    LimitReached,
    NeedsDates,
    Rules,
    SoldOut,
    UnknownSupply,
)
from dvor.contracts.waiting import (
    AlreadyWaiting,
    LineTooLong,
    NothingToWaitFor,
    UnknownWaiting,
    Waiting,
    WaitingForTooMuch,
    WaitingStatus,
)
from dvor.kernel import clock, ids
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import Unauthenticated
from dvor.services.inventory import waiting_list
from dvor.services.inventory.serving import token_of
from tests.services.inventory.conftest import Scene, nights, units

HALF_A_DAY = 43_200


async def wait_for(scene: Scene, claim: Claim, customer: UUID | None = None) -> Waiting:
    """Stand in line as somebody, or as somebody new."""
    with scene.house.calling(Caller(user_id=customer or ids.new())):
        return await scene.inventory.wait(claim)


async def state(scene: Scene, *entries: Waiting) -> str:
    """What became of entries: their statuses' first letters."""
    rows = await scene.db.fetch(
        "SELECT id, status FROM waiting WHERE id = ANY($1)", [entry.id for entry in entries]
    )
    found = {row["id"]: row["status"] for row in rows}
    return " ".join(found[entry.id] for entry in entries)


async def full(scene: Scene, quantity: int = 1, **more: Any) -> tuple[UUID, UUID]:
    """An offer of goods of which everything is held: the offer and the hold."""
    offer = await scene.offer(quantity=quantity, **more)
    return offer, (await scene.hold(units(offer, quantity))).id


async def decline(scene: Scene, entry: Waiting) -> Waiting:
    """By the token of the mail."""
    return await scene.inventory.stop_waiting(
        entry.id, token_of(scene.house.settings.secret, entry.id)
    )


class TestJoining:
    async def test_one_joins_at_the_end_of_the_line(self, scene: Scene) -> None:
        offer, _ = await full(scene)
        entries = [await wait_for(scene, units(offer, n)) for n in (1, 2, 1)]
        assert [entry.ahead for entry in entries] == [0, 1, 2]
        first = entries[0]
        assert (first.status, first.title.en, first.quantity) == (WaitingStatus.WAITING, "Thing", 1)

    async def test_what_is_free_has_no_line(self, scene: Scene) -> None:
        offer = await scene.offer(quantity=2)
        with pytest.raises(NothingToWaitFor):
            await wait_for(scene, units(offer, 2))
        assert (await wait_for(scene, units(offer, 3))).ahead == 0

    async def test_only_some_nights_need_be_taken(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        await scene.hold(units(room, 1, nights(3, 4)))
        with pytest.raises(NothingToWaitFor):
            await wait_for(scene, units(room, 1, nights(1, 3)))
        entry = await wait_for(scene, units(room, 1, nights(2, 5)))
        assert entry.dates == nights(2, 5)

    async def test_nobody_is_ahead_on_other_nights(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        await scene.hold(units(room, 1, nights(0, 9)))
        dates = (nights(1, 3), nights(3, 5), nights(2, 4))
        entries = [await wait_for(scene, units(room, 1, each)) for each in dates]
        assert [entry.ahead for entry in entries] == [0, 0, 2]

    async def test_one_person_waits_once_for_the_same(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        person = ids.new()
        await wait_for(scene, units(offer), person)
        with pytest.raises(AlreadyWaiting):
            await wait_for(scene, units(offer, 2), person)
        await scene.release(hold)
        with pytest.raises(AlreadyWaiting):  # it is held for them: there is something to take
            await wait_for(scene, units(offer, 2), person)

    async def test_the_same_request_joins_once(self, scene: Scene) -> None:
        offer, _ = await full(scene)
        with scene.house.calling(Caller(user_id=ids.new(), key=ids.new())):
            first = await scene.inventory.wait(units(offer))
            assert await scene.inventory.wait(units(offer)) == first

    async def test_one_person_waits_for_twenty_things(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting_list, "ENTRIES_MAX", 2)
        person, offers = ids.new(), [(await full(scene))[0] for _ in range(3)]
        for offer in offers[:2]:
            await wait_for(scene, units(offer), person)
        with pytest.raises(WaitingForTooMuch):
            await wait_for(scene, units(offers[2]), person)

    async def test_a_line_has_an_end(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(waiting_list, "LINE_MAX", 1)
        offer, _ = await full(scene)
        await wait_for(scene, units(offer))
        with pytest.raises(LineTooLong):
            await wait_for(scene, units(offer))

    async def test_rules_count(self, scene: Scene) -> None:
        closed = await scene.offer(quantity=0, on_sale=False)
        room = await scene.offer(Kind.STAY, 0)
        limited, _ = await full(scene, 3)
        with scene.house.calling(scene.seller):
            await scene.inventory.set_rules(limited, Rules(per_customer=2))
        for claim, refusal in (
            (units(ids.new()), UnknownSupply),
            (units(closed), Closed),
            (units(room), NeedsDates),
            (units(room, 1, nights(-2, 1)), InThePast),
            (units(limited, 3), LimitReached),
        ):
            with pytest.raises(refusal):
                await wait_for(scene, claim)

    async def test_strangers_sign_in_first(self, scene: Scene) -> None:
        offer, _ = await full(scene)
        with pytest.raises(Unauthenticated):
            await scene.inventory.wait(units(offer))


class TestServing:
    async def test_what_is_released_is_held_for_the_first(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        one, two = [await wait_for(scene, units(offer)) for _ in range(2)]
        await scene.release(hold)
        assert await state(scene, one, two) == "offered waiting"
        kept = await scene.get_hold(one.id)
        assert kept.status == "held" and kept.claims == (units(offer),)
        ends = kept.expires_at - clock.now()
        assert timedelta(hours=11, minutes=59) < ends <= timedelta(hours=12)
        assert await scene.free(offer) == 0
        with pytest.raises(SoldOut):
            await scene.hold(units(offer))

    async def test_a_group_that_does_not_fit_is_passed_over_and_keeps_its_place(
        self, scene: Scene
    ) -> None:
        offer = await scene.offer(quantity=4)
        holds = [(await scene.hold(units(offer))).id for _ in range(4)]
        group, single = [await wait_for(scene, units(offer, n)) for n in (3, 1)]
        late = await wait_for(scene, units(offer))
        await scene.release(holds[0])
        assert await state(scene, group, single, late) == "waiting offered waiting"
        await decline(scene, single)
        assert await state(scene, group, late) == "waiting offered"
        for hold in holds[1:]:
            await scene.release(hold)
        assert await state(scene, group) == "offered"

    async def test_what_runs_out_goes_to_the_line(self, scene: Scene) -> None:
        offer, _ = await full(scene)
        entry = await wait_for(scene, units(offer))
        await scene.expire()
        assert await state(scene, entry) == "offered"

    async def test_a_cancelled_order_goes_to_the_line(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        await scene.confirm(hold)
        entry = await wait_for(scene, units(offer))
        await scene.release(hold)
        assert await state(scene, entry) == "offered"

    async def test_a_smaller_cart_frees_units_too(self, scene: Scene) -> None:
        offer, hold = await full(scene, 3)
        entry = await wait_for(scene, units(offer, 2))
        await scene.hold(units(offer, 1), hold_id=hold)
        assert await state(scene, entry) == "offered"

    async def test_more_units_go_to_the_line_in_order(self, scene: Scene) -> None:
        offer, _ = await full(scene)
        entries = [await wait_for(scene, units(offer, n)) for n in (2, 1, 1)]
        with scene.house.calling(scene.seller):
            await scene.inventory.set_supply(offer, 4)
        assert await state(scene, *entries) == "offered offered waiting"

    async def test_all_nights_or_none(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        early, late = [(await scene.hold(units(room, 1, nights(n, n + 1)))).id for n in (1, 2)]
        entry = await wait_for(scene, units(room, 1, nights(1, 4)))
        await scene.release(early)
        assert await state(scene, entry) == "waiting"
        assert await scene.free(room, nights(1, 2)) == 1  # nothing lies idle meanwhile
        await scene.release(late)
        assert await state(scene, entry) == "offered"
        assert await scene.free(room, nights(3, 4)) == 0

    async def test_what_begins_soon_is_held_until_it_begins(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        hold = (await scene.hold(units(room, 1, nights(0, 1)))).id
        entry = await wait_for(scene, units(room, 1, nights(0, 1)))
        await scene.release(hold)
        ends = (await scene.get_hold(entry.id)).expires_at - clock.now()
        assert timedelta(minutes=29) < ends <= timedelta(minutes=30)

    async def test_nothing_is_offered_while_it_is_off_sale(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        entry = await wait_for(scene, units(offer))
        await scene.archive(offer)
        await scene.release(hold)
        assert await state(scene, entry) == "waiting"
        await scene.publish(offer)
        with pytest.raises(SoldOut):  # whoever comes first now is not first in line
            await scene.hold(units(offer))
        assert await state(scene, entry) == "offered"

    async def test_back_on_sale_it_is_offered_by_itself(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        entry = await wait_for(scene, units(offer))
        await scene.archive(offer)
        await scene.release(hold)
        await scene.publish(offer)
        await scene.house.settle()
        assert await state(scene, entry) == "offered"

    async def test_what_its_owner_opens_again_is_offered(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        with scene.house.calling(scene.seller):
            closure = await scene.inventory.close_dates(room, nights(2, 5))
        entry = await wait_for(scene, units(room, 1, nights(3, 4)))
        with scene.house.calling(scene.seller):
            await scene.inventory.reopen(closure.id)
        await scene.house.settle()
        assert await state(scene, entry) == "offered"

    async def test_rules_that_allow_more_are_noticed(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        hold = (await scene.hold(units(room, 1, nights(1, 3)))).id
        entry = await wait_for(scene, units(room, 1, nights(1, 3)))
        for least, fate in ((3, "waiting"), (2, "offered")):
            with scene.house.calling(scene.seller):
                await scene.inventory.set_rules(room, Rules(length_min=least))
            await scene.release(hold)
            assert await state(scene, entry) == fate

    async def test_limits_per_customer_count(self, scene: Scene) -> None:
        offer = await scene.offer(quantity=2)
        with scene.house.calling(scene.seller):
            await scene.inventory.set_rules(offer, Rules(per_customer=1))
        person, other = ids.new(), ids.new()
        mine = await scene.for_orders.hold(ids.new(), (units(offer),), person)
        theirs = await scene.for_orders.hold(ids.new(), (units(offer),), other)
        entry = await wait_for(scene, units(offer), person)
        await scene.release(theirs.id)
        assert await state(scene, entry) == "waiting"
        assert await scene.free(offer) == 1
        await scene.release(mine.id)
        assert await state(scene, entry) == "offered"

    async def test_lines_cost_nobody_who_touches_something_else(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        entry = await wait_for(scene, units(offer))
        await scene.release(hold)
        await decline(scene, entry)
        assert not await scene.db.fetchval("SELECT bool_or(waited) FROM cells")

    async def test_who_is_served_is_told_once(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        person = ids.new()
        entry = await wait_for(scene, units(offer), person)
        await scene.release(hold)
        told = "SELECT data FROM outbox WHERE type = 'inventory.waiting_offered.v1'"
        (row,) = await scene.db.fetch(told)
        assert row["data"]["customer_id"] == str(person)
        assert row["data"]["entry"]["title"]["en"] == "Thing"
        assert row["data"]["token"] == token_of(scene.house.settings.secret, entry.id)


class TestAnOffer:
    async def test_unanswered_it_goes_to_the_next_and_on(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        entries = [await wait_for(scene, units(offer)) for _ in range(3)]
        await scene.release(hold)
        await scene.expire(HALF_A_DAY + 1)
        assert await state(scene, *entries) == "lapsed offered waiting"
        await scene.expire(HALF_A_DAY + 1)
        assert await state(scene, *entries) == "lapsed lapsed offered"
        told = "SELECT count(*) FROM outbox WHERE type = 'inventory.waiting_lapsed.v1'"
        assert await scene.db.fetchval(told) == 2

    async def test_declined_it_goes_to_the_next(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        one, two = [await wait_for(scene, units(offer)) for _ in range(2)]
        await scene.release(hold)
        for _ in range(2):
            assert (await decline(scene, one)).status is WaitingStatus.DECLINED
        assert await state(scene, one, two) == "declined offered"

    async def test_goes_over_into_a_cart(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        one, two = [await wait_for(scene, units(offer)) for _ in range(2)]
        await scene.release(hold)
        cart = ids.new()
        taken = await scene.for_orders.hold(cart, (units(offer),), None, one.id)
        await scene.for_orders.hold(cart, (units(offer),), None, one.id)  # harmless
        assert taken.expires_at - clock.now() <= timedelta(minutes=15)
        assert await state(scene, one, two) == "taken waiting"
        assert await scene.counters(offer) == {(1, 1, 0)}
        await scene.release(cart)
        assert await state(scene, one, two) == "taken offered"

    async def test_goes_over_beside_what_the_cart_has_already(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        other = await scene.offer(quantity=1)
        entry = await wait_for(scene, units(offer))
        await scene.release(hold)
        cart = (await scene.hold(units(other))).id
        claims = (units(other), units(offer))
        assert (await scene.for_orders.hold(cart, claims, None, entry.id)).claims == claims
        assert await state(scene, entry) == "taken"

    async def test_counts_once_against_a_limit(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        with scene.house.calling(scene.seller):
            await scene.inventory.set_rules(offer, Rules(per_customer=1))
        person = ids.new()
        entry = await wait_for(scene, units(offer), person)
        await scene.release(hold)
        await scene.for_orders.hold(ids.new(), (units(offer),), person, entry.id)
        assert await state(scene, entry) == "taken"

    async def test_what_is_refused_leaves_it_as_it_was(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        entry = await wait_for(scene, units(offer))
        await scene.release(hold)
        with pytest.raises(SoldOut):
            await scene.for_orders.hold(ids.new(), (units(offer, 2),), None, entry.id)
        assert await state(scene, entry) == "offered"
        assert await scene.counters(offer) == {(1, 1, 0)}

    async def test_too_late_one_comes_like_anybody(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        one, two = [await wait_for(scene, units(offer)) for _ in range(2)]
        await scene.release(hold)
        await scene.house.clock.advance(seconds=HALF_A_DAY + 1)
        for _ in range(2):  # before and after the sweeper
            with pytest.raises(SoldOut):
                await scene.for_orders.hold(ids.new(), (units(offer),), None, one.id)
            await scene.expire(0)
        assert await state(scene, one, two) == "lapsed offered"


class TestLeaving:
    async def test_who_leaves_is_passed(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        person = ids.new()
        one = await wait_for(scene, units(offer), person)
        two = await wait_for(scene, units(offer))
        with scene.house.calling(Caller(user_id=person)):
            for _ in range(2):
                assert (await scene.inventory.stop_waiting(one.id)).status is WaitingStatus.LEFT
        await scene.release(hold)
        assert await state(scene, one, two) == "left offered"

    async def test_one_may_come_back_to_the_end(self, scene: Scene) -> None:
        offer, _ = await full(scene)
        person = ids.new()
        one = await wait_for(scene, units(offer), person)
        await wait_for(scene, units(offer))
        with scene.house.calling(Caller(user_id=person)):
            await scene.inventory.stop_waiting(one.id)
        assert (await wait_for(scene, units(offer), person)).ahead == 1

    async def test_strangers_can_do_nothing(self, scene: Scene) -> None:
        offer, _ = await full(scene)
        entry = await wait_for(scene, units(offer))
        stranger = Caller(user_id=ids.new())
        other = token_of(scene.house.settings.secret, ids.new())
        with scene.house.calling(stranger):
            for token in ("", "guessed", "я", other):
                for asked in (scene.inventory.stop_waiting, scene.inventory.waiting_entry):
                    with pytest.raises(UnknownWaiting):
                        await asked(entry.id, token)
        assert await state(scene, entry) == "waiting"

    async def test_nobody_waits_for_what_has_begun(self, scene: Scene) -> None:
        room, (goods, _) = await scene.offer(Kind.STAY, 1), await full(scene)
        await scene.hold(units(room, 1, nights(0, 9)))
        claims = (units(room, 1, nights(0, 1)), units(room, 1, nights(6, 8)), units(goods))
        entries = [await wait_for(scene, claim) for claim in claims]
        await scene.house.clock.advance(days=3)
        await scene.house.process.runners["inventory"].run_timers_once()
        assert (await state(scene, *entries)).split()[0] == "over"
        assert "over" not in (await state(scene, *entries)).split()[1:]


class TestLists:
    async def test_ones_own_with_what_is_held_first(self, scene: Scene) -> None:
        person = ids.new()
        offers = [await full(scene) for _ in range(3)]
        entries = [await wait_for(scene, units(offer), person) for offer, _ in offers]
        await wait_for(scene, units(offers[0][0]))
        await scene.release(offers[1][1])
        with scene.house.calling(Caller(user_id=person)):
            await scene.inventory.stop_waiting(entries[0].id)
            items = (await scene.inventory.waiting()).items
        assert [(e.id, e.status) for e in items] == [
            (entries[1].id, WaitingStatus.OFFERED),
            (entries[2].id, WaitingStatus.WAITING),
            (entries[0].id, WaitingStatus.LEFT),
        ]

    async def test_sellers_see_how_many_wait_for_their_own(self, scene: Scene) -> None:
        offer, hold = await full(scene)
        for quantity in (1, 2, 4):
            await wait_for(scene, units(offer, quantity))
        await scene.release(hold)
        seen = {}
        admin = Caller(user_id=ids.new(), roles=(Role.ADMIN,))
        for name, caller in (("own", scene.seller), ("other", Caller(user_id=ids.new())), ("admin", admin)):  # fmt: skip
            with scene.house.calling(caller):
                seen[name] = (await scene.inventory.waiting_lines((offer, ids.new()))).items
        (line,) = seen["own"]
        assert (line.people, line.units, line.offered) == (2, 6, 1)
        assert seen["other"] == () and seen["admin"] == seen["own"]
