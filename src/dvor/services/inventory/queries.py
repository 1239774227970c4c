"""All SQL of inventory. Rows are locked in one order everywhere: hold, offers by id, cells by key.

The engine's statements read their arrays as `(SELECT $1::uuid[])`: the planner then never sees how
long they are, and one plan serves one hold as well as hundreds. It would plan each single hold anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import Claim, HoldStatus, Rules
from dvor.kernel.db import Connection, Record
from dvor.kernel.periods import DateRange
from dvor.services.inventory.rules import (
    NO_RULES,
    TIMELESS_SLOT,
    Cell,
    Key,
    Offer,
    StoredHold,
    dates_of,
    slot_of,
    slots,
)


async def lock_holds(
    db: Connection, hold_ids: Iterable[UUID]
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
    found = [row for row in rows if row["id"] is not None]
    # Read after the lock: the claims of a hold change under its lock only.
    claims = await _claims(db, [row["id"] for row in found]) if found else {}
    return rows[0]["now"], {row["id"]: _hold(row, claims) for row in found}


async def hold(db: Connection, hold_id: UUID) -> StoredHold | None:
    """A hold as it stands."""
    row = await db.fetchrow("SELECT * FROM holds WHERE id = $1", hold_id)
    return _hold(row, await _claims(db, [hold_id])) if row else None


async def any_hold(db: Connection, hold_ids: Iterable[UUID]) -> bool:
    """Whether one of these holds exists by now."""
    if not (wanted := list(hold_ids)):
        return False
    sql = "SELECT EXISTS (SELECT 1 FROM holds WHERE id = ANY((SELECT $1::uuid[])::uuid[]))"
    return bool(await db.fetchval(sql, wanted))


async def _claims(db: Connection, hold_ids: Sequence[UUID]) -> dict[UUID, list[Claim]]:
    rows = await db.fetch(
        """
        SELECT hold_id, offer_id, first_slot, end_slot, quantity
        FROM claims WHERE hold_id = ANY($1) ORDER BY hold_id, position
        """,
        hold_ids,
    )
    found: dict[UUID, list[Claim]] = {hold_id: [] for hold_id in hold_ids}
    for row in rows:
        found[row["hold_id"]].append(
            Claim(
                offer_id=row["offer_id"],
                quantity=row["quantity"],
                dates=dates_of(row["first_slot"], row["end_slot"]),
            )
        )
    return found


def _hold(row: Record, claims: Mapping[UUID, Iterable[Claim]]) -> StoredHold:
    return StoredHold(
        id=row["id"],
        status=HoldStatus(row["status"]),
        made_at=row["made_at"],
        expires_at=row["expires_at"],
        claims=tuple(claims[row["id"]]),
    )


async def share_offers(db: Connection, offer_ids: Iterable[UUID]) -> dict[UUID, Offer]:
    """Offers whose supply nobody can change until this transaction ends.

    Without the lock a cell made here could keep a quantity that its seller has just lowered. The
    weakest lock is enough: it waits for `state_supply` only, never for an opening or closing.
    """
    rows = await db.fetch(
        "SELECT * FROM offers WHERE offer_id = ANY($1) ORDER BY offer_id FOR KEY SHARE",
        sorted(set(offer_ids)),
    )
    return {row["offer_id"]: _offer(row) for row in rows}


def _offer(row: Record) -> Offer:
    return Offer(
        id=row["offer_id"],
        seller_id=row["seller_id"],
        kind=Kind(row["kind"]),
        quantity=row["quantity"],
        timezone=row["timezone"],
        open=row["open"],
        by_hour=row["by_hour"],
        seated=row["seated"],
        rules=Rules.model_validate(row["rules"], strict=False) if row["rules"] else NO_RULES,
    )


async def materialise_cells(
    db: Connection, keys: Sequence[Key], offers: Mapping[UUID, Offer]
) -> None:
    """Write the cells that are not there yet, in key order: absent means entirely free."""
    await db.execute(
        """
        INSERT INTO cells (offer_id, slot, capacity)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[]) AS cell (offer_id, slot, capacity)
        ORDER BY offer_id, slot
        ON CONFLICT (offer_id, slot) DO NOTHING
        """,
        [offer_id for offer_id, _ in keys],
        [slot for _, slot in keys],
        [offers[offer_id].quantity for offer_id, _ in keys],
    )


async def lock_cells(
    db: Connection, keys: Iterable[Key]
) -> tuple[dict[Key, Cell], dict[UUID, Offer]]:
    """Lock cells in key order, so that two transactions never wait for each other in a circle.

    Also answers their offers, unlocked.
    """
    wanted = list(keys)
    rows = await db.fetch(
        """
        SELECT offer_id, slot, capacity, held, sold, seller_id, kind, quantity, timezone, open,
            by_hour, seated, rules
        FROM cells JOIN offers USING (offer_id)
        WHERE (offer_id, slot) IN (
            SELECT * FROM unnest((SELECT $1::uuid[]), (SELECT $2::int[]))
        )
        ORDER BY offer_id, slot FOR UPDATE OF cells
        """,
        [offer_id for offer_id, _ in wanted],
        [slot for _, slot in wanted],
    )
    cells: dict[Key, Cell] = {}
    offers: dict[UUID, Offer] = {}
    for row in rows:
        offer_id = row["offer_id"]
        cells[offer_id, row["slot"]] = _cell(row)
        if offer_id not in offers:
            offers[offer_id] = _offer(row)
    return cells, offers


def _cell(row: Record) -> Cell:
    return Cell(capacity=row["capacity"], held=row["held"], sold=row["sold"])


async def rewrite_holds(
    db: Connection, renewed: Sequence[StoredHold], reclaimed: Sequence[StoredHold]
) -> None:
    """Write what became of locked holds; the claims of `reclaimed` are gone, new ones to come."""
    await db.execute(
        """
        WITH gone AS (DELETE FROM claims WHERE hold_id = ANY($5))
        UPDATE holds SET status = hold.status, made_at = hold.made_at, expires_at = hold.expires_at
        FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])
            AS hold (id, status, made_at, expires_at)
        WHERE holds.id = hold.id
        """,
        *_columns(renewed),
        [hold.id for hold in reclaimed],
    )


async def write_batch(
    db: Connection,
    moves: Sequence[tuple[Key, int, int]],
    new: Sequence[StoredHold],
    reclaimed: Sequence[StoredHold],
) -> None:
    """Move counters of locked cells by (held, sold), write new holds, and the claims of both kinds.

    Violates `holds_pkey` or `claims_pkey` where somebody else has just made one of the new holds.
    """
    claims = [
        (hold.id, position, claim)
        for hold in (*new, *reclaimed)
        for position, claim in enumerate(hold.claims, 1)
    ]
    spans = [slots(claim.dates) for _, _, claim in claims]
    await db.execute(
        """
        WITH moved AS (
            UPDATE cells SET held = cells.held + move.held, sold = cells.sold + move.sold
            FROM unnest((SELECT $1::uuid[]), (SELECT $2::int[]), $3::int[], $4::int[])
                AS move (offer_id, slot, held, sold)
            WHERE cells.offer_id = move.offer_id AND cells.slot = move.slot
        ), made AS (
            INSERT INTO holds (id, status, made_at, expires_at)
            SELECT * FROM unnest($5::uuid[], $6::text[], $7::timestamptz[], $8::timestamptz[])
        )
        INSERT INTO claims (hold_id, position, offer_id, first_slot, end_slot, quantity)
        SELECT * FROM unnest($9::uuid[], $10::int[], $11::uuid[], $12::int[], $13::int[],
            $14::int[])
        """,
        [key[0] for key, _, _ in moves],
        [key[1] for key, _, _ in moves],
        [held for _, held, _ in moves],
        [sold for _, _, sold in moves],
        *_columns(new),
        [hold_id for hold_id, _, _ in claims],
        [position for _, position, _ in claims],
        [claim.offer_id for _, _, claim in claims],
        [span.start for span in spans],
        [span.stop for span in spans],
        [claim.quantity for _, _, claim in claims],
    )


def _columns(holds: Sequence[StoredHold]) -> tuple[list[Any], ...]:
    return (
        [hold.id for hold in holds],
        [hold.status for hold in holds],
        [hold.made_at for hold in holds],
        [hold.expires_at for hold in holds],
    )


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


async def state_supply(db: Connection, offer: Offer, listing_id: UUID) -> Offer:
    """Write an offer with its supply, locked against holds. `open` counts for a new offer only."""
    await db.execute(
        """
        INSERT INTO offers (offer_id, listing_id, seller_id, kind, open)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (offer_id) DO NOTHING
        """,
        offer.id,
        listing_id,
        offer.seller_id,
        offer.kind,
        offer.open,
    )
    await db.execute("SELECT 1 FROM offers WHERE offer_id = $1 FOR UPDATE", offer.id)
    row = await db.fetchrow(
        "UPDATE offers SET quantity = $2, timezone = $3 WHERE offer_id = $1 RETURNING *",
        offer.id,
        offer.quantity,
        offer.timezone,
    )
    assert row is not None
    return _offer(row)


async def lock_cells_from(db: Connection, offer_id: UUID, first_slot: int) -> dict[Key, Cell]:
    """Lock the cells of an offer from a slot on, in key order."""
    rows = await db.fetch(
        """
        SELECT offer_id, slot, capacity, held, sold FROM cells
        WHERE offer_id = $1 AND slot >= $2 ORDER BY offer_id, slot FOR UPDATE
        """,
        offer_id,
        first_slot,
    )
    return {(row["offer_id"], row["slot"]): _cell(row) for row in rows}


async def state_rules(db: Connection, offer: Offer, listing_id: UUID) -> Offer:
    """Write an offer's rules. `open` counts for a new offer only."""
    row = await db.fetchrow(
        """
        INSERT INTO offers (offer_id, listing_id, seller_id, kind, open, timezone, by_hour, rules)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (offer_id) DO UPDATE SET rules = excluded.rules
        RETURNING *
        """,
        offer.id,
        listing_id,
        offer.seller_id,
        offer.kind,
        offer.open,
        offer.timezone,
        offer.by_hour,
        offer.rules.model_dump(mode="json", exclude_defaults=True),
    )
    assert row is not None
    return _offer(row)


