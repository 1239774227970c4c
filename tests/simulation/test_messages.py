"""What the bank tells, in any order, any number of times, too early, too late or never."""

import asyncio
import os
import random
from typing import Any
from uuid import UUID, uuid4

from dvor.contracts.orders import Order
from dvor.contracts.payments import Webhook
from dvor.kernel import clock, webhooks
from dvor.kernel.caller import Caller
from tests.seeds import fresh
from tests.simulation.checks import facts, pay, place, wind_up, wrong
from tests.simulation.stage import Stage

NIGHTLY = os.environ.get("DVOR_TEST_TIER") == "nightly"
PAYMENTS = 2_000 if NIGHTLY else 40
DELIVERIES = 5
"""Of each event, on average (FT-2: 2,000 payments, 10,000 deliveries)."""
COPIES = 8
AT_ONCE = 24
HOLD_SECONDS = 900
LATE_CARD = "4000000000000044"


async def bought(stage: Stage, units: int = 1) -> tuple[Caller, UUID, Order]:
    """An order that can be paid, of an offer with so many units."""
    offer, customer = await stage.offer(units), stage.customer()
    return customer, offer, await place(stage, customer, offer)


async def sent(stage: Stage) -> list[Any]:
    """What the bank has to say, though nobody hears it yet."""
    stage.sent.clear()
    stage.closed = True
    while await stage.run_tasks("payments"):
        pass
    stage.closed = False
    return list(stage.sent)


async def forget(stage: Stage) -> None:
    """What the bank has to say will not be heard while this test lasts."""
    await stage.db("payments").execute(
        "UPDATE tasks SET run_at = dvor_now() + interval '9 days' WHERE state = 'due'"
    )


async def told(stage: Stage, order: Order) -> list[str]:
    """Which mails the customer got about an order."""
    rows = await stage.db("notifications").fetch(
        "SELECT topic FROM notifications WHERE subject_id = $1 AND recipient_id = $2"
        " AND mailed_at IS NOT NULL ORDER BY topic",
        order.id,
        order.customer_id,
    )
    return [row["topic"] for row in rows]


class TestManyDeliveries:
    """FT-2."""

    async def test_each_event_has_one_effect_as_if_told_once_and_in_order(
        self, stage: Stage
    ) -> None:
        dice = random.Random(fresh())
        orders = [(await bought(stage))[2] for _ in range(PAYMENTS)]
        for order in orders:
            await pay(stage, order)
        events = await sent(stage)
        deliveries = [one for one in events for _ in range(dice.randint(1, 2 * DELIVERIES - 1))]
        dice.shuffle(deliveries)
        deliveries += [events[0]] * COPIES  # in one millisecond
        for start in range(0, len(deliveries), AT_ONCE):
            batch = deliveries[start : start + AT_ONCE]
            looks = [stage.move_orders() for _ in range(4)]  # beside the customers' return
            await asyncio.gather(*(stage.deliver(*one) for one in batch), *looks)
            if dice.random() < 0.1:
                await stage.advance(dice.uniform(0, 2 * HOLD_SECONDS / 10))
        await wind_up(stage)
        for order in orders:
            found = await facts(stage, order.id)
            assert not wrong(found), found
            assert found["status"] == "paid"
            assert found["captured"] == order.total.amount
            assert found["history"].count("payment_authorised") == 1

    async def test_eight_copies_in_one_millisecond(self, stage: Stage) -> None:
        *_, order = await bought(stage)
        await pay(stage, order)
        (event,) = await sent(stage)
        answers = await asyncio.gather(*(stage.deliver(*event) for _ in range(COPIES)))
        assert set(answers) == {204}
        await wind_up(stage)
        found = await facts(stage, order.id)
        assert (found["status"], found["history"].count("paid")) == ("paid", 1)


