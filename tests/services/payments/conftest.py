"""A house of payments alone, and a place its webhooks go to."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from dvor.contracts.identity import Identity
from dvor.contracts.payments import Payment, PaymentRequest
from dvor.kernel import clock
from dvor.kernel.caller import Caller
from dvor.kernel.ids import new
from dvor.kernel.money import Money
from dvor.services.payments.rules import CARDS, Verdict
from tests.conftest import houses


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
    """Payments, a bank that reaches it, and somebody who is told."""

    def __init__(self, house: Any, line: Line, sink: Sink) -> None:
        self.house, self.line, self.sink = house, line, sink
        self.orders = house.proxy("payments", "orders")
        self.service = house.process.implementation("payments")
        self.db = house.db("payments")

    async def tried(self, verdict: Verdict, **more: Any) -> Payment:
        """A payment tried with the card of an outcome."""
        payment = await asked(self.orders, **more)
        return await self.house.payments.submit_card(token(payment), CARDS[verdict])

    async def captured(self, amount: int = 100, verdict: Verdict = Verdict.APPROVED) -> Payment:
        return await self.orders.capture((await self.tried(verdict, amount=amount)).id)

    async def seen(self, payment: Payment) -> Payment:
        return await self.house.payments.open_page(token(payment))

    async def steps(self, payment: Payment) -> list[str]:
        return [step.what for step in (await self.orders.payment(payment.id)).steps]

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


@pytest.fixture(scope="module")
async def scene(template: Any) -> AsyncIterator[Scene]:
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
