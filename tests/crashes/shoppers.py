"""People who buy, pay, decline, cancel, give up, again and again, whatever happens to the server.

Each asks again, with the same key, until a definite answer comes: so what a crash interrupted is
taken up by whoever wanted it, too.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from benchmarks.load.client import Client, Refused

from dvor.services.payments.rules import CARDS, Verdict

PAUSE_SECONDS = 0.05
PATIENCE = 400
"""So often somebody asks again."""
NOT_NOW = (503, 504)
KEY_BUSY = b'"idempotency.key_busy"'
FOLLOWS = 30
"""News of an order are waited for so often."""
Fields = dict[str, Any]


class GaveUp(Exception):
    """No definite answer came."""


@dataclass
class Market:
    """What can be bought, and what was promised."""

    port: int
    offers: dict[str, str]
    """Kind -> offer."""
    shift: timedelta = timedelta()
    """By how much the virtual clock is ahead."""
    told: dict[str, str] = field(default_factory=dict)
    """Order -> the last status that somebody was told. It must never be taken back."""
    answers: int = 0
    """Definite ones, to anybody."""

    def wishes(self, dice: random.Random) -> list[Fields]:
        """One of each kind; dates somewhere in the coming year."""
        first = (datetime.now(UTC) + self.shift).date() + timedelta(days=dice.randrange(20, 330))
        dates = {"start": first.isoformat(), "end": (first + timedelta(days=2)).isoformat()}
        return [
            {"offer_id": offer} | ({"dates": dates} if kind in ("rental", "stay") else {})
            for kind, offer in self.offers.items()
        ]


class Person:
    """Somebody with a browser and a token, who does not give up soon."""

    def __init__(self, market: Market, token: str, dice: random.Random) -> None:
        self.market = market
        self.dice = dice
        self._bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        self._client: Client | None = None
        self._cookies: dict[str, str] = {}

    async def _ask(self, method: str, path: str, body: bytes, headers: str) -> tuple[int, bytes]:
        """Until there is a definite answer. Raises GaveUp."""
        for _ in range(PATIENCE):
            try:
                if self._client is None:
                    self._client = await Client.connected(self.market.port)
                    self._client._cookies = self._cookies
                status, answer = await self._client.ask(method, path, body, headers)
                if status not in NOT_NOW and KEY_BUSY not in answer:
                    self.market.answers += 1
                    return status, answer
            except OSError:
                self.close()
            except BaseException:  # an answer on its way must not be taken for the next one
                self.close()
                raise
            await asyncio.sleep(PAUSE_SECONDS)
        raise GaveUp

    async def call(
        self, method: str, path: str, body: Fields | None = None, *, guest: str = ""
    ) -> Fields:
        """Of the REST interface. Raises Refused, GaveUp."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = f"Dvor-Guest: {guest}\r\n" if guest else ""
        if not guest or not body:  # a guest who chooses is nobody yet
            headers += self._bearer
        if content:
            headers += "Content-Type: application/json\r\n"
        if method != "GET":
            headers += f"Idempotency-Key: {uuid4()}\r\n"
        status, answer = await self._ask(method, f"/api/v1{path}", content, headers)
        if status >= 300:
            raise Refused(status, answer)
        return json.loads(answer)

    async def order(self, path: str, body: Fields | None = None) -> Fields:
        """Ask for a change of an order; what is answered is a promise."""
        return self._heard(await self.call("POST", path, body))

    def _heard(self, order: Fields) -> Fields:
        self.market.told[order["id"]] = order["status"]
        return order

    async def submit(self, path: str, **fields: str) -> None:
        """Fill in a form of a page. Raises Refused, GaveUp."""
        _, page = await self._ask("GET", path, b"", "")
        form = Client.hidden(page)
        status, answer = await self._ask("POST", path, *Client.filled(form | fields))
        if status != 303:
            raise Refused(status, answer)

    async def pay(self, order: Fields, verdict: Verdict = Verdict.APPROVED) -> None:
        """With the card of this outcome."""
        await self.submit(order["pay_path"], card_number=CARDS[verdict])

    async def until(self, order: Fields, status: str) -> Fields:
        """Wait for news of an order. Raises GaveUp."""
        for _ in range(FOLLOWS):
            if order["status"] == status:
                return order
            if order["status"] == "cancelled":
                break
            path = f"/orders/{order['id']}/changes?after={order['version']}"
            order = self._heard(await self.call("GET", path))
        raise GaveUp

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
            self._client = None


