"""All SQL of closures, and of what they leave of cells.

The offer's row is locked first (nobody makes a cell of it meanwhile, no other closure is applied),
then its cells in key order: as everywhere in inventory.
"""

from collections.abc import Sequence
from uuid import UUID

from dvor.kernel.db import Connection, Record
from dvor.services.inventory import queries
from dvor.services.inventory.closure_rules import StoredClosure, Usage
from dvor.services.inventory.slots import Offer

ALL_SLOTS_END = 2**31 - 1
"""After every slot there is."""


async def lock_offer(db: Connection, offer_id: UUID) -> Offer | None:
    """An offer that nobody else changes or makes cells of until this transaction ends."""
    await db.execute("SELECT 1 FROM offers WHERE offer_id = $1 FOR UPDATE", offer_id)
    found = await queries.offers(db, [offer_id])
    return found[0] if found else None


async def insert_closure(db: Connection, closure: StoredClosure) -> bool:
    """Write a closure; False when it is there already."""
    return bool(
        await db.execute(
            """
            INSERT INTO closures (id, offer_id, first_slot, end_slot, units, source, note)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING
            """,
            closure.id,
            closure.offer_id,
            closure.slots.start,
            closure.slots.stop,
            closure.units,
            closure.source,
            closure.note,
        )
    )


async def delete_closure(db: Connection, closure_id: UUID) -> None:
    """Take a closure away."""
    await db.execute("DELETE FROM closures WHERE id = $1", closure_id)


async def closure(db: Connection, closure_id: UUID) -> StoredClosure | None:
    """A closure as it stands."""
    row = await db.fetchrow("SELECT * FROM closures WHERE id = $1", closure_id)
    return stored(row) if row else None


async def closures(db: Connection, offer_id: UUID, slots: range) -> list[StoredClosure]:
    """Closures of an offer that touch these slots, by their first."""
    rows = await db.fetch(
        """
        SELECT * FROM closures WHERE offer_id = $1 AND end_slot > $2 AND first_slot < $3
        ORDER BY first_slot, end_slot, id
        """,
        offer_id,
        slots.start,
        slots.stop,
    )
    return [stored(row) for row in rows]


def stored(row: Record) -> StoredClosure:
    """A closure from its row."""
    return StoredClosure(
        id=row["id"],
        offer_id=row["offer_id"],
        slots=range(row["first_slot"], row["end_slot"]),
        units=row["units"],
        source=row["source"],
        note=row["note"],
    )


async def count_closures(db: Connection, offer_id: UUID, from_slot: int) -> int:
    """How many closures of an offer have not ended by this slot."""
    return await db.fetchval(
        "SELECT count(*) FROM closures WHERE offer_id = $1 AND end_slot > $2", offer_id, from_slot
    )


async def lock_span(db: Connection, offer: Offer, slots: range) -> None:
    """Make the cells of these slots that are not there yet, and lock all, in key order."""
    await db.execute(
        """
        INSERT INTO cells (offer_id, slot, capacity)
        SELECT $1, slot, $4 FROM generate_series($2::int, $3::int - 1) AS slot ORDER BY slot
        ON CONFLICT (offer_id, slot) DO NOTHING
        """,
        offer.id,
        slots.start,
        slots.stop,
        offer.quantity,
    )
    await db.execute(
        """
        SELECT 1 FROM cells WHERE offer_id = $1 AND slot >= $2 AND slot < $3
        ORDER BY offer_id, slot FOR UPDATE
        """,
        offer.id,
        slots.start,
        slots.stop,
    )


async def lock_cells_from(db: Connection, offer_id: UUID, first_slot: int) -> None:
    """Lock the cells of an offer from a slot on, in key order."""
    await db.execute(
        """
        SELECT 1 FROM cells WHERE offer_id = $1 AND slot >= $2 ORDER BY offer_id, slot FOR UPDATE
        """,
        offer_id,
        first_slot,
    )


async def closed_units(db: Connection, offer_id: UUID, first_slot: int) -> dict[int, int]:
    """Units closed of an offer in each slot from this one on."""
    rows = await db.fetch(
        "SELECT slot, units FROM closed_units($1, $2, $3)", offer_id, first_slot, ALL_SLOTS_END
    )
    return {row["slot"]: row["units"] for row in rows}


