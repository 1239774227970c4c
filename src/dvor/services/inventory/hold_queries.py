"""SQL of the engine. Rows are locked in one order everywhere: holds by id, offers by id, cells by key.

Statements read their arrays as `(SELECT $1::uuid[])`: the planner then never sees how long they
are, and one plan serves one hold as well as hundreds. It would plan each single hold anew.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from dvor.contracts.inventory import HoldStatus
from dvor.kernel.db import Connection, Record, Tx
from dvor.services.inventory import hold_rows
from dvor.services.inventory.rules import StoredHold
from dvor.services.inventory.slots import Line

Columns = tuple[list[UUID], list[int]]
"""Cells in key order: their offers, their slots."""

COPY_FROM = 16
"""New holds from which on a COPY of their own is cheaper than parameters: it is one more round trip."""


async def open_books(
    db: Connection, hold_ids: Sequence[UUID], cells: Columns
) -> tuple[datetime, bool, Sequence[Record]]:
    """The database's time, whether one of these holds exists, and, if none does, the cells locked."""
    rows = await db.fetch(
        """
        WITH clock AS MATERIALIZED (SELECT dvor_now() AS now, EXISTS (
            SELECT FROM holds WHERE id = ANY((SELECT $1::uuid[])::uuid[])
        ) AS known)
        SELECT * FROM clock LEFT JOIN LATERAL (
            SELECT number, capacity, held, sold, waited, offers.xmin AS version
            FROM unnest((SELECT $2::uuid[]), (SELECT $3::int[])) WITH ORDINALITY
                AS wanted (offer_id, slot, number)
            JOIN cells USING (offer_id, slot) JOIN offers USING (offer_id)
            WHERE NOT clock.known ORDER BY number FOR UPDATE OF cells
        ) AS cell ON true
        """,
        hold_ids,
        *cells,
    )
    first = rows[0]
    return first["now"], first["known"], rows if first["capacity"] is not None else []


async def lock_holds(
    db: Connection, hold_ids: Collection[UUID]
) -> tuple[datetime, dict[UUID, StoredHold]]:
    """The database's time, and those of these holds that exist, locked in order of their ids."""
    rows = await db.fetch(
        """
        WITH clock AS MATERIALIZED (SELECT dvor_now() AS now)
        SELECT clock.now, hold.* FROM clock LEFT JOIN (
            SELECT * FROM holds WHERE id = ANY((SELECT $1::uuid[])::uuid[]) ORDER BY id FOR UPDATE
        ) AS hold ON true
        """,
        list(hold_ids),
    )
    return rows[0]["now"], {row["id"]: _hold(row) for row in rows if row["id"] is not None}


async def hold(db: Connection, hold_id: UUID) -> StoredHold | None:
    """A hold as it stands."""
    row = await db.fetchrow("SELECT * FROM holds WHERE id = $1", hold_id)
    return _hold(row) if row else None


async def any_hold(db: Connection, hold_ids: Sequence[UUID]) -> bool:
    """Whether one of these holds exists by now."""
    sql = "SELECT EXISTS (SELECT FROM holds WHERE id = ANY((SELECT $1::uuid[])::uuid[]))"
    return bool(await db.fetchval(sql, hold_ids))


def _hold(row: Record) -> StoredHold:
    return StoredHold(
        id=row["id"],
        status=HoldStatus(row["status"]),
        made_at=row["made_at"],
        expires_at=row["expires_at"],
        customer_id=row["customer_id"],
        limited=row["limited"],
        claims=tuple(Line(*claim) for claim in row["claims"]),
    )


async def limited_holds(db: Connection, customer_ids: Collection[UUID]) -> list[StoredHold]:
    """What customers have that counts against a limit."""
    rows = await db.fetch(
        """
        SELECT * FROM holds
        WHERE limited AND status IN ('held', 'confirmed') AND customer_id = ANY($1)
        """,
        list(customer_ids),
    )
    return [_hold(row) for row in rows]


