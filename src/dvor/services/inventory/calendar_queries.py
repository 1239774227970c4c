"""All SQL of feeds and imported calendars."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from dvor.kernel.db import Connection, Record
from dvor.services.inventory.closure_rules import StoredClosure
from dvor.services.inventory.rules import Offer


async def token(db: Connection, offer_id: UUID) -> str:
    """The secret of an offer's feed; empty where there is none."""
    return await db.fetchval("SELECT token FROM ical_feeds WHERE offer_id = $1", offer_id) or ""


async def set_token(db: Connection, offer_id: UUID, token: str) -> None:
    """Give an offer's feed another secret."""
    await db.execute(
        """
        INSERT INTO ical_feeds (offer_id, token) VALUES ($1, $2)
        ON CONFLICT (offer_id) DO UPDATE SET token = excluded.token
        """,
        offer_id,
        token,
    )


async def drop_token(db: Connection, offer_id: UUID) -> None:
    """Nobody can read an offer's feed any more."""
    await db.execute("DELETE FROM ical_feeds WHERE offer_id = $1", offer_id)


async def offer_of_token(db: Connection, token: str) -> UUID | None:
    """Whose feed this is."""
    return await db.fetchval("SELECT offer_id FROM ical_feeds WHERE token = $1", token)


async def taken(db: Connection, offer: Offer, slots: range, limit: int) -> list[int]:
    """Slots of which nothing is free, growing."""
    rows = await db.fetch(
        """
        SELECT slot FROM cells
        WHERE offer_id = $1 AND slot >= $2 AND slot < $3 AND capacity - held - sold <= 0
        ORDER BY slot LIMIT $4
        """,
        offer.id,
        slots.start,
        slots.stop,
        limit,
    )
    return [row["slot"] for row in rows]


async def insert_import(db: Connection, import_id: UUID, offer_id: UUID) -> None:
    """Write an import of which nothing is known yet, unless it is there."""
    await db.execute(
        """
        INSERT INTO ical_imports (id, offer_id, name) VALUES ($1, $2, '') ON CONFLICT DO NOTHING
        """,
        import_id,
        offer_id,
    )


async def name_import(
    db: Connection, import_id: UUID, name: str, url: str, every: timedelta | None
) -> None:
    """Write what an import is called and where it comes from; looked at again after `every`."""
    await db.execute(
        """
        UPDATE ical_imports SET name = $2, url = $3, problem = '',
            fetch_at = CASE WHEN $4::interval IS NULL THEN NULL ELSE dvor_now() + $4 END
        WHERE id = $1
        """,
        import_id,
        name,
        url,
        every,
    )


async def note_import(
    db: Connection, import_id: UUID, problem: str, broken: Sequence[dict[str, Any]] | None
) -> None:
    """Write what became of a look at a calendar; `broken` None: as before."""
    await db.execute(
        """
        UPDATE ical_imports SET problem = $2, fetched_at = dvor_now(), broken = coalesce($3, broken)
        WHERE id = $1
        """,
        import_id,
        problem,
        None if broken is None else list(broken),
    )


async def stored_import(db: Connection, import_id: UUID) -> Record | None:
    """An import."""
    return await db.fetchrow("SELECT * FROM ical_imports WHERE id = $1", import_id)


async def imports(db: Connection, offer_id: UUID) -> list[Record]:
    """The imports of an offer, oldest first."""
    return await db.fetch("SELECT * FROM ical_imports WHERE offer_id = $1 ORDER BY id", offer_id)


async def delete_import(db: Connection, import_id: UUID) -> None:
    """Forget an import."""
    await db.execute("DELETE FROM ical_imports WHERE id = $1", import_id)


async def take_due(db: Connection, every: timedelta, limit: int) -> list[Record]:
    """Imports to look at now, put off until next time."""
    return await db.fetch(
        """
        WITH due AS (
            SELECT id FROM ical_imports WHERE fetch_at <= dvor_now()
            ORDER BY fetch_at LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        UPDATE ical_imports SET fetch_at = dvor_now() + $1 FROM due
        WHERE ical_imports.id = due.id RETURNING ical_imports.id, fetch_at
        """,
        every,
        limit,
    )


async def closures_of(db: Connection, source: str, offer_id: UUID) -> list[Record]:
    """The closures of one source."""
    return await db.fetch(
        "SELECT * FROM closures WHERE offer_id = $1 AND source = $2", offer_id, source
    )


async def replace_closures(
    db: Connection, gone: Sequence[UUID], changed: Sequence[StoredClosure]
) -> None:
    """Take closures away and write new ones, or ones that moved."""
    await db.execute("DELETE FROM closures WHERE id = ANY($1)", gone)
    await db.execute(
        """
        INSERT INTO closures (id, offer_id, first_slot, end_slot, units, source, note)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::text[],
            $7::text[])
        ON CONFLICT (id) DO UPDATE SET first_slot = excluded.first_slot,
            end_slot = excluded.end_slot, units = excluded.units, note = excluded.note
        """,
        [closure.id for closure in changed],
        [closure.offer_id for closure in changed],
        [closure.slots.start for closure in changed],
        [closure.slots.stop for closure in changed],
        [closure.units for closure in changed],
        [closure.source for closure in changed],
        [closure.note for closure in changed],
    )
