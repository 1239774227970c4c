"""CR-5: the connection breaks between a COMMIT and its answer; the retry finds the effect, once."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID, uuid4

import pytest

from dvor.contracts.identity import Identity
from dvor.contracts.payments import PaymentStatus
from dvor.kernel.caller import Caller
from dvor.kernel.config import Settings
from dvor.services.orders import saga
from tests.conftest import House, MakeHouse
from tests.services.orders.conftest import (
    FakeCatalog,
    FakeInventory,
    FakePayments,
    Scene,
    person,
)
from tests.services.orders.test_orders import Moves

RUNS = 40 if os.environ.get("DVOR_TEST_TIER") == "nightly" else 1
"""Of each of five requests."""
COMMITS_MAX = 3
"""A request commits up to so many times: each is cut in turn."""


class Cutter:
    """Stands between Dvor and PostgreSQL, and cuts the line when the answer to a COMMIT comes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self.folder = query.get("host", [""])[0]
        self.host, self.port = parts.hostname or "", int(query.get("port", [parts.port or 5432])[0])
        self.commits_left = 0
        """Until the one whose answer is lost; 0: none is."""
        self.cuts = 0

    async def upstream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the server itself."""
        if self.folder:
            return await asyncio.open_unix_connection(f"{self.folder}/.s.PGSQL.{self.port}")
        return await asyncio.open_connection(self.host, self.port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        answers, server = await self.upstream()
        doomed = asyncio.Event()

        async def back() -> None:
            while data := await answers.read(65_536):
                if doomed.is_set():
                    self.cuts += 1
                    return
                writer.write(data)
                await writer.drain()

        async def forth() -> None:
            length = int.from_bytes(head := await reader.readexactly(4))
            server.write(head + await reader.readexactly(length - 4))  # the first has no type
            while True:
                kind = await reader.readexactly(1)
                length = int.from_bytes(head := await reader.readexactly(4))
                content = await reader.readexactly(length - 4)
                if kind == b"Q" and content.startswith(b"COMMIT") and self.commits_left:
                    self.commits_left -= 1
                    if not self.commits_left:
                        doomed.set()
                server.write(kind + head + content)
                await server.drain()

        ways = [asyncio.create_task(back()), asyncio.create_task(forth())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (writer, server):
            with suppress(ConnectionError):
                end.close()


@asynccontextmanager
async def cutting(url: str) -> AsyncIterator[tuple[Cutter, str]]:
    """A cutter, and where PostgreSQL seems to be behind it."""
    cutter = Cutter(url)
    with tempfile.TemporaryDirectory(prefix="cut-") as folder:
        server = await asyncio.start_unix_server(cutter.serve, f"{folder}/.s.PGSQL.5432")
        try:
            yield cutter, f"postgresql://dvor@/postgres?host={quote(folder, safe='')}&port=5432"
        finally:
            server.close()


class Guard(Identity):
    """Knows two people by their tokens."""

    def __init__(self, **people: Caller) -> None:
        self.people = people

    async def authenticate(self, access_token: str) -> Caller:
        return self.people[access_token]


class Shop:
    """The scene behind a line that breaks."""

    def __init__(self, scene: Scene, cutter: Cutter) -> None:
        self.scene, self.cutter = scene, cutter
        self.moves = Moves(scene)

    @property
    def house(self) -> House:
        """The house."""
        return self.scene.house

    async def ask(self, who: str, path: str, body: Any, key: UUID) -> Any:
        """A request of somebody's."""
        headers = {"authorization": f"Bearer {who}", "idempotency-key": str(key)}
        return await self.house.http.post(f"/api/v1{path}", json=body, headers=headers)

    def offer(self) -> str:
        """Something new to buy."""
        assert self.scene.seller.user_id
        return str(self.scene.catalog.offer(self.scene.seller.user_id))

    async def facts(self) -> tuple[Any, ...]:
        """What there is of everything that must exist once."""
        sql = (
            "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_history),"
            " (SELECT count(*) FROM outbox), (SELECT coalesce(sum(quantity), 0) FROM cart_lines)"
        )
        row = await self.house.db("orders").fetchrow(sql)
        assert row is not None
        return (*row, len(self.scene.payments.payments), len(self.scene.payments.refunds))


