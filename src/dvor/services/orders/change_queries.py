"""SQL of what is changed of a paid order."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from dvor.contracts.cancellation import Policy, begins
from dvor.kernel.db import Connection, Record, Tx
from dvor.services.orders.refunds import Bought

ZONE = "Europe/Moscow"
"""Of lines that name no zone."""


async def lines(db: Connection, order_id: UUID) -> list[Record]:
    """The lines of an order, in order, with the moment they were bought."""
    return await db.fetch(
        "SELECT l.*, o.created_at AS bought_at, o.currency FROM order_lines l"
        " JOIN orders o ON o.id = l.order_id WHERE order_id = $1 ORDER BY position",
        order_id,
    )


def bought(line: Record) -> Bought:
    """A line as far as its money is concerned."""
    zone = line["timezone"] or ZONE
    return Bought(
        id=line["id"],
        seller_id=line["seller_id"],
        quantity=line["quantity"],
        cancelled=line["cancelled"],
        paid=line["total"],
        policy=Policy.model_validate(line["cancellation"]),
        bought_at=line["bought_at"],
        timezone=zone,
        begins=begins(zone, line["start_date"], line["hours_from"], line["starts_at"]),
        least=line["steps_over"],
        fee_kept=line["fee_kept"],
    )


async def change(db: Connection, change_id: UUID) -> Record | None:
    """A change that was asked for."""
    return await db.fetchrow("SELECT * FROM order_changes WHERE id = $1", change_id)


async def write_change(
    tx: Tx, change_id: UUID, order_id: UUID, who: str, found: Sequence[Mapping[str, Any]]
) -> None:
    """Write what is asked for. The order is locked by the caller."""
    await tx.execute(
        "INSERT INTO order_changes (id, order_id, asked_by, lines) VALUES ($1, $2, $3, $4)",
        change_id,
        order_id,
        who,
        list(found),
    )
    await tx.execute("UPDATE orders SET change_id = $2 WHERE id = $1", order_id, change_id)


async def given_back(db: Connection, order_id: UUID) -> dict[UUID, int]:
    """What comes back of each payment, by all that was asked for until now."""
    rows = await db.fetch(
        "SELECT payment_id, sum(amount)::bigint AS amount FROM order_refunds"
        " WHERE order_id = $1 GROUP BY payment_id",
        order_id,
    )
    return {row["payment_id"]: row["amount"] for row in rows}


async def write_refunds(
    tx: Tx, order_id: UUID, change_id: UUID, refunds: Sequence[tuple[UUID, UUID, int]]
) -> None:
    """Write what is to be given back: key, payment, minor units."""
    await tx.executemany(
        "INSERT INTO order_refunds (key, order_id, change_id, payment_id, amount)"
        " VALUES ($1, $2, $3, $4, $5)",
        [(key, order_id, change_id, payment_id, amount) for key, payment_id, amount in refunds],
    )


async def refunds(db: Connection, change_id: UUID) -> list[Record]:
    """What is to be given back for a change."""
    return await db.fetch(
        "SELECT key, payment_id, amount FROM order_refunds WHERE change_id = $1 ORDER BY key",
        change_id,
    )


async def last_refusal(db: Connection, key: UUID) -> tuple[int, UUID]:
    """How often the bank has refused a refund, and by which key it is asked for now."""
    row = await db.fetchrow(
        "SELECT try, next_key FROM refused_refunds WHERE key = $1 ORDER BY try DESC LIMIT 1", key
    )
    return (row["try"], row["next_key"]) if row else (0, key)


async def note_refusal(tx: Tx, key: UUID, number: int, next_key: UUID, order_id: UUID) -> bool:
    """The bank has refused it for the `number`th time; False where that is known."""
    return bool(
        await tx.execute(
            "INSERT INTO refused_refunds (key, try, next_key, order_id) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING",
            key,
            number,
            next_key,
            order_id,
        )
    )


async def cut_lines(tx: Tx, found: Sequence[Mapping[str, Any]]) -> None:
    """Cancel quantities of lines."""
    await tx.executemany(
        "UPDATE order_lines SET cancelled = cancelled + $2, refunded = refunded + $3,"
        " fee_kept = fee_kept + $4, cancelled_seats = cancelled_seats || $5::text[] WHERE id = $1",
        [
            (
                UUID(line["line_id"]),
                line["quantity"],
                line["back"]["amount"],
                line["fee"],
                line["seats"],
            )
            for line in found
        ],
    )