async def lock_cells(db: Connection, cells: Columns) -> Sequence[Record]:
    """Lock cells in key order, so that two transactions never wait for each other in a circle.

    Answers their counters in that order, with the versions of their offers (unlocked).
    """
    return await db.fetch(
        """
        SELECT number, capacity, held, sold, waited, offers.xmin AS version
        FROM unnest((SELECT $1::uuid[]), (SELECT $2::int[])) WITH ORDINALITY
            AS wanted (offer_id, slot, number)
        JOIN cells USING (offer_id, slot) JOIN offers USING (offer_id)
        ORDER BY number FOR UPDATE OF cells
        """,
        *cells,
    )


async def make_cells(db: Connection, cells: Columns, capacities: Sequence[int]) -> None:
    """Write the cells that are not there yet, in key order: absent means entirely free."""
    await db.execute(
        """
        INSERT INTO cells (offer_id, slot, capacity)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[]) AS cell (offer_id, slot, capacity)
        ORDER BY offer_id, slot
        ON CONFLICT (offer_id, slot) DO NOTHING
        """,
        *cells,
        capacities,
    )


async def rewrite_holds(db: Connection, holds: Sequence[StoredHold]) -> None:
    """Write what became of locked holds."""
    await db.execute(
        """
        UPDATE holds SET status = hold.status, made_at = hold.made_at,
            expires_at = hold.expires_at, customer_id = hold.customer_id,
            limited = hold.limited, claims = hold.claims
        FROM unnest($1::holds[]) AS hold WHERE holds.id = hold.id
        """,
        holds,
    )


async def claim_type(db: Connection) -> int:
    """The object id of the type `claim`."""
    return int(await db.fetchval("SELECT 'claim'::regtype::oid"))


async def write_batch(
    tx: Tx,
    cells: Columns,
    moves: Sequence[tuple[int, int, int]],
    new: Sequence[StoredHold],
    claim_type: int,
) -> None:
    """Move the counters of locked cells by (capacity, held, sold), and write new holds.

    Violates `holds_pkey` where somebody else has just made one of them.
    """
    copied = len(new) >= COPY_FROM
    await tx.execute(
        """
        WITH moved AS (
            UPDATE cells SET capacity = cells.capacity + move.capacity,
                held = cells.held + move.held, sold = cells.sold + move.sold
            FROM unnest((SELECT $1::uuid[]), (SELECT $2::int[]), $3::int[], $4::int[], $5::int[])
                AS move (offer_id, slot, capacity, held, sold)
            WHERE cells.offer_id = move.offer_id AND cells.slot = move.slot
        )
        INSERT INTO holds SELECT * FROM unnest($6::holds[])
        """,
        *cells,
        [capacity for capacity, _, _ in moves],
        [held for _, held, _ in moves],
        [sold for _, _, sold in moves],
        () if copied else new,
    )
    if copied:
        await tx.copy("holds", hold_rows.COLUMNS, hold_rows.copied(new, claim_type))


async def seats(db: Connection, offer_id: UUID) -> Mapping[str, int]:
    """Slots of an offer's seats by their names."""
    rows = await db.fetch("SELECT name, slot FROM seats WHERE offer_id = $1 AND active", offer_id)
    return {row["name"]: row["slot"] for row in rows}


async def due_holds(db: Connection, limit: int) -> list[UUID]:
    """Holds past their deadline, the oldest first, unlocked."""
    rows = await db.fetch(
        """
        SELECT id FROM holds WHERE status = 'held' AND expires_at <= dvor_now()
        ORDER BY expires_at LIMIT $1
        """,
        limit,
    )
    return [row["id"] for row in rows]


async def standing(db: Connection) -> Record:
    """How many holds live, how many are past their deadline, and by how many seconds at most."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS live, count(*) FILTER (WHERE expires_at <= dvor_now()) AS overdue,
            greatest(coalesce(extract(epoch FROM dvor_now() - min(expires_at)), 0), 0)::float
                AS overdue_seconds
        FROM holds WHERE status = 'held'
        """
    )
    assert row is not None
    return row
