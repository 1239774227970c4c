"""Sums: every total follows from prices and quantities, and exactly that is asked for."""

from collections.abc import Mapping
from typing import Any

from dvor.audit.report import Check, Look
from dvor.audit.sql import pages, sql_check

_EXAMINED = "SELECT count(*) FROM order_lines"

_WRONG = """
    WITH priced AS (
        SELECT *, (SELECT coalesce(sum(price), 0) FROM unnest(day_prices) AS price) AS one
        FROM order_lines
    ), sums AS (
        SELECT order_id, sum(total) AS total FROM order_lines GROUP BY order_id
    )
    SELECT format('line %s of order %s', position, order_id) AS what,
           format('total %s, but %s × %s = %s', total, one, quantity, one * quantity) AS how
    FROM priced WHERE total <> one * quantity
    UNION ALL
    SELECT format('line %s of order %s', position, order_id),
           format('%s prices for %s days or items', cardinality(day_prices), units)
    FROM priced
    WHERE cardinality(day_prices) <> units OR coalesce(end_date - start_date, 1) <> units
    UNION ALL
    SELECT format('line %s of order %s', position, order_id),
           format('unit price %s is no average of %s over %s', unit_price, one, units)
    FROM priced WHERE abs(unit_price * units - one) >= units
    UNION ALL
    SELECT format('order %s (%s)', number, id),
           format('total %s, but its lines make %s', total_amount, coalesce(sums.total, 0))
    FROM orders LEFT JOIN sums ON sums.order_id = orders.id
    WHERE sums.total IS NULL OR sums.total <> total_amount
    UNION ALL
    SELECT format('order %s (%s)', number, id),
           format('refunded %s of %s', refunded_amount, total_amount)
    FROM orders WHERE refunded_amount NOT BETWEEN 0 AND total_amount
"""

_PAYMENTS = """
    SELECT id, order_id, amount, currency FROM payments
    WHERE id > $1 ORDER BY id LIMIT $2
"""
_ORDERS = "SELECT id, number, total_amount, currency FROM orders WHERE id = ANY($1)"


async def _look_at_payments(databases: Mapping[str, Any]) -> Look:
    orders, payments = databases["orders"], databases["payments"]
    examined, wrong = 0, dict[str, str]()
    async for page in pages(payments, _PAYMENTS):
        rows = await orders.fetch(_ORDERS, [payment["order_id"] for payment in page])
        known = {row["id"]: row for row in rows}
        for payment in page:
            order = known.get(payment["order_id"])
            asked = f"{payment['amount']} {payment['currency']}"
            if order is None:
                wrong[f"payment {payment['id']}"] = f"asks {asked} for an order that is not there"
            elif asked != (total := f"{order['total_amount']} {order['currency']}"):
                wrong[f"order {order['number']} ({order['id']})"] = f"asked {asked}, costs {total}"
        examined += len(page)
    return Look(examined=examined, violations=wrong)


CHECKS = (
    sql_check(
        "I12",
        "an order's total is the sum of its lines, a line's the sum of its days × quantity",
        "orders",
        _EXAMINED,
        _WRONG,
    ),
    Check(
        "I12", "a payment asks exactly for its order's total", ("orders", "payments"),
        _look_at_payments,
    ),
)  # fmt: skip
