"""Making the audit: snapshots of every database, taken together, and a second look."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dvor.audit import (
    answers,
    approvals,
    bookings,
    books,
    closures,
    deposits,
    histories,
    mails,
    messages,
    money,
    prices,
    promos,
    refunds,
    sagas,
    units,
)
from dvor.audit.report import Check, Finding, Look, Report
from dvor.kernel.db import raw_connection

CHECKS: tuple[Check, ...] = (
    *units.CHECKS,
    *closures.CHECKS,
    *bookings.CHECKS,
    *answers.CHECKS,
    *prices.CHECKS,
    *promos.CHECKS,
    *money.CHECKS,
    *approvals.CHECKS,
    *books.CHECKS,
    *deposits.CHECKS,
    *sagas.CHECKS,
    *mails.CHECKS,
    *messages.CHECKS,
    *refunds.CHECKS,
    *histories.CHECKS,
)
DATABASES = tuple(sorted({name for check in CHECKS for name in check.databases}))
"""The services whose databases are looked at."""
PATIENCE_SECONDS = 5.0
"""How long what looks wrong may take to come right before it is called a violation."""

_PAUSE_SECONDS = 0.5


async def audit(
    database_urls: Mapping[str, str],
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    check_seconds: float | None = None,
) -> Report:
    """Check every promise that these databases (service name -> URL) can show.

    A check that takes longer than `check_seconds` is given up and named as skipped: on large data
    an audit must not be a load of its own.

    Snapshots of two databases are never of exactly the same instant, and a hold may be past its
    deadline for as long as the sweeper needs: what looks wrong is looked at again, and only what
    stays wrong for `patience_seconds` counts.
    """
    able = [check for check in CHECKS if set(check.databases) <= database_urls.keys()]
    looks = await _look(able, database_urls, check_seconds)
    for _ in range(int(patience_seconds / _PAUSE_SECONDS)):
        doubtful = [check for check, look in looks.items() if look.violations]
        if not doubtful:
            break
        await asyncio.sleep(_PAUSE_SECONDS)
        again = await _look(doubtful, database_urls, check_seconds)
        # Who had no time for the second look is not said to be broken.
        looks = {c: look for c, look in looks.items() if c in again or c not in doubtful}
        looks |= {check: _both(looks[check], look) for check, look in again.items()}
    findings = [
        Finding.of(check, looks[check])
        if check in looks
        else _skipped(check, database_urls, check_seconds)
        for check in CHECKS
    ]
    return Report(at=datetime.now(UTC), findings=tuple(findings))


def _both(first: Look, second: Look) -> Look:
    stayed = {what: how for what, how in second.violations.items() if what in first.violations}
    return replace(second, violations=stayed)


def _skipped(
    check: Check, database_urls: Mapping[str, str], check_seconds: float | None
) -> Finding:
    missing = sorted(set(check.databases) - database_urls.keys())
    why = f"no database of {', '.join(missing)}"
    if not missing:
        why = f"given up after {check_seconds:g} s"
    return Finding(check.id, check.sentence, check.databases, skipped=why)


async def _look(
    checks: Sequence[Check], database_urls: Mapping[str, str], check_seconds: float | None
) -> dict[Check, Look]:
    """What each check sees of the same snapshots; without those that took too long."""
    wanted = {name: database_urls[name] for check in checks for name in check.databases}
    looks: dict[Check, Look] = {}
    async with _snapshots(wanted, check_seconds) as databases:
        for check in checks:
            with suppress(TimeoutError):
                looks[check] = await _in_time(check, databases, check_seconds)
    return looks


async def _in_time(check: Check, databases: Mapping[str, Any], seconds: float | None) -> Look:
    """One look. Raises TimeoutError; the statement under way is cancelled and the snapshots stay."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(seconds))
        for name in check.databases:
            await stack.enter_async_context(databases[name].transaction())  # a savepoint
        return await check.look(databases)


@asynccontextmanager
async def _snapshots(
    database_urls: Mapping[str, str], check_seconds: float | None
) -> AsyncIterator[dict[str, Any]]:
    """One read-only moment of each database, as close together as can be."""
    async with AsyncExitStack() as stack:
        opened = {
            name: await stack.enter_async_context(raw_connection(url))
            for name, url in database_urls.items()
        }
        for connection in opened.values():
            moment = connection.transaction(isolation="repeatable_read", readonly=True)
            await stack.enter_async_context(moment)
            # Should this process die, nothing of it runs on for long.
            limit = int((check_seconds or 0) * 2000)
            await connection.execute(f"SET LOCAL statement_timeout = {limit}")
        # The first query takes the snapshot.
        await asyncio.gather(*(connection.fetch("SELECT 1") for connection in opened.values()))
        yield opened
