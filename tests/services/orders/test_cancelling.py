"""Cancelling by policy: whole orders, lines, parts of lines; and exactly what was previewed."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from dvor.contracts.cancellation import ANYTIME, CancellationStep, Policy, Preset, Until, presets
from dvor.contracts.inventory import HoldStatus
from dvor.contracts.order_changes import CutsTooMuch, LineCut, RefundChanged
from dvor.contracts.orders import (
    NotCancellable,
    Order,
    OrderStatus,
    UnknownLine,
    UnknownOrder,
    Wish,
)
from dvor.contracts.payments import PaymentStatus
from dvor.kernel import clock
from dvor.kernel.caller import Caller
from dvor.kernel.errors import Unavailable
from tests.services.orders.conftest import PRICE, Scene
from tests.services.orders.test_orders import Moves, told

MODERATE = presets(timed=True)[Preset.MODERATE]
"""All until 5 days before, half until the day before."""
FEE = Policy(steps=(CancellationStep(until=Until.HANDOVER, percent=100, fee=300),))


@dataclass
class Desk:
    """A paid order of some lines, and what is done with it."""

    scene: Scene
    wishes: list[Wish] = field(default_factory=list)

    @property
    def moves(self) -> Moves:
        return Moves(self.scene)

    def line(
        self, policy: Policy, *, days: int | None = 10, seller: UUID | None = None, **wish: Any
    ) -> UUID:
        """A line to be ordered, of what begins in so many days."""
        catalog = self.scene.catalog
        owner = seller or self.scene.seller.user_id
        assert owner is not None
        offer = catalog.offer(owner)
        catalog.policies[offer] = policy
        if days is not None:
            catalog.starts[offer] = clock.now() + timedelta(days=days)
        self.wishes.append(Wish(offer_id=offer, **wish))
        return offer

    async def order(self) -> Order:
        with self.scene.house.calling(self.scene.customer):
            order: Order = await self.scene.house.orders.place(tuple(self.wishes))
        await self.moves.authorise(order)
        await self.scene.house.settle()
        return await self.moves.seen(order.id)

    async def preview(self, order: Order, *cuts: LineCut, who: Caller | None = None) -> Any:
        with self.scene.house.calling(who or self.scene.customer):
            return await self.scene.house.orders.preview_cancellation(order.id, cuts)

    async def cancel(
        self, order: Order, *cuts: LineCut, who: Caller | None = None, back: int | None = None
    ) -> Order:
        with self.scene.house.calling(who or self.scene.customer):
            return await self.scene.house.orders.cancel(order.id, cuts, back)

    def claimed(self) -> list[tuple[UUID, int]]:
        (hold,) = self.scene.inventory.holds.values()
        return [(claim.offer_id, claim.quantity) for claim in hold.claims]

    def refunded(self) -> int:
        return sum(self.scene.payments.refunds.values())


@pytest.fixture
def desk(scene: Scene) -> Desk:
    return Desk(scene)


class TestWholeOrder:
    async def test_gives_back_what_was_agreed_when_it_was_ordered(self, desk: Desk) -> None:
        offer = desk.line(MODERATE, days=3)
        desk.line(ANYTIME, quantity=2)
        order = await desk.order()
        desk.scene.catalog.policies[offer] = ANYTIME  # later, for others
        assert [line.cancellation for line in order.lines] == [MODERATE, ANYTIME]
        preview = await desk.preview(order)
        assert [(n.rule, n.paid.amount, n.back.amount) for n in preview.lines] == [
            (2, PRICE, PRICE // 2),
            (1, 2 * PRICE, 2 * PRICE),
        ]
        assert preview.back is not None
        assert (preview.whole, preview.charged, preview.back.amount) == (True, True, 2_500)
        done = await desk.cancel(order, back=2_500)
        assert (done.status, done.refunded.amount) == (OrderStatus.CANCELLED, 2_500)
        assert desk.refunded() == 2_500
        assert [(n.cancelled, n.refunded and n.refunded.amount) for n in done.lines] == [
            (1, 500),
            (2, 2_000),
        ]
        assert told(done)[-4:] == ["cancelled", "line_cancelled", "line_cancelled", "refunded"]
        details = done.timeline[-3].details
        assert (details["rule"], details["amount"], details["paid"]) == ("2", "500", "1000")
        assert CancellationStep.model_validate_json(details["step"]) == MODERATE.steps[1]
        assert desk.moves.hold_status() is HoldStatus.RELEASED

    async def test_gives_nothing_back_when_every_rule_is_over(self, desk: Desk) -> None:
        desk.line(MODERATE, days=0)
        order = await desk.order()
        done = await desk.cancel(order, back=0)
        assert (done.status, done.refunded.amount) == (OrderStatus.CANCELLED, 0)
        assert desk.scene.payments.refunds == {}
        assert desk.scene.payment_of(order.id).status is PaymentStatus.CAPTURED
        assert done.timeline[-1].details["rule"] == "0"

    async def test_gives_everything_back_when_who_sells_cancels(self, desk: Desk) -> None:
        desk.line(Policy())
        for who in (desk.scene.seller, desk.scene.admin):
            order = await desk.order()
            assert (await desk.preview(order, who=who)).lines[0].in_full
            done = await desk.cancel(order, who=who, back=PRICE)
            assert done.refunded.amount == PRICE

    async def test_of_which_nothing_was_paid_is_free(self, desk: Desk) -> None:
        desk.line(Policy())
        with desk.scene.house.calling(desk.scene.customer):
            order = await desk.scene.house.orders.place(tuple(desk.wishes))
        preview = await desk.preview(order)
        assert (preview.whole, preview.charged) == (True, False)
        assert (await desk.cancel(order)).status is OrderStatus.CANCELLED

    async def test_asks_again_when_another_amount_would_come_back(self, desk: Desk) -> None:
        desk.line(MODERATE, days=6)
        order = await desk.order()
        previewed = (await desk.preview(order)).back.amount
        await desk.scene.house.clock.advance(days=2)
        with pytest.raises(RefundChanged) as refused:
            await desk.cancel(order, back=previewed)
        assert refused.value.details == {"back": PRICE // 2}
        seen = await desk.moves.seen(order.id)
        assert (seen.version, seen.status) == (order.version, OrderStatus.PAID)
        assert (await desk.cancel(order, back=PRICE // 2)).status is OrderStatus.CANCELLED


class TestParts:
    async def test_a_line_goes_and_the_rest_stays_paid_and_booked(self, desk: Desk) -> None:
        gone, kept = desk.line(MODERATE, days=3), desk.line(MODERATE, quantity=3)
        order = await desk.order()
        first = await desk.cancel(order, LineCut(line_id=order.lines[0].id), back=500)
        assert (first.status, first.refunded.amount) == (OrderStatus.PAID, 500)
        assert desk.claimed() == [(kept, 3)]
        assert desk.moves.hold_status() is HoldStatus.CONFIRMED
        assert told(first)[-3:] == ["lines_cancelled", "line_cancelled", "refunded"]
        cut = LineCut(line_id=order.lines[1].id, quantity=2)
        second = await desk.cancel(order, cut)
        assert (second.lines[1].cancelled, second.refunded.amount) == (2, 2_500)
        assert desk.claimed() == [(kept, 1)]
        last = await desk.cancel(order)
        assert (last.status, last.refunded.amount) == (OrderStatus.CANCELLED, 3_500)
        assert desk.refunded() == 3_500
        assert desk.scene.payment_of(order.id).refunded == 3_500
        assert gone != kept

    async def test_a_fee_is_kept_once(self, desk: Desk) -> None:
        desk.line(FEE, quantity=3)
        order = await desk.order()
        one = LineCut(line_id=order.lines[0].id, quantity=1)
        backs = [(await desk.preview(order, one)).back.amount]
        await desk.cancel(order, one)
        backs.append((await desk.preview(order, one)).back.amount)
        await desk.cancel(order)
        assert backs == [700, 1_000]
        assert desk.refunded() == 2_700

    async def test_seats_go_one_by_one(self, desk: Desk) -> None:
        hall = desk.line(ANYTIME, quantity=3)
        desk.scene.inventory.seated.add(hall)
        order = await desk.order()
        line = order.lines[0].id
        await desk.cancel(order, LineCut(line_id=line, seats=("B",)))
        (hold,) = desk.scene.inventory.holds.values()
        assert [claim.seats for claim in hold.claims] == [("A", "C")]
        with pytest.raises(CutsTooMuch):
            await desk.cancel(order, LineCut(line_id=line, seats=("B",)))
        seen = await desk.cancel(order, LineCut(line_id=line, quantity=1))
        assert seen.lines[0].cancelled_seats == ("B", "C")

    @pytest.mark.parametrize("quantity", [4, 1000])
    async def test_no_more_than_is_left(self, desk: Desk, quantity: int) -> None:
        desk.line(ANYTIME, quantity=3)
        order = await desk.order()
        line_id = order.lines[0].id
        with pytest.raises(CutsTooMuch):
            await desk.cancel(order, LineCut(line_id=line_id, quantity=quantity))
        for cuts in ((LineCut(line_id=uuid4()),), (LineCut(line_id=line_id),) * 2):
            with pytest.raises(UnknownLine):
                await desk.cancel(order, *cuts)
        assert desk.refunded() == 0

    async def test_are_for_paid_orders(self, desk: Desk) -> None:
        desk.line(ANYTIME, quantity=2)
        with desk.scene.house.calling(desk.scene.customer):
            order = await desk.scene.house.orders.place(tuple(desk.wishes))
        one = LineCut(line_id=order.lines[0].id, quantity=1)
        for move in (desk.preview, desk.cancel):
            with pytest.raises(NotCancellable):
                await move(order, one)

    async def test_a_seller_among_others_cancels_their_own(self, desk: Desk) -> None:
        other = desk.scene.stranger.user_id
        desk.line(Policy())
        desk.line(Policy(), seller=other)
        order = await desk.order()
        mine, theirs = (LineCut(line_id=line.id) for line in order.lines)
        for cuts in ((), (theirs,), (mine, theirs)):
            with pytest.raises(UnknownOrder):
                await desk.cancel(order, *cuts, who=desk.scene.seller)
        await desk.cancel(order, mine, who=desk.scene.seller)
        assert desk.refunded() == PRICE
        foreign = await desk.moves.seen(order.id, desk.scene.stranger)
        assert "line_cancelled" not in told(foreign)
        own = await desk.moves.seen(order.id, desk.scene.seller)
        assert "line_cancelled" in told(own)

    async def test_the_same_request_twice_is_one(self, desk: Desk) -> None:
        desk.line(ANYTIME, quantity=5)
        order = await desk.order()
        who = desk.scene.customer.model_copy(update={"key": uuid4()})
        one = LineCut(line_id=order.lines[0].id, quantity=1)
        tries = [desk.cancel(order, one, who=who) for _ in range(3)]
        await asyncio.gather(*tries, return_exceptions=True)
        seen = await desk.cancel(order, one, who=who)
        assert (seen.lines[0].cancelled, desk.refunded()) == (1, PRICE)

    async def test_rivals_never_cancel_more_than_there_is(self, desk: Desk) -> None:
        desk.line(ANYTIME, quantity=5)
        order = await desk.order()
        three = LineCut(line_id=order.lines[0].id, quantity=3)
        await asyncio.gather(*(desk.cancel(order, three) for _ in range(4)), return_exceptions=True)
        await desk.scene.house.settle()
        seen = await desk.moves.seen(order.id)
        assert (seen.lines[0].cancelled, desk.refunded()) == (3, 3 * PRICE)

    async def test_what_an_outage_interrupted_is_finished(self, desk: Desk) -> None:
        kept = desk.line(ANYTIME, quantity=2)
        desk.line(ANYTIME)
        order = await desk.order()
        desk.scene.inventory.down = True
        with pytest.raises(Unavailable):
            await desk.cancel(order, LineCut(line_id=order.lines[1].id))
        seen = await desk.moves.seen(order.id)
        assert (seen.lines[1].cancelled, seen.cancellable) == (0, False)
        desk.scene.inventory.down = False
        await desk.scene.house.clock.advance(seconds=30)
        await desk.scene.house.settle()
        seen = await desk.moves.seen(order.id)
        assert (seen.lines[1].cancelled, seen.status) == (1, OrderStatus.PAID)
        assert (desk.refunded(), desk.claimed()) == (PRICE, [(kept, 2)])
