"""All SQL of seat maps. Offers are locked by id, then the map, then cells by key."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from dvor.contracts.catalog import Kind
from dvor.contracts.seating import SeatMap
from dvor.kernel.db import Connection
from dvor.services.inventory.seating import Key, SeatCell, StoredSeat


async def lock_offers(
    db: Connection, listing_id: UUID, seller_id: UUID, timezone: str, offer_ids: Iterable[UUID]
) -> dict[UUID, bool]:
    """Lock the offers of a listing against holds; whether each has seats. Unknown ones are
    written, closed: the catalogue's news opens them.
    """
    wanted = sorted(offer_ids)
    await db.execute(
        """
        INSERT INTO offers (offer_id, listing_id, seller_id, kind, open, timezone)
        SELECT offer_id, $2, $3, $4, false, $5 FROM unnest($1::uuid[]) AS offer_id ORDER BY offer_id
        ON CONFLICT (offer_id) DO NOTHING
        """,
        wanted,
        listing_id,
        seller_id,
        Kind.EVENT,
        timezone,
    )
    rows = await db.fetch(
        """
        SELECT offer_id, seated FROM offers WHERE offer_id = ANY($1) OR listing_id = $2
        ORDER BY offer_id FOR UPDATE
        """,
        wanted,
        listing_id,
    )
    return {row["offer_id"]: row["seated"] for row in rows}


async def lock_map(db: Connection, listing_id: UUID) -> int:
    """The version of a listing's map, locked; 0 where there is none."""
    row = await db.fetchrow(
        "SELECT version FROM seat_maps WHERE listing_id = $1 FOR UPDATE", listing_id
    )
    return row["version"] if row else 0


async def all_seats(db: Connection, listing_id: UUID) -> list[StoredSeat]:
    """Every seat that a listing ever had."""
    rows = await db.fetch(
        """
        SELECT offer_id, slot, name, row_place, place, centre, accessible, active
        FROM seats WHERE listing_id = $1 ORDER BY offer_id, slot
        """,
        listing_id,
    )
    return [StoredSeat(**row) for row in rows]


async def seats_of(db: Connection, offer_ids: Sequence[UUID]) -> dict[UUID, list[StoredSeat]]:
    """The seats of tiers, as their maps have them now."""
    rows = await db.fetch(
        """
        SELECT offer_id, slot, name, row_place, place, centre, accessible, active
        FROM seats WHERE offer_id = ANY($1) AND active ORDER BY offer_id, slot
        """,
        offer_ids,
    )
    found: dict[UUID, list[StoredSeat]] = {}
    for row in rows:
        found.setdefault(row["offer_id"], []).append(StoredSeat(**row))
    return found


async def lock_cells(db: Connection, capacities: Mapping[Key, int]) -> dict[Key, int]:
    """Make these cells where they are missing, then lock them, both in key order; what is promised
    of each.
    """
    keys = sorted(capacities)
    offer_ids, slots = [offer_id for offer_id, _ in keys], [slot for _, slot in keys]
    await db.execute(
        """
        INSERT INTO cells (offer_id, slot, capacity)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[]) AS cell (offer_id, slot, capacity)
        ORDER BY offer_id, slot
        ON CONFLICT (offer_id, slot) DO NOTHING
        """,
        offer_ids,
        slots,
        [capacities[key] for key in keys],
    )
    rows = await db.fetch(
        """
        SELECT offer_id, slot, held + sold AS promised FROM cells
        WHERE (offer_id, slot) IN (SELECT * FROM unnest($1::uuid[], $2::int[]))
        ORDER BY offer_id, slot FOR UPDATE
        """,
        offer_ids,
        slots,
    )
    return {(row["offer_id"], row["slot"]): row["promised"] for row in rows}


async def set_capacities(db: Connection, capacities: Mapping[Key, int]) -> None:
    """Write the capacities of locked cells; who waits for their offers may fit into new ones."""
    await db.execute(
        """
        UPDATE cells SET capacity = new.capacity, waited = cells.waited OR EXISTS (
            SELECT FROM waiting WHERE waiting.offer_id = new.offer_id AND status = 'waiting')
        FROM unnest($1::uuid[], $2::int[], $3::int[]) AS new (offer_id, slot, capacity)
        WHERE cells.offer_id = new.offer_id AND cells.slot = new.slot
        """,
        [offer_id for offer_id, _ in capacities],
        [slot for _, slot in capacities],
        list(capacities.values()),
    )


