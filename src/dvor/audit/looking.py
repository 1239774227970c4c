"""Making the audit: snapshots of every database, taken together, and a second look."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dvor.audit import answers, bookings, closures, histories, prices, units
from dvor.audit.report import Check, Finding, Look, Report
from dvor.kernel.db import raw_connection

CHECKS: tuple[Check, ...] = (
    *units.CHECKS,
    *closures.CHECKS,
    *bookings.CHECKS,
    *answers.CHECKS,
    *prices.CHECKS,
    *histories.CHECKS,
)
PATIENCE_SECONDS = 5.0
"""How long what looks wrong may take to come right before it is called a violation."""

_PAUSE_SECONDS = 0.5


async def audit(
    database_urls: Mapping[str, str], *, patience_seconds: float = PATIENCE_SECONDS
) -> Report:
    """Check every promise that these databases (service name -> URL) can show.

    Snapshots of two databases are never of exactly the same instant, and a hold may be past its
    deadline for as long as the sweeper needs: what looks wrong is looked at again, and only what
    stays wrong for `patience_seconds` counts.
    """
    able = [check for check in CHECKS if set(check.databases) <= database_urls.keys()]
    looks = await _look(able, database_urls)
    for _ in range(int(patience_seconds / _PAUSE_SECONDS)):
        doubtful = [check for check in able if looks[check].violations]
        if not doubtful:
            break
        await asyncio.sleep(_PAUSE_SECONDS)
        for check, again in (await _look(doubtful, database_urls)).items():
            looks[check] = _both(looks[check], again)
    findings = [
        Finding.of(check, looks[check]) if check in looks else _skipped(check, database_urls)
        for check in CHECKS
    ]
    return Report(at=datetime.now(UTC), findings=tuple(findings))


def _both(first: Look, second: Look) -> Look:
    stayed = {what: how for what, how in second.violations.items() if what in first.violations}
    return replace(second, violations=stayed)


def _skipped(check: Check, database_urls: Mapping[str, str]) -> Finding:
    missing = sorted(set(check.databases) - database_urls.keys())
    return Finding(check.id, check.sentence, skipped=f"no database of {', '.join(missing)}")


async def _look(checks: Sequence[Check], database_urls: Mapping[str, str]) -> dict[Check, Look]:
    async with _snapshots(database_urls) as databases:
        return {check: await check.look(databases) for check in checks}


@asynccontextmanager
async def _snapshots(database_urls: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
    """One read-only moment of each database, as close together as can be."""
    async with AsyncExitStack() as stack:
        opened = {
            name: await stack.enter_async_context(raw_connection(url))
            for name, url in database_urls.items()
        }
        for connection in opened.values():
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # The first query takes the snapshot.
        await asyncio.gather(*(connection.fetch("SELECT 1") for connection in opened.values()))
        yield opened
        for connection in opened.values():
            await connection.execute("COMMIT")
