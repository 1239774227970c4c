"""Orders per second: whole journeys over HTTP, from the cart to *paid* on the order's page.

    ./dvor bench checkout [--seconds 10] [--customers 64] [--workers 2] [--no-growth] [--json]

Dvor as `up` starts it on a PostgreSQL of its own, fsync on; the customers share the cores with it.
Each puts one thing into the cart, checks out, opens the bank's page, pays, and waits on the order
until the webhook has come and it is paid and booked. First all of them as fast as they can; mails
and what else waits for a calmer minute is counted, too: `settled_orders_per_s` is the rate at which
orders leave nothing to do. Then as many orders as half of that rate, evenly spread, for the time
from paying to paid. The opponent is pgbench with nothing but the SQL of one order, written by hand for one database (`_order.sql`).
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import _growth
import _http
import asyncpg
import holds
import uvloop
from _report import report
from _stage import stage
from load.client import Client
from rich.console import Console
from rich.table import Table

from dvor.kernel.config import Settings
from dvor.kernel.postgres import EmbeddedPostgres

GOALS = {
    "orders_per_s": 300.0,
    "limit_ratio": 0.3,
    "paid_ms_p95": -150.0,
    "statements_per_order": -20.0,
    "cost_growth": -1.2,
}
"""At least; negative: at most."""
CARD = "4242424242424242"
WARM_SECONDS = 4.0
PAID_SECONDS = 30.0
STATEMENTS_SHOWN = 60
SETTLED_SECONDS = 120.0
LEFT = """
SELECT EXISTS (SELECT FROM outbox WHERE sent_at IS NULL)
    OR EXISTS (SELECT FROM tasks WHERE state = 'due' AND run_at <= dvor_now())
