"""All SQL of webhooks: those we send, and what we have heard of the provider."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from dvor.kernel.db import Connection, Record

_SENT = """
    SELECT id, 'bank' AS sender, type, description AS order_number, attempts, last_answer,
           created_at, delivered_at
    FROM bank_webhooks
    UNION ALL
    SELECT w.id, 'dvor', w.type, p.order_number, w.attempts, w.last_answer, w.created_at,
           w.delivered_at
    FROM webhook_deliveries w JOIN payments p ON p.id = w.payment_id
"""


async def note_events(db: Connection, events: Sequence[tuple[str, str, UUID]]) -> None:
    """We have acted upon these webhooks: id, type, payment."""
    await db.execute(
        "INSERT INTO provider_events (id, type, payment_id)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[]) ORDER BY 1"
        " ON CONFLICT DO NOTHING",
        *map(list, zip(*events, strict=True)),
    )


async def insert_webhooks(db: Connection, sent: Sequence[tuple[UUID, UUID, str, bytes]]) -> None:
    """Webhooks to be delivered: id, payment, type, body."""
    await db.execute(
        "INSERT INTO webhook_deliveries (id, payment_id, type, body)"
        " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[])",
        *map(list, zip(*sent, strict=True)),
    )


async def webhooks(table: str, db: Connection, ids: Sequence[UUID]) -> dict[UUID, Record]:
    """Webhooks of this table that were or will be sent."""
    rows = await db.fetch(
        f"SELECT id, body, delivered_at FROM {table} WHERE id = ANY($1::uuid[])", ids
    )
    return {row["id"]: row for row in rows}


async def mark_webhooks(
    table: str, db: Connection, tried: Sequence[tuple[UUID, str, bool]]
) -> None:
    """Note a try of each and what came of it: id, answer, whether that was yes."""
    await db.execute(
        f"""
        UPDATE {table} AS w SET
            attempts = attempts + tries,
            last_answer = answer,
            delivered_at = coalesce(delivered_at, CASE WHEN taken THEN dvor_now() END)
        FROM (
            SELECT id, count(*) AS tries, bool_or(taken) AS taken,
                (array_agg(answer ORDER BY position DESC))[1] AS answer
            FROM unnest($1::uuid[], $2::text[], $3::bool[]) WITH ORDINALITY
                AS t (id, answer, taken, position)
            GROUP BY id
        ) AS tried
        WHERE w.id = tried.id
        """,
        *map(list, zip(*tried, strict=True)),
    )


async def sent_webhooks(
    db: Connection, before: tuple[datetime, UUID] | None, limit: int
) -> list[Record]:
    """What was sent, newest first, before this one."""
    return await db.fetch(
        f"""
        SELECT * FROM ({_SENT}) AS sent
        WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2)
        ORDER BY created_at DESC, id DESC LIMIT $3
        """,
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )


async def sent_webhook(db: Connection, id: UUID) -> Record | None:
    """One of them."""
    return await db.fetchrow(f"SELECT * FROM ({_SENT}) AS sent WHERE id = $1", id)