async def set_timezone(db: Connection, offer_id: UUID, timezone: str) -> None:
    """Write where an offer's days begin and end."""
    await db.execute(
        "UPDATE offers SET timezone = $2 WHERE offer_id = $1 AND timezone <> $2", offer_id, timezone
    )


async def close_others(db: Connection, listing_id: UUID, offer_ids: Sequence[UUID]) -> None:
    """Close the offers of a listing that are not among these, in key order."""
    await db.execute(
        """
        WITH gone AS (
            SELECT offer_id FROM offers
            WHERE listing_id = $1 AND open AND offer_id <> ALL($2::uuid[])
            ORDER BY offer_id FOR NO KEY UPDATE
        )
        UPDATE offers SET open = false FROM gone WHERE offers.offer_id = gone.offer_id
        """,
        listing_id,
        offer_ids,
    )


async def show_offers(
    db: Connection,
    listing_id: UUID,
    seller_id: UUID,
    kind: Kind,
    offer_ids: Sequence[UUID],
    *,
    on_sale: bool,
) -> None:
    """Open or close offers in key order; unknown ones are written with nothing to sell."""
    await db.execute(
        """
        INSERT INTO offers (offer_id, listing_id, seller_id, kind, open)
        SELECT offer_id, $1, $2, $3, $5 FROM unnest($4::uuid[]) AS offer_id ORDER BY offer_id
        ON CONFLICT (offer_id) DO UPDATE SET open = excluded.open
        """,
        listing_id,
        seller_id,
        kind,
        offer_ids,
        on_sale,
    )


