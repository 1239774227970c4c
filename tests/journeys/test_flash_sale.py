"""FS-1: two thousand buyers, five hundred connections, a hundred units, through nginx."""

import asyncio
import functools
import statistics
import time
from collections import Counter, deque
from pathlib import Path
from uuid import UUID

import pytest
from benchmarks.load.client import Client, Refused

from tests.journeys import nginx
from tests.journeys.conftest import free_port, running_site
from tests.journeys.test_purchase import SUCCESS
from tests.journeys.test_race import stage

BUYERS, UNITS, CONNECTIONS = 2000, 100, 500
PEOPLE = 200
"""Each with ten browsers: signing in is not what is tested."""
RUNS = 3
BEFORE = 4
"""So many buy before the rush: a shop that has sold nothing yet has drawn no page."""


class Sale:
    """Everybody orders one unit at once and pays; how each ended and how long orders took."""

    def __init__(self, port: int, offer_id: UUID) -> None:
        self.port = port
        self.offer_id = offer_id
        self.answers: list[float] = []
        self.ended: Counter[str] = Counter()
        self.paid_seconds = 0.0

    async def run(self, tokens: list[str]) -> None:
        """All of them, on as many connections as are allowed."""
        waiting = deque(tokens)
        began = time.perf_counter()

        async def browser() -> None:
            client = await Client.connected(self.port)
            while waiting:
                await self._buy(client.signed_in(waiting.popleft()))
            client.close()

        await asyncio.gather(*(browser() for _ in range(CONNECTIONS)))
        self.paid_seconds = time.perf_counter() - began

    async def _buy(self, client: Client) -> None:
        began = time.perf_counter()
        try:
            order = await client.call(
                "POST", "/orders", {"lines": [{"offer_id": str(self.offer_id)}]}
            )
        except Refused as refused:
            self.ended[refused.code] += 1
            return
        finally:
            self.answers.append(time.perf_counter() - began)
        path = order["pay_path"]
        await client.submit(path, await client.form(path) | {"card_number": SUCCESS})
        for _ in range(20):
            if order["status"] == "paid":
                break
            order = await client.call(
                "GET", f"/orders/{order['id']}/changes?after={order['version']}"
            )
        self.ended[order["status"]] += 1


@pytest.mark.skipif(nginx.program() is None, reason="needs Debian's nginx")
class TestFlashSale:
    @pytest.mark.nightly
    @pytest.mark.parametrize("run", range(RUNS))
    async def test_exactly_what_there_is_gets_sold(
        self, postgres: str, tmp_path: Path, run: int
    ) -> None:
        world = functools.partial(stage, buyers=PEOPLE, units=BEFORE + UNITS)
        # The usual deadlines: those who lose are told in time.
        extra = {"DVOR_ACCESS_TOKEN_SECONDS": "3600", "DVOR_CALL_TIMEOUT_SECONDS": "5"}
        # As on any machine of two cores: `./dvor up --workers 2`.
        async with running_site("workers", postgres, world=world, extra=extra) as site:
            offer_id, people = site.world
            tokens = [people[number % len(people)] for number in range(BUYERS)]
            port = free_port()
            async with nginx.proxy(site.settings.port, port, tmp_path):
                before = Sale(port, offer_id)
                await before.run(tokens[:BEFORE])
                sale = Sale(port, offer_id)
                await sale.run(tokens)
        assert before.ended == {"paid": BEFORE}
        assert sale.ended == {"paid": UNITS, "409 inventory.sold_out": BUYERS - UNITS}
        p99 = statistics.quantiles(sale.answers, n=100)[98]
        print(
            f"run {run}: {BUYERS} orders answered, {UNITS} paid in {sale.paid_seconds:.1f} s;"
            f" answers p50 {statistics.median(sale.answers):.2f} s, p99 {p99:.2f} s"
        )
