"""All SQL of the simulated bank. Its tables are its own: no statement here touches ours."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from dvor.kernel.db import Connection, Record
from dvor.services.payments.providers import Charge

_PAYMENT = """
    reference, amount, currency, description, expires_at, outcome, captured, refunded, disputed,
    dispute, declines, card_ending,
    CASE WHEN state = 'authorised' AND ends_at <= dvor_now() THEN 'voided' ELSE state END AS state
"""
_REFUNDS = """
    ARRAY(
        SELECT key FROM bank_calls
        WHERE bank_calls.reference = bank_payments.reference AND operation = 'refund'
    ) AS refunds
"""


async def claim(db: Connection, key: str, reference: str, operation: str, amount: int = 0) -> bool:
    """Whether this key is new; a twin in another transaction is waited for."""
    return bool(
        await db.execute(
            "INSERT INTO bank_calls (key, reference, operation, amount) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING",
            key,
            reference,
            operation,
            amount,
        )
    )


async def payments(db: Connection, references: Sequence[str]) -> dict[str, Record]:
    """Payments, with the keys of their refunds."""
    rows = await db.fetch(
        f"""
        SELECT {_PAYMENT}, {_REFUNDS} FROM bank_payments WHERE reference = ANY($1::text[])
        """,
        references,
    )
    return {row["reference"]: row for row in rows}


async def payment(db: Connection, reference: str) -> Record | None:
    """One of them."""
    return (await payments(db, [reference])).get(reference)


async def decide(
    db: Connection,
    charge: Charge,
    state: str,
    outcome: str,
    card_ending: str,
    declines: int,
    *,
    ends_at: datetime | None = None,
) -> Record | None:
    """Say what becomes of a payment; None where it is past being decided.

    `ends_at`: what is set aside is let go then by itself.
    """
    return await db.fetchrow(
        f"""
        INSERT INTO bank_payments AS known (reference, amount, currency, description, expires_at,
                                            state, outcome, card_ending, declines, ends_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (reference) DO UPDATE SET
            state = excluded.state, outcome = excluded.outcome,
            card_ending = excluded.card_ending, declines = known.declines + excluded.declines
        WHERE known.state IN ('open', 'action') AND known.amount = excluded.amount
            AND known.currency = excluded.currency
        RETURNING {_PAYMENT}, '{{}}'::text[] AS refunds
        """,
        charge.reference,
        charge.amount,
        charge.currency,
        charge.description,
        charge.expires_at,
        state,
        outcome,
        card_ending,
        declines,
        ends_at,
    )


async def move(
    db: Connection, reference: str, before: str, after: str, declines: int = 0
) -> Record | None:
    """From one state to another; None where it is not in that state."""
    return await db.fetchrow(
        f"""
        UPDATE bank_payments SET state = $3, declines = declines + $4
        WHERE reference = $1 AND state = $2 RETURNING {_PAYMENT}
        """,
        reference,
        before,
        after,
        declines,
    )


async def capture(db: Connection, reference: str, amount: int, *, final: bool) -> Record | None:
    """Take so much of what is set aside."""
    return await db.fetchrow(
        f"""
        UPDATE bank_payments SET captured = captured + $2,
            state = CASE WHEN $3 OR captured + $2 = amount THEN 'captured' ELSE state END
        WHERE reference = $1 AND state = 'authorised' AND captured + $2 <= amount
            AND (ends_at IS NULL OR ends_at > dvor_now())
        RETURNING {_PAYMENT}, {_REFUNDS}
        """,
        reference,
        amount,
        final,
    )


async def let_go(db: Connection, reference: str) -> None:
    """Set nothing aside any more; what was captured stays captured."""
    await db.execute(
        """
        UPDATE bank_payments
        SET state = CASE WHEN captured > 0 THEN 'captured' ELSE 'voided' END
        WHERE reference = $1 AND state IN ('open', 'action', 'authorised')
        """,
        reference,
    )


async def refund(db: Connection, reference: str, amount: int) -> bool:
    """Give so much back, while that much is left of what was captured."""
    return bool(
        await db.execute(
            """
            UPDATE bank_payments SET refunded = refunded + $2
            WHERE reference = $1 AND $2 > 0 AND refunded + disputed + $2 <= captured
            """,
            reference,
            amount,
        )
    )


async def open_dispute(db: Connection, reference: str) -> Record | None:
    """The payer wants everything back that was not given back."""
    return await db.fetchrow(
        f"""
        UPDATE bank_payments SET disputed = captured - refunded, dispute = 'open'
        WHERE reference = $1 AND dispute = '' AND captured > refunded RETURNING {_PAYMENT}
        """,
        reference,
    )


async def close_dispute(db: Connection, reference: str, *, won: bool) -> Record | None:
    """The bank has decided; `won`: for the seller."""
    return await db.fetchrow(
        f"""
        UPDATE bank_payments SET dispute = CASE WHEN $2 THEN 'won' ELSE 'lost' END,
            disputed = CASE WHEN $2 THEN 0 ELSE disputed END
        WHERE reference = $1 AND dispute = 'open' RETURNING {_PAYMENT}
        """,
        reference,
        won,
    )


async def insert_webhooks(
    db: Connection, sent: Sequence[tuple[UUID, str, str, str, bytes]]
) -> None:
    """Webhooks to be sent: id, payment, type, description, body."""
    await db.execute(
        "INSERT INTO bank_webhooks (id, reference, type, description, body)"
        " SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[])",
        *map(list, zip(*sent, strict=True)),
    )
