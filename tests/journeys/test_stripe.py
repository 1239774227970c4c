"""A purchase that is paid at Stripe, through all services: booked, captured, given back."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from dvor.contracts.orders import Order, OrderStatus
from dvor.kernel import clock
from tests.house.world import World, open_world
from tests.services.payments.stripe_fake import API_KEY, DECLINED, FakeStripe, serving


@pytest.fixture(scope="module")
async def fake() -> AsyncIterator[FakeStripe]:
    fake = FakeStripe()
    runner = await serving(fake, fake.app())
    yield fake
    await runner.cleanup()


@pytest.fixture(scope="module")
async def world(template: Any, fake: FakeStripe) -> AsyncIterator[World]:
    stripe: dict[str, Any] = {
        "payment_provider": "stripe",
        "stripe_url": fake.url,
        "stripe_secret_key": API_KEY,
        "stripe_webhook_secrets": "whsec_now",
        "provider_timeout_seconds": 60.0,  # as slow as the machine is
    }
    async with open_world(template, **stripe) as world:
        yield world


async def page_of(world: World, order: Order) -> str:
    """From the order to Stripe's page, as a browser goes."""
    answer = await world.page(world.customer, "POST", order.pay_path, {"action": "away"})
    answer = await world.page(world.customer, "GET", answer.headers["location"])
    return answer.headers["refresh"].removeprefix("0; url=")


async def told(world: World, fake: FakeStripe) -> None:
    """Stripe's events arrive, and everything follows."""

    async def send(headers: dict[str, str], body: bytes) -> int:
        path = "/api/v1/payments/provider-webhooks"
        return (await world.http.post(path, content=body, headers=headers)).status_code

    assert set(await fake.deliver(send)) <= {204}
    await world.house.settle()


async def seen(world: World, order: Order) -> Order:
    with world.customer.asking():
        return await world.house.orders.order(order.id)


class TestPurchase:
    async def test_is_booked_then_captured_and_given_back_when_it_is_cancelled(
        self, world: World, fake: FakeStripe
    ) -> None:
        order = await world.order()
        page = await page_of(world, order)
        assert (await fake.pay(page, DECLINED))[0] == 402
        await told(world, fake)
        status, back = await fake.pay(page)
        assert status == 303
        answer = await world.page(
            world.customer, "GET", back.removeprefix(world.house.settings.site)
        )
        assert answer.headers["location"] == f"/orders/{order.id}"
        await world.house.settle()  # no webhook has come yet
        assert (await seen(world, order)).status is OrderStatus.PAID
        intent = fake.of(await world.payment_id(order))
        assert intent["amount_received"] == order.total.amount
        await told(world, fake)
        answer = await world.api(world.customer, "POST", f"/api/v1/orders/{order.id}/cancel")
        assert answer.status_code < 300, answer.text
        await told(world, fake)
        assert (await seen(world, order)).status is OrderStatus.CANCELLED
        assert [refund["amount"] for refund in fake.refunds] == [order.total.amount]

    async def test_a_webhook_alone_is_enough(self, world: World, fake: FakeStripe) -> None:
        order = await world.order()
        await fake.pay(await page_of(world, order))
        await told(world, fake)
        assert (await seen(world, order)).status is OrderStatus.PAID

    async def test_without_webhook_and_browser_the_order_asks(
        self, world: World, fake: FakeStripe
    ) -> None:
        order = await world.order()
        await fake.pay(await page_of(world, order))
        fake.events.clear()
        await world.house.clock.advance(minutes=3)
        await world.house.process.implementation("payments").reconcile()
        await world.house.settle()
        assert (await seen(world, order)).status is OrderStatus.PAID

    async def test_what_nobody_pays_in_time_can_be_paid_no_more(
        self, world: World, fake: FakeStripe
    ) -> None:
        order = await world.order()
        page = await page_of(world, order)
        assert order.pay_until is not None
        left = order.pay_until - clock.now() + timedelta(minutes=1)
        await world.house.clock.advance(seconds=left.total_seconds())
        for _ in range(40):
            await world.house.settle()
            if (await seen(world, order)).status is OrderStatus.CANCELLED:
                break
        assert (await seen(world, order)).status is OrderStatus.CANCELLED
        assert (await fake.pay(page))[0] == 410
