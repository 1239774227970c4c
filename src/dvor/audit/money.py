"""Money: what was taken and given back is what orders say, and what its steps add up to."""

from collections.abc import Mapping
from typing import Any

from dvor.audit.report import Check, Look
from dvor.audit.sql import pages, sql_check
from dvor.kernel.texts import N_

_BOUNDS_WRONG = """
    WITH steps AS (
        SELECT payment_id, sum(amount) AS captured FROM payment_steps
        WHERE what = 'captured' GROUP BY payment_id
    ), back AS (
        SELECT payment_id, sum(amount) AS refunded FROM refunds
        -- A refund that failed gave nothing back. (The column is younger than the table.)
        WHERE to_jsonb(refunds) ->> 'state' IS DISTINCT FROM 'failed' GROUP BY payment_id
    )
    SELECT format('payment %s', id) AS what,
           format('authorised %s, captured %s, refunded %s of %s', authorised, captured, refunded,
                  amount) AS how
    FROM payments
    WHERE NOT (0 <= refunded AND refunded <= captured AND captured <= authorised)
    UNION ALL
    SELECT format('captures of payment %s', id),
           format('captured %s, but its steps make %s', payments.captured,
                  coalesce(steps.captured, 0))
    FROM payments LEFT JOIN steps ON payment_id = id
    WHERE payments.captured <> coalesce(steps.captured, 0)
    UNION ALL
    SELECT format('refunds of payment %s', id),
           format('refunded %s, but its refunds make %s', payments.refunded,
                  coalesce(back.refunded, 0))
    FROM payments LEFT JOIN back ON payment_id = id
    WHERE payments.refunded <> coalesce(back.refunded, 0)
    UNION ALL
    SELECT format('order %s', order_id),
           format('paid by %s payments', count(*))
    FROM payments WHERE captured > 0 GROUP BY order_id HAVING count(*) > 1
"""

_PAYMENTS = """
    SELECT id, order_id, captured, refunded, currency FROM payments
    WHERE id > $1 ORDER BY id LIMIT $2
"""
_ORDERS = """
    SELECT id, number, status, total_amount, refunded_amount, currency,
           EXISTS (SELECT FROM order_changes WHERE order_id = orders.id) AS agreed,
           pending_action IS NOT NULL
               AND pending_since > dvor_now() - interval '60 seconds' AS in_flight
    FROM orders WHERE id = ANY($1)
"""
_PAID = """
    SELECT id, number, payment_id, total_amount FROM orders
    WHERE status IN ('paid', 'delivered') AND id > $1 ORDER BY id LIMIT $2
"""
_KNOWN = "SELECT id FROM payments WHERE id = ANY($1)"


async def _look(databases: Mapping[str, Any]) -> Look:
    """Both ways: each payment against its order, each paid order against its payment."""
    orders, payments = databases["orders"], databases["payments"]
    examined, in_flight, wrong = 0, 0, dict[str, str]()
    async for page in pages(payments, _PAYMENTS):
        rows = await orders.fetch(_ORDERS, [payment["order_id"] for payment in page])
        known = {row["id"]: row for row in rows}
        for payment in page:
            order = known.get(payment["order_id"])
            if order is None:
                continue  # I12 tells of it
            how = _wrong(payment, order)
            if how and order["in_flight"]:
                in_flight += 1
            elif how:
                wrong[f"order {order['number']} ({order['id']})"] = how
        examined += len(page)
    async for page in pages(orders, _PAID):
        rows = await payments.fetch(_KNOWN, [order["payment_id"] for order in page])
        there = {row["id"] for row in rows}
        for order in page:
            if order["payment_id"] not in there:
                how = f"paid {order['total_amount']}, but there is no payment"
                wrong[f"order {order['number']} ({order['id']})"] = how
        examined += len(page)
    return Look(examined=examined, violations=wrong, in_flight=in_flight)


def _wrong(payment: Mapping[str, Any], order: Mapping[str, Any]) -> str:
    """What is wrong with the money of an order; empty: nothing."""
    captured, refunded = payment["captured"], payment["refunded"]
    kept, status, currency = captured - refunded, order["status"], payment["currency"]
    # A bank may give less than was asked; then the order is cancelled and that much goes back.
    due = (captured if status == "cancelled" else order["total_amount"]) - order["refunded_amount"]
    if status in ("created", "processing"):
        return f"{status}, but {captured} {currency} was captured" if captured else ""
    if status == "cancelled" and not captured:
        return ""
    if kept != due:
        return f"{status}, {kept} {currency} was kept of it, but {due} is due"
    # By its policy nothing may come back; I4 tells whether that is what was agreed.
    if status == "cancelled" and not refunded and due and not order["agreed"]:
        return f"cancelled, but nothing of {captured} {currency} was given back"
    return ""


CHECKS = (
    Check(
        "I3",
        N_(
            "the money kept of an order is its total less what was given back; unpaid ones keep none"
        ),
        ("orders", "payments"),
        _look,
    ),
    sql_check(
        "I4",
        N_("refunded ≤ captured ≤ authorised for each payment, as its steps and refunds add up"),
        "payments",
        "SELECT count(*) FROM payments",
        _BOUNDS_WRONG,
    ),
)
