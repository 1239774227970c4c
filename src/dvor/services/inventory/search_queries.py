"""SQL of the availability search."""

from uuid import UUID

from dvor.contracts.availability import AvailableOffer
from dvor.contracts.catalog import Kind
from dvor.kernel.db import Connection

LOOKED_AT = 1000
"""Offers that one statement looks at: what bounds it where nearly everything is taken."""

# Scalar subqueries, not NOT EXISTS: that the planner may turn into a join over all of the cells.
_AVAILABLE = """
    SELECT o.offer_id, o.listing_id, least(o.quantity, (
        SELECT min(c.capacity - c.held - c.sold) FROM cells c
        WHERE c.offer_id = o.offer_id AND c.slot >= $4 AND c.slot < $5)) AS free
    FROM (
        SELECT * FROM offers WHERE kind = $1 AND by_hour = $2 AND open AND offer_id > $3
        ORDER BY offer_id LIMIT $8
    ) AS o
    WHERE o.quantity >= $6 AND (
        SELECT 1 FROM cells c WHERE c.offer_id = o.offer_id
            AND c.slot >= $4 AND c.slot < $5 AND {short} LIMIT 1) IS NULL
    ORDER BY o.offer_id LIMIT $7
"""
_ONE = _AVAILABLE.format(short="c.sold_out")
_SEVERAL = _AVAILABLE.format(short="c.capacity - c.held - c.sold < $6")


async def available(
    db: Connection,
    kind: Kind,
    span: range,
    quantity: int,
    after: UUID,
    limit: int,
    *,
    by_hour: bool,
) -> list[AvailableOffer]:
    """Offers on sale after an identifier with `quantity` free in every slot, and how many are.

    Of the next LOOKED_AT offers; `last_looked_at` says where those end.
    """
    rows = await db.fetch(
        _ONE if quantity == 1 else _SEVERAL,
        *(kind, by_hour, after, span.start, span.stop, quantity, limit, LOOKED_AT),
    )
    return [AvailableOffer(**row) for row in rows]


async def last_looked_at(db: Connection, kind: Kind, after: UUID, *, by_hour: bool) -> UUID | None:
    """The last of the next LOOKED_AT offers on sale; None where there are not so many."""
    return await db.fetchval(
        """
        SELECT offer_id FROM offers WHERE kind = $1 AND by_hour = $2 AND open AND offer_id > $3
        ORDER BY offer_id OFFSET $4 LIMIT 1
        """,
        *(kind, by_hour, after, LOOKED_AT - 1),
    )
