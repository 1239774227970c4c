"""Webhooks of payments: written with the change, signed, delivered until somebody takes them."""

import asyncio
from typing import Any

import pytest

from dvor.contracts.payments import CardDeclined, Webhook
from dvor.kernel import clock, webhooks
from dvor.kernel.ids import new
from dvor.services.payments import queries, webhook_queries
from dvor.services.payments.tasks import DeliverWebhook, deliver_webhook

GOOD, BAD = "4242 4242 4242 4242", "4000 0000 0000 0002"


def types(sink: Any) -> list[str]:
    return [Webhook.model_validate_json(body).type for _, body in sink.came]


async def next_try(house: Any) -> None:
    """Let what waits for its next try be due."""
    for _ in range(100):
        if await house.db("payments").fetchval(
            "SELECT bool_and(attempts > 0) FROM tasks WHERE name = 'deliver_webhook'"
        ):
            break
        await asyncio.sleep(0.02)
    await house.clock.advance(minutes=6)
    await house.settle()


class TestDelivery:
    async def test_every_change_is_told_with_a_signature_that_fits(
        self, house: Any, orders: Any, ask: Any, token_of: Any, sink: Any
    ) -> None:
        payment = await ask()
        with pytest.raises(CardDeclined):
            await house.payments.submit_card(token_of(payment), BAD)
        await house.payments.submit_card(token_of(payment), GOOD)
        await orders.capture(payment.id)
        await orders.refund(payment.id, 1, new())
        await orders.void((await ask()).id)
        await house.settle()
        whole = ["declined", "authorised"]  # what the one who is told did not do
        assert sorted(types(sink)) == sorted(f"payment.{what}" for what in whole)
        secrets = webhooks.secrets_of("payments", house.settings.secret)
        for headers, body in sink.came:
            webhooks.verify(secrets, headers, body, clock.now())
            assert headers["content-type"] == "application/json"
        assert len({headers["webhook-id"] for headers, _ in sink.came}) == len(whole)

    async def test_asking_again_tells_nothing_again(
        self, house: Any, orders: Any, ask: Any, token_of: Any, sink: Any
    ) -> None:
        payment = await ask()
        for _ in range(3):
            await house.payments.submit_card(token_of(payment), GOOD)
            await house.settle()
        key = new()
        for _ in range(3):
            await orders.capture(payment.id)
            await orders.refund(payment.id, 5, key)
            await house.settle()
        assert types(sink) == ["payment.authorised"]

    @pytest.mark.parametrize("status", [503, 401, 302, 404])
    async def test_an_answer_that_is_no_yes_is_tried_again_as_the_same_message(
        self, house: Any, ask: Any, token_of: Any, sink: Any, status: int
    ) -> None:
        sink.answers = [status]
        await house.payments.submit_card(token_of(await ask()), GOOD)
        await house.settle()
        await next_try(house)
        (first, body), (second, same_body) = sink.came
        assert body == same_body
        assert first["webhook-id"] == second["webhook-id"]
        assert int(second["webhook-timestamp"]) >= int(first["webhook-timestamp"])
        webhooks.verify(
            webhooks.secrets_of("payments", house.settings.secret), second, body, clock.now()
        )
        row = await house.db("payments").fetchrow("SELECT * FROM webhook_deliveries")
        assert (row["attempts"], row["last_answer"]) == (2, "204")
        assert row["delivered_at"] is not None

    async def test_nobody_answering_is_tried_again(
        self, make_house: Any, identity: Any, sink: Any
    ) -> None:
        house = await make_house(
            "payments",
            fakes={"identity": identity},
            payments_webhook_url="http://127.0.0.1:9/closed",
        )
        payments = house.process.implementation("payments")
        webhook = await _written(house)
        with pytest.raises(Exception, match="ConnectionError"):
            await deliver_webhook.run(payments, DeliverWebhook(webhook_id=webhook))
        row = await house.db("payments").fetchrow("SELECT * FROM webhook_deliveries")
        assert row["attempts"] == 1
        assert row["delivered_at"] is None

    async def test_a_delivered_webhook_is_not_sent_again(self, house: Any, sink: Any) -> None:
        payments = house.process.implementation("payments")
        webhook = await _written(house)
        for _ in range(3):
            await deliver_webhook.run(payments, DeliverWebhook(webhook_id=webhook))
        assert len(sink.came) == 1

    async def test_a_change_rolled_back_tells_nothing(
        self, house: Any, ask: Any, token_of: Any, sink: Any
    ) -> None:
        payment = await ask()
        answers = await asyncio.gather(
            *(house.payments.submit_card(token_of(payment), GOOD) for _ in range(5))
        )
        await house.settle()
        assert len(answers) == 5
        assert types(sink) == ["payment.authorised"]


async def _written(house: Any) -> Any:
    """A webhook that no task was made for."""
    db = house.db("payments")
    payment, webhook = new(), new()
    await queries.insert_payment(
        db,
        id=payment,
        order_id=new(),
        order_number="D-1",
        payer_id=new(),
        amount=0,
        currency="RUB",
        pay_token=str(payment),
        return_path="/orders/1",
        expires_at=clock.now(),
    )
    await webhook_queries.insert_webhooks(db, [(webhook, payment, "payment.voided", b"{}")])
    return webhook
