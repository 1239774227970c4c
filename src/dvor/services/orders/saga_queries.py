"""SQL of who moves an order on. What an owner writes, it writes while the epoch is its own."""

from datetime import datetime, timedelta
from uuid import UUID

from dvor.kernel.db import Connection, Record, Tx

LEASE = timedelta(seconds=10)
"""How long an owner may be silent before somebody else takes an order over."""
LOOK = timedelta(minutes=2)
"""How often the payment of an order is asked about: its webhook may never come."""

_OWNED = "orders.*, held_until <= dvor_now() AS over"
"""What the owner of an order works with. `over`: the time to pay has run out."""


def _noted(moving: str, details: str = "'{}'") -> str:
    """A statement that moves an order on, writes what happened into its history ($1: one entry for
    each word, with `details` of the moved row), and tells who waits for news.
    """
    return f"""
        WITH moved AS ({moving} RETURNING {_OWNED}), noted AS (
            INSERT INTO order_history (order_id, what, status, details)
            SELECT id, what, status, {details}
            FROM moved, unnest($1::text[]) WITH ORDINALITY AS n (what, position) ORDER BY position
        )
        SELECT moved.*, pg_notify('dvor_news', id::text) FROM moved
    """


async def payment_requested(tx: Tx, order: Record, payment_id: UUID, pay_path: str) -> bool:
    """created -> processing, to be looked at in a while; False when the order has moved on."""
    moved = await tx.fetchrow(
        _noted(
            "UPDATE orders SET status = 'processing', payment_id = $4, pay_path = $5,"
            " pending_action = NULL, pending_since = NULL, tries = 0,"
            " due_at = least(dvor_now() + $6::interval, held_until), version = version + 1"
            " WHERE id = $2 AND epoch = $3"
        ),
        ["payment_requested"],
        order["id"],
        order["epoch"],
        payment_id,
        pay_path,
        LOOK,
    )
    return moved is not None


async def secured(tx: Tx, order: Record, action: str) -> Record | None:
    """All deposits are set aside; from now on `action` is under way. None: it has moved on."""
    return await tx.fetchrow(
        _noted(
            "UPDATE orders SET deposit = 'secured', pending_action = $4,"
            " pending_since = dvor_now(), tries = 0, epoch = epoch + 1,"
            " due_at = dvor_now() + $5::interval, version = version + 1"
            " WHERE id = $2 AND epoch = $3 AND pending_action = 'secure'"
        ),
        ["deposit_held"],
        order["id"],
        order["epoch"],
        action,
        LEASE,
    )


async def approval_asked(tx: Tx, order: Record, until: datetime) -> bool:
    """Nothing is done until sellers answer or `until` has come; False when it has moved on."""
    moved = await tx.fetchrow(
        _noted(
            "UPDATE orders SET approval = 'asked', held_until = $4, pending_action = NULL,"
            " pending_since = NULL, tries = 0, due_at = $4, version = version + 1"
            " WHERE id = $2 AND epoch = $3",
            "jsonb_build_object('until', held_until)",
        ),
        ["approval_asked"],
        order["id"],
        order["epoch"],
        until,
    )
    return moved is not None


async def approval_given(tx: Tx, order: Record) -> Record | None:
    """All sellers said yes to a locked order: it is settled from now on, and the caller owns it."""
    return await tx.fetchrow(
        _noted(
            "UPDATE orders SET approval = 'given', pending_action = 'settle',"
            " pending_since = dvor_now(), tries = 0, epoch = epoch + 1,"
            " due_at = dvor_now() + $4::interval, version = version + 1"
            " WHERE id = $2 AND epoch = $3 AND approval = 'asked'"
        ),
        ["approved"],
        order["id"],
        order["epoch"],
        LEASE,
    )


async def approval_declined(tx: Tx, order: Record, seller_id: UUID) -> Record | None:
    """A seller said no to a locked order: it is cancelled from now on, and the caller owns it."""
    return await tx.fetchrow(
        _noted(
            "UPDATE orders SET declined_by = $5, cancel_reason = 'declined',"
            " pending_action = 'cancel', pending_since = dvor_now(), tries = 0, epoch = epoch + 1,"
            " due_at = dvor_now() + $4::interval, version = version + 1"
            " WHERE id = $2 AND epoch = $3 AND approval = 'asked'"
        ),
        [],
        order["id"],
        order["epoch"],
        LEASE,
        seller_id,
    )


