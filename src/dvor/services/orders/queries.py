"""All SQL of carts and orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dvor.contracts.catalog import Quote
from dvor.contracts.inventory import Hold
from dvor.contracts.orders import OrderSearch, Viewpoint
from dvor.kernel import ids
from dvor.kernel.db import Connection, Record, Tx
from dvor.kernel.periods import HourRange
from dvor.services.orders.rules import StoredLine
from dvor.services.orders.saga_queries import LEASE


async def cart(db: Connection, customer_id: UUID | None, guest_hash: bytes | None) -> Record | None:
    """The cart of a customer or a guest."""
    return await db.fetchrow(
        "SELECT id, hold_id, held_until, version, promo_code FROM carts"
        " WHERE customer_id = $1 OR guest_hash = $2",
        customer_id,
        guest_hash,
    )


async def make_cart(db: Connection, customer_id: UUID | None, guest_hash: bytes | None) -> None:
    """An empty cart, unless there is one."""
    await db.execute(
        "INSERT INTO carts (id, customer_id, guest_hash, hold_id) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING",
        ids.new(),
        customer_id,
        guest_hash,
        ids.new(),
    )


async def cart_lines(db: Connection, cart_id: UUID) -> list[StoredLine]:
    """The lines of a cart, oldest first."""
    rows = await db.fetch(
        "SELECT id, offer_id, quantity, start_date, end_date, seats, hours_from, hours_until"
        " FROM cart_lines WHERE cart_id = $1 ORDER BY position",
        cart_id,
    )
    return [stored(row) for row in rows]


def stored(row: Record) -> StoredLine:
    """A line as its row says."""
    hours = None
    if row["hours_from"]:
        hours = HourRange(start=row["hours_from"], end=row["hours_until"])
    return StoredLine(
        row["id"],
        row["offer_id"],
        row["quantity"],
        row["start_date"],
        row["end_date"],
        tuple(row["seats"]),
        hours,
    )


def _ends(hours: HourRange | None) -> tuple[datetime | None, datetime | None]:
    return (hours.start, hours.end) if hours else (None, None)


async def advance_cart(
    tx: Tx, cart_id: UUID, version: int, hold_id: UUID, held_until: datetime | None, promo: str
) -> bool:
    """Move a cart on from `version`; False when somebody else did first."""
    return bool(
        await tx.execute(
            "UPDATE carts SET version = version + 1, hold_id = $3, held_until = $4,"
            " promo_code = $5, changed_at = dvor_now() WHERE id = $1 AND version = $2",
            cart_id,
            version,
            hold_id,
            held_until,
            promo,
        )
    )


async def replace_cart_lines(tx: Tx, cart_id: UUID, lines: Sequence[StoredLine]) -> None:
    """Make a cart consist of exactly these lines; those that stay keep their place."""
    await tx.execute(
        "DELETE FROM cart_lines WHERE cart_id = $1 AND id <> ALL($2)",
        cart_id,
        [line.id for line in lines],
    )
    await tx.executemany(
        "INSERT INTO cart_lines (id, cart_id, offer_id, quantity, start_date, end_date, seats,"
        " hours_from, hours_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity, seats = excluded.seats",
        [
            (n.id, cart_id, n.offer_id, n.quantity, n.start, n.end, list(n.seats), *_ends(n.hours))
            for n in lines
        ],
    )


async def drop_cart(tx: Tx, cart_id: UUID) -> None:
    """Remove a cart with its lines."""
    await tx.execute("DELETE FROM carts WHERE id = $1", cart_id)


async def key_used(db: Connection, key: UUID) -> bool:
    """Whether a request with this key already changed a cart."""
    return await db.fetchval("SELECT EXISTS (SELECT FROM cart_keys WHERE key = $1)", key)


async def use_key(tx: Tx, key: UUID) -> bool:
    """Remember that this request changed a cart; False when it already did."""
    return bool(
        await tx.execute("INSERT INTO cart_keys (key) VALUES ($1) ON CONFLICT DO NOTHING", key)
    )


async def forget_keys(db: Connection) -> None:
    """Drop keys of a week ago."""
    await db.execute("DELETE FROM cart_keys WHERE used_at < dvor_now() - interval '7 days'")


async def insert_order(
    tx: Tx,
    order_id: UUID,
    number: str,
    customer_id: UUID,
    hold: Hold,
    pay_until: datetime,
    quote: Quote,
    seats: Sequence[Sequence[str]],
) -> Record | None:
    """Write an order with its lines, to be asked money for by the caller; None if it exists.

    `seats`: those of each line.
    """
    order = await tx.fetchrow(
        "INSERT INTO orders (id, number, customer_id, status, hold_id, pay_until, held_until,"
        " total_amount, currency, promo_id, promo_code, approval, pending_action, pending_since,"
        " epoch, due_at) VALUES ($1, $2, $3, 'created', $4, $5, $6, $7, $8, $9, $10,"
        " CASE WHEN $11 THEN 'needed' END, 'pay', dvor_now(), 1, dvor_now() + $12::interval)"
        " ON CONFLICT DO NOTHING RETURNING *",  # twins at once may meet at the id or at the hold
        order_id,
        number,
        customer_id,
        hold.id,
        pay_until,
        hold.expires_at,
        quote.total.amount,
        quote.total.currency,
        quote.promo.id if quote.promo else None,
        quote.promo.code if quote.promo else "",
        any(line.offer.approval for line in quote.lines),
        LEASE,
    )
    if order is None:
        return None
    await tx.executemany(
        "INSERT INTO order_lines (id, order_id, position, offer_id, listing_id, seller_id, kind,"
        " title, name, picture, quantity, start_date, end_date, starts_at, timezone, units,"
        " day_prices, unit_price, total, parts, deposit, seats, approval,"
        " hours_from, hours_until, cancellation) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,"
        "$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26)",
        [
            (
                ids.derived(order_id, "line", position),
                order_id,
                position,
                line.offer.id,
                line.offer.listing_id,
                line.offer.seller_id,
                line.offer.kind,
                line.offer.title.model_dump(),
                line.offer.name.model_dump(),
                line.offer.picture,
                line.quantity,
                line.dates.start if line.dates else None,
                line.dates.end if line.dates else None,
                line.offer.starts_at,
                line.offer.timezone,
                line.units,
                list(line.day_prices),
                line.unit_price.amount,
                line.total.amount,
                [part.model_dump(exclude_defaults=True) for part in line.parts],
                line.deposit.amount if line.deposit else 0,
                list(seats[position]),
                line.offer.approval,
                *_ends(line.hours),
                line.offer.cancellation.model_dump(mode="json"),
            )
            for position, line in enumerate(quote.lines)
        ],
    )
    return order


async def note(tx: Tx, order_id: UUID, what: str, **details: str) -> None:
    """Add to an order's history, at the status it now has, and tell who waits for news."""
    await tx.execute(
        "WITH noted AS (INSERT INTO order_history (order_id, what, status, details)"
        " SELECT id, $2, status, $3 FROM orders WHERE id = $1)"
        " SELECT pg_notify('dvor_news', $1::text)",
        order_id,
        what,
        details,
    )


