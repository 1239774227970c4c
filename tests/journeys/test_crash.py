"""Killed without warning, again and again: every order ends paid and booked, or cancelled and free."""

import asyncio
import random
import signal
from typing import Any
from uuid import uuid4

import httpx2

from dvor.audit import audit
from dvor.kernel.db import raw_connection
from tests.journeys.conftest import Api, Site, running_site
from tests.journeys.test_purchase import SUCCESS, offer, pay

KILLS = 20
SHOPPERS = 6
SEED = 20_261_120
ALIVE_SECONDS = (0.05, 0.8)
"""How long the process may work between two kills."""
HOLD_SECONDS = 20
HEAL_SECONDS = 60


async def shop(site: Site, api: Api, offers: list[str], dice: random.Random) -> None:
    """Order and mostly pay, again and again; whatever fails, fails."""
    while True:
        try:
            lines = [{"offer_id": i} for i in dice.sample(offers, 2)]
            answer = await api.send("POST", "/orders", {"lines": lines}, uuid4())
            if answer.status_code == 201 and dice.random() < 0.8:
                await pay(api, answer.json()["pay_path"], SUCCESS)
            if answer.status_code == 201 and dice.random() < 0.2:
                await api.send("POST", f"/orders/{answer.json()['id']}/cancel", None, uuid4())
        except (httpx2.HTTPError, AssertionError):
            await asyncio.sleep(0.02)


async def unfinished(site: Site) -> list[Any]:
    """Orders that are neither paid nor cancelled."""
    async with raw_connection(site.settings.database("orders")) as connection:
        return await connection.fetch(
            "SELECT number, status, pending_action FROM orders"
            " WHERE status NOT IN ('paid', 'cancelled') OR pending_action IS NOT NULL"
        )


class TestKilledDuringCheckout:
    async def test_every_order_ends_booked_or_free(self, postgres: str) -> None:
        dice = random.Random(SEED)
        limits = {"DVOR_HOLD_TTL_SECONDS": str(HOLD_SECONDS), "DVOR_PAYMENT_MARGIN_SECONDS": "2"}
        limits |= {"DVOR_ACCESS_TOKEN_SECONDS": "3600"}
        async with running_site("embedded", postgres, extra=limits) as site:
            api = await site.signed_in("customer@dvor.example")
            offers = [(await offer(api, kind))["id"] for kind in ("product", "event")]
            shoppers = [
                asyncio.create_task(shop(site, api, offers, random.Random(SEED + n)))
                for n in range(SHOPPERS)
            ]
            for _ in range(KILLS):
                await asyncio.sleep(dice.uniform(*ALIVE_SECONDS))
                site.processes["all"].send_signal(signal.SIGKILL)
                site.processes["all"].wait(10)
                await site.start("all", {})
                await site.ready(site.settings.port, "all")
            for shopper in shoppers:
                shopper.cancel()
            await asyncio.gather(*shoppers, return_exceptions=True)
            left = await unfinished(site)
            for _ in range(HEAL_SECONDS * 2):
                if not left:
                    break
                await asyncio.sleep(0.5)
                left = await unfinished(site)
            assert not left
            async with raw_connection(site.settings.database("orders")) as connection:
                ended = dict(
                    await connection.fetch("SELECT status, count(*) FROM orders GROUP BY 1")
                )
            assert ended.get("paid", 0) > 0
            assert ended.get("cancelled", 0) > 0
            report = await audit(site.database_urls)
            assert report.clean, report