async def claim(db: Connection, order_id: UUID) -> Record | None:
    """Own an order that is due; None when it is not, or somebody else owns it."""
    return await db.fetchrow(
        "UPDATE orders SET epoch = epoch + 1, due_at = dvor_now() + $2::interval"
        f" WHERE id = $1 AND due_at <= dvor_now() RETURNING {_OWNED}",
        order_id,
        LEASE,
    )


async def claim_due(db: Connection, limit: int) -> list[Record]:
    """Own the orders that are due longest."""
    return await db.fetch(
        "WITH due AS (SELECT id FROM orders WHERE due_at <= dvor_now()"
        " ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)"
        " UPDATE orders SET epoch = epoch + 1, due_at = dvor_now() + $2::interval"
        f" FROM due WHERE orders.id = due.id RETURNING {_OWNED}",
        limit,
        LEASE,
    )


async def begin(
    tx: Tx, order: Record, action: str, reason: str | None = None, noting: tuple[str, ...] = ()
) -> Record | None:
    """From now on `action` is under way and the caller owns it; None when the order has moved on.

    `order`: as the caller read it. `noting`: what its history tells of that.
    """
    return await tx.fetchrow(
        _noted(
            "UPDATE orders SET pending_action = $4, pending_since = dvor_now(), tries = 0,"
            " cancel_reason = coalesce($5, cancel_reason), epoch = epoch + 1,"
            " due_at = dvor_now() + $6::interval, version = version + 1"
            " WHERE id = $2 AND epoch = $3"
        ),
        list(noting),
        order["id"],
        order["epoch"],
        action,
        reason,
        LEASE,
    )


async def put_off(db: Connection, order: Record, wait: timedelta) -> bool:
    """Give an order back after a step that failed, due again later; False when it has moved on."""
    return bool(
        await db.execute(
            "UPDATE orders SET tries = tries + 1, due_at = dvor_now() + $3::interval"
            " WHERE id = $1 AND epoch = $2",
            order["id"],
            order["epoch"],
            wait,
        )
    )


async def look_later(db: Connection, order: Record) -> bool:
    """Nothing to do with an order now; False when it has moved on."""
    return bool(
        await db.execute(
            "UPDATE orders SET tries = 0,"
            " due_at = CASE WHEN status IN ('created', 'processing')"
            " THEN least(dvor_now() + $3::interval, held_until) END"
            " WHERE id = $1 AND epoch = $2",
            order["id"],
            order["epoch"],
            LOOK,
        )
    )


async def any_due(db: Connection) -> bool:
    """Whether somebody should look at an order now."""
    return await db.fetchval("SELECT EXISTS (SELECT FROM orders WHERE due_at <= dvor_now())")


async def stuck(db: Connection, after: timedelta, limit: int) -> list[Record]:
    """Orders without progress for so long, or due so long; `stuck`: how many there are."""
    return await db.fetch(
        "SELECT number, status, pending_action, pending_since, tries, epoch, due_at,"
        " count(*) OVER () AS stuck FROM orders WHERE due_at IS NOT NULL"
        " AND (pending_since < dvor_now() - $1::interval OR due_at < dvor_now() - $1::interval)"
        " ORDER BY due_at LIMIT $2",
        after,
        limit,
    )


async def paid(tx: Tx, order: Record) -> bool:
    """processing -> booked and paid; False when the order has moved on."""
    moved = await tx.fetchrow(
        _noted(
            "UPDATE orders SET status = 'paid', pending_action = NULL, pending_since = NULL,"
            " due_at = NULL, version = version + 1 WHERE id = $2 AND epoch = $3"
        ),
        ["booked", "paid"],
        order["id"],
        order["epoch"],
    )
    return moved is not None


async def changed(tx: Tx, order: Record, back: int) -> bool:
    """A change of a paid order is done; False when the order has moved on."""
    return bool(
        await tx.execute(
            "UPDATE orders SET refunded_amount = refunded_amount + $3, pending_action = NULL,"
            " pending_since = NULL, change_id = NULL, due_at = NULL, version = version + 1"
            " WHERE id = $1 AND epoch = $2",
            order["id"],
            order["epoch"],
            back,
        )
    )


async def cancelled(tx: Tx, order: Record, refunded: int) -> bool:
    """-> cancelled; False when the order has moved on."""
    return bool(
        await tx.execute(
            "UPDATE orders SET status = 'cancelled', refunded_amount = $3, pending_action = NULL,"
            " pending_since = NULL, change_id = NULL, due_at = NULL, version = version + 1"
            " WHERE id = $1 AND epoch = $2",
            order["id"],
            order["epoch"],
            refunded,
        )
    )
