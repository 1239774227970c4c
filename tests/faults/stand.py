"""Dvor apart, on servers of its own: real ones, to be stopped one by one while people buy."""

import asyncio
import email
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load.client import Client

from dvor import topology
from dvor.audit.messages import LISTENERS
from dvor.cli.edge import DRAIN_SECONDS
from dvor.cli.servers import Redis, Server, Smtp
from dvor.kernel.db import raw_connection
from dvor.kernel.postgres import EmbeddedPostgres
from tests.crashes.score import undecided, wrong
from tests.crashes.shoppers import Market
from tests.crashes.world import CUSTOMERS, PASSWORD, small_world
from tests.faults.customers import Customer, Ledger, Visitor
from tests.journeys.conftest import BROKERS, Site, running_site
from tests.seeds import fresh

PARTS = tuple(service.name for service in topology.SERVICES)
A_DAY = "86400"
DRAINED_SECONDS = 60
"""Everything must be done so soon after what was away is back."""
PATIENCE_SECONDS = 180
"""Longer is not slow, it is stuck."""
SETTLED_SECONDS = 0.5
HARVEST_SECONDS = 1.0
PROCESS_CONNECTIONS = 15


@dataclass
class Stand:
    """A site, all servers it stands on, and what people were told."""

    site: Site
    postgres: EmbeddedPostgres
    broker: Server
    redis: Redis
    smtp: Smtp
    tokens: list[str] = field(default_factory=list[str])
    mails: Counter[str] = field(default_factory=Counter[str])
    """Message-ID -> how often it came."""
    before: set[str] = field(default_factory=set[str])
    """Orders of earlier loads."""

    async def sign_in(self) -> None:
        """All customers, once for all."""
        client = await Client.connected(self.site.settings.port)
        for address in CUSTOMERS:
            body = {"email": address, "password": PASSWORD}
            self.tokens.append((await client.call("POST", "/auth/token", body))["access_token"])
        client.close()

    @asynccontextmanager
    async def load(self) -> AsyncIterator[Ledger]:
        """People buy during this block; those who began finish what they do."""
        ledger, dice = Ledger(), random.Random(fresh())
        market = Market(self.site.settings.port, self.site.world)
        people = [
            asyncio.create_task(
                Customer(ledger, market, token, random.Random(dice.random())).shop()
            )
            for token in self.tokens
        ]
        people.append(asyncio.create_task(Visitor(ledger, market.port).stroll()))
        harvest = asyncio.create_task(self._harvest())
        try:
            yield ledger
            ledger.closing = True
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*people)
        finally:
            for task in (*people, harvest):
                task.cancel()
            await asyncio.gather(*people, harvest, return_exceptions=True)

    async def _harvest(self) -> None:
        """The sink keeps only the newest mails: count them as they come."""
        while True:
            self.count_mails()
            await asyncio.sleep(HARVEST_SECONDS)

    def count_mails(self) -> None:
        """Those that lie there now."""
        for mail in (self.smtp.folder / "mails").glob("*.eml"):
            content = mail.read_bytes()
            if content.endswith(b"\n"):  # else it is being written
                self.mails[str(email.message_from_bytes(content)["Message-ID"])] += 1
                mail.unlink()

    async def drained(self) -> list[str]:
        """Wait until nothing is under way; what is still after a long time."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        left = ["nobody has looked"]
        while left and time.monotonic() < give_up:
            await asyncio.sleep(SETTLED_SECONDS)
            left = await self._under_way()
        return [f"not done: {one}" for one in left[:5]]

    async def _under_way(self) -> list[str]:
        settings = self.site.settings
        found = await undecided(settings, PARTS)
        for (source, listener), types in LISTENERS.items():
            async with raw_connection(settings.database(source)) as connection:
                sql = "SELECT message_id FROM outbox WHERE type = ANY($1)"
                told = {row[0] for row in await connection.fetch(sql, list(types))}
            async with raw_connection(settings.database(listener)) as connection:
                taken = {row[0] for row in await connection.fetch("SELECT message_id FROM inbox")}
            found += [f"{listener} has not taken {one}" for one in told - taken]
        return found

    async def compared(self, ledger: Ledger) -> tuple[list[str], list[str], list[str]]:
        """What is lost, what is double, and what else is wrong: told against what there is."""
        settings = self.site.settings
        async with raw_connection(settings.database("orders")) as connection:
            rows = await connection.fetch("SELECT id::text FROM orders")
        there = {row[0] for row in rows} - self.before
        lost = [f"order {one} is lost" for one in ledger.placed.keys() - there]
        double = [f"order {one} was made twice" for one in there - ledger.placed.keys()]
        self.before |= there
        self.count_mails()
        async with raw_connection(settings.database("notifications")) as connection:
            mailed = await connection.fetchval(
                "SELECT count(*) FROM notifications WHERE mailed_at IS NOT NULL"
            )
        if mailed > len(self.mails):
            lost.append(f"{mailed - len(self.mails)} mails never came")
        elif mailed < len(self.mails):
            double.append(f"{len(self.mails) - mailed} mails of nothing")
        return lost, double, await wrong(settings, PARTS, ledger.told)


@asynccontextmanager
async def stand(broker: str, *, replicas: int = 1) -> AsyncIterator[Stand]:
    """Everything up, people signed in. Raises Missing where a server cannot be had."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dvor-faults-")))
        connections = PROCESS_CONNECTIONS * len(PARTS) * replicas
        postgres = EmbeddedPostgres(folder / "postgres", max_connections=connections)
        stack.enter_context(postgres)
        servers: tuple[Server, Redis, Smtp] = BROKERS[broker](folder), Redis(folder), Smtp(folder)
        addresses = [stack.enter_context(one.running()).address for one in servers]
        extra = {
            "DVOR_BROKER": broker,
            "DVOR_BROKER_URL": addresses[0],
            "DVOR_REDIS_URL": addresses[1],
            "DVOR_SMTP_URL": addresses[2],
            "DVOR_ACCESS_TOKEN_SECONDS": A_DAY,
            "DVOR_WAIT_SECONDS": "2",
            "DVOR_LOG_LEVEL": "error",
            # What is tested is how soon who waits is told, so these are as they are by default.
            "DVOR_CALL_TIMEOUT_SECONDS": "5",
            # So many processes that start at once may wait longer.
            "DVOR_DATABASE_WAIT_SECONDS": "5" if replicas == 1 else "60",
            "DVOR_STATEMENT_TIMEOUT_MS": "5000",
            "DVOR_AUDIT_SECONDS": "0",
            "DVOR_DRAIN_SECONDS": str(DRAIN_SECONDS),
        }
        opened = running_site(
            broker, postgres.dsn, world=small_world, extra=extra, replicas=replicas
        )
        site = await stack.enter_async_context(opened)
        made = Stand(site, postgres, *servers)
        await made.sign_in()
        yield made
