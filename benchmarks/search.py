"""Availability search: milliseconds at 10,000 and at 100,000 offers, and how much they grow.

    ./dvor bench search [--claims 100] [--json]

Its own PostgreSQL. Each offer has `--claims` confirmed claims over the next three months (10 million
at the large size) and cells that agree with them: three to ten rooms, booked block by block, so
that on a night one offer in three is sold out. Asked at `InventoryService`, one search after the
other, from random places of the list. `search_growth` is the worst of all shapes.
"""

import argparse
import hashlib
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import uvloop
from _inventory import inventory
from _report import report
from rich.console import Console
from rich.table import Table

from dvor.contracts.availability import AvailabilitySearch
from dvor.contracts.catalog import Kind
from dvor.kernel import clock
from dvor.kernel.db import Database
from dvor.kernel.periods import DateRange
from dvor.services.inventory import slots
from dvor.services.inventory.service import InventoryService

SIZES = (10_000, 100_000)
CLAIMS = 100
"""Of each offer."""
DAYS = 90
ASKED = 400
"""Searches of each shape."""
GOAL_GROWTH, GOAL_MS = 1.5, 10.0

# Claim i of an offer takes room i % rooms in block i / rooms of the three months: that block's nights,
# as many for all rooms, but in every third block one room stays for one night only. Rooms of a block
# never meet, so what was promised always fits. Goods: one claim, one piece.
FILL = """
WITH offer AS (
    INSERT INTO offers (offer_id, listing_id, seller_id, kind, quantity, open)
    SELECT id, id, id, CASE WHEN n % 10 = 0 THEN 'product' ELSE 'stay' END,
        CASE WHEN n % 10 = 0 THEN $3 + n / 10 % 2 ELSE 3 + n % 8 END, true
    FROM (SELECT n, md5(n::text)::uuid AS id FROM generate_series($1::int, $2::int) AS n) AS made
    RETURNING offer_id, kind, quantity
), stay AS (
    SELECT offer_id, quantity, ($3 + quantity - 1) / quantity AS blocks FROM offer WHERE kind = 'stay'
), block AS (
    SELECT offer_id, quantity, i, i / quantity AS number, $5 / blocks AS pitch,
        abs(hashtextextended(offer_id::text, i / quantity)) AS chance
    FROM stay, generate_series(0, $3 - 1) AS i
)
INSERT INTO holds (id, status, made_at, expires_at, claims)
SELECT gen_random_uuid(), 'confirmed', dvor_now(), dvor_now(),
    ARRAY[ROW(offer_id, first_slot, end_slot, 0, 1, NULL, NULL, NULL, NULL)::claim]
FROM (
    SELECT offer_id, $4 + number * pitch AS first_slot,
        $4 + number * pitch + CASE WHEN i % quantity = 0 AND chance % 3 = 0 THEN 1
            ELSE 1 + (chance / 3 % pitch)::int END AS end_slot
    FROM block
    UNION ALL
    SELECT offer_id, 0, 1 FROM offer, generate_series(1, $3) WHERE kind = 'product'
) AS claimed
"""
CELLS = """
INSERT INTO cells (offer_id, slot, capacity, sold)
SELECT offer_id, slot, offers.quantity, count(*)
FROM offers JOIN claimed_cells USING (offer_id)
WHERE offer_id IN (SELECT md5(n::text)::uuid FROM generate_series($1::int, $2::int) AS n)
GROUP BY offer_id, slot, offers.quantity ORDER BY offer_id, slot
"""
TOGETHER = 5_000
"""Offers written by one statement."""


async def fill(db: Database, first: int, last: int, claims: int) -> None:
    """Write offers number `first` to `last`, their claims, cells and holds."""
    day = slots.slot_of(clock.now().date())
    # No search reads it, and writing it for ten million claims takes longer than all the rest.
    await db.execute("DROP INDEX IF EXISTS holds_of_offer")
    for start in range(first, last + 1, TOGETHER):
        await write(db, FILL, start, min(start + TOGETHER - 1, last), claims, day, DAYS)
    await write(db, CELLS, first, last)
    for table in ("offers", "cells", "holds"):
        await db.execute(f"VACUUM ANALYZE {table}")


async def write(db: Database, statement: str, *arguments: int) -> None:
    """Execute for many offers at once; `Settings` lets it take its time."""
    async with db.tx() as tx:
        # Rows refer to rows of the same statements: nothing needs to be asked again.
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(statement, *arguments)