async def sales(db: Connection, hold_ids: Sequence[UUID], seller_id: UUID | None) -> list[Record]:
    """The orders of these holds in which this seller, or anybody, sold something."""
    return await db.fetch(
        "SELECT hold_id, id AS order_id, number, customer_id FROM orders WHERE hold_id = ANY($1)"
        " AND ($2::uuid IS NULL OR EXISTS (SELECT FROM order_lines WHERE order_id = orders.id"
        " AND seller_id = $2))",
        hold_ids,
        seller_id,
    )


ORDER = """
SELECT o.*, (
    SELECT json_agg(l ORDER BY l.position) FROM (
        SELECT id, offer_id, listing_id, seller_id, kind, title, name, picture, quantity,
            start_date, end_date, starts_at, timezone, units, unit_price, total, parts, deposit,
            seats, hours_from, hours_until, cancellation, cancelled, cancelled_seats,
            refunded, approval, position
        FROM order_lines WHERE order_id = o.id
    ) l
) AS lines, ARRAY(SELECT seller_id FROM order_approvals WHERE order_id = o.id) AS approved, (
    SELECT json_agg(json_build_object('at', h.at, 'what', h.what, 'status', h.status,
        'details', h.details) ORDER BY h.id) FROM order_history h WHERE h.order_id = o.id
) AS timeline
FROM orders o WHERE o.id = ANY ($1::uuid[])
"""


async def whole(db: Connection, order_ids: Sequence[UUID]) -> dict[UUID, Record]:
    """Orders with their lines and their timelines, in one statement."""
    return {row["id"]: row for row in await db.fetch(ORDER, order_ids)}


async def order(tx: Tx, order_id: UUID) -> Record:
    """One that is there, as this transaction leaves it."""
    return (await whole(tx, [order_id]))[order_id]


async def known(db: Connection, order_ids: Sequence[UUID]) -> dict[UUID, Record]:
    """Those of these orders that exist."""
    rows = await db.fetch("SELECT id FROM orders WHERE id = ANY ($1::uuid[])", order_ids)
    return {row["id"]: row for row in rows}


async def state(db: Connection, order_id: UUID) -> Record | None:
    """What the next step of an order depends on."""
    return await db.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)


async def locked(tx: Tx, order_id: UUID) -> Record | None:
    """The same, locked until the transaction ends."""
    return await tx.fetchrow(
        "SELECT *, held_until <= dvor_now() AS over FROM orders WHERE id = $1 FOR UPDATE", order_id
    )


