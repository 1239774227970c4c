"""Refunds: what orders promised to give back, and what was given back for it."""

from collections.abc import Mapping
from typing import Any

from dvor.audit.report import Check, Look
from dvor.audit.sql import pages, sql_check
from dvor.kernel.texts import N_

_EXAMINED = "SELECT count(*) FROM order_changes"

# A change under way is written, but not yet done: its order has it as `change_id`.
_WRONG = """
    WITH done AS (
        SELECT change.id, change.order_id, change.lines FROM order_changes AS change
        JOIN orders ON orders.id = change.order_id AND orders.change_id IS DISTINCT FROM change.id
    ), asked AS (
        SELECT order_id, (line ->> 'line_id')::uuid AS line_id,
               sum((line ->> 'quantity')::bigint) AS cancelled,
               sum((line -> 'back' ->> 'amount')::bigint) AS refunded
        FROM done, jsonb_array_elements(lines) AS line GROUP BY 1, 2
    ), back AS (
        SELECT done.order_id, sum(amount) AS amount
        FROM order_refunds JOIN done ON done.id = order_refunds.change_id GROUP BY 1
    ), sums AS (
        SELECT order_id, sum(refunded) AS refunded, sum(cancelled) AS cancelled,
               sum(quantity - cancelled) AS live
        FROM order_lines GROUP BY order_id
    )
    SELECT format('line %s of order %s', position, order_lines.order_id) AS what,
           format('cancelled %s, refunded %s, but its changes say %s and %s', order_lines.cancelled,
                  order_lines.refunded, asked.cancelled, asked.refunded) AS how
    FROM asked JOIN order_lines ON order_lines.id = asked.line_id
    WHERE (order_lines.cancelled, order_lines.refunded)
        IS DISTINCT FROM (asked.cancelled, asked.refunded)
    UNION ALL
    SELECT format('order %s (%s)', number, orders.id),
           format('gave back %s, its lines %s, its refunds make %s', refunded_amount,
                  sums.refunded, coalesce(back.amount, 0))
    FROM orders JOIN sums ON sums.order_id = orders.id LEFT JOIN back ON back.order_id = orders.id
    WHERE EXISTS (SELECT FROM done WHERE done.order_id = orders.id)
        AND (sums.refunded <> coalesce(back.amount, 0) OR sums.refunded <> refunded_amount)
    UNION ALL
    SELECT format('order %s (%s)', number, orders.id),
           format('%s, but %s of its units are not cancelled', status, sums.live)
    FROM orders JOIN sums ON sums.order_id = orders.id
    WHERE status IN ('paid', 'delivered') AND sums.live = 0
        OR status = 'cancelled' AND sums.live > 0 AND sums.cancelled > 0
"""

# One that the bank refused was asked for again by another key.
_REFUNDS = """
    SELECT key AS id, order_refunds.payment_id, amount, coalesce(
        (SELECT next_key FROM refused_refunds AS refused WHERE refused.key = order_refunds.key
         ORDER BY try DESC LIMIT 1), key) AS asked_by
    FROM order_refunds
    JOIN orders ON orders.id = order_refunds.order_id
        AND orders.change_id IS DISTINCT FROM order_refunds.change_id
    WHERE key > $1 ORDER BY key LIMIT $2
"""
_GIVEN = """
    SELECT key, payment_id, amount FROM refunds
    -- (The column is younger than the table.)
    WHERE key = ANY($1) AND to_jsonb(refunds) ->> 'state' IS DISTINCT FROM 'failed'
"""


async def _look(databases: Mapping[str, Any]) -> Look:
    orders, payments = databases["orders"], databases["payments"]
    examined, wrong = 0, dict[str, str]()
    async for page in pages(orders, _REFUNDS):
        rows = await payments.fetch(_GIVEN, [refund["asked_by"] for refund in page])
        given = {row["key"]: (row["payment_id"], row["amount"]) for row in rows}
        for refund in page:
            done = given.get(refund["asked_by"], "nothing")
            if done != (refund["payment_id"], refund["amount"]):
                wrong[f"refund {refund['id']}"] = f"{refund['amount']} promised, given back: {done}"
        examined += len(page)
    return Look(examined=examined, violations=wrong)


CHECKS = (
    sql_check(
        "I4",
        N_("what is given back for an order is what its lines say, and they what was asked"),
        "orders",
        _EXAMINED,
        _WRONG,
    ),
    Check(
        "I4",
        N_("every refund that an order promised was made once, of that payment and amount"),
        ("orders", "payments"),
        _look,
    ),
)