"""
UNHEARD = """
SELECT EXISTS (SELECT FROM ends JOIN cursors c USING (source) WHERE c.position < ends.position)
"""
HERE = Path(__file__).parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Customer:
    """Buys one thing after the other."""

    client: Client
    waited: list[float] = field(default_factory=list[float])
    """Seconds from paying to paid, an entry an order."""

    async def buy(self, offer_id: UUID) -> None:
        """One journey. Raises Refused, and RuntimeError where the order is not paid in time."""
        ask = self.client.call
        cart = await ask("POST", "/cart/lines", {"offer_id": str(offer_id), "quantity": 1})
        order = await ask("POST", "/cart/checkout", {"cart_version": cart["version"]})
        form = await self.client.form(order["pay_path"])
        began = time.perf_counter()
        await self.client.submit(order["pay_path"], form | {"card_number": CARD})
        while order["status"] != "paid":
            if time.perf_counter() - began > PAID_SECONDS:
                raise RuntimeError(f"order {order['number']} stayed {order['status']}")
            order = await ask("GET", f"/orders/{order['id']}/changes?after={order['version']}")
        self.waited.append(time.perf_counter() - began)


@dataclass
class Meter:
    """What an interval cost: counted before and after it."""

    orders: int
    commits: int
    statements: int
    cpu: dict[str, float]

    def per_order(self, before: "Meter") -> dict[str, Any]:
        """Commits, statements and milliseconds of CPU."""
        orders = self.orders - before.orders
        cpu = {name: (self.cpu[name] - before.cpu[name]) * 1000 / orders for name in self.cpu}
        return {
            "commits_per_order": round((self.commits - before.commits) / orders, 1),
            "statements_per_order": round((self.statements - before.statements) / orders, 1),
            "cpu_ms_per_order": {name: round(used, 2) for name, used in cpu.items()},
        }


class Shop:
    """Dvor, its database server and its customers."""

    def __init__(self, settings: Settings, offers: list[UUID], customers: list[Customer]) -> None:
        self.settings, self.url = settings, settings.database_url
        self.offers, self.customers = offers, customers

    async def rush(self, seconds: float) -> tuple[float, dict[str, Any]]:
        """Everybody buys as fast as they can: orders a second, and what one cost with all of it."""
        end = time.perf_counter() + seconds
        before = await self.meter()
        began = time.perf_counter()

        async def shopping(number: int, customer: Customer) -> None:
            count = number
            while time.perf_counter() < end:
                await customer.buy(self.offers[count % len(self.offers)])
                count += 7

        await asyncio.gather(*(shopping(n, one) for n, one in enumerate(self.customers)))
        took = time.perf_counter() - began
        await self.settle()
        settled = time.perf_counter() - began
        after = await self.meter()
        orders = after.orders - before.orders
        return orders / took, after.per_order(before) | {
            "settled_orders_per_s": round(orders / settled, 1)
        }

    async def settle(self) -> None:
        """Wait until every fact is told and heard and every task is done, mails too."""
        async with asyncio.timeout(SETTLED_SECONDS), contextlib.AsyncExitStack() as stack:
            asked: list[tuple[asyncpg.Connection[Any], str]] = []
            for name in ("orders", "payments", "broker", "notifications"):
                connection = await asyncpg.connect(self.settings.database(name))
                stack.push_async_callback(connection.close)
                asked.append((connection, UNHEARD if name == "broker" else LEFT))
            quiet = 0
            while quiet < 2:  # what one look missed behind its back, the next one sees
                left = [await connection.fetchval(question) for connection, question in asked]
                quiet = 0 if any(left) else quiet + 1
                await asyncio.sleep(0.1)

    async def stroll(self, rate: float, seconds: float) -> list[float]:
        """So many orders a second come evenly: seconds from paying to paid."""
        idle: asyncio.Queue[Customer] = asyncio.Queue()
        for customer in self.customers:
            customer.waited.clear()
            idle.put_nowait(customer)
        began, coming = time.perf_counter(), set[asyncio.Task[None]]()

        async def visit(customer: Customer, number: int) -> None:
            await customer.buy(self.offers[number % len(self.offers)])
            idle.put_nowait(customer)

        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            coming.add(asyncio.create_task(visit(await idle.get(), number)))
        await asyncio.gather(*coming)
        return [waited for customer in self.customers for waited in customer.waited]

    @property
    def bought(self) -> int:
        """Orders until now."""
        return sum(len(customer.waited) for customer in self.customers)

    async def statements(self, orders: int) -> dict[str, float]:
        """How often an order says what, most often first; our own database's only."""
        connection = await asyncpg.connect(self.url)
        try:
            rows = await connection.fetch(
                "SELECT datname || ': ' || left(regexp_replace(query, '\\s+', ' ', 'g'), 90) AS said,"
                " sum(calls) AS calls FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
                " WHERE datname <> 'only_sql' GROUP BY 1 ORDER BY 2 DESC LIMIT $1",
                STATEMENTS_SHOWN,
            )
            return {row["said"]: round(float(row["calls"]) / orders, 2) for row in rows}
        finally:
            await connection.close()

    async def meter(self) -> Meter:
        """Everything that is counted, until now."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute("SELECT pg_stat_force_next_flush()")
            commits = await connection.fetchval("SELECT sum(xact_commit) FROM pg_stat_database")
            # BEGIN and COMMIT count, too; ours is not an order's.
            statements = await connection.fetchval("SELECT sum(calls) FROM pg_stat_statements")
        finally:
            await connection.close()
        return Meter(self.bought, int(commits), int(statements), cpu_seconds())


def cpu_seconds() -> dict[str, float]:
    """CPU time of all processes below this one by what they are, ended children included."""
    parents: dict[int, tuple[int, str, float]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name, _, rest = (folder / "stat").read_text().rpartition(")")
            words = rest.split()
            used = sum(map(int, words[11:15])) / TICKS_PER_SECOND
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
            parents[int(folder.name)] = (int(words[1]), f"{name} {line}", used)
    found = {"dvor": 0.0, "postgres": 0.0, "customers": 0.0}
    for pid, (_, line, used) in parents.items():
        if os.getpid() in _ancestors(pid, parents):
            kind = "postgres" if "postgres" in line else "dvor"
            found["customers" if pid == os.getpid() else kind] += used
    return found


def _ancestors(pid: int, parents: dict[int, tuple[int, str, float]]) -> Iterator[int]:
    while pid in parents:
        yield pid
        pid = parents[pid][0]


@contextlib.asynccontextmanager
async def opened(customers: int, workers: int) -> AsyncIterator[Shop]:
    """A Dvor with things to buy and customers who are signed in."""
    with tempfile.TemporaryDirectory(prefix="dvor-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg", max_connections=400)
        with server:
            await execute(
                server.dsn, "ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements"
            )
        with server:
            await execute(server.dsn, "CREATE EXTENSION pg_stat_statements")
            async with _http.site(server.dsn, workers) as port:
                settings = Settings(database_url=server.dsn, secret=b"b" * 32)
                offers = await stage(settings)
                tokens = await asyncio.to_thread(_http.tokens, port, customers)
                clients = [(await Client.connected(port)).signed_in(token) for token in tokens]
                try:
                    yield Shop(settings, offers, [Customer(one) for one in clients])
                finally:
                    for client in clients:
                        client.close()


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def limit(url: str, seconds: float) -> float:
    """Orders a second of pgbench with the SQL alone: the better of 16 and 64 clients."""
    await execute(url, 'DROP DATABASE IF EXISTS "only_sql"', 'CREATE DATABASE "only_sql"')
    there = url.replace("/postgres?", "/only_sql?")
    await execute(there, (HERE / "_order_tables.sql").read_text())
    script = (HERE / "_order.sql").read_text()
    rates = [
        (await asyncio.to_thread(holds.pgbench, there, script, clients, seconds))[0]
        for clients in holds.CLIENTS
    ]
    return max(rates)


async def measured(options: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    async with opened(options.customers, options.workers) as shop:
        await shop.rush(WARM_SECONDS)
        await execute(shop.url, "SELECT pg_stat_statements_reset()")
        bought = shop.bought
        rates, limits, costs = [], [], {}
        for _ in range(options.rounds):
            rate, costs = await shop.rush(options.seconds)
            rates.append(rate)
            limits.append(await limit(shop.url, options.seconds))
        rate = statistics.median(rates)
        said = await shop.statements(shop.bought - bought)
        await execute(shop.url, "CHECKPOINT")  # what pgbench has left is no part of it
        waited = await shop.stroll(rate / 2, options.seconds)
        ranks = statistics.quantiles(waited, n=100)
        found: dict[str, Any] = {
            "orders_per_s": round(rate, 1),
            "paid_ms_p50": round(ranks[49] * 1000, 1),
            "paid_ms_p95": round(ranks[94] * 1000, 1),
            "limit_orders_per_s": round(statistics.median(limits), 1),
            "limit_ratio": round(rate / statistics.median(limits), 3),
            **costs,
            "statements": said,
            "load_average": os.getloadavg()[0],
            "runs": {"orders_per_s": rates, "limit_orders_per_s": limits},
        }
        if not options.no_growth:
            found |= await _growth.grown(shop, options.seconds)
        return found


def show(found: dict[str, Any]) -> None:
    """A table for people."""
    table = Table("figure", title="Checkout over HTTP, medians")
    table.add_column("measured", justify="right")
    table.add_column("goal", justify="right")
    for key, value in found.items():
        if isinstance(value, (int, float)):
            goal = GOALS.get(key)
            wanted = "" if goal is None else f"{'≥' if goal > 0 else '≤'} {abs(goal):g}"
            table.add_row(key, f"{value:,}", wanted)
    for name, used in found["cpu_ms_per_order"].items():
        table.add_row(f"CPU of {name}, ms an order", f"{used:,}", "")
    Console().print(table)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="per measurement")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--customers", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2, help="processes that serve HTTP")
    parser.add_argument("--no-growth", action="store_true", help="leave out a million orders")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = uvloop.run(measured(options))
    report(found, show, as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
