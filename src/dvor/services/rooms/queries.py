"""All SQL of rooms."""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from dvor.kernel.db import Connection, Record
from dvor.kernel.periods import DateRange


async def lock_offer(db: Connection, offer_id: UUID) -> None:
    """Nobody else changes rooms or assignments of an offer until this transaction ends."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", str(offer_id))


async def rooms(db: Connection, offer_id: UUID) -> list[Record]:
    """The rooms of an offer that are in use, by name: 2 stands before 10."""
    return await db.fetch(
        """
        SELECT id, offer_id, name FROM rooms WHERE offer_id = $1 AND active
        ORDER BY nullif(regexp_replace(name, '\\D', '', 'g'), '')::numeric NULLS LAST, name
        """,
        offer_id,
    )


async def room(db: Connection, room_id: UUID) -> Record | None:
    """A room that is in use."""
    return await db.fetchrow("SELECT * FROM rooms WHERE id = $1 AND active", room_id)


async def add_rooms(
    db: Connection, offer_id: UUID, ids: Sequence[UUID], names: Sequence[str]
) -> None:
    """Write rooms; those that were gone are in use again."""
    await db.execute(
        """
        INSERT INTO rooms (id, offer_id, name)
        SELECT id, $1, name FROM unnest($2::uuid[], $3::text[]) AS given (id, name)
        ON CONFLICT (offer_id, name) DO UPDATE SET active = true
        """,
        offer_id,
        ids,
        names,
    )


async def retire_rooms(db: Connection, room_ids: Sequence[UUID]) -> None:
    """Take rooms out of use."""
    await db.execute("UPDATE rooms SET active = false WHERE id = ANY($1)", room_ids)


async def occupied_after(db: Connection, room_ids: Sequence[UUID], day: date) -> list[str]:
    """The names of those rooms that have guests after a day."""
    rows = await db.fetch(
        """
        SELECT DISTINCT name FROM nights JOIN rooms ON rooms.id = room_id
        WHERE room_id = ANY($1) AND night >= $2 ORDER BY name
        """,
        room_ids,
        day,
    )
    return [row["name"] for row in rows]


async def assignments(db: Connection, offer_id: UUID, dates: DateRange) -> dict[UUID, UUID]:
    """Stay -> room for the stays that touch `dates`."""
    rows = await db.fetch(
        """
        SELECT stay_id, room_id FROM assignments
        WHERE offer_id = $1 AND end_night > $2 AND first_night < $3
        """,
        offer_id,
        dates.start,
        dates.end,
    )
    return {row["stay_id"]: row["room_id"] for row in rows}


async def forget(db: Connection, stay_ids: Iterable[UUID]) -> None:
    """Empty the beds of these stays."""
    await db.execute("DELETE FROM assignments WHERE stay_id = ANY($1)", list(stay_ids))


async def put(
    db: Connection, offer_id: UUID, placed: Sequence[tuple[UUID, UUID, DateRange]]
) -> None:
    """Write which room stays have. Violates `nights_one_stay` where somebody else is there."""
    columns = (
        [stay_id for stay_id, _, _ in placed],
        [room_id for _, room_id, _ in placed],
        [dates.start for _, _, dates in placed],
        [dates.end for _, _, dates in placed],
    )
    await forget(db, columns[0])
    await db.execute(
        """
        INSERT INTO assignments (stay_id, offer_id, room_id, first_night, end_night)
        SELECT stay_id, $1, room_id, first_night, end_night
        FROM unnest($2::uuid[], $3::uuid[], $4::date[], $5::date[])
            AS given (stay_id, room_id, first_night, end_night)
        """,
        offer_id,
        *columns,
    )
    await db.execute(
        """
        INSERT INTO nights (room_id, night, stay_id)
        SELECT room_id, night::date, stay_id
        FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::date[])
            AS given (stay_id, room_id, first_night, end_night)
        CROSS JOIN generate_series(first_night, end_night - 1, interval '1 day') AS night
        """,
        *columns,
    )
