"""Orders with deposits: set aside before anything is booked, let go when it is cancelled."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Text
from dvor.contracts.inventory import HoldStatus
from dvor.contracts.order_changes import LineCut
from dvor.contracts.orders import Order, OrderStatus, Wish
from dvor.contracts.payments import DepositCaptured, DepositReleased, PaymentStatus
from dvor.kernel import ids
from dvor.kernel.caller import Caller, Role
from dvor.kernel.money import Money
from dvor.services.orders.handlers import HANDLERS
from dvor.services.orders.views import deposit_terms
from tests.services.orders.conftest import DEPOSIT, PRICE, Scene, person
from tests.services.orders.test_orders import Moves, moves, told

__all__ = ["moves"]


async def place(moves: Moves, quantity: int = 1, *, asks: bool = False) -> Order:
    """An order of something that is lent against a deposit, and of something that is not."""
    scene = moves.scene
    assert scene.seller.user_id
    lent, other = (scene.catalog.offer(scene.seller.user_id) for _ in "12")
    scene.catalog.lent.add(lent)
    if asks:
        scene.catalog.asking.add(lent)
    wishes = (Wish(offer_id=lent, quantity=quantity), Wish(offer_id=other))
    with scene.house.calling(scene.customer):
        return await scene.house.orders.place(wishes)


async def paid(moves: Moves, quantity: int = 1) -> Order:
    order = await place(moves, quantity)
    await moves.authorise(order)
    await moves.scene.house.settle()
    return await moves.seen(order.id)


class TestPaying:
    async def test_asks_for_each_deposit_beside_the_price(self, moves: Moves) -> None:
        order = await place(moves, 3)
        payment = moves.scene.payment_of(order.id)
        (terms,) = moves.scene.payments.deposits[payment.id]
        assert (terms.line_id, terms.amount) == (order.lines[0].id, 3 * DEPOSIT)
        assert payment.amount.amount == order.total.amount == 4 * PRICE

    async def test_sets_them_aside_before_it_books(self, moves: Moves) -> None:
        order = await paid(moves)
        assert order.status is OrderStatus.PAID
        assert moves.scene.payments.secured == {moves.scene.payment_of(order.id).id}
        history = told(order)
        assert history.index("deposit_held") < history.index("booked")

    async def test_a_declined_deposit_means_that_nothing_is_booked_or_charged(
        self, moves: Moves
    ) -> None:
        order = await place(moves)
        moves.scene.payments.declining = True
        await moves.authorise(order)
        await moves.scene.house.settle()
        order = await moves.seen(order.id)
        payment = moves.scene.payment_of(order.id)
        assert order.status is OrderStatus.CANCELLED
        assert "booked" not in told(order)
        assert order.timeline[-1].details["reason"] == "deposit_declined"
        assert payment.status is PaymentStatus.VOIDED and payment.captured == 0
        assert moves.hold_status() is HoldStatus.RELEASED
        assert (payment.id, {}) in moves.scene.payments.released

    async def test_sellers_are_asked_when_deposits_are_held(self, moves: Moves) -> None:
        order = await place(moves, asks=True)
        await moves.authorise(order)
        await moves.scene.house.settle()
        history = told(await moves.seen(order.id))
        assert history.index("deposit_held") < history.index("approval_asked")

    async def test_nobody_is_asked_where_the_bank_says_no(self, moves: Moves) -> None:
        order = await place(moves, asks=True)
        moves.scene.payments.declining = True
        await moves.authorise(order)
        await moves.scene.house.settle()
        order = await moves.seen(order.id)
        assert order.status is OrderStatus.CANCELLED and "approval_asked" not in told(order)

    async def test_a_bank_out_of_reach_is_asked_again(self, moves: Moves) -> None:
        order = await place(moves)
        moves.scene.payments.become(moves.scene.payment_of(order.id).id, PaymentStatus.AUTHORISED)
        moves.scene.payments.down = True
        await moves.webhook(order, "payment.authorised")
        await asyncio.sleep(0.3)
        assert (await moves.seen(order.id)).status is OrderStatus.PROCESSING
        moves.scene.payments.down = False
        await moves.scene.house.clock.advance(seconds=11)
        await moves.scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PAID

    async def test_the_database_refuses_to_go_on_without(self, moves: Moves) -> None:
        order = await place(moves)
        with pytest.raises(Exception, match="nothing_before_deposit"):
            await moves.scene.house.db("orders").execute(
                "UPDATE orders SET pending_action = 'settle', pending_since = dvor_now()"
                " WHERE id = $1",
                order.id,
            )


class TestCancelling:
    async def test_lets_them_go(self, moves: Moves) -> None:
        order = await paid(moves)
        await moves.cancel(order.id)
        assert moves.scene.payments.released == [(moves.scene.payment_of(order.id).id, {})]

    async def test_a_part_keeps_the_deposit_of_what_is_left(self, moves: Moves) -> None:
        order = await paid(moves, 3)
        line = order.lines[0].id
        for needed in (2, 0):
            cut = LineCut(line_id=line, quantity=1 if needed else None)
            with moves.scene.house.calling(moves.scene.customer):
                await moves.scene.house.orders.cancel(order.id, (cut,))
            assert moves.scene.payments.released[-1][1] == {line: needed * DEPOSIT}

    async def test_of_another_line_leaves_them(self, moves: Moves) -> None:
        order = await paid(moves)
        with moves.scene.house.calling(moves.scene.customer):
            await moves.scene.house.orders.cancel(order.id, (LineCut(line_id=order.lines[1].id),))
        assert moves.scene.payments.released == []


class TestTelling:
    async def test_what_becomes_of_it_stands_in_the_history_once(self, moves: Moves) -> None:
        order = await paid(moves)
        kept = DepositCaptured(
            **_news(moves.scene, order), captured=Money(amount=100, currency="RUB"),
            reason="A bent wheel", evidence="",
        )  # fmt: skip
        async with moves.scene.house.db("orders").tx() as tx:
            await HANDLERS[DepositCaptured](tx, kept)
        entry = (await moves.seen(order.id)).timeline[-1]
        assert (entry.what, entry.details["reason"]) == ("deposit_captured", "A bent wheel")
        assert (entry.details["kept"], entry.details["amount"]) == ("100", str(DEPOSIT))

    async def test_sellers_read_of_their_own_only(self, scene: Scene, moves: Moves) -> None:
        rival = person(Role.CUSTOMER, Role.SELLER)
        assert rival.user_id
        assert scene.seller.user_id
        offers = [scene.catalog.offer(who) for who in (scene.seller.user_id, rival.user_id)]
        with scene.house.calling(scene.customer):
            order = await scene.house.orders.place(tuple(Wish(offer_id=one) for one in offers))
        async with scene.house.db("orders").tx() as tx:
            await HANDLERS[DepositReleased](tx, DepositReleased(**_news(scene, order), why="over"))
        seen: dict[Any, bool] = {}
        who: Caller
        for who in (scene.customer, scene.seller, rival):
            seen[who.user_id] = "deposit_released" in told(await moves.seen(order.id, who))
        assert list(seen.values()) == [True, True, False]


def _news(scene: Scene, order: Order) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "order_number": order.number,
        "deposit_id": ids.new(),
        "payer_id": order.customer_id,
        "seller_id": scene.seller.user_id,
        "title": Text(en="A bicycle"),
        "amount": Money(amount=DEPOSIT, currency="RUB"),
    }


ORDERED = datetime(2027, 3, 1, 9, tzinfo=UTC)


def _line(**more: Any) -> dict[str, Any]:
    return {
        "id": str(UUID(int=1)),
        "seller_id": str(UUID(int=2)),
        "kind": "rental",
        "title": {"en": "A thing", "ru": ""},
        "deposit": DEPOSIT,
        "timezone": "Asia/Tokyo",
        "start_date": None,
        "end_date": None,
        "hours_from": None,
        "hours_until": None,
        "starts_at": None,
    } | more


DATES = {"start_date": "2027-03-10", "end_date": "2027-03-12"}


class TestTerms:
    @pytest.mark.parametrize(
        ("line", "begins", "ends"),
        [
            (_line(**DATES), "2027-03-09T15:00Z", "2027-03-11T15:00Z"),
            (_line(kind="stay", **DATES), "2027-03-09T15:00Z", "2027-03-12T15:00Z"),
            (
                _line(hours_from="2027-03-10T08:00Z", hours_until="2027-03-10T10:00Z"),
                "2027-03-10T08:00Z",
                "2027-03-10T10:00Z",
            ),
            (_line(starts_at="2027-03-10T18:00Z"), "2027-03-10T18:00Z", "2027-03-10T18:00Z"),
            (_line(kind="product"), "2027-03-01T09:00Z", "2027-03-01T09:00Z"),
        ],
    )
    def test_follow_the_days_of_the_place(self, line: Any, begins: str, ends: str) -> None:
        row: Any = {"lines": [line], "created_at": ORDERED}
        (terms,) = deposit_terms(row)
        assert terms.begins_at == datetime.fromisoformat(begins)
        assert terms.ends_at == datetime.fromisoformat(ends)

    def test_nothing_is_asked_for_what_has_none(self) -> None:
        row: Any = {"lines": [_line(deposit=0)], "created_at": ORDERED}
        assert deposit_terms(row) == ()
