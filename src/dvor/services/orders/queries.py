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


async def cart(
    db: Connection, customer_id: UUID | None, guest_hash: bytes | None, key: UUID | None = None
) -> list[Record]:
    """The cart of a customer or a guest, with its lines, oldest first: a row for each, or one
    without a line. `used`: the request with this key changed a cart already.
    """
    return await db.fetch(
        "SELECT c.id AS cart_id, hold_id, held_until, version, promo_code,"
        " EXISTS (SELECT FROM cart_keys WHERE key = $3) AS used,"
        " l.id, offer_id, quantity, start_date, end_date, seats, hours_from, hours_until"
        " FROM carts c LEFT JOIN cart_lines l ON l.cart_id = c.id"
        " WHERE customer_id = $1 OR guest_hash = $2 ORDER BY position",
        customer_id,
        guest_hash,
        key,
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


_WRITE_CART = """
WITH moved AS (
    UPDATE carts SET version = version + 1, hold_id = $3, held_until = $4, promo_code = $5,
        changed_at = dvor_now()
    WHERE id = $1 AND version = $2 RETURNING id
), gone AS (
    DELETE FROM cart_lines USING moved
    WHERE cart_id = moved.id AND cart_lines.id <> ALL($6::uuid[])
), kept AS (
    INSERT INTO cart_lines (id, cart_id, offer_id, quantity, start_date, end_date, seats,
        hours_from, hours_until)
    SELECT n.id, moved.id, offer_id, quantity, start_date, end_date, seats, hours_from, hours_until
    FROM moved, jsonb_populate_recordset(NULL::cart_lines, $7::jsonb) WITH ORDINALITY AS n
    ORDER BY ordinality
    ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity, seats = excluded.seats
), remembered AS (
    INSERT INTO cart_keys (key) SELECT $8::uuid FROM moved WHERE $8 IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT id FROM moved
"""


async def write_cart(
    tx: Tx,
    cart_id: UUID,
    version: int,
    hold_id: UUID,
    held_until: datetime | None = None,
    promo: str = "",
    lines: Sequence[StoredLine] = (),
    key: UUID | None = None,
) -> bool:
    """Move a cart on from `version` and make it consist of exactly these lines, of which those that
    stay keep their place; remember the request with `key`. False when somebody else moved it first.
    """
    rows = [
        {
            "id": line.id,
            "offer_id": line.offer_id,
            "quantity": line.quantity,
            "start_date": line.start,
            "end_date": line.end,
            "seats": line.seats,
            "hours_from": line.hours.start if line.hours else None,
            "hours_until": line.hours.end if line.hours else None,
        }
        for line in lines
    ]
    kept = [line.id for line in lines]
    args = (hold_id, held_until, promo, kept, rows, key)
    return await tx.fetchval(_WRITE_CART, cart_id, version, *args) is not None


async def drop_cart(tx: Tx, cart_id: UUID) -> None:
    """Remove a cart with its lines."""
    await tx.execute("DELETE FROM carts WHERE id = $1", cart_id)


async def forget_keys(db: Connection) -> None:
    """Drop keys of a week ago."""
    await db.execute("DELETE FROM cart_keys WHERE used_at < dvor_now() - interval '7 days'")


_INSERT_ORDER = """
WITH made AS (
    INSERT INTO orders (id, number, customer_id, status, hold_id, pay_until, held_until,
        total_amount, currency, promo_id, promo_code, approval, deposit, pending_action,
        pending_since, epoch, due_at)
    VALUES ($1, $2, $3, 'created', $4, $5, $6, $7, $8, $9, $10,
        CASE WHEN $11 THEN 'needed' END, CASE WHEN $14 THEN 'needed' END, 'pay', dvor_now(), 1,
        dvor_now() + $12::interval)
    ON CONFLICT DO NOTHING RETURNING *
), lined AS (
    INSERT INTO order_lines (id, order_id, position, offer_id, listing_id, seller_id, kind, title,
        name, picture, quantity, start_date, end_date, starts_at, timezone, units, day_prices,
        unit_price, total, parts, deposit, seats, approval, hours_from, hours_until, cancellation)
    SELECT n.id, made.id, position, offer_id, listing_id, seller_id, kind, title,
        name, picture, quantity, start_date, end_date, starts_at, timezone, units, day_prices,
        unit_price, total, parts, n.deposit, seats, n.approval, hours_from, hours_until,
        cancellation
    FROM made, jsonb_populate_recordset(NULL::order_lines, $13::jsonb) AS n
), noted AS (
    INSERT INTO order_history (order_id, what, status, details)
    SELECT id, what, status, '{}'
    FROM made, unnest('{created,hold_taken}'::text[]) WITH ORDINALITY AS n (what, place)
    ORDER BY place
)
SELECT * FROM made
"""
# Twins at once may meet at the order's id or at the hold.


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
    """Write an order with its lines and the beginning of its history, to be asked money for by the
    caller; None if it exists.

    `seats`: those of each line.
    """
    return await tx.fetchrow(
        _INSERT_ORDER,
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
        [
            {
                "id": ids.derived(order_id, "line", position),
                "position": position,
                "offer_id": line.offer.id,
                "listing_id": line.offer.listing_id,
                "seller_id": line.offer.seller_id,
                "kind": line.offer.kind,
                "title": line.offer.title.model_dump(),
                "name": line.offer.name.model_dump(),
                "picture": line.offer.picture,
                "quantity": line.quantity,
                "start_date": line.dates.start if line.dates else None,
                "end_date": line.dates.end if line.dates else None,
                "starts_at": line.offer.starts_at,
                "timezone": line.offer.timezone,
                "units": line.units,
                "day_prices": line.day_prices,
                "unit_price": line.unit_price.amount,
                "total": line.total.amount,
                "parts": [part.model_dump(exclude_defaults=True) for part in line.parts],
                "deposit": line.deposit.amount if line.deposit else 0,
                "seats": seats[position],
                "approval": line.offer.approval,
                "hours_from": line.hours.start if line.hours else None,
                "hours_until": line.hours.end if line.hours else None,
                "cancellation": line.offer.cancellation.model_dump(mode="json"),
            }
            for position, line in enumerate(quote.lines)
        ],
        any(line.deposit and line.deposit.amount for line in quote.lines),
    )


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