async def fit_cells(db: Connection, offer_id: UUID, slots: range, first_open: int) -> None:
    """Give locked cells the capacity that closures leave, and note which closures lack something.

    A closure that reaches beyond these slots may lack something there: all of it from `first_open`
    on, the first slot that can still be promised, is looked at. What is promised stays promised. A
    promise beyond the quantity itself is not excused: there the constraint `cells_within_capacity`
    refuses.
    """
    await db.execute(
        """
        WITH fit AS (
            SELECT slot, greatest(quantity - coalesce(units, 0), least(held + sold, quantity))
                AS capacity
            FROM cells JOIN offers USING (offer_id) LEFT JOIN closed_units($1, $2, $3) USING (slot)
            WHERE offer_id = $1 AND slot >= $2 AND slot < $3
        )
        UPDATE cells SET capacity = fit.capacity FROM fit
        WHERE cells.offer_id = $1 AND cells.slot = fit.slot AND cells.capacity <> fit.capacity
        """,
        offer_id,
        slots.start,
        slots.stop,
    )
    await db.execute(
        """
        WITH touched AS (
            SELECT id, first_slot, end_slot
            FROM closures WHERE offer_id = $1 AND end_slot > $2 AND first_slot < $3
        ), reach AS (
            SELECT greatest(min(first_slot), $4::int) AS first, max(end_slot) AS last FROM touched
        ), short AS (
            SELECT slot
            FROM reach, closed_units($1, reach.first, reach.last) JOIN cells USING (slot)
                JOIN offers USING (offer_id)
            WHERE offer_id = $1 AND held + sold > greatest(quantity - units, 0)
        ), judged AS (
            SELECT id, EXISTS (SELECT FROM short WHERE slot >= first_slot AND slot < end_slot) AS unmet
            FROM touched
        )
        UPDATE closures SET unmet = judged.unmet FROM judged
        WHERE closures.id = judged.id AND closures.unmet <> judged.unmet
        """,
        offer_id,
        slots.start,
        slots.stop,
        first_open,
    )


async def takeable(db: Connection, limit: int) -> list[UUID]:
    """Offers with a closure that lacked something which has become free since."""
    rows = await db.fetch(
        """
        SELECT DISTINCT lacking.offer_id
        FROM closures AS lacking JOIN offers USING (offer_id)
        JOIN cells ON cells.offer_id = lacking.offer_id
            AND cells.slot >= lacking.first_slot AND cells.slot < lacking.end_slot
        WHERE lacking.unmet AND cells.capacity > cells.held + cells.sold
            AND cells.capacity > offers.quantity - (
                SELECT sum(units) FROM closures AS all_of
                WHERE all_of.offer_id = cells.offer_id
                    AND all_of.first_slot <= cells.slot AND all_of.end_slot > cells.slot
            )
        LIMIT $1
        """,
        limit,
    )
    return [row["offer_id"] for row in rows]


async def usage(db: Connection, offer_id: UUID, slots: range) -> dict[int, Usage]:
    """What becomes of the units of these slots, where anything does."""
    rows = await db.fetch(
        """
        SELECT slot, coalesce(units, 0) AS closed, held, sold, capacity
        FROM cells LEFT JOIN closed_units($1, $2, $3) USING (slot)
        WHERE offer_id = $1 AND slot >= $2 AND slot < $3
        """,
        offer_id,
        slots.start,
        slots.stop,
    )
    return {r["slot"]: Usage(r["closed"], r["held"], r["sold"], r["capacity"]) for r in rows}


async def bookings(db: Connection, offer_id: UUID, slots: range, limit: int) -> Sequence[Record]:
    """Claims on these slots whose holds are alive, by their first slot."""
    return await db.fetch(
        """
        SELECT holds.id AS hold_id, claim.first_slot, claim.end_slot, claim.quantity,
            status = 'confirmed' AS confirmed
        FROM holds CROSS JOIN LATERAL unnest(holds.claims) AS claim
        WHERE (status = 'confirmed' AND claimed_offers(claims) @> ARRAY[$1::uuid]
                OR status = 'held' AND expires_at > dvor_now())
            AND claim.offer_id = $1 AND claim.end_slot > $2 AND claim.first_slot < $3
            AND claim.first_slot <> 0
        ORDER BY claim.first_slot, claim.end_slot, holds.id LIMIT $4
        """,
        offer_id,
        slots.start,
        slots.stop,
        limit,
    )
