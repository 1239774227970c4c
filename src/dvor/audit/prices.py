"""Sums: every total follows from prices and quantities, and exactly that is asked for."""

from collections.abc import Mapping
from typing import Any

from dvor.audit.report import Check, Look
from dvor.audit.sql import pages, sql_check
from dvor.kernel.texts import N_

_EXAMINED = "SELECT count(*) FROM order_lines"

# Each part with what the parts before it come to. A discount takes its percentage of that, rounded
# half up; a fee is units × price; a tax adds its rate, unless it is contained; a day's price is
# units × price × quantity. What a promo code takes off is judged for the order as a whole.
_PARTS = """
    SELECT order_id, position, quantity, number, part ->> 'kind' AS kind,
           coalesce((part ->> 'units')::bigint, 0) AS units,
           coalesce((part ->> 'price')::bigint, 0) AS price,
           coalesce((part ->> 'percent')::bigint, 0) AS percent,
           coalesce((part ->> 'rate')::bigint, 0) AS rate,
           coalesce((part ->> 'included')::bigint, 0) AS included,
           (part ->> 'amount')::bigint AS amount,
           coalesce(sum((part ->> 'amount')::bigint) OVER (
               PARTITION BY order_id, position ORDER BY number
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM order_lines, jsonb_array_elements(parts) WITH ORDINALITY AS part (part, number)
"""

_WRONG = f"""
    WITH priced AS (
        SELECT *, (SELECT coalesce(sum(price), 0) FROM unnest(day_prices) AS price) AS one
        FROM order_lines
    ), parts AS ({_PARTS}), explained AS (
        SELECT order_id, position, sum(amount) AS total,
               sum(amount) FILTER (WHERE kind IN ('base', 'weekday', 'season')) AS listed,
               sum(units) FILTER (WHERE kind IN ('base', 'weekday', 'season')) AS units
        FROM parts GROUP BY order_id, position
    ), right_parts AS (
        SELECT *, CASE
            WHEN kind IN ('base', 'weekday', 'season') THEN units * price * quantity
            WHEN kind IN ('length_discount', 'quantity_discount')
                THEN -div(2 * before * percent + 100, 200)
            WHEN kind = 'fee' THEN units * price
            WHEN kind = 'tax' AND included > 0 THEN 0
            WHEN kind = 'tax' THEN div(2 * before * rate + 10000, 20000)
        END AS should, CASE
            WHEN kind = 'tax' AND amount = 0
                THEN div(2 * before * rate + 10000 + rate, 2 * (10000 + rate)) ELSE 0
        END AS contains
        FROM parts WHERE kind <> 'promo'
    ), promos AS (
        SELECT order_id, max(percent) AS percent, max(price) AS fixed, count(DISTINCT (percent, price)) AS kinds,
               -sum(amount) AS off, sum(before) AS whole,
               bool_and(amount <= 0 AND -amount <= before) AS possible
        FROM parts WHERE kind = 'promo' GROUP BY order_id
    ), sums AS (
        SELECT order_id, sum(total) AS total FROM order_lines GROUP BY order_id
    )
    SELECT format('line %s of order %s', position, order_id) AS what,
           format('total %s, but its parts make %s', priced.total,
                  coalesce(explained.total, 0)) AS how
    FROM priced LEFT JOIN explained USING (order_id, position)
    WHERE priced.total IS DISTINCT FROM explained.total
    UNION ALL
    SELECT format('line %s of order %s', position, order_id),
           format('its parts list %s for %s units, but %s × %s = %s for %s', listed,
                  explained.units, one, quantity, one * quantity, priced.units)
    FROM priced JOIN explained USING (order_id, position)
    WHERE listed <> one * quantity OR explained.units <> priced.units
    UNION ALL
    SELECT format('line %s of order %s, part %s', position, order_id, number),
           format('%s is %s and contains %s, but should be %s and contain %s', kind, amount,
                  included, should, contains)
    FROM right_parts
    WHERE amount IS DISTINCT FROM should OR included <> contains
    UNION ALL
    SELECT format('promo code of order %s', order_id),
           format('%s off %s, but it takes %s %% or %s', off, whole, percent, fixed)
    FROM promos
    WHERE kinds <> 1 OR NOT possible OR off <> CASE
        WHEN percent > 0 THEN div(2 * whole * percent + 100, 200) ELSE least(fixed, whole) END
    UNION ALL
    SELECT format('promo code of line %s of order %s', parts.position, order_id),
           format('%s of %s: no fair share of %s of %s', -amount, before, off, whole)
    FROM parts JOIN promos USING (order_id)
    WHERE kind = 'promo' AND abs(-amount * whole - off * before) >= greatest(whole, 1)
    UNION ALL
    SELECT format('line %s of order %s', position, order_id),
           format('%s prices for %s days, hours or items', cardinality(day_prices), units)
    FROM priced
    WHERE cardinality(day_prices) <> units OR units <> coalesce(
        end_date - start_date, extract(epoch FROM hours_until - hours_from) / 3600, 1)
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
        N_("an order's total is the sum of its lines, a line's its days × quantity less discounts, with fees and tax"),
        "orders",
        _EXAMINED,
        _WRONG,
    ),
    Check(
        "I12", N_("a payment asks exactly for its order's total"), ("orders", "payments"),
        _look_at_payments,
    ),
)  # fmt: skip