Ask = Callable[[InventoryService, random.Random], Awaitable[Any]]


def searching(kind: Kind, nights: int = 0, quantity: int = 1) -> Ask:
    """A search for some dates, from a random place of the list."""

    async def ask(service: InventoryService, dice: random.Random) -> Any:
        first = clock.now().date() + timedelta(days=dice.randrange(1, DAYS - nights))
        dates = DateRange(start=first, end=first + timedelta(days=nights)) if nights else None
        place = UUID(int=dice.getrandbits(128)).hex
        return await service.available(
            AvailabilitySearch(kind=kind, quantity=quantity, dates=dates, cursor=place)
        )

    return ask


async def calendar(service: InventoryService, dice: random.Random) -> Any:
    """Two months of one offer."""
    offer = UUID(hashlib.md5(str(dice.randrange(SIZES[0] // 10) * 10 + 1).encode()).hexdigest())
    first = clock.now().date()
    return await service.calendar(offer, DateRange(start=first, end=first + timedelta(days=61)))


SHAPES: dict[str, Ask] = {
    "two nights, one room": searching(Kind.STAY, 2),
    "a week, one room": searching(Kind.STAY, 7),
    "two nights, four rooms": searching(Kind.STAY, 2, 4),
    "two nights, ten rooms": searching(Kind.STAY, 2, 10),
    "goods, now": searching(Kind.PRODUCT),
    "calendar of one offer": calendar,
}


async def measured(service: InventoryService, ask: Ask) -> dict[str, float]:
    """Median and 95th percentile in milliseconds, and how many were found."""
    dice = random.Random(7)
    times, found = [], []
    for number in range(ASKED + 20):
        began = time.perf_counter()
        answer = await ask(service, dice)
        if number >= 20:
            times.append((time.perf_counter() - began) * 1000)
            found.append(len(getattr(answer, "items", ())))
    cuts = statistics.quantiles(times, n=20)
    return {
        "p50": round(statistics.median(times), 3),
        "p95": round(cuts[-1], 3),
        "found": round(statistics.mean(found), 1),
    }


async def search_growth(claims: int = CLAIMS) -> dict[str, Any]:
    """`search_growth` and the milliseconds behind it."""
    async with inventory() as (service, _):
        return await _both_sizes(service, claims)


async def _both_sizes(service: InventoryService, claims: int) -> dict[str, Any]:
    sizes: dict[str, Any] = {}
    before = 0
    for size in SIZES:
        await fill(service.db, before + 1, size, claims)
        before = size
        share = "SELECT avg(sold_out::int)::float FROM cells WHERE slot = $1"
        middle = slots.slot_of(clock.now().date()) + DAYS // 2
        sizes[str(size)] = {
            "claims": await service.db.fetchval("SELECT count(*) FROM holds"),
            "cells": await service.db.fetchval("SELECT count(*) FROM cells"),
            "sold_out_on_a_day": round(await service.db.fetchval(share, middle), 2),
            "shapes": {name: await measured(service, ask) for name, ask in SHAPES.items()},
        }
    small, large = (sizes[str(size)]["shapes"] for size in SIZES)
    growth = {name: round(large[name]["p50"] / small[name]["p50"], 2) for name in SHAPES}
    return {
        "search_growth": max(growth.values()),
        "growth": growth,
        "sizes": sizes,
        "load_average": os.getloadavg()[0],
    }


def show(found: dict[str, Any]) -> None:
    """A table for people."""
    table = Table("search", title="Milliseconds, p50 / p95")
    for size in SIZES:
        table.add_column(f"{size:,} offers", justify="right")
    table.add_column("growth", justify="right")
    for name in SHAPES:
        cells = [found["sizes"][str(size)]["shapes"][name] for size in SIZES]
        words = [f"{cell['p50']:.2f} / {cell['p95']:.2f}" for cell in cells]
        table.add_row(name, *words, f"{found['growth'][name]:.2f}")
    console = Console()
    console.print(table)
    large = found["sizes"][str(SIZES[1])]
    console.print(
        f"{large['claims']:,} claims, {large['cells']:,} cells; of the cells of a day"
        f" {large['sold_out_on_a_day']:.0%} are sold out. Growth {found['search_growth']:.2f},"
        f" goal ≤ {GOAL_GROWTH:g}; p50 goal under {GOAL_MS:g} ms."
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--claims", type=int, default=CLAIMS, help="of each offer")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = uvloop.run(search_growth(options.claims))
    report(found, show, as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