async def offers(db: Connection, offer_ids: Sequence[UUID]) -> list[Offer]:
    """Offers as they stand, unlocked: for reading only."""
    rows = await db.fetch("SELECT * FROM offers WHERE offer_id = ANY($1)", offer_ids)
    return [_offer(row) for row in rows]


async def supplies(db: Connection, offer_ids: Sequence[UUID]) -> list[Record]:
    """Quantity, what is free of the timeless cell, and whether it is on sale."""
    return await db.fetch(
        """
        SELECT o.offer_id, o.quantity, o.open, o.quantity - coalesce(sum(c.held + c.sold), 0)::int
            AS free
        FROM offers o LEFT JOIN cells c ON c.offer_id = o.offer_id AND o.kind IN ('product', 'event')
            AND (o.seated AND c.slot > $2 OR NOT o.seated AND c.slot = $2)
        WHERE o.offer_id = ANY($1) GROUP BY o.offer_id
        """,
        offer_ids,
        TIMELESS_SLOT,
    )


async def calendar(db: Connection, offer_id: UUID, dates: DateRange) -> list[Record]:
    """Kind, slot and free units of each day; no rows for an unknown offer."""
    return await db.fetch(
        """
        SELECT o.kind, day.slot, coalesce(c.capacity - c.held - c.sold, o.quantity) AS free
        FROM offers o
        CROSS JOIN generate_series($2::int, $3::int - 1) AS day (slot)
        LEFT JOIN cells c ON c.offer_id = o.offer_id AND c.slot = day.slot
        WHERE o.offer_id = $1 ORDER BY day.slot
        """,
        offer_id,
        slot_of(dates.start),
        slot_of(dates.end),
    )


async def free(
    db: Connection, offer_ids: Sequence[UUID], spans: Sequence[range]
) -> dict[UUID, int]:
    """Units free in every slot of each offer's own span; unknown offers are left out.

    Goods and tickets are read at their only slot, whatever the span. Cells that are not there are
    entirely free, so only those that are there need to be looked at.
    """
    rows = await db.fetch(
        """
        SELECT o.offer_id, CASE WHEN o.seated THEN o.quantity - coalesce(sum(c.held + c.sold), 0)::int
            ELSE least(o.quantity, min(c.capacity - c.held - c.sold)) END AS free
        FROM unnest($1::uuid[], $2::int[], $3::int[]) AS wanted (offer_id, first_slot, end_slot)
        JOIN offers o USING (offer_id)
        LEFT JOIN cells c ON c.offer_id = o.offer_id AND CASE
            WHEN o.seated THEN c.slot > $4
            WHEN o.kind IN ('product', 'event') THEN c.slot = $4
            ELSE c.slot >= wanted.first_slot AND c.slot < wanted.end_slot END
        GROUP BY o.offer_id
        """,
        offer_ids,
        [span.start for span in spans],
        [span.stop for span in spans],
        TIMELESS_SLOT,
    )
    return {row["offer_id"]: row["free"] for row in rows}
