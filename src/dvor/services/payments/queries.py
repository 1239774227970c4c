"""All SQL of payments. Every change of status is one conditional UPDATE: no row, no change."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from dvor.kernel.db import Connection, Record

_PAYMENT = """
    id, order_id, order_number, payer_id, amount, currency, status, authorised, captured, refunded,
    declines, card_ending, pay_token, return_path, expires_at, created_at, provider, reference,
    asked_at, underway, action_path, disputed, dispute, commission_bp, trace, deposit
"""


def _told(moving: str, what: str, amount: str) -> str:
    """A statement that moves a payment on (`… RETURNING *`), and writes that step in its history."""
    return f"""
        WITH moved AS ({moving}), told AS (
            INSERT INTO payment_steps (payment_id, what, amount, currency)
            SELECT id, '{what}', {amount}, currency FROM moved
        )
        SELECT {_PAYMENT} FROM moved
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
    provider: str = "simulator",
    commission_bp: int = 0,
    shares: Mapping[UUID, int] | None = None,
    trace: Mapping[str, str] | None = None,
    deposit: int = 0,
) -> Record | None:
    """The new payment with its shares and first step; None where the order has one already."""
    return await db.fetchrow(
        f"""
        WITH moved AS (
            INSERT INTO payments (id, order_id, order_number, payer_id, amount, currency, pay_token,
                                  return_path, expires_at, commission_bp, provider, trace,
                                  deposit)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $13, $14, $15)
            ON CONFLICT (order_id) DO NOTHING
            RETURNING *
        ), shared AS (
            INSERT INTO payment_shares (payment_id, seller_id, amount)
            SELECT moved.id, share.* FROM moved, unnest($11::uuid[], $12::bigint[]) AS share
        ), told AS (
            INSERT INTO payment_steps (payment_id, what, amount, currency)
            SELECT id, 'requested', amount, currency FROM moved
        )
        SELECT {_PAYMENT} FROM moved
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
        commission_bp,
        list(shares or {}),
        list((shares or {}).values()),
        provider,
        dict(trace or {}),
        deposit,
    )


async def payment(db: Connection, payment_id: UUID) -> Record | None:
    """A payment by its id."""
    return await db.fetchrow(f"SELECT {_PAYMENT} FROM payments WHERE id = $1", payment_id)


async def payment_of_order(db: Connection, order_id: UUID) -> Record | None:
    """The payment of an order."""
    return await db.fetchrow(f"SELECT {_PAYMENT} FROM payments WHERE order_id = $1", order_id)


async def of_tokens(db: Connection, pay_tokens: Sequence[str]) -> dict[str, Record]:
    """The payments of hosted pages, by token."""
    rows = await db.fetch(
        f"SELECT {_PAYMENT} FROM payments WHERE pay_token = ANY($1::text[])", pay_tokens
    )
    return {row["pay_token"]: row for row in rows}


async def whole(db: Connection, payment_ids: Sequence[UUID]) -> dict[UUID, Record]:
    """Payments with their histories."""
    rows = await db.fetch(
        f"""
        SELECT {_PAYMENT}, (
            SELECT json_agg(json_build_object('at', at, 'what', what, 'amount', amount) ORDER BY s.id)
            FROM payment_steps s WHERE payment_id = payments.id
        ) AS steps
        FROM payments WHERE id = ANY($1::uuid[])
        """,
        payment_ids,
    )
    return {row["id"]: row for row in rows}


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


async def payment_of_news(
    db: Connection, provider: str, references: Sequence[str], ids: Sequence[UUID], event_id: str
) -> Record | None:
    """The payment that a provider calls by one of these names, its own or ours.

    `heard`: the event is known.
    """
    return await db.fetchrow(
        f"""
        SELECT {_PAYMENT}, EXISTS (SELECT FROM provider_events WHERE id = $4) AS heard
        FROM payments WHERE provider = $1 AND (reference = ANY($2) OR id = ANY($3::uuid[]))
        """,
        provider,
        references,
        ids,
        event_id,
    )


async def asking(db: Connection, pay_token: str, silence: timedelta) -> Record | None:
    """From now on the provider is asked to authorise, while the payment is open.

    None where it is not. `silence`: after which we ask what came of it.
    """
    return await db.fetchrow(
        f"""
        UPDATE payments SET asked_at = dvor_now(), underway = true,
            reference = coalesce(reference, id::text), look_at = dvor_now() + $2::interval
        WHERE pay_token = $1 AND status = 'requested' AND expires_at > dvor_now()
        RETURNING {_PAYMENT}
        """,
        pay_token,
        silence,
    )


async def standing_open(db: Connection, payment_id: UUID, reference: str, action_path: str) -> None:
    """The provider waits: for another card, or for the payer to confirm."""
    await db.execute(
        """
        UPDATE payments SET reference = $2, underway = false, action_path = $3,
            look_at = CASE WHEN $3 = '' THEN NULL ELSE look_at END
        WHERE id = $1 AND status = 'requested'
          AND (reference, underway, action_path) IS DISTINCT FROM ($2, false, $3)
        """,
        payment_id,
        reference,
        action_path,
    )


async def authorise(
    db: Connection, payment_id: UUID, reference: str, card_ending: str, amount: int, currency: str
) -> Record | None:
    """Reserve the whole amount, while it is asked for."""
    return await db.fetchrow(
        _told(
            """
            UPDATE payments SET status = 'authorised', authorised = amount, reference = $2,
                card_ending = nullif($3, ''), underway = false, action_path = '', look_at = NULL
            WHERE id = $1 AND status = 'requested' AND amount = $4 AND currency = $5
            RETURNING *
            """,
            "authorised",
            "amount",
        ),
        payment_id,
        reference,
        card_ending,
        amount,
        currency,
    )


async def count_declines(db: Connection, payment_id: UUID, declines: int) -> Record | None:
    """So many failed tries in all; None where that many are known."""
    return await db.fetchrow(
        f"""
        UPDATE payments SET declines = $2 WHERE id = $1 AND declines < $2 RETURNING {_PAYMENT}
        """,
        payment_id,
        declines,
    )


async def capture(db: Connection, payment_id: UUID, amount: int) -> Record | None:
    """Note what was taken of what was authorised."""
    return await db.fetchrow(
        _told(
            """
            UPDATE payments SET status = 'captured', captured = $2
            WHERE id = $1 AND status = 'authorised' AND $2 <= authorised AND authorised = amount
            RETURNING *
            """,
            "captured",
            "captured",
        ),
        payment_id,
        amount,
    )


async def void(db: Connection, payment_id: UUID, before: str) -> Record | None:
    """Close a payment of which nothing was taken, and that has come no further than `before`:
    unasked (no provider knows of it), requested or authorised.
    """
    return await db.fetchrow(
        _told(
            """
            UPDATE payments SET status = 'voided', underway = false, action_path = '',
                look_at = NULL
            WHERE id = $1 AND captured = 0 AND (
                status = 'requested' AND (asked_at IS NULL OR $2 <> 'unasked')
                OR status = 'authorised' AND $2 = 'authorised'
            )
            RETURNING *
            """,
            "voided",
            "authorised",
        ),
        payment_id,
        before,
    )


async def refund(db: Connection, payment_id: UUID, amount: int) -> Record | None:
    """Set `amount` aside to be given back, while that much is left of what was taken."""
    return await db.fetchrow(
        f"""
        UPDATE payments SET refunded = refunded + $2
        WHERE id = $1 AND status = 'captured' AND $2 > 0 AND refunded + disputed + $2 <= captured
        RETURNING {_PAYMENT}
        """,
        payment_id,
        amount,
    )


async def unrefund(db: Connection, payment_id: UUID, amount: int) -> None:
    """The provider said no: what was set aside is not given back."""
    await db.execute(
        "UPDATE payments SET refunded = refunded - $2 WHERE id = $1 AND status = 'captured'",
        payment_id,
        amount,
    )


async def all_refunded(db: Connection, payment_id: UUID) -> Record | None:
    """The payment after a refund went through; refunded once everything did."""
    return await db.fetchrow(
        f"""
        UPDATE payments SET status = CASE WHEN captured = (
                SELECT sum(amount) FROM refunds WHERE payment_id = $1 AND state = 'done'
            ) THEN 'refunded' ELSE status END
        WHERE id = $1 RETURNING {_PAYMENT}
        """,
        payment_id,
    )


async def dispute(
    db: Connection, payment_id: UUID, outcome: str, before: Sequence[str], amount: int
) -> Record | None:
    """What the payer's bank took back, as `contested`; None where that is known."""
    return await db.fetchrow(
        """
        WITH before AS (
            SELECT id, disputed FROM payments
            WHERE id = $1 AND dispute = ANY($3) AND captured > 0 FOR UPDATE
        )
        UPDATE payments SET dispute = $2,
            disputed = CASE $2 WHEN 'open' THEN $4::bigint WHEN 'won' THEN 0
                       ELSE payments.disputed END
        FROM before WHERE payments.id = before.id
        RETURNING payments.id, order_id, currency, commission_bp,
                  CASE $2 WHEN 'open' THEN $4::bigint ELSE before.disputed END AS contested
        """,
        payment_id,
        outcome,
        before,
        amount,
    )


async def to_look_at(db: Connection, limit: int) -> list[Record]:
    """Payments of which we should have heard, the longest silent first."""
    return await db.fetch(
        f"""
        SELECT {_PAYMENT} FROM payments WHERE look_at <= dvor_now() ORDER BY look_at LIMIT $1
        """,
        limit,
    )


async def look_later(db: Connection, payment_id: UUID) -> None:
    """Ask again, less and less often; never again a day after the time to pay."""
    await db.execute(
        """
        UPDATE payments SET look_at = CASE
            WHEN expires_at + interval '1 day' < dvor_now() THEN NULL
            ELSE dvor_now() + least(dvor_now() - asked_at, interval '1 hour')
        END
        WHERE id = $1 AND look_at IS NOT NULL
        """,
        payment_id,
    )


async def insert_refund(
    db: Connection, key: UUID, payment_id: UUID, amount: int, reason: str
) -> bool:
    """Whether this key is new; a twin in another transaction is waited for."""
    return bool(
        await db.fetchval(
            """
            INSERT INTO refunds (key, payment_id, amount, reason) VALUES ($1, $2, $3, $4)
            ON CONFLICT (key) DO NOTHING RETURNING true
            """,
            key,
            payment_id,
            amount,
            reason,
        )
    )


async def refund_of_key(db: Connection, key: UUID) -> Record | None:
    """What a key stands for."""
    return await db.fetchrow(
        "SELECT key, payment_id, amount, state, reason FROM refunds WHERE key = $1", key
    )


async def end_refund(db: Connection, key: UUID, state: str) -> bool:
    """pending -> done or failed; False where it is known how it ended."""
    return bool(
        await db.execute(
            "UPDATE refunds SET state = $2 WHERE key = $1 AND state = 'pending'", key, state
        )
    )


async def insert_step(
    db: Connection, payment_id: UUID, what: str, amount: int, currency: str
) -> None:
    """Write history."""
    await db.execute(
        "INSERT INTO payment_steps (payment_id, what, amount, currency) VALUES ($1, $2, $3, $4)",
        payment_id,
        what,
        amount,
        currency,
    )
