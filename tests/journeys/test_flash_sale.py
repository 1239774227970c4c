"""FS-1: two thousand buyers, five hundred connections, a hundred units, through nginx."""

import asyncio
import functools
import statistics
import time
from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.journeys import nginx
from tests.journeys.conftest import Api, free_port, running_site
from tests.journeys.test_purchase import SUCCESS, pay, until
from tests.journeys.test_race import stage

BUYERS, UNITS, CONNECTIONS = 2000, 100, 500
PEOPLE = 200
"""Each with ten browsers: signing in is not what is tested."""
RUNS = 3


class Sale:
    """Everybody orders one unit at once and pays; how each ended and how long orders took."""

    def __init__(self, url: str, offer_id: UUID) -> None:
        self.url = url
        self.offer_id = offer_id
        self.answers: list[float] = []
        self.ended: Counter[str] = Counter()

    async def run(self, tokens: list[str]) -> None:
        """All of them."""
        gate = asyncio.Semaphore(CONNECTIONS)
        limits = httpx2.Limits(max_connections=CONNECTIONS)
        async with httpx2.AsyncClient(base_url=self.url, timeout=120, limits=limits) as shared:
            await asyncio.gather(*(self._buy(shared, token, gate) for token in tokens))

    async def _buy(self, shared: httpx2.AsyncClient, token: str, gate: asyncio.Semaphore) -> None:
        headers = {"authorization": f"Bearer {token}", "idempotency-key": str(uuid4())}
        body = {"lines": [{"offer_id": str(self.offer_id)}]}
        async with gate:
            began = time.perf_counter()
            answer = await shared.post("/api/v1/orders", json=body, headers=headers)
            self.answers.append(time.perf_counter() - began)
        if answer.status_code != 201:
            self.ended[f"{answer.status_code} {answer.json()['code']}"] += 1
            return
        own = {"authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(base_url=self.url, headers=own, timeout=120) as client:
            api = Api(client, UUID(answer.json()["customer_id"]))
            await pay(api, answer.json()["pay_path"], SUCCESS)
            self.ended[(await until(api, answer.json()["id"], "paid"))["status"]] += 1


@pytest.mark.skipif(nginx.program() is None, reason="needs Debian's nginx")
class TestFlashSale:
    @pytest.mark.nightly
    @pytest.mark.parametrize("run", range(RUNS))
    async def test_exactly_what_there_is_gets_sold(
        self, postgres: str, tmp_path: Path, run: int
    ) -> None:
        world = functools.partial(stage, buyers=PEOPLE, units=UNITS)
        extra = {"DVOR_ACCESS_TOKEN_SECONDS": "3600"}
        async with running_site("embedded", postgres, world=world, extra=extra) as site:
            offer_id, people = site.world
            tokens = [people[number % len(people)] for number in range(BUYERS)]
            port = free_port()
            async with nginx.proxy(site.settings.port, port, tmp_path) as url:
                sale = Sale(url, offer_id)
                began = time.perf_counter()
                await sale.run(tokens)
                took = time.perf_counter() - began
        assert sale.ended == {"paid": UNITS, "409 inventory.sold_out": BUYERS - UNITS}
        p99 = statistics.quantiles(sale.answers, n=100)[98]
        print(f"run {run}: {BUYERS} orders answered, {UNITS} paid in {took:.1f} s; p99 {p99:.2f} s")