class TestTooEarlyOrNever:
    """FT-3."""

    async def test_before_the_order_is_written_it_is_asked_to_come_again(
        self, stage: Stage
    ) -> None:
        offer, customer = await stage.offer(1), stage.customer()
        placing = stage.director.enter("customer", place(stage, customer, offer))
        await stage.director.until(placing, "orders.payment_requested begins")
        token = await stage.db("payments").fetchval(
            "SELECT pay_token FROM payments ORDER BY created_at DESC, id DESC LIMIT 1"
        )
        await stage.payments.submit_card(token, "4242424242424242")
        (event,) = await sent(stage)
        assert await stage.deliver(*event) == 404
        await stage.director.until(placing)
        assert placing.task is not None
        order = placing.task.result()
        assert await stage.deliver(*event) == 204
        await stage.settle()
        assert (await facts(stage, order.id))["status"] == "paid"

    async def test_of_something_unknown_is_never_swallowed(self, stage: Stage) -> None:
        *_, order = await bought(stage)
        payment = await stage.db("payments").fetchval(
            "SELECT id FROM payments WHERE order_id = $1", order.id
        )
        secret = webhooks.secrets_of("payments", stage.process.settings.secret)[0]
        for known, unknown in ((payment, uuid4()), (uuid4(), order.id)):
            body = Webhook(type="payment.authorised", payment_id=known, order_id=unknown)
            content = body.model_dump_json().encode()
            headers = webhooks.sign(secret, uuid4().hex, clock.now(), content)
            assert await stage.deliver(headers, content) == 404

    async def test_never_told_it_is_settled_within_three_minutes(self, stage: Stage) -> None:
        *_, order = await bought(stage)
        await pay(stage, order)
        await sent(stage)
        await forget(stage)
        for _ in range(6):
            await stage.advance(30)
            await stage.settle()
        assert (await facts(stage, order.id))["status"] == "paid"


class TestLateMoney:
    """FS-8: money whose hold is gone books only what is free, else goes back, and is told so."""

    async def late(self, stage: Stage) -> tuple[UUID, Order]:
        """An order paid in time, of which orders hears after its hold has ended."""
        _, offer, order = await bought(stage)
        await pay(stage, order)
        await sent(stage)
        await forget(stage)
        await stage.advance(HOLD_SECONDS + 1)
        await stage.sweep()
        return offer, order

    async def test_what_is_free_is_held_again(self, stage: Stage) -> None:
        _, order = await self.late(stage)
        await stage.settle()
        found = await facts(stage, order.id)
        assert (found["status"], found["hold"]) == ("paid", "confirmed")
        assert "order_paid" in await told(stage, order)

    async def test_what_was_sold_meanwhile_is_not_sold_again(self, stage: Stage) -> None:
        offer, order = await self.late(stage)
        rival = stage.customer()
        other = await place(stage, rival, offer)
        await pay(stage, other)
        await stage.settle()
        found, theirs = await facts(stage, order.id), await facts(stage, other.id)
        assert (found["status"], found["payment"], found["captured"]) == ("cancelled", "voided", 0)
        assert theirs["status"] == "paid"
        mails = await told(stage, order)
        assert "order_cancelled" in mails
        assert "order_paid" not in mails
        assert not wrong(found)

    async def test_what_comes_when_all_is_over_is_let_go(self, stage: Stage) -> None:
        _, _, order = await bought(stage)
        await pay(stage, order, LATE_CARD)
        for seconds in (HOLD_SECONDS, 120, 1000):  # the bank says yes a minute after the time
            await stage.advance(seconds)
            await stage.settle()
        found = await facts(stage, order.id)
        assert (found["status"], found["payment"], found["captured"]) == ("cancelled", "voided", 0)
        bank = await stage.db("payments").fetchval(
            "SELECT state FROM bank_payments b JOIN payments p ON p.id::text = b.reference"
            " WHERE p.order_id = $1",
            order.id,
        )
        assert bank == "voided", "the money is still set aside"
        assert "order_paid" not in await told(stage, order)
        assert not wrong(found)
