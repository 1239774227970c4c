"""A house of payments alone, and a place its webhooks go to."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from dvor.contracts.identity import Identity
from dvor.contracts.payments import CardDeclined, Payment, PaymentRequest
from dvor.kernel import clock
from dvor.kernel.caller import Caller
from dvor.kernel.ids import new
from dvor.kernel.money import Money
from dvor.services.payments.rules import CARDS, Verdict
from tests.conftest import houses
from tests.services.payments.stripe_fake import (
    API_KEY,
    ASKED,
    DECLINED,
    VISA,
    FakeStripe,
    serving,
)


class FakeIdentity(Identity):
    """Knows callers by their session, which a test hands out as it likes."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}

    async def session(self, token: str) -> Caller:
        return self.callers.get(token, Caller())

    async def authenticate(self, access_token: str) -> Caller:
        return self.callers.get(access_token, Caller())


@dataclass
class Sink:
    """A receiver of webhooks: keeps them, answers with the next of `answers`, else 204."""

    url: str = ""
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.came.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": self.url} if status == 302 else {})


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    sink = Sink()
    app = web.Application()
    app.router.add_post("/hooks", sink.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    yield sink
    await runner.cleanup()


@pytest.fixture
def identity() -> FakeIdentity:
    return FakeIdentity()


@pytest.fixture
async def house(make_house: Any, sink: Sink, identity: FakeIdentity) -> Any:
    """Payments alone; what the bank sends is lost."""
    return await make_house("payments", fakes={"identity": identity}, payments_webhook_url=sink.url)


@dataclass
class Line:
    """A telephone line from the bank to us: what it carries reaches the REST route."""

    url: str = ""
    house: Any = None
    came: list[tuple[dict[str, str], bytes, int]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        headers = {k: v for k, v in request.headers.items() if k.lower().startswith("webhook-")}
        body = await request.read()
        status = await self.send(headers, body)
        self.came.append(({k.lower(): v for k, v in headers.items()}, body, status))
        return web.Response(status=status)

    async def send(self, headers: dict[str, str], body: bytes) -> int:
        """Hand a webhook over; the status of the answer."""
        path = "/api/v1/payments/provider-webhooks"
        async with self.house.client() as client:
            return (await client.post(path, content=body, headers=headers)).status_code

    @property
    def types(self) -> list[str]:
        """What the bank has told."""
        return [json.loads(body)["type"] for _, body, _ in self.came]


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    app = web.Application()
    app.router.add_post("/", line.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    line.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield line
    await runner.cleanup()


@pytest.fixture
async def told_house(make_house: Any, sink: Sink, identity: FakeIdentity, line: Line) -> Any:
    """Payments alone, with a bank that reaches it."""
    line.house = await make_house(
        "payments",
        fakes={"identity": identity},
        payments_webhook_url=sink.url,
        provider_webhook_url=line.url,
    )
    return line.house


@pytest.fixture
def orders(house: Any) -> Any:
    """Payments as the orders service calls them."""
    return house.proxy("payments", "orders")


Ask = Callable[..., Awaitable[Payment]]


@pytest.fixture
def ask(orders: Any) -> Ask:
    """Ask for money: `await ask(amount=100_00)`."""

    async def ask(*args: Any, **more: Any) -> Payment:
        return await asked(orders, *args, **more)

    return ask


async def asked(
    orders: Any,
    amount: int = 100_00,
    payer: UUID | None = None,
    order: UUID | None = None,
    minutes: int = 15,
    **more: Any,
) -> Payment:
    """A payment that was asked for."""
    return await orders.request(
        PaymentRequest(
            order_id=order or new(),
            order_number="D-42",
            payer_id=payer or new(),
            amount=Money(amount=amount, currency="RUB"),
            return_path="/orders/42",
            expires_at=clock.now() + timedelta(minutes=minutes),
            **more,
        )
    )


def token(payment: Payment) -> str:
    """The secret of a payment's page."""
    return payment.pay_path.removeprefix("/pay/")


@pytest.fixture
def token_of() -> Callable[[Payment], str]:
    return token


BEFORE, NOW = b"b" * 32, b"n" * 32
"""Secrets: the one before, which still counts, and the one that signs."""


class Scene:
    """Payments, a bank that reaches it, and somebody who is told. This bank is the simulator."""

    card = CARDS[Verdict.APPROVED]
    """What the payer gives us of a good card."""
    tells = ("payment.authorised",)
    """What the bank says of a payment with a good card."""

    def __init__(self, house: Any, line: Line, sink: Sink) -> None:
        self.house, self.line, self.sink = house, line, sink
        self.orders = house.proxy("payments", "orders")
        self.service = house.process.implementation("payments")
        self.db = house.db("payments")

    async def tried(self, verdict: Verdict, **more: Any) -> Payment:
        """A payment tried with the card of an outcome."""
        payment = await asked(self.orders, **more)
        return await self.house.payments.submit_card(token(payment), CARDS[verdict])

    async def declined(self) -> Payment:
        """A payment whose card the bank did not take."""
        payment = await asked(self.orders)
        with pytest.raises(CardDeclined):
            await self.house.payments.submit_card(token(payment), CARDS[Verdict.DECLINED])
        return payment

    async def captured(
        self, amount: int = 100, verdict: Verdict = Verdict.APPROVED, **more: Any
    ) -> Payment:
        return await self.orders.capture((await self.tried(verdict, amount=amount, **more)).id)

    async def seen(self, payment: Payment) -> Payment:
        return await self.house.payments.open_page(token(payment))

    async def steps(self, payment: Payment) -> list[str]:
        return [step.what for step in (await self.orders.payment(payment.id)).steps]

    async def settle(self) -> None:
        """The bank tells what there is to tell, and everything that follows happens."""
        await self.house.settle()

    async def silence(self) -> None:
        """Long enough to become suspicious; then the timer."""
        await self.house.clock.advance(seconds=self.house.settings.provider_silence_seconds + 1)
        await self.service.reconcile()

    def told_by_bank(self, payment: Payment) -> list[tuple[dict[str, str], bytes, int]]:
        return [one for one in self.line.came if str(payment.id).encode() in one[1]]

    async def at_bank(self, payment: Payment) -> str:
        return await self.db.fetchval(
            "SELECT state FROM bank_payments WHERE reference = $1", str(payment.id)
        )

    async def refunded_at_bank(self, payment: Payment) -> int:
        return await self.db.fetchval(
            "SELECT refunded FROM bank_payments WHERE reference = $1", str(payment.id)
        )

    async def objects(self, payment: Payment) -> None:
        """The payer wants their money back from their bank."""
        await self.service.bank.open_dispute(str(payment.id))

    async def decides(self, payment: Payment, *, won: bool) -> None:
        """Their bank decides; `won`: for the seller."""
        await self.service.bank.decide_dispute(str(payment.id), won=won)


class StripeScene(Scene):
    """The same with Stripe as the bank: a fake, over HTTP. It tells when it is told to settle."""

    card = ""  # the payer gives us none
    tells = ("payment_intent.amount_capturable_updated", "checkout.session.completed")
    fake: FakeStripe

    async def opened(self, **more: Any) -> tuple[Payment, str]:
        """A payment, and the address of its page at Stripe."""
        payment = await asked(self.orders, **more)
        return payment, (await self.house.payments.submit_card(token(payment), "")).action_path

    async def tried(self, verdict: Verdict, **more: Any) -> Payment:
        payment, page = await self.opened(**more)
        await self.fake.pay(page, METHODS.get(verdict, VISA))
        if verdict in (Verdict.TIMEOUT, Verdict.NEVER):
            self.fake.events.clear()
        elif verdict is Verdict.APPROVED:
            return await self.came_back(payment)
        return await self.seen(payment)

    async def came_back(self, payment: Payment) -> Payment:
        """The payer's browser comes back from Stripe."""
        async with self.house.client() as browser:
            await browser.get(f"{payment.pay_path}/confirm")
        return await self.seen(payment)

    async def declined(self) -> Payment:
        payment, page = await self.opened()
        assert (await self.fake.pay(page, DECLINED))[0] == 402
        return payment

    async def captured(
        self, amount: int = 100, verdict: Verdict = Verdict.APPROVED, **more: Any
    ) -> Payment:
        payment = await self.tried(verdict, amount=amount, **more)
        await self.came_back(payment)
        return await self.orders.capture(payment.id)

    async def settle(self) -> None:
        for event in self.fake.events:
            headers, body = self.fake.signed(event)
            self.line.came.append((headers, body, await self.line.send(headers, body)))
        self.fake.events.clear()
        await self.house.settle()

    async def at_bank(self, payment: Payment) -> str:
        status: str = self.fake.of(payment.id)["status"]
        return {"requires_capture": "authorised", "canceled": "voided"}.get(status, status)

    async def refunded_at_bank(self, payment: Payment) -> int:
        return sum(
            refund["amount"]
            for refund in self.fake.refunds
            if refund["payment_intent"] == self.fake.of(payment.id)["id"]
        )

    async def objects(self, payment: Payment) -> None:
        self.fake.object_to(self.fake.of(payment.id)["id"])

    async def decides(self, payment: Payment, *, won: bool) -> None:
        self.fake.decide(self.fake.of(payment.id)["id"], "won" if won else "lost")


METHODS = {Verdict.DECLINED: DECLINED, Verdict.THREE_STEP: ASKED}


@asynccontextmanager
async def simulated_scene(template: Any) -> AsyncIterator[Scene]:
    """Payments with the simulator, which reaches it over HTTP."""
    line, sink = Line(), Sink()
    app = web.Application()
    app.router.add_post("/bank", line.take)
    app.router.add_post("/hooks", sink.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with houses(template) as make:
        line.house = await make(
            "payments",
            fakes={"identity": FakeIdentity()},
            payments_webhook_url=f"{base}/hooks",
            provider_webhook_url=f"{base}/bank",
            secret=NOW,
            secret_before=BEFORE,
        )
        yield Scene(line.house, line, sink)
    await runner.cleanup()


@asynccontextmanager
async def stripe_scene(template: Any) -> AsyncIterator[StripeScene]:
    """Payments with a Stripe beside it."""
    line, sink, fake = Line(), Sink(), FakeStripe()
    app = fake.app()
    app.router.add_post("/hooks", sink.take)
    runner = await serving(fake, app)
    async with houses(template) as make:
        line.house = await make(
            "payments",
            fakes={"identity": FakeIdentity()},
            payments_webhook_url=f"{fake.url}/hooks",
            payment_provider="stripe",
            stripe_url=fake.url,
            stripe_secret_key=API_KEY,
            stripe_webhook_secrets="whsec_now,whsec_before",
            provider_timeout_seconds=60.0,  # as slow as the machine is
        )
        scene = StripeScene(line.house, line, sink)
        scene.fake = fake
        yield scene
    await runner.cleanup()


@pytest.fixture(scope="module", params=["simulator", "stripe"])
async def scene(template: Any, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """What holds whoever moves the money."""
    make = simulated_scene if request.param == "simulator" else stripe_scene
    async with make(template) as scene:
        yield scene


SIMULATED = pytest.mark.parametrize("scene", ["simulator"], indirect=True)
"""What the simulator alone can do."""
STRIPED = pytest.mark.parametrize("scene", ["stripe"], indirect=True)
"""What is asked of Stripe alone."""