async def write_seats(db: Connection, listing_id: UUID, seats: Sequence[StoredSeat]) -> None:
    """Make these the seats of a listing: all others are no longer in its map."""
    await db.execute("UPDATE seats SET active = false WHERE listing_id = $1 AND active", listing_id)
    await db.execute(
        """
        INSERT INTO seats (listing_id, offer_id, slot, name, row_place, place, centre, accessible)
        SELECT $1, * FROM unnest($2::uuid[], $3::int[], $4::text[], $5::int[], $6::int[],
            $7::int[], $8::boolean[])
        ON CONFLICT (offer_id, slot) DO UPDATE SET active = true,
            row_place = excluded.row_place, place = excluded.place, centre = excluded.centre,
            accessible = excluded.accessible
        """,
        listing_id,
        [seat.offer_id for seat in seats],
        [seat.slot for seat in seats],
        [seat.name for seat in seats],
        [seat.row_place for seat in seats],
        [seat.place for seat in seats],
        [seat.centre for seat in seats],
        [seat.accessible for seat in seats],
    )


async def write_map(db: Connection, listing_id: UUID, version: int, layout: SeatMap) -> None:
    """Write the drawing."""
    await db.execute(
        """
        INSERT INTO seat_maps (listing_id, version, layout) VALUES ($1, $2, $3)
        ON CONFLICT (listing_id) DO UPDATE
            SET version = excluded.version, layout = excluded.layout
        """,
        listing_id,
        version,
        layout.model_dump(mode="json"),
    )


async def count_seats(db: Connection, counts: Mapping[UUID, int]) -> None:
    """Write how many seats each locked offer has; one without has no numbers and none to sell."""
    await db.execute(
        """
        UPDATE offers SET quantity = new.seats, seated = new.seats > 0
        FROM unnest($1::uuid[], $2::int[]) AS new (offer_id, seats)
        WHERE offers.offer_id = new.offer_id
        """,
        list(counts),
        list(counts.values()),
    )


async def seat_map(db: Connection, listing_id: UUID) -> tuple[int, SeatMap]:
    """A listing's map and its version; 0 and an empty one where there is none."""
    row = await db.fetchrow(
        "SELECT version, layout FROM seat_maps WHERE listing_id = $1", listing_id
    )
    if row is None:
        return 0, SeatMap(sections=())
    return row["version"], SeatMap.model_validate(row["layout"], strict=False)


async def taken(db: Connection, listing_id: UUID) -> tuple[int, list[str]]:
    """The version of a listing's map, and the names of its seats that somebody has."""
    rows = await db.fetch(
        """
        SELECT version, seat.name FROM seat_maps LEFT JOIN (
            SELECT listing_id, name FROM seats
            JOIN cells USING (offer_id, slot)
            WHERE active AND held + sold >= capacity
        ) AS seat USING (listing_id) WHERE listing_id = $1 ORDER BY seat.name
        """,
        listing_id,
    )
    version = rows[0]["version"] if rows else 0
    return version, [row["name"] for row in rows if row["name"] is not None]


async def seat_cells(
    db: Connection, offer_ids: Iterable[UUID], hold_id: UUID | None = None
) -> dict[UUID, list[SeatCell]]:
    """The seats of offers as they stand, unlocked; those that `hold_id` holds count as free."""
    rows = await db.fetch(
        """
        SELECT s.offer_id, s.name, s.row_place, s.place, s.centre, s.accessible,
            coalesce(c.held + c.sold < c.capacity, true) OR coalesce(own.held, false) AS free,
            coalesce(own.held, false) AS own
        FROM seats s LEFT JOIN cells c USING (offer_id, slot)
        LEFT JOIN (
            SELECT offer_id, slot, true AS held FROM claimed_cells JOIN holds ON id = hold_id
            WHERE hold_id = $2 AND status = 'held'
        ) AS own USING (offer_id, slot)
        WHERE s.offer_id = ANY($1) AND s.active
        ORDER BY s.offer_id, s.row_place, s.place
        """,
        list(offer_ids),
        hold_id,
    )
    found: dict[UUID, list[SeatCell]] = {}
    for row in rows:
        seat = SeatCell(
            name=row["name"],
            row=row["row_place"],
            place=row["place"],
            centre=row["centre"],
            accessible=row["accessible"],
            free=row["free"],
            own=row["own"],
        )
        found.setdefault(row["offer_id"], []).append(seat)
    return found
