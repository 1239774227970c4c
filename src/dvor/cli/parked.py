"""Events that a service could not apply: what they are, and trying them again."""

import asyncio
from pathlib import Path

from dvor import topology
from dvor.cli.house import at_hand
from dvor.kernel.brokers import broker
from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from dvor.kernel.inbox import Consumer
from dvor.kernel.service import groups


def parked(data: Path, *, again: bool) -> int:
    """Show parked events, or apply them again; 1 while some stay parked."""
    with at_hand(data, existing=True) as settings:
        return asyncio.run(replay(settings) if again else show(settings))


async def show(settings: Settings) -> int:
    """Say what is parked and why; 1 where something is."""
    found = 0
    for service in topology.SERVICES:
        database = Database(service.name, settings.database(service.name), settings)
        await database.open()
        rows = await database.fetch(
            "SELECT type, aggregate, version, parked_at, error FROM parked_messages"
            " ORDER BY aggregate, version"
        )
        await database.close()
        found += len(rows)
        for row in rows:
            when = row["parked_at"].isoformat(timespec="seconds")
            print(f"{service.name}: {row['type']} {row['aggregate']} v{row['version']}, {when}")
            print(f"  {row['error']}")
    print("Mend the cause, then: dvor parked --replay" if found else "Nothing is parked.")
    return min(found, 1)


async def replay(settings: Settings) -> int:
    """Apply what is parked, oldest first; 1 where something stays."""
    left = 0
    for service in topology.SERVICES:
        if not service.handlers:
            continue
        database = Database(service.name, settings.database(service.name), settings)
        await database.open()
        consumer = Consumer(
            database, broker(settings, groups(topology.SERVICES)), service.handlers, settings
        )
        applied, stuck = await consumer.replay_parked()
        await database.close()
        left += stuck
        if applied or stuck:
            print(f"{service.name}: {applied} applied, {stuck} still parked")
    print("Nothing is parked." if not left else f"{left} still parked: see dvor parked")
    return min(left, 1)
