"""All SQL of payments. Every change of status is one conditional UPDATE: no row, no change."""

from datetime import datetime
from uuid import UUID

from dvor.kernel.db import Connection, Record

_PAYMENT = """
    id, order_id, order_number, payer_id, amount, currency, status, authorised, captured, refunded,
    declines, card_ending, pay_token, return_path, expires_at, created_at
"""


async def insert_payment(
    db: Connection,
    *,
    id: UUID,
    order_id: UUID,
    order_number: str,
    payer_id: UUID,
    amount: int,
    currency: str,
    pay_token: str,
    return_path: str,
    expires_at: datetime,
) -> Record | None:
    """The new payment; None where the order has one already."""
    return await db.fetchrow(
        f"""
        INSERT INTO payments (id, order_id, order_number, payer_id, amount, currency, pay_token,
                              return_path, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (order_id) DO NOTHING
        RETURNING {_PAYMENT}
        """,
        id,
        order_id,
        order_number,
        payer_id,
        amount,
        currency,
        pay_token,
        return_path,
        expires_at,
    )


async def payment(db: Connection, payment_id: UUID) -> Record | None:
    """A payment by its id."""
    return await db.fetchrow(f"SELECT {_PAYMENT} FROM payments WHERE id = $1", payment_id)


async def payment_of_order(db: Connection, order_id: UUID) -> Record | None:
    """The payment of an order."""
    return await db.fetchrow(f"SELECT {_PAYMENT} FROM payments WHERE order_id = $1", order_id)


async def payment_of_token(db: Connection, pay_token: str) -> Record | None:
    """The payment of a hosted page."""
    return await db.fetchrow(f"SELECT {_PAYMENT} FROM payments WHERE pay_token = $1", pay_token)


async def payments(
    db: Connection, payer_id: UUID | None, before: UUID | None, limit: int
) -> list[Record]:
    """Payments, newest first, of one payer or of everybody, older than `before`."""
    return await db.fetch(
        f"""
        SELECT {_PAYMENT} FROM payments
        WHERE ($1::uuid IS NULL OR payer_id = $1) AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC LIMIT $3
        """,
        payer_id,
        before,
        limit,
    )


async def authorise(
    db: Connection, pay_token: str, card_ending: str, amount: int, currency: str
) -> Record | None:
    """Reserve the whole amount, while it is asked for and the time has not run out."""
    return await db.fetchrow(
        f"""
        UPDATE payments SET status = 'authorised', authorised = amount, card_ending = $2
        WHERE pay_token = $1 AND status = 'requested' AND expires_at > dvor_now()
          AND amount = $3 AND currency = $4
        RETURNING {_PAYMENT}
        """,
        pay_token,
        card_ending,
        amount,
        currency,
    )


async def count_decline(db: Connection, pay_token: str) -> Record | None:
    """One more failed try, while the payment is open."""
    return await db.fetchrow(
        f"""
        UPDATE payments SET declines = declines + 1
        WHERE pay_token = $1 AND status = 'requested' AND expires_at > dvor_now()
        RETURNING {_PAYMENT}
        """,
        pay_token,
    )


async def capture(db: Connection, payment_id: UUID) -> Record | None:
    """Take all that was authorised."""
    return await db.fetchrow(
        f"""
        UPDATE payments SET status = 'captured', captured = authorised
        WHERE id = $1 AND status = 'authorised' AND authorised = amount
        RETURNING {_PAYMENT}
        """,
        payment_id,
    )


async def void(db: Connection, payment_id: UUID) -> Record | None:
    """Close a payment of which nothing was taken."""
    return await db.fetchrow(
        f"""
        UPDATE payments SET status = 'voided'
        WHERE id = $1 AND status = ANY('{{requested,authorised}}') AND captured = 0
        RETURNING {_PAYMENT}
        """,
        payment_id,
    )


async def refund(db: Connection, payment_id: UUID, amount: int) -> Record | None:
    """Give `amount` back, while that much is left of what was taken."""
    return await db.fetchrow(
        f"""
        UPDATE payments SET
            refunded = refunded + $2,
            status = CASE WHEN refunded + $2 = captured THEN 'refunded' ELSE status END
        WHERE id = $1 AND status = 'captured' AND $2 > 0 AND refunded + $2 <= captured
        RETURNING {_PAYMENT}
        """,
        payment_id,
        amount,
    )


async def insert_refund(db: Connection, key: UUID, payment_id: UUID, amount: int) -> bool:
    """Whether this key is new; a twin in another transaction is waited for."""
    return bool(
        await db.fetchval(
            """
            INSERT INTO refunds (key, payment_id, amount) VALUES ($1, $2, $3)
            ON CONFLICT (key) DO NOTHING RETURNING true
            """,
            key,
            payment_id,
            amount,
        )
    )


async def refund_of_key(db: Connection, key: UUID) -> Record | None:
    """What a key stands for."""
    return await db.fetchrow("SELECT payment_id, amount FROM refunds WHERE key = $1", key)


async def insert_step(
    db: Connection,
    payment_id: UUID,
    what: str,
    amount: int,
    currency: str,
    key: UUID | None = None,
) -> bool:
    """Write history; False where this key has written its step already."""
    return bool(
        await db.fetchval(
            """
            INSERT INTO payment_steps (payment_id, what, amount, currency, key)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT ON CONSTRAINT one_step_a_key DO NOTHING RETURNING true
            """,
            payment_id,
            what,
            amount,
            currency,
            key,
        )
    )


async def steps(db: Connection, payment_id: UUID) -> list[Record]:
    """Everything that happened to a payment, in order."""
    return await db.fetch(
        "SELECT at, what, amount, currency FROM payment_steps WHERE payment_id = $1 ORDER BY id",
        payment_id,
    )


async def insert_webhook(
    db: Connection, id: UUID, payment_id: UUID, type: str, body: bytes
) -> None:
    """A webhook to be delivered."""
    await db.execute(
        "INSERT INTO webhook_deliveries (id, payment_id, type, body) VALUES ($1, $2, $3, $4)",
        id,
        payment_id,
        type,
        body,
    )


async def webhook_to_deliver(db: Connection, id: UUID) -> bytes | None:
    """The body of a webhook; None where it has been delivered."""
    return await db.fetchval(
        "SELECT body FROM webhook_deliveries WHERE id = $1 AND delivered_at IS NULL", id
    )


async def mark_webhook(db: Connection, id: UUID, answer: str, *, delivered: bool) -> None:
    """Note one try and what came of it."""
    await db.execute(
        """
        UPDATE webhook_deliveries SET
            attempts = attempts + 1,
            last_answer = $2,
            delivered_at = CASE WHEN $3 THEN dvor_now() END
        WHERE id = $1 AND delivered_at IS NULL
        """,
        id,
        answer,
        delivered,
    )