async def line_wishes(db: Connection, order_id: UUID) -> list[StoredLine]:
    """What an order's lines claim."""
    rows = await db.fetch(
        "SELECT id, offer_id, quantity, start_date, end_date, seats, hours_from, hours_until"
        " FROM order_lines WHERE order_id = $1 ORDER BY position",
        order_id,
    )
    return [stored(row) for row in rows]


async def delivered(tx: Tx, order_id: UUID) -> bool:
    """paid -> delivered; False when it is not paid."""
    return bool(
        await tx.execute(
            "UPDATE orders SET status = 'delivered', version = version + 1"
            " WHERE id = $1 AND status = 'paid' AND pending_action IS NULL",
            order_id,
        )
    )


async def receive_webhook(tx: Tx, webhook_id: str) -> bool:
    """Remember a webhook; False when it came before."""
    return bool(
        await tx.execute(
            "INSERT INTO received_webhooks (webhook_id) VALUES ($1) ON CONFLICT DO NOTHING",
            webhook_id,
        )
    )


_CARDS = """
SELECT o.id, o.number, o.customer_id, o.status, o.currency, o.created_at,
    CASE WHEN $1::uuid IS NULL THEN o.total_amount ELSE mine.total END AS total,
    mine.kinds, mine.title, mine.line_count,
    CASE WHEN o.approval = 'asked' AND o.status = 'processing' AND o.pending_action IS NULL
        THEN o.held_until END AS approve_until
FROM orders o CROSS JOIN LATERAL (
    SELECT sum(l.total)::bigint AS total, count(*) AS line_count,
        array_agg(DISTINCT l.kind ORDER BY l.kind) AS kinds,
        (array_agg(l.title ORDER BY l.position))[1] AS title
    FROM order_lines l WHERE l.order_id = o.id AND ($1::uuid IS NULL OR l.seller_id = $1)
) mine
WHERE mine.line_count > 0
"""
_WANTED = f"""{_CARDS}
    AND ($2::uuid IS NULL OR o.customer_id = $2)
    AND ($1::uuid IS NULL OR o.id IN (SELECT order_id FROM order_lines WHERE seller_id = $1))
    AND ($3::text IS NULL OR o.status = $3)
    AND ($4::text = '' OR o.number LIKE $4)
    AND ($5::timestamptz IS NULL OR (o.created_at, o.id) < ($5, $6))
    AND (NOT $8 OR o.pending_action IS NOT NULL
        AND o.id IN (SELECT order_id FROM refused_refunds))
ORDER BY o.created_at DESC, o.id DESC LIMIT $7
"""
_TO_APPROVE = f"""{_CARDS}
    AND o.approval = 'asked' AND o.status = 'processing' AND o.pending_action IS NULL
    AND o.held_until > dvor_now()
    AND EXISTS (SELECT FROM order_lines WHERE order_id = o.id AND seller_id = $1 AND approval)
    AND NOT EXISTS (SELECT FROM order_approvals WHERE order_id = o.id AND seller_id = $1)
ORDER BY o.held_until, o.id LIMIT $2
"""


async def cards(
    db: Connection, search: OrderSearch, user: UUID, after: tuple[datetime, UUID] | None
) -> list[Record]:
    """Orders in a list, one more than asked for where there are more."""
    text = search.text.upper().replace("%", "").replace("_", "")
    args: list[Any] = [
        user if search.viewpoint is Viewpoint.SELLER else None,
        user if search.viewpoint is Viewpoint.CUSTOMER else None,
        search.status,
        f"%{text}%" if text else "",
        after[0] if after else None,
        after[1] if after else None,
        search.limit + 1,
        search.refund_refused,
    ]
    return await db.fetch(_WANTED, *args)


async def to_approve(db: Connection, seller_id: UUID, limit: int) -> list[Record]:
    """What waits for a seller's answer, the most urgent first."""
    return await db.fetch(_TO_APPROVE, seller_id, limit)


async def approve(tx: Tx, order_id: UUID, seller_id: UUID) -> bool:
    """Note a seller's yes to a locked order; False where it was given before."""
    return bool(
        await tx.execute(
            "INSERT INTO order_approvals (order_id, seller_id) VALUES ($1, $2)"
            " ON CONFLICT DO NOTHING",
            order_id,
            seller_id,
        )
    )


async def all_approved(tx: Tx, order_id: UUID) -> bool:
    """Whether nobody's yes is missing any more."""
    return await tx.fetchval(
        "SELECT NOT EXISTS (SELECT FROM order_lines WHERE order_id = $1 AND approval"
        " AND seller_id NOT IN (SELECT seller_id FROM order_approvals WHERE order_id = $1))",
        order_id,
    )


async def touch(tx: Tx, order_id: UUID) -> None:
    """Something new is to be seen of an order."""
    await tx.execute("UPDATE orders SET version = version + 1 WHERE id = $1", order_id)
