"""A house of payments alone, and a place its webhooks go to."""

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
    return await make_house("payments", fakes={"identity": identity}, payments_webhook_url=sink.url)


@pytest.fixture
def orders(house: Any) -> Any:
    """Payments as the orders service calls them."""
    return house.proxy("payments", "orders")


Ask = Callable[..., Awaitable[Payment]]


@pytest.fixture
def ask(orders: Any) -> Ask:
    """Ask for money: `await ask(amount=100_00)`."""

    async def ask(
        amount: int = 100_00,
        payer: UUID | None = None,
        order: UUID | None = None,
        minutes: int = 15,
    ) -> Payment:
        return await orders.request(
            PaymentRequest(
                order_id=order or new(),
                order_number="D-42",
                payer_id=payer or new(),
                amount=Money(amount=amount, currency="RUB"),
                return_path="/orders/42",
                expires_at=clock.now() + timedelta(minutes=minutes),
            )
        )

    return ask


def token(payment: Payment) -> str:
    """The secret of a payment's page."""
    return payment.pay_path.removeprefix("/pay/")


@pytest.fixture
def token_of() -> Callable[[Payment], str]:
    return token
