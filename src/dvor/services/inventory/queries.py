"""SQL about offers and what is free of them; the engine's is in `hold_queries`."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import Rules
from dvor.kernel.db import Connection, Record
from dvor.services.inventory.slots import (
    NO_RULES,
    TIMELESS_SLOT,
    Offer,
)

PROMO = "promo"
"""What stands for the kind of a promo code."""

_SEATS_LEFT = """
    (o.quantity - (SELECT count(*) FROM cells c
        WHERE c.offer_id = o.offer_id AND c.slot > 0 AND c.held + c.sold >= c.capacity
          AND c.capacity > 0))
"""


async def lock_offers(db: Connection, offer_ids: Iterable[UUID], *, exclusive: bool) -> list[Offer]:
    """Offers whose supply nobody else can change until this transaction ends.

    Without the lock a cell made here could keep a quantity that its seller has just lowered. Who
    changes no supply takes the weakest lock: it waits for a change of supply only, never for an
    opening or closing.
    """
    rows = await db.fetch(
        "SELECT *, xmin AS version FROM offers WHERE offer_id = ANY($1) ORDER BY offer_id FOR "
        + ("UPDATE" if exclusive else "KEY SHARE"),
        sorted(offer_ids),
    )
    return [offer(row) for row in rows]


def offer(row: Record) -> Offer:
    """An offer of a row with its `version`."""
    return Offer(
        id=row["offer_id"],
        seller_id=row["seller_id"],
        kind=None if row["kind"] == PROMO else Kind(row["kind"]),
        quantity=row["quantity"],
        timezone=row["timezone"],
        open=row["open"],
        by_hour=row["by_hour"],
        seated=row["seated"],
        rules=Rules.model_validate(row["rules"], strict=False) if row["rules"] else NO_RULES,
        version=row["version"],
    )


async def write_new_offer(db: Connection, stated: Offer, listing_id: UUID) -> None:
    """Write an offer with nothing to sell, unless it is known."""
    await db.execute(
        """
        INSERT INTO offers (offer_id, listing_id, seller_id, kind, open, timezone, by_hour)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (offer_id) DO NOTHING
        """,
        stated.id,
        listing_id,
        stated.seller_id,
        stated.kind,
        stated.open,
        stated.timezone,
        stated.by_hour,
    )


async def write_supply(db: Connection, stated: Offer) -> None:
    """Write how many units a locked offer has, and where its days begin."""
    await db.execute(
        "UPDATE offers SET quantity = $2, timezone = $3 WHERE offer_id = $1",
        stated.id,
        stated.quantity,
        stated.timezone,
    )


async def slots_from(db: Connection, offer_id: UUID, first_slot: int) -> list[int]:
    """Slots from this one on of which an offer has cells."""
    rows = await db.fetch(
        "SELECT slot FROM cells WHERE offer_id = $1 AND slot >= $2", offer_id, first_slot
    )
    return [row["slot"] for row in rows]


async def state_rules(db: Connection, stated: Offer, listing_id: UUID) -> Offer:
    """Write an offer's rules. `open` counts for a new offer only."""
    row = await db.fetchrow(
        """
        INSERT INTO offers (offer_id, listing_id, seller_id, kind, open, timezone, by_hour, rules)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (offer_id) DO UPDATE SET rules = excluded.rules
        RETURNING *, xmin AS version
        """,
        stated.id,
        listing_id,
        stated.seller_id,
        stated.kind,
        stated.open,
        stated.timezone,
        stated.by_hour,
        stated.rules.model_dump(mode="json", exclude_defaults=True),
    )
    assert row is not None
    return offer(row)


async def set_facts(db: Connection, offer_id: UUID, timezone: str, *, by_hour: bool) -> None:
    """Write where an offer's days begin and end, and whether it is let by the hour."""
    await db.execute(
        """
        UPDATE offers SET timezone = $2, by_hour = $3
        WHERE offer_id = $1 AND (timezone, by_hour) <> ($2, $3)
        """,
        offer_id,
        timezone,
        by_hour,
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


async def write_promo(
    db: Connection, promo_id: UUID, seller_id: UUID | None, uses: int, rules: Rules
) -> None:
    """Write a promo code with its limits, once: they never change."""
    await db.execute(
        """
        INSERT INTO offers (offer_id, listing_id, seller_id, kind, quantity, open, rules)
        VALUES ($1, $1, $2, $3, $4, true, $5) ON CONFLICT (offer_id) DO NOTHING
        """,
        promo_id,
        seller_id,
        PROMO,
        uses,
        rules.model_dump(mode="json", exclude_defaults=True),
    )


async def offers(db: Connection, offer_ids: Sequence[UUID]) -> list[Offer]:
    """Offers as they stand, unlocked: for reading only."""
    rows = await db.fetch(
        "SELECT *, xmin AS version FROM offers WHERE offer_id = ANY($1)", offer_ids
    )
    return [offer(row) for row in rows]


async def supplies(db: Connection, offer_ids: Sequence[UUID]) -> list[Record]:
    """Offers with what is free now of those that are not let for a time."""
    return await db.fetch(
        f"""
        SELECT o.*, o.xmin AS version, CASE WHEN o.kind IN ('rental', 'stay') THEN o.quantity
            WHEN o.seated THEN {_SEATS_LEFT} ELSE o.quantity - coalesce(c.held + c.sold, 0)
            END AS free
        FROM offers o LEFT JOIN cells c ON c.offer_id = o.offer_id AND c.slot = $2
        WHERE o.offer_id = ANY($1)
        """,
        offer_ids,
        TIMELESS_SLOT,
    )


async def calendar(db: Connection, offer_id: UUID, span: range) -> list[Record]:
    """Kind, slot and free units of each slot; no rows for an unknown offer."""
    return await db.fetch(
        """
        SELECT o.kind, span.slot, coalesce(c.capacity - c.held - c.sold, o.quantity) AS free
        FROM offers o
        CROSS JOIN generate_series($2::int, $3::int - 1) AS span (slot)
        LEFT JOIN cells c ON c.offer_id = o.offer_id AND c.slot = span.slot
        WHERE o.offer_id = $1 ORDER BY span.slot
        """,
        offer_id,
        span.start,
        span.stop,
    )


async def free(
    db: Connection, offer_ids: Sequence[UUID], spans: Sequence[range]
) -> dict[UUID, int]:
    """Units free in every slot of each offer's own span; unknown offers are left out.

    Goods and tickets are read at their only slot, whatever the span. Cells that are not there are
    entirely free, so only those that are there need to be looked at.
    """
    rows = await db.fetch(
        f"""
        SELECT o.offer_id, CASE WHEN o.seated THEN {_SEATS_LEFT} ELSE least(o.quantity, (
            SELECT min(c.capacity - c.held - c.sold) FROM cells c
            WHERE c.offer_id = o.offer_id AND CASE
                WHEN o.kind IN ('product', 'event') THEN c.slot = $4
                ELSE c.slot >= wanted.first_slot AND c.slot < wanted.end_slot END
        )) END AS free
        FROM unnest($1::uuid[], $2::int[], $3::int[]) AS wanted (offer_id, first_slot, end_slot)
        JOIN offers o USING (offer_id)
        """,
        offer_ids,
        [span.start for span in spans],
        [span.stop for span in spans],
        TIMELESS_SLOT,
    )
    return {row["offer_id"]: row["free"] for row in rows}
