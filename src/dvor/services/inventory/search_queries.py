"""SQL of the availability search."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from dvor.contracts.availability import AvailableOffer
from dvor.contracts.catalog import Kind
from dvor.kernel.db import Connection
from dvor.services.inventory import slots

# Scalar subqueries, not NOT EXISTS: that the planner may turn into a join over all of the cells.
# The time after a rental, to clean it, must be free, too. Where seats have numbers, they are the cells.
_AVAILABLE = """
    SELECT o.offer_id, o.listing_id, CASE WHEN o.seated THEN o.seats_left ELSE least(o.quantity, (
        SELECT min(c.capacity - c.held - c.sold) FROM cells c
        WHERE c.offer_id = o.offer_id AND c.slot >= o.first AND c.slot < o.stop + o.buffer)) END AS free
    FROM (
        SELECT offers.*, coalesce(odd.first, $4) AS first, coalesce(odd.stop, $5) AS stop,
            CASE WHEN rules ? 'buffer' THEN (rules->>'buffer')::int ELSE 0 END AS buffer,
            CASE WHEN seated THEN quantity - (
                SELECT count(*) FROM cells c WHERE c.offer_id = offers.offer_id
                    AND c.slot > 0 AND c.sold_out AND c.capacity > 0) ELSE quantity END AS seats_left
        FROM (
            SELECT * FROM offers WHERE kind = $1 AND by_hour = $2 AND open AND offer_id > $3
            ORDER BY offer_id LIMIT $8
        ) AS offers
        LEFT JOIN unnest($9::text[], $10::int[], $11::int[]) AS odd (timezone, first, stop)
            USING (timezone)
    ) AS o
    WHERE o.seats_left >= $6 AND (
        SELECT 1 FROM cells c WHERE NOT o.seated AND c.offer_id = o.offer_id
            AND c.slot >= o.first AND c.slot < o.stop + o.buffer AND {short} LIMIT 1) IS NULL
    ORDER BY o.offer_id LIMIT $7
"""
_ANY = _AVAILABLE.format(short="c.capacity - c.held - c.sold < $6")

# One unit of what is let by dates: the sold-out cells of each slot lie side by side in the index
# `cells_sold_out`, so all the offers looked at are crossed off by one short scan for each slot.
_ONE_DATED = """
    WITH listed AS MATERIALIZED (
        SELECT offer_id FROM offers WHERE kind = $1 AND by_hour = $2 AND open AND offer_id > $3
        ORDER BY offer_id LIMIT $7
    ), able AS (
        SELECT offer_id FROM listed WHERE offer_id NOT IN (
            SELECT c.offer_id FROM cells c
            WHERE c.sold_out AND c.slot = ANY(ARRAY(SELECT generate_series($4::int, $5::int - 1)))
              AND c.offer_id > $3
              AND c.offer_id <= (SELECT offer_id FROM listed ORDER BY offer_id DESC LIMIT 1))
    )
    SELECT o.offer_id, o.listing_id, least(o.quantity, (
        SELECT min(c.capacity - c.held - c.sold) FROM cells c
        WHERE c.offer_id = o.offer_id AND c.slot >= $4 AND c.slot < $5 + o.buffer)) AS free
    FROM able CROSS JOIN LATERAL (
        SELECT *, coalesce((rules->>'buffer')::int, 0) AS buffer
        FROM offers WHERE offers.offer_id = able.offer_id OFFSET 0
    ) AS o
    WHERE o.quantity > 0 AND (o.buffer = 0 OR (
        SELECT 1 FROM cells c WHERE c.offer_id = o.offer_id
            AND c.slot >= $5 AND c.slot < $5 + o.buffer AND c.sold_out LIMIT 1) IS NULL)
    ORDER BY o.offer_id LIMIT $6
"""


async def available(
    db: Connection,
    kind: Kind,
    span: range,
    odd: Mapping[str, range],
    quantity: int,
    after: UUID,
    limit: int,
    look_at: int,
    *,
    by_hour: bool,
) -> list[AvailableOffer]:
    """Offers on sale after an identifier with `quantity` free in every slot, and how many are.

    `odd`: the slots in zones where they are others than `span`.

    Of the next `look_at` offers; `last_looked_at` says where those end.
    """
    place = (kind, by_hour, after, span.start, span.stop)
    if quantity == 1 and not by_hour and span.start != slots.TIMELESS_SLOT:
        rows = await db.fetch(_ONE_DATED, *place, limit, look_at)
    else:
        starts, stops = [each.start for each in odd.values()], [each.stop for each in odd.values()]
        rows = await db.fetch(_ANY, *place, quantity, limit, look_at, list(odd), starts, stops)
    return [AvailableOffer(**row) for row in rows]


async def last_looked_at(
    db: Connection, kind: Kind, after: UUID, look_at: int, *, by_hour: bool
) -> UUID | None:
    """The last of the next `look_at` offers on sale; None where there are not so many."""
    return await db.fetchval(
        """
        SELECT offer_id FROM offers WHERE kind = $1 AND by_hour = $2 AND open AND offer_id > $3
        ORDER BY offer_id OFFSET $4 LIMIT 1
        """,
        *(kind, by_hour, after, look_at - 1),
    )


async def siblings(db: Connection, offer_id: UUID) -> list[UUID]:
    """An offer and the others of its listing that are on sale."""
    rows = await db.fetch(
        """
        SELECT other.offer_id FROM offers o JOIN offers other USING (listing_id)
        WHERE o.offer_id = $1 AND (other.open OR other.offer_id = $1) ORDER BY other.offer_id LIMIT 30
        """,
        offer_id,
    )
    return [row["offer_id"] for row in rows]


async def free_between(
    db: Connection, offer_ids: Sequence[UUID], span: range
) -> dict[tuple[UUID, int], int]:
    """What is free in each cell of these slots; cells that are not there are entirely free."""
    rows = await db.fetch(
        """
        SELECT offer_id, slot, capacity - held - sold AS free FROM cells
        WHERE offer_id = ANY($1) AND slot >= $2 AND slot < $3
        """,
        *(offer_ids, span.start, span.stop),
    )
    return {(row["offer_id"], row["slot"]): row["free"] for row in rows}
