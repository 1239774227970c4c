"""Dvor with one guard taken away: `python -m tests.sabotage NAME serve …`.

A test that stays green with its guard off proves nothing. Each sabotage is one planted bug; the
tests that must catch it are named in its docstring.
"""

import asyncio
import sys
from collections.abc import Callable

from dvor.kernel.config import Settings
from dvor.kernel.db import raw_connection


def unjudged_holds() -> None:
    """B1/B5: holds are granted without looking at what is left, and no CHECK stands behind.

    Caught by journeys/test_race.py::TestTwoHundredBuyers.
    """
    from dvor.services.inventory import rules

    rules.judge = lambda needed, own, cells: None
    asyncio.run(_execute("inventory", "ALTER TABLE cells DROP CONSTRAINT cells_within_capacity"))


async def _execute(service: str, sql: str) -> None:
    async with raw_connection(Settings.from_environment().database(service)) as connection:
        await connection.execute(sql)


SABOTAGES: dict[str, Callable[[], None]] = {found.__name__: found for found in (unjudged_holds,)}

if __name__ == "__main__":
    from dvor.cli.app import run

    SABOTAGES[sys.argv.pop(1)]()
    run()
