"""People who buy while a server dies, and what they were told: nothing of it may be untrue later.

Each asks again with the same key until a definite answer comes. What came instead is counted:
refusals that say "later" and lines that were cut are what an outage looks like; anything else with
a 5 in front is a bug.
"""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from benchmarks.load.client import Client

from dvor.services.payments.rules import CARDS, Verdict
from tests.crashes.shoppers import KEY_BUSY, NOT_NOW, Market

AGAIN_SECONDS = 0.2
"""Between two attempts."""
SILENCE_SECONDS = 90.0
"""Who gets no answer for so long hangs up: nginx gives up before."""
THINKING_SECONDS = 0.4
"""Between two orders of one customer, on average."""
CANCELS = 0.25
Fields = dict[str, Any]


class Wrong(Exception):
    """A definite answer that nobody should get."""


@dataclass
class Ledger:
    """What people were told, and when."""

    placed: dict[str, float] = field(default_factory=dict[str, float])
    """Order -> the moment it was accepted."""
    paid: dict[str, float] = field(default_factory=dict[str, float])
    told: dict[str, str] = field(default_factory=dict[str, str])
    """Order -> the last status that somebody was told."""
    later: Counter[str] = field(default_factory=Counter[str])
    """What was not answered: refused for now, or cut off."""
    unclean: list[str] = field(default_factory=list[str])
    """Answers that nobody should get."""
    seen: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    """Visits of somebody who only looks around: when, and whether it went well."""
    requests: int = 0
    longest: float = 0.0
    """The longest that anybody waited for an answer, whatever it was; in seconds."""
    closing: bool = False
    """Nobody begins a new order."""

    def since(self, what: dict[str, float], begun: float, ended: float) -> int:
        """How many of them within this time."""
        return sum(begun <= moment < ended for moment in what.values())

    def viewed(self, begun: float, ended: float) -> str:
        """How many visits went well within this time."""
        within = [well for moment, well in self.seen if begun <= moment < ended]
        return f"{sum(within)}/{len(within)}"


class Person:
    """Somebody at a browser behind whom no error hides."""

    def __init__(self, ledger: Ledger, port: int, token: str = "") -> None:
        self.ledger = ledger
        self._port = port
        self._bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        self._client: Client | None = None

    async def once(self, method: str, path: str, body: bytes, headers: str) -> tuple[int, bytes]:
        """One attempt; 0: the line was cut."""
        begun = time.monotonic()
        self.ledger.requests += 1
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                if self._client is None:
                    self._client = await Client.connected(self._port)
                return await self._client.ask(method, path, body, headers)
        except TimeoutError:
            self.close()
            self.ledger.unclean.append(f"{method} {path}: no answer in {SILENCE_SECONDS:g} s")
            return 0, b"no answer"
        except OSError as problem:
            self.close()
            return 0, f"cut: {type(problem).__name__}".encode()
        finally:
            if "changes" not in path:  # which waits for news
                self.ledger.longest = max(self.ledger.longest, time.monotonic() - begun)

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: str = ""
    ) -> tuple[int, bytes]:
        """Until there is a definite answer. Raises Wrong where nobody should get it."""
        while True:
            status, answer = await self.once(method, path, body, headers)
            if 0 < status < 500 and KEY_BUSY not in answer and status != 429:
                if status >= 400:
                    self.ledger.unclean.append(f"{method} {path}: {status} {answer[:200]!r}")
                    raise Wrong
                return status, answer
            if status >= 500 and status not in NOT_NOW:
                self.ledger.unclean.append(f"{method} {path}: {status} {answer[:200]!r}")
            what = answer.decode() if not status else str(status)
            self.ledger.later[what] += 1
            await asyncio.sleep(AGAIN_SECONDS)

    async def call(self, method: str, path: str, body: Fields | None = None) -> Fields:
        """Of the REST interface, with a key of its own."""
        headers = self._bearer
        if method != "GET":
            headers += f"Content-Type: application/json\r\nIdempotency-Key: {uuid4()}\r\n"
        content = b"" if method == "GET" else json.dumps(body or {}).encode()
        _, answer = await self.ask(method, f"/api/v1{path}", content, headers)
        return json.loads(answer)

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
            self._client = None


class Customer(Person):
    """Buys one thing after the other; sends some of it back."""

    def __init__(self, ledger: Ledger, market: Market, token: str, dice: random.Random) -> None:
        super().__init__(ledger, market.port, token)
        self._market = market
        self._dice = dice

    async def shop(self) -> None:
        """Until the ledger closes."""
        while not self.ledger.closing:
            try:
                await self._buy()
            except Wrong:  # it is written down
                self.close()
            await asyncio.sleep(self._dice.uniform(0, 2 * THINKING_SECONDS))
        self.close()

    async def _buy(self) -> None:
        wish = self._dice.choice(self._market.wishes(self._dice))
        order = self._heard(await self.call("POST", "/orders", {"lines": [wish]}))
        self.ledger.placed[order["id"]] = time.monotonic()
        while not order["pay_path"] and order["status"] in ("created", "processing"):
            order = await self._news(order)
        path = order["pay_path"]
        if not path:
            self.ledger.unclean.append(f"order {order['id']} ended as {order['status']}")
            return
        _, page = await self.ask("GET", path)
        fields = Client.hidden(page) | {"card_number": CARDS[Verdict.APPROVED]}
        await self.ask("POST", path, *Client.filled(fields))
        while order["status"] in ("created", "processing"):
            order = await self._news(order)
        self.ledger.paid[order["id"]] = time.monotonic()
        if order["status"] != "paid":
            self.ledger.unclean.append(f"order {order['id']} ended as {order['status']}")
        elif self._dice.random() < CANCELS:
            self._heard(await self.call("POST", f"/orders/{order['id']}/cancel"))

    async def _news(self, order: Fields) -> Fields:
        path = f"/orders/{order['id']}/changes?after={order['version']}"
        return self._heard(await self.call("GET", path))

    def _heard(self, order: Fields) -> Fields:
        self.ledger.told[order["id"]] = order["status"]
        return order


class Visitor(Person):
    """Looks around: a page and a list, again and again, and never twice for one answer."""

    async def stroll(self) -> None:
        """Until the ledger closes."""
        while not self.ledger.closing:
            for path in ("/", "/api/v1/listings"):
                status, answer = await self.once("GET", path, b"", "")
                if status >= 500 and status not in NOT_NOW:
                    self.ledger.unclean.append(f"GET {path}: {status} {answer[:200]!r}")
                if status != 200:
                    self.ledger.later[f"visit {status or answer.decode()}"] += 1
                self.ledger.seen.append((time.monotonic(), status == 200))
            await asyncio.sleep(THINKING_SECONDS)
        self.close()
