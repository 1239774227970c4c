"""All SQL of deposits. Whoever changes one locks its row first; its authorisations follow."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dvor.kernel.db import Connection, Record

_DEPOSIT = """
    d.id, d.payment_id, d.line_id, d.seller_id, d.title, d.amount, d.currency, d.status, d.released,
    d.captured, d.claimed, d.reason, d.evidence, d.why, d.begins_at, d.ends_at, d.claim_until,
    d.refusals, d.due_at, p.order_id, p.order_number, p.payer_id, p.provider,
    p.reference AS paid_by, d.due_at <= dvor_now() AS due, d.claim_until <= dvor_now() AS over,
    d.ends_at <= dvor_now() AS ended
"""
_FROM = "FROM deposits d JOIN payments p ON p.id = d.payment_id"


async def insert_deposits(
    db: Connection, payment_id: UUID, currency: str, deposits: Sequence[Mapping[str, Any]]
) -> None:
    """Deposits that will be asked for."""
    await db.execute(
        """
        INSERT INTO deposits (id, payment_id, line_id, seller_id, title, amount, currency,
                              begins_at, ends_at, claim_until)
        SELECT n.id, $1, line_id, seller_id, title, amount, $2, begins_at, ends_at, claim_until
        FROM jsonb_populate_recordset(NULL::deposits, $3::jsonb) AS n
        """,
        payment_id,
        currency,
        list(deposits),
    )


async def deposit(db: Connection, deposit_id: UUID) -> Record | None:
    """A deposit, with what it belongs to. `over`: it cannot be claimed any more."""
    return await db.fetchrow(f"SELECT {_DEPOSIT} {_FROM} WHERE d.id = $1", deposit_id)


async def locked(db: Connection, deposit_id: UUID) -> Record:
    """The same of one that is there, locked until the transaction ends."""
    row = await db.fetchrow(
        f"SELECT {_DEPOSIT} {_FROM} WHERE d.id = $1 FOR UPDATE OF d", deposit_id
    )
    assert row is not None
    return row


async def of_payment(db: Connection, payment_id: UUID) -> list[Record]:
    """All deposits of a payment."""
    return await db.fetch(
        f"SELECT {_DEPOSIT} {_FROM} WHERE d.payment_id = $1 ORDER BY d.id", payment_id
    )


async def of_order(db: Connection, order_id: UUID) -> list[Record]:
    """All deposits of an order."""
    return await db.fetch(
        f"SELECT {_DEPOSIT} {_FROM} WHERE p.order_id = $1 ORDER BY d.id", order_id
    )


async def due(db: Connection, limit: int) -> list[UUID]:
    """Deposits that somebody must look at, those that wait longest first."""
    rows = await db.fetch(
        "SELECT id FROM deposits WHERE due_at <= dvor_now() ORDER BY due_at LIMIT $1", limit
    )
    return [row["id"] for row in rows]


async def look_at(db: Connection, deposit_id: UUID, due_at: datetime | None) -> None:
    """When to look at it next."""
    await db.execute("UPDATE deposits SET due_at = $2 WHERE id = $1", deposit_id, due_at)


async def put_off(db: Connection, deposit_id: UUID, due_at: datetime) -> None:
    """The bank did not answer: what is due is due later."""
    await db.execute(
        "UPDATE deposits SET due_at = $2 WHERE id = $1 AND due_at <= dvor_now()",
        deposit_id,
        due_at,
    )


async def become(
    db: Connection,
    deposit_id: UUID,
    status: str,
    due_at: datetime | None,
    *,
    captured: int | None = None,
    released: int | None = None,
    why: str = "",
    refusals: int = 0,
) -> None:
    """Move a locked deposit on."""
    await db.execute(
        """
        UPDATE deposits SET status = $2, due_at = $3, captured = coalesce($4, captured),
            released = coalesce($5, released), why = coalesce(nullif($6, ''), why), refusals = $7
        WHERE id = $1
        """,
        deposit_id,
        status,
        due_at,
        captured,
        released,
        why,
        refusals,
    )


async def claim(db: Connection, deposit_id: UUID, amount: int, reason: str, evidence: str) -> bool:
    """held -> claimed, while it can be claimed and that much is left of it."""
    return bool(
        await db.execute(
            """
            UPDATE deposits SET status = 'claimed', claimed = $2, reason = $3, evidence = $4,
                due_at = dvor_now()
            WHERE id = $1 AND status = 'held' AND ends_at <= dvor_now()
              AND claim_until > dvor_now() AND $2 <= amount - released
            """,
            deposit_id,
            amount,
            reason,
            evidence,
        )
    )


async def authorisations(db: Connection, deposit_id: UUID) -> list[Record]:
    """What the bank was asked to set aside for a deposit, in order."""
    return await db.fetch(
        "SELECT deposit_id, number, amount, reference, state, held_at"
        " FROM deposit_authorisations WHERE deposit_id = $1 ORDER BY number",
        deposit_id,
    )


async def insert_authorisation(
    db: Connection, deposit_id: UUID, number: int, amount: int, reference: str
) -> None:
    """From now on the bank is asked for it."""
    await db.execute(
        "INSERT INTO deposit_authorisations (deposit_id, number, amount, reference)"
        " VALUES ($1, $2, $3, $4)",
        deposit_id,
        number,
        amount,
        reference,
    )


async def move_authorisation(
    db: Connection, deposit_id: UUID, number: int, before: str, after: str, reference: str = ""
) -> bool:
    """From one state to another; False where it is not in that state."""
    return bool(
        await db.execute(
            """
            UPDATE deposit_authorisations SET state = $4,
                held_at = CASE WHEN $4 = 'held' THEN dvor_now() ELSE held_at END,
                reference = coalesce(nullif($5, ''), reference)
            WHERE deposit_id = $1 AND number = $2 AND state = $3
            """,
            deposit_id,
            number,
            before,
            after,
            reference,
        )
    )


async def let_all_go(db: Connection, deposit_id: UUID) -> bool:
    """What is held for a deposit is to be let go; whether anything is."""
    return bool(
        await db.execute(
            "UPDATE deposit_authorisations SET state = 'letting_go'"
            " WHERE deposit_id = $1 AND state = 'held'",
            deposit_id,
        )
    )
