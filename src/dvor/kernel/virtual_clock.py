"""The shift of the clock, kept in every database, so that all processes agree on it."""

from collections.abc import Sequence
from datetime import timedelta

from dvor.kernel import clock
from dvor.kernel.db import Database


async def follow(database: Database) -> None:
    """Take over the shift as this database holds it."""
    shift = await database.fetchval("SELECT shift FROM virtual_clock")
    clock.follow(shift or timedelta())


async def move(databases: Sequence[Database], shift: timedelta) -> None:
    """Move the clock of these databases, and of this process, to real time plus `shift`."""
    for database in databases:
        await database.execute(
            "WITH moved AS (UPDATE virtual_clock SET shift = $1 RETURNING shift)"
            " SELECT pg_notify('dvor_clock', '') FROM moved",
            shift,
        )
    clock.follow(shift)
