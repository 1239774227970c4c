"""All SQL of audits."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from dvor.kernel.db import Connection, Record
from dvor.services.audits.rules import AUDIT_SECONDS_MAX

_UNDER_WAY = f"ended_at IS NULL AND begun_at > dvor_now() - interval '{AUDIT_SECONDS_MAX} s'"


async def begin(db: Connection, audit_id: UUID) -> None:
    """Write that an audit is under way, and forget old ones."""
    await db.execute(
        """
        DELETE FROM audits WHERE begun_at < dvor_now() -
            CASE WHEN violations > 0 THEN interval '30 days' ELSE interval '1 day' END
        """
    )
    await db.execute("INSERT INTO audits (id) VALUES ($1)", audit_id)


async def finish(
    db: Connection, audit_id: UUID, violations: int, findings: list[dict[str, Any]]
) -> None:
    """Write what was found."""
    await db.execute(
        """
        UPDATE audits SET ended_at = dvor_now(), violations = $2, findings = $3
        WHERE id = $1
        """,
        audit_id,
        violations,
        findings,
    )


async def newest(db: Connection, *, broken: bool = False) -> Record | None:
    """The last audit that is finished; `broken`: of those that found something."""
    return await db.fetchrow(
        """
        SELECT begun_at, ended_at, findings,
               extract(epoch FROM dvor_now() - ended_at)::float AS age_seconds
        FROM audits WHERE ended_at IS NOT NULL AND (violations > 0 OR NOT $1)
        ORDER BY begun_at DESC LIMIT 1
        """,
        broken,
    )


async def is_due(db: Connection, every: timedelta) -> bool:
    """Whether the last audit began so long ago."""
    return await db.fetchval(
        "SELECT coalesce(max(begun_at) <= dvor_now() - $1::interval, true) FROM audits",
        every,
    )


async def is_under_way(db: Connection) -> bool:
    """Whether one is being made, or wanted."""
    return await db.fetchval(
        f"""
        SELECT EXISTS (SELECT FROM audits WHERE {_UNDER_WAY})
            OR EXISTS (SELECT FROM tasks WHERE name = 'look_now' AND state = 'due')
        """
    )
