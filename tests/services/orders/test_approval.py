"""Requests that sellers answer first: money set aside, everything held as long as they may take."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from dvor.contracts.cancellation import ANYTIME, Policy
from dvor.contracts.inventory import HoldStatus
from dvor.contracts.order_changes import RefundChanged
from dvor.contracts.orders import (
    NotApprovable,
    NotCancellable,
    Order,
    OrderSearch,
    OrderStatus,
    UnknownOrder,
    Viewpoint,
    Wish,
)
from dvor.contracts.payments import PaymentStatus
from dvor.kernel import clock
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import Refusal
from dvor.kernel.periods import HourRange
from tests.services.orders.conftest import Scene, person
from tests.services.orders.test_orders import Moves, moves, told

__all__ = ["moves"]

DAY = 86_400


async def request(
    moves: Moves,
    *sellers: Caller,
    more: tuple[Wish, ...] = (),
    hours: HourRange | None = None,
    policy: Policy = ANYTIME,
) -> Order:
    """An order of things of these sellers, who are asked first, and of `more`; paid for."""
    scene = moves.scene
    wishes = [*more]
    for seller in sellers or (scene.seller,):
        assert seller.user_id
        offer = scene.catalog.offer(seller.user_id)
        scene.catalog.asking.add(offer)
        scene.catalog.policies[offer] = policy
        wishes.append(Wish(offer_id=offer, hours=hours))
    with scene.house.calling(scene.customer):
        order = await scene.house.orders.place(tuple(wishes))
    await moves.authorise(order)
    await scene.house.settle()
    return await moves.seen(order.id)


async def approve(moves: Moves, order_id: UUID, who: Caller | None = None) -> Order:
    with moves.scene.house.calling(who or moves.scene.seller):
        return await moves.scene.house.orders.approve(order_id)


async def decline(moves: Moves, order_id: UUID, who: Caller | None = None) -> Order:
    with moves.scene.house.calling(who or moves.scene.seller):
        return await moves.scene.house.orders.decline(order_id)


async def waiting(scene: Scene, who: Caller) -> list[UUID]:
    search = OrderSearch(viewpoint=Viewpoint.SELLER, to_approve=True)
    with scene.house.calling(who):
        return [card.id for card in (await scene.house.orders.orders(search)).items]


async def consistent(moves: Moves, order_id: UUID) -> OrderStatus:
    """Money and booking agree with where the order ended."""
    await moves.scene.house.settle()
    order = await moves.seen(order_id)
    payment = moves.scene.payment_of(order_id).status
    hold = moves.hold_status()
    if order.status is OrderStatus.PAID:
        assert (payment, hold) == (PaymentStatus.CAPTURED, HoldStatus.CONFIRMED)
    else:
        assert order.status is OrderStatus.CANCELLED
        assert payment in (PaymentStatus.VOIDED, PaymentStatus.REFUNDED)
        assert hold is HoldStatus.RELEASED
    return order.status


class TestAsking:
    async def test_money_is_set_aside_and_everything_held_until_the_answer(
        self, scene: Scene, moves: Moves
    ) -> None:
        order = await request(moves)
        assert order.status is OrderStatus.PROCESSING
        assert order.needs_approval and not order.approvable and order.cancellable
        assert order.pay_path == ""
        assert scene.payment_of(order.id).status is PaymentStatus.AUTHORISED
        assert told(order)[-2:] == ["payment_authorised", "approval_asked"]
        assert order.approve_until is not None
        left = (order.approve_until - clock.now()).total_seconds()
        assert DAY - 60 < left <= DAY
        (hold,) = scene.inventory.holds.values()
        assert hold.expires_at >= order.approve_until + timedelta(seconds=59)
        assert (await moves.seen(order.id, scene.seller)).approvable
        assert not (await moves.seen(order.id, scene.admin)).approvable
        assert await waiting(scene, scene.seller) == [order.id]
        assert await waiting(scene, scene.stranger) == []

    async def test_it_still_waits_after_the_time_to_pay_and_after_another_webhook(
        self, scene: Scene, moves: Moves
    ) -> None:
        order = await request(moves)
        await moves.webhook(order, "payment.authorised")
        await scene.house.clock.advance(hours=2)
        await scene.house.settle()
        assert (await moves.seen(order.id)).approve_until == order.approve_until

    async def test_a_hold_that_ended_while_the_bank_answered_is_taken_again(
        self, scene: Scene, moves: Moves
    ) -> None:
        assert scene.seller.user_id
        offer = scene.catalog.offer(scene.seller.user_id)
        scene.catalog.asking.add(offer)
        with scene.house.calling(scene.customer):
            order = await scene.house.orders.place((Wish(offer_id=offer),))
        scene.inventory.lapse()
        await moves.authorise(order)
        await scene.house.settle()
        assert (await moves.seen(order.id)).approve_until
        assert moves.hold_status() is HoldStatus.HELD

    async def test_where_it_is_gone_meanwhile_the_money_is_let_go(
        self, scene: Scene, moves: Moves
    ) -> None:
        assert scene.seller.user_id
        offer = scene.catalog.offer(scene.seller.user_id)
        scene.catalog.asking.add(offer)
        with scene.house.calling(scene.customer):
            order = await scene.house.orders.place((Wish(offer_id=offer),))
        scene.inventory.lapse()
        scene.inventory.sold_out.add(offer)
        await moves.authorise(order)
        assert await consistent(moves, order.id) is OrderStatus.CANCELLED
        assert (await moves.seen(order.id)).timeline[-1].details == {"reason": "unavailable"}

    async def test_nobody_may_think_longer_than_until_it_begins(
        self, scene: Scene, moves: Moves
    ) -> None:
        begin = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=4)
        hours = HourRange(start=begin, end=begin + timedelta(hours=1))
        order = await request(moves, hours=hours)
        assert order.approve_until is not None
        assert abs(order.approve_until - begin) < timedelta(seconds=5)
        assert moves.hold_status() is HoldStatus.HELD

    async def test_what_needs_no_answer_waits_with_the_rest(
        self, scene: Scene, moves: Moves
    ) -> None:
        other = person(Role.SELLER)
        assert other.user_id
        order = await request(moves, more=(Wish(offer_id=scene.catalog.offer(other.user_id)),))
        assert order.approve_until and len(order.lines) == 2
        assert not (await moves.seen(order.id, other)).approvable
        assert await waiting(scene, other) == []
        with pytest.raises(UnknownOrder):
            await approve(moves, order.id, other)
        assert (await approve(moves, order.id)).status is OrderStatus.PAID


class TestAnswer:
    async def test_a_yes_books_and_charges_and_may_be_repeated(
        self, scene: Scene, moves: Moves
    ) -> None:
        order = await request(moves)
        for _ in "12":
            assert (await approve(moves, order.id)).status is OrderStatus.PAID
        assert await consistent(moves, order.id) is OrderStatus.PAID
        assert told(await moves.seen(order.id))[-3:] == ["approved", "booked", "paid"]
        assert await waiting(scene, scene.seller) == []
        with pytest.raises(NotApprovable):
            await decline(moves, order.id)

    async def test_a_no_lets_everything_go_and_may_be_repeated(self, moves: Moves) -> None:
        order = await request(moves)
        for _ in "12":
            assert (await decline(moves, order.id)).status is OrderStatus.CANCELLED
        assert await consistent(moves, order.id) is OrderStatus.CANCELLED
        assert (await moves.seen(order.id)).timeline[-1].details == {"reason": "declined"}
        with pytest.raises(NotApprovable):
            await approve(moves, order.id)

    async def test_no_answer_is_a_no(self, scene: Scene, moves: Moves) -> None:
        order = await request(moves)
        await scene.house.clock.advance(seconds=DAY + 1)
        with pytest.raises(Refusal):
            await approve(moves, order.id)
        assert await consistent(moves, order.id) is OrderStatus.CANCELLED
        assert (await moves.seen(order.id)).timeline[-1].details == {"reason": "unanswered"}

    async def test_all_who_are_asked_have_to_say_yes(self, scene: Scene, moves: Moves) -> None:
        other = person(Role.SELLER)
        order = await request(moves, scene.seller, other)
        half = await approve(moves, order.id)
        assert half.status is OrderStatus.PROCESSING
        assert told(half)[-1] == "approved_partly"
        assert scene.payment_of(order.id).status is PaymentStatus.AUTHORISED
        again = await approve(moves, order.id)
        assert told(again).count("approved_partly") == 1
        assert not half.approvable
        assert (await waiting(scene, scene.seller), await waiting(scene, other)) == ([], [order.id])
        assert (await approve(moves, order.id, other)).status is OrderStatus.PAID
        second = await request(moves, scene.seller, other)
        await approve(moves, second.id)
        assert (await decline(moves, second.id, other)).status is OrderStatus.CANCELLED
        sql = "SELECT data FROM outbox WHERE type = 'orders.order_cancelled.v1'"
        (cancelled,) = await scene.house.db("orders").fetch(sql)
        assert cancelled["data"]["declined_by"] == str(other.user_id)

    async def test_what_the_bank_no_longer_has_books_nothing(
        self, scene: Scene, moves: Moves
    ) -> None:
        order = await request(moves)
        scene.payments.become(scene.payment_of(order.id).id, PaymentStatus.VOIDED)
        answered = await approve(moves, order.id)
        assert answered.status is OrderStatus.CANCELLED
        assert await consistent(moves, order.id) is OrderStatus.CANCELLED
        assert answered.timeline[-1].details == {"reason": "uncharged"}

    async def test_who_is_more_than_a_seller_answers_all_the_same(
        self, scene: Scene, moves: Moves
    ) -> None:
        owner = person(Role.SELLER, Role.ADMIN)
        order = await request(moves, owner, scene.customer)  # who also buys from themself
        for who in (owner, scene.customer):
            assert (await moves.seen(order.id, who)).approvable
            assert not (await approve(moves, order.id, who)).approvable
        assert await consistent(moves, order.id) is OrderStatus.PAID

    async def test_nobody_else_answers(self, scene: Scene, moves: Moves) -> None:
        order = await request(moves)
        for who in (scene.customer, scene.stranger, scene.admin, person(Role.SELLER)):
            for answer in (approve, decline):
                with pytest.raises(UnknownOrder):
                    await answer(moves, order.id, who)

    async def test_what_needs_no_answer_takes_none(self, scene: Scene, moves: Moves) -> None:
        order = await moves.paid()
        assert not order.needs_approval
        with pytest.raises(UnknownOrder):
            await approve(moves, order.id)


class TestRaces:
    """Accepting, cancelling and the end of time: whoever locks the order first wins."""

    async def test_accepted_then_cancelled_by_the_customer(self, moves: Moves) -> None:
        order = await request(moves)
        await approve(moves, order.id)
        await moves.cancel(order.id)  # a paid order can be cancelled: all goes back
        assert await consistent(moves, order.id) is OrderStatus.CANCELLED
        assert moves.scene.payment_of(order.id).status is PaymentStatus.REFUNDED

    async def test_cancelled_by_the_customer_then_accepted(self, moves: Moves) -> None:
        order = await request(moves)
        await moves.cancel(order.id)
        with pytest.raises(NotApprovable):
            await approve(moves, order.id)
        assert await consistent(moves, order.id) is OrderStatus.CANCELLED
        assert moves.scene.payment_of(order.id).status is PaymentStatus.VOIDED

    async def test_accepted_then_time_is_over(self, scene: Scene, moves: Moves) -> None:
        order = await request(moves)
        await approve(moves, order.id)
        await scene.house.clock.advance(seconds=2 * DAY)
        assert await consistent(moves, order.id) is OrderStatus.PAID

    async def test_time_is_over_then_accepted(self, scene: Scene, moves: Moves) -> None:
        order = await request(moves)
        await scene.house.clock.advance(seconds=DAY + 1)
        await scene.house.settle()
        with pytest.raises(NotApprovable):
            await approve(moves, order.id)
        assert await consistent(moves, order.id) is OrderStatus.CANCELLED

    async def test_time_is_over_then_cancelled(self, scene: Scene, moves: Moves) -> None:
        order = await request(moves)
        await scene.house.clock.advance(seconds=DAY + 1)
        await scene.house.settle()
        assert (await moves.cancel(order.id)).status is OrderStatus.CANCELLED
        assert (await moves.seen(order.id)).timeline[-1].details == {"reason": "unanswered"}

    async def test_a_yes_at_the_last_moment_is_booked_though_time_ends_meanwhile(
        self, scene: Scene, moves: Moves
    ) -> None:
        order = await request(moves)
        await scene.house.clock.advance(seconds=DAY - 5)
        scene.inventory.down = True
        begun = await approve(moves, order.id)  # the yes counts, whoever is out of reach
        assert (begun.status, begun.approve_until) == (OrderStatus.PROCESSING, None)
        await scene.house.clock.advance(seconds=30)
        scene.inventory.down = False
        assert await consistent(moves, order.id) is OrderStatus.PAID

    async def test_a_double_click_charges_once(self, scene: Scene, moves: Moves) -> None:
        order = await request(moves)
        clicks = [approve(moves, order.id) for _ in range(5)]
        answers = await asyncio.gather(*clicks)
        assert {answer.status for answer in answers} == {OrderStatus.PAID}
        seen = await moves.seen(order.id)
        assert (told(seen).count("approved"), told(seen).count("paid")) == (1, 1)
        assert await consistent(moves, order.id) is OrderStatus.PAID

    async def test_two_owners_at_once_are_both_heard(self, moves: Moves) -> None:
        for _ in range(5):
            moves.scene.inventory.holds.clear()
            other = person(Role.SELLER)
            order = await request(moves, moves.scene.seller, other)
            await asyncio.gather(approve(moves, order.id), approve(moves, order.id, other))
            assert await consistent(moves, order.id) is OrderStatus.PAID

    async def test_who_cancelled_free_of_charge_is_asked_again_when_it_was_booked(
        self, scene: Scene, moves: Moves
    ) -> None:
        order = await request(moves, policy=Policy())  # once it is charged nothing comes back
        shown = order.total.amount  # nothing is charged: all of it is let go
        with scene.house.calling(scene.customer):
            assert not (await scene.house.orders.preview_cancellation(order.id)).charged
        await approve(moves, order.id)
        with scene.house.calling(scene.customer), pytest.raises(RefundChanged):
            await scene.house.orders.cancel(order.id, (), shown)
        assert await consistent(moves, order.id) is OrderStatus.PAID

    async def test_all_at_once_ends_one_way(self, scene: Scene, moves: Moves) -> None:
        """Ten rounds; what is not refused agrees with how the order ended."""
        allowed = (NotApprovable, NotCancellable)
        for number in range(10):
            scene.inventory.holds.clear()
            order = await request(moves)
            if number % 2:
                await scene.house.clock.advance(seconds=DAY + 1)
            acts = [approve(moves, order.id), moves.cancel(order.id), decline(moves, order.id)]
            done = await asyncio.gather(*acts[:: 1 if number % 3 else -1], return_exceptions=True)
            assert all(isinstance(answer, (Order, Refusal)) for answer in done), done
            refused = [answer for answer in done if isinstance(answer, Refusal)]
            assert all(
                isinstance(answer, allowed) or answer.http_status == 503 for answer in refused
            )
            assert await consistent(moves, order.id) in (OrderStatus.PAID, OrderStatus.CANCELLED)