Prepared = tuple[str, str, Any]
"""Who asks for what with which body."""


async def placing(shop: Shop) -> Prepared:
    """POST /orders."""
    return "customer", "/orders", {"lines": [{"offer_id": shop.offer()}]}


async def filling(shop: Shop) -> Prepared:
    """POST /cart/lines."""
    return "customer", "/cart/lines", {"offer_id": shop.offer()}


async def checking_out(shop: Shop) -> Prepared:
    """POST /cart/checkout."""
    cart = await shop.ask(*(await filling(shop)), uuid4())
    return "customer", "/cart/checkout", {"cart_version": cart.json()["version"]}


async def cancelling(shop: Shop) -> Prepared:
    """POST /orders/{id}/cancel of a paid one."""
    order = await shop.moves.paid()
    return "customer", f"/orders/{order.id}/cancel", None


async def delivering(shop: Shop) -> Prepared:
    """POST /orders/{id}/deliver."""
    order = await shop.moves.paid()
    assert shop.scene.payment_of(order.id).status is PaymentStatus.CAPTURED
    return "seller", f"/orders/{order.id}/deliver", None


@pytest.fixture
async def shop(
    template: Settings, make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    monkeypatch.setattr(saga, "FINISH_SECONDS", 0.2)
    async with cutting(template.database_url) as (cutter, url):
        catalog, inventory, payments = FakeCatalog(), FakeInventory(), FakePayments()
        customer, seller = person(), person()
        fakes = {
            "catalog": catalog,
            "inventory": inventory,
            "payments": payments,
            "identity": Guard(customer=customer, seller=seller),
        }
        house = await make_house("orders", fakes=fakes, database_pool=2)
        database = house.db("orders")
        real = house.settings.database("orders")
        await database.close()
        database._url = url.replace("/postgres?", f"/{urlsplit(real).path.lstrip('/')}?")
        await database.open()
        scene = Scene(house, catalog, inventory, payments, customer, person(), seller, person())
        yield Shop(scene, cutter)


class TestLostReplies:
    @pytest.mark.parametrize(
        "prepare",
        [placing, filling, checking_out, cancelling, delivering],
        ids=lambda p: p.__name__,
    )
    async def test_the_retry_finds_what_was_done_once(
        self, shop: Shop, prepare: Callable[[Shop], Awaitable[Prepared]]
    ) -> None:
        usual = await self.effect(shop, await prepare(shop), cut=0)
        for _ in range(RUNS):
            for cut in range(1, COMMITS_MAX + 1):
                assert await self.effect(shop, await prepare(shop), cut) == usual
        assert shop.cutter.cuts >= RUNS, "no answer was ever lost"

    async def effect(self, shop: Shop, asked: Prepared, cut: int) -> tuple[int, ...]:
        """What a request does, with the answer to its n-th COMMIT lost and the request repeated."""
        before, key = await shop.facts(), uuid4()
        shop.cutter.commits_left = cut
        answer = await shop.ask(*asked, key)
        shop.cutter.commits_left = 0
        for _ in range(50):
            if answer.status_code not in (409, 503, 504):
                break
            await shop.house.clock.advance(seconds=4)  # the lease of who did not hear the answer
            await asyncio.sleep(0.05)
            answer = await shop.ask(*asked, key)
        assert answer.status_code < 300, answer.text
        again = await shop.ask(*asked, key)
        assert again.headers["idempotency-replayed"] == "true"
        assert (again.status_code, again.content) == (answer.status_code, answer.content)
        await shop.house.settle()
        after = await shop.facts()
        return tuple(b - a for a, b in zip(before, after, strict=True))
