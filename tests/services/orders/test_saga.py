"""Who moves an order on: one owner at a time, a late one changes nothing, nobody is forgotten."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from dvor.contracts.inventory import HoldStatus
from dvor.contracts.orders import LatePaymentReturned, OrderPaid, OrderStatus
from dvor.contracts.payments import PaymentStatus
from dvor.kernel import metrics
from dvor.services.orders import queries, saga, saga_queries
from tests.services.orders.conftest import PRICE, Scene
from tests.services.orders.test_orders import Moves, moves, told

__all__ = ["moves"]  # a fixture


def service(scene: Scene) -> Any:
    """The object behind the contract."""
    return scene.house.process.implementation("orders")


async def owned(scene: Scene, order_id: UUID, action: str) -> Any:
    """Begin something with an order as a process that then falls asleep."""
    db = scene.house.db("orders")
    async with db.tx() as tx:
        row = await queries.locked(tx, order_id)
        assert row is not None
        return await saga_queries.begin(tx, row, action, "customer")


async def told_to_others(scene: Scene, wire_name: str) -> int:
    """How many events of a type were told."""
    sql = "SELECT count(*) FROM outbox WHERE type = $1"
    return await scene.house.db("orders").fetchval(sql, wire_name)


async def whole(scene: Scene, order_id: UUID) -> tuple[Any, ...]:
    """Everything that is written of an order."""
    db = scene.house.db("orders")
    row = await db.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    history = await db.fetch("SELECT * FROM order_history WHERE order_id = $1", order_id)
    return row, history, await db.fetchval("SELECT count(*) FROM outbox")


class TestOwners:
    async def test_a_lease_that_lapsed_is_taken_over(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        scene.payments.become(scene.payment_of(order.id).id, PaymentStatus.AUTHORISED)
        await owned(scene, order.id, "settle")  # and its process dies
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PROCESSING
        await scene.house.clock.advance(seconds=11)
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PAID

    @pytest.mark.parametrize("asleep", ["settle", "cancel"])
    async def test_what_a_late_owner_writes_changes_nothing(
        self, moves: Moves, scene: Scene, asleep: str
    ) -> None:
        order = await moves.place()
        scene.payments.become(scene.payment_of(order.id).id, PaymentStatus.AUTHORISED)
        late = await owned(scene, order.id, asleep)
        await scene.house.clock.advance(seconds=11)
        await scene.house.settle()
        if asleep == "settle":
            await moves.cancel(order.id)
            await scene.house.settle()
        before = await whole(scene, order.id)
        await service(scene).saga.move(late)
        assert await whole(scene, order.id) == before
        assert moves.hold_status() is HoldStatus.RELEASED
        assert (await moves.seen(order.id)).status is OrderStatus.CANCELLED

    async def test_of_many_who_come_at_once_one_owns_it(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        await scene.house.clock.advance(minutes=3)
        db = scene.house.db("orders")
        found = await asyncio.gather(*(saga_queries.claim(db, order.id) for _ in range(6)))
        assert sum(one is not None for one in found) <= 1  # or the service itself was faster

    async def test_a_request_waits_for_somebody_elses_step(
        self, moves: Moves, scene: Scene
    ) -> None:
        order = await moves.paid()
        late = await owned(scene, order.id, "cancel")
        waiting = asyncio.create_task(moves.cancel(order.id))
        await asyncio.sleep(0.15)
        assert not waiting.done()
        await service(scene).saga.move(late)
        assert (await waiting).status is OrderStatus.CANCELLED


class TestTroubles:
    async def test_a_bug_is_told_and_tried_again(
        self, moves: Moves, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = await moves.place()
        failed = metrics.SAGA_STEPS.labels("settle", "failed")
        before = failed._value.get()

        async def broken(*_: Any) -> None:
            raise RuntimeError("a bug")

        with monkeypatch.context() as patch:
            patch.setattr(service(scene).steps, "_book", broken)
            await moves.authorise(order)
            await asyncio.sleep(0.3)
            assert failed._value.get() > before
        row = await saga_row(scene, order.id)
        assert row["tries"] >= 1
        assert row["pending_action"] == "settle"
        await scene.house.clock.advance(seconds=15)
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PAID

    async def test_the_loop_outlives_a_bad_moment(
        self, moves: Moves, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = await moves.place()
        scene.payments.become(scene.payment_of(order.id).id, PaymentStatus.AUTHORISED)

        async def broken(*_: Any) -> None:
            raise RuntimeError("a bug")

        with monkeypatch.context() as patch:
            patch.setattr(saga_queries, "claim_due", broken)
            await scene.house.clock.advance(seconds=130)
            await asyncio.sleep(0.2)
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PAID

    async def test_the_watchdog_barks_after_a_minute(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        scene.inventory.down = True
        await moves.authorise(order)
        await service(scene).saga.watch()
        assert metrics.ORDERS_STUCK._value.get() == 0
        await scene.house.clock.advance(seconds=61)
        await service(scene).saga.watch()
        assert metrics.ORDERS_STUCK._value.get() == 1
        scene.inventory.down = False
        for _ in range(20):  # the more often it has failed, the later it is tried again
            await scene.house.clock.advance(seconds=15)
            await scene.house.settle()
            await service(scene).saga.watch()
            if not metrics.ORDERS_STUCK._value.get():
                break
        assert metrics.ORDERS_STUCK._value.get() == 0

    async def test_nobody_can_be_forgotten(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        with pytest.raises(asyncpg.CheckViolationError, match="nobody_is_forgotten"):
            await scene.house.db("orders").execute(
                "UPDATE orders SET due_at = NULL WHERE id = $1", order.id
            )

    async def test_an_unknown_step_is_not_taken_for_another(
        self, moves: Moves, scene: Scene
    ) -> None:
        order = await moves.place()
        row = dict(await saga_row(scene, order.id)) | {"pending_action": "dance"}
        with pytest.raises(LookupError, match="dance"):
            await service(scene).steps.do(row)

    async def test_a_step_is_given_up_before_its_lease(self) -> None:
        assert saga_queries.LEASE.total_seconds() > saga.STEP_SECONDS


async def saga_row(scene: Scene, order_id: UUID) -> Any:
    """The row of an order."""
    return await scene.house.db("orders").fetchrow("SELECT * FROM orders WHERE id = $1", order_id)


class TestLook:
    async def test_a_webhook_that_never_comes_is_not_needed(
        self, moves: Moves, scene: Scene
    ) -> None:
        order = await moves.place()
        scene.payments.become(scene.payment_of(order.id).id, PaymentStatus.AUTHORISED)
        await scene.house.clock.advance(seconds=100)
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PROCESSING
        await scene.house.clock.advance(seconds=25)
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PAID

    async def test_an_open_payment_is_asked_about_again_and_again(
        self, moves: Moves, scene: Scene
    ) -> None:
        order = await moves.place()
        for _ in range(3):
            await scene.house.clock.advance(seconds=125)
            await scene.house.settle()
            row = await saga_row(scene, order.id)
            assert row["due_at"] <= row["held_until"]
            assert row["status"] == OrderStatus.PROCESSING
        assert (await saga_row(scene, order.id))["epoch"] >= 4


class TestLateMoney:
    async def test_reserved_is_let_go(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        await moves.cancel(order.id)
        await moves.authorise(order)
        await scene.house.settle()
        seen = await moves.seen(order.id)
        assert seen.status is OrderStatus.CANCELLED
        assert told(seen)[-1] == "late_payment_returned"
        assert scene.payment_of(order.id).status is PaymentStatus.VOIDED
        assert await told_to_others(scene, LatePaymentReturned.wire_name) == 1

    async def test_taken_is_given_back_once(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        await moves.cancel(order.id)
        payment = scene.payment_of(order.id)
        scene.payments.become(payment.id, PaymentStatus.CAPTURED, captured=PRICE)
        for _ in range(3):
            await moves.webhook(order, "payment.captured")
            await scene.house.settle()
        seen = await moves.seen(order.id)
        assert seen.refunded.amount == PRICE
        assert list(scene.payments.refunds.values()) == [PRICE]
        assert told(seen).count("late_payment_returned") == 1
        assert await told_to_others(scene, OrderPaid.wire_name) == 0
        assert moves.hold_status() is HoldStatus.RELEASED
