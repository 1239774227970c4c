"""The bank does not give money back: asked again, by a key of its own, and never forgotten."""

from uuid import UUID, uuid4

import pytest

from dvor.contracts.cancellation import ANYTIME
from dvor.contracts.order_changes import LineCut
from dvor.contracts.orders import Order, OrderSearch, OrderStatus, Viewpoint
from dvor.contracts.payments import PaymentStatus
from tests.services.orders.conftest import PRICE, Scene
from tests.services.orders.test_cancelling import Desk, desk
from tests.services.orders.test_orders import told
from tests.services.orders.test_saga import saga_row

__all__ = ["desk"]


async def waiting(desk: Desk) -> list[UUID]:
    """What admins are shown."""
    with desk.scene.house.calling(desk.scene.admin):
        search = OrderSearch(viewpoint=Viewpoint.ADMIN, refund_refused=True)
        return [card.id for card in (await desk.scene.house.orders.orders(search)).items]


async def later(desk: Desk, order: Order, seconds: int) -> Order:
    """The order as it is then."""
    await desk.scene.house.clock.advance(seconds=seconds)
    await desk.scene.house.settle()
    return await desk.moves.seen(order.id)


class TestRefused:
    @pytest.mark.parametrize("partly", [False, True])
    async def test_is_asked_again_until_it_is_given(self, desk: Desk, partly: bool) -> None:
        desk.line(ANYTIME, quantity=2)
        order = await desk.order()
        desk.scene.payments.refusing = 2
        cuts = (LineCut(line_id=order.lines[0].id, quantity=1),) if partly else ()
        seen = await desk.cancel(order, *cuts)
        assert (seen.status, seen.refunded.amount) == (OrderStatus.PAID, 0)
        assert (seen.cancellable, told(seen)[-1]) == (False, "refund_refused")
        assert await waiting(desk) == [order.id]
        seen = await later(desk, order, 20)
        assert told(seen).count("refund_refused") == 1  # told once, refused twice
        assert (len(desk.scene.payments.refused), desk.refunded()) == (2, 0)
        seen = await later(desk, order, 40)
        given = PRICE if partly else 2 * PRICE
        assert (seen.refunded.amount, desk.refunded()) == (given, given)
        assert seen.status is (OrderStatus.PAID if partly else OrderStatus.CANCELLED)
        assert await waiting(desk) == []

    async def test_is_asked_less_and_less_often(self, desk: Desk) -> None:
        desk.line(ANYTIME)
        order = await desk.order()
        desk.scene.payments.refusing = 9
        await desk.cancel(order)
        pauses = list[float]()
        for _ in range(9):
            row = await saga_row(desk.scene, order.id)
            pauses.append((row["due_at"] - row["pending_since"]).total_seconds())
            await later(desk, order, 4000)
        assert desk.refunded() == PRICE
        assert len(desk.scene.payments.refused) == 9
        assert 7 < pauses[0] < 30

    async def test_counts_also_for_money_that_came_late(self, scene: Scene) -> None:
        moves = Desk(scene).moves
        order = await moves.place()
        await moves.cancel(order.id)
        scene.payments.refusing = 1
        payment = scene.payment_of(order.id)
        scene.payments.become(payment.id, PaymentStatus.CAPTURED, captured=PRICE)
        await moves.webhook(order, "payment.captured")
        await scene.house.settle()
        assert await waiting(Desk(scene)) == [order.id]
        seen = await later(Desk(scene), order, 40)
        assert told(seen)[-2:] == ["refund_refused", "late_payment_returned"]
        assert seen.refunded.amount == PRICE


class TestBorne:
    async def test_by_those_whose_sales_come_back(self, desk: Desk) -> None:
        other = uuid4()
        desk.line(ANYTIME, quantity=3)
        desk.line(ANYTIME, seller=other)
        order = await desk.order()
        first = order.lines[0]
        await desk.cancel(order, LineCut(line_id=first.id, quantity=1))
        await desk.cancel(order)
        payments = desk.scene.payments
        assert list(payments.borne.values()) == [
            {first.seller_id: PRICE},
            {first.seller_id: 2 * PRICE, other: PRICE},
        ]