async def _place(one: Person) -> Fields:
    order = await one.order("/orders", {"lines": one.market.wishes(one.dice)})
    # One that was interrupted may have to be paid a moment later.
    return order if order["pay_path"] else await one.until(order, "processing")


async def _buy(one: Person) -> Fields:
    order = await _place(one)
    await one.pay(order)
    return await one.until(order, "paid")


async def buys(one: Person, _admin: Person) -> None:
    """Places, pays, waits, and sometimes cancels."""
    order = await _buy(one)
    if one.dice.random() < 0.5:
        await one.order(f"/orders/{order['id']}/cancel")


async def receives(one: Person, admin: Person) -> None:
    """Gets what was paid for."""
    order = await _buy(one)
    await admin.order(f"/orders/{order['id']}/deliver")


async def sends_a_part_back(one: Person, _admin: Person) -> None:
    """Keeps three of the four things."""
    order = await _buy(one)
    line = one.dice.choice(order["lines"])["id"]
    await one.order(f"/orders/{order['id']}/cancel", {"lines": [{"line_id": line}]})


async def fills_a_cart(one: Person, _admin: Person) -> None:
    """Puts four kinds into the cart, one by one, and checks out."""
    cart: Fields = {}
    for wish in one.market.wishes(one.dice):
        cart = await one.call("POST", "/cart/lines", wish)
    order = await one.order("/cart/checkout", {"cart_version": cart["version"]})
    await one.pay(await one.until(order, "processing"))


async def comes_as_a_guest(one: Person, _admin: Person) -> None:
    """Chooses before signing in."""
    guest = uuid4().hex
    await one.call("POST", "/cart/lines", one.market.wishes(one.dice)[0], guest=guest)
    await one.call("POST", "/cart/claim", guest=guest)


async def is_declined(one: Person, _admin: Person) -> None:
    """Has no money at first."""
    order = await _place(one)
    await one.pay(order, Verdict.DECLINED)
    if one.dice.random() < 0.5:
        await one.pay(order)


async def changes_their_mind(one: Person, _admin: Person) -> None:
    """Cancels before paying, or just after."""
    order = await _place(one)
    if one.dice.random() < 0.5:
        await one.pay(order)
    await one.order(f"/orders/{order['id']}/cancel")


async def gives_up(one: Person, _admin: Person) -> None:
    """Never pays."""
    await _place(one)


async def has_an_odd_bank(one: Person, _admin: Person) -> None:
    """It is slow, says nothing, says it three times, or pays half."""
    order = await _place(one)
    await one.pay(order, one.dice.choice(ODD))


ODD = (
    *(Verdict.LATE, Verdict.TIMEOUT, Verdict.DUPLICATE),
    *(Verdict.OUT_OF_ORDER, Verdict.NEVER, Verdict.PARTIAL),
)


async def objects(one: Person, _admin: Person) -> None:
    """Pays; a minute later their bank takes the money back."""
    await one.pay(await _place(one), Verdict.CHARGEBACK)


async def confirms(one: Person, _admin: Person) -> None:
    """Has a bank that asks back."""
    order = await _place(one)
    await one.pay(order, Verdict.THREE_STEP)
    await one.submit(f"{order['pay_path']}/confirm", answer=one.dice.choice(("yes", "yes", "no")))


async def looks_after_money(one: Person, admin: Person) -> None:
    """An admin has sellers paid and a webhook sent again."""
    await admin.call("POST", "/payments/payout-runs")
    sent = (await admin.call("GET", "/payments/webhooks"))["items"]
    if sent:
        await admin.call("POST", f"/payments/webhooks/{one.dice.choice(sent)['id']}/replay")


Story = Callable[[Person, Person], Awaitable[None]]
STORIES: tuple[Story, ...] = (
    *(buys, buys, receives, fills_a_cart, fills_a_cart, sends_a_part_back, comes_as_a_guest),
    *(
        is_declined,
        changes_their_mind,
        gives_up,
        has_an_odd_bank,
        objects,
        confirms,
        looks_after_money,
    ),
)


async def shop(one: Person, admin: Person) -> None:
    """One story after the other, until cancelled; all of them in turn, in an order of one's own."""
    try:
        while True:
            for story in one.dice.sample(STORIES, len(STORIES)):
                with suppress(Refused, GaveUp):
                    await story(one, admin)
    finally:
        one.close()
        admin.close()
