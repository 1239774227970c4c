"""Histories: only added to, and only along allowed edges."""

from dvor.audit.sql import sql_check
from dvor.kernel.texts import N_

_EDGES = """
    ('created', 'processing'), ('created', 'cancelled'), ('processing', 'paid'),
    ('processing', 'cancelled'), ('paid', 'cancelled'), ('paid', 'delivered')
"""

_ORDERS_WRONG = f"""
    WITH steps AS (
        SELECT order_id, id, status, lag(status) OVER by_order AS before,
               lead(id) OVER by_order IS NULL AS is_last
        FROM order_history WINDOW by_order AS (PARTITION BY order_id ORDER BY id)
    )
    SELECT format('order %s, entry %s', order_id, id) AS what,
           format('went from %s to %s', coalesce(before, 'nothing'), status) AS how
    FROM steps
    WHERE before IS NULL AND status <> 'created'
       OR before <> status AND (before, status) NOT IN ({_EDGES})
    UNION ALL
    SELECT format('order %s (%s)', orders.number, orders.id),
           format('is %s, but its history ends with %s', orders.status,
                  coalesce(steps.status, 'nothing'))
    FROM orders LEFT JOIN steps ON steps.order_id = orders.id AND steps.is_last
    WHERE steps.status IS DISTINCT FROM orders.status
"""


def unprotected(table: str) -> str:
    """The operations that no enabled trigger on `table` refuses (bits of pg_trigger.tgtype)."""
    return f"""
    SELECT 'table {table}' AS what, format('nothing refuses %s', operation) AS how
    FROM (VALUES ('UPDATE', 16), ('DELETE', 8)) AS operations (operation, bit)
    WHERE NOT EXISTS (
        SELECT FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE tgrelid = to_regclass('{table}') AND NOT tgisinternal AND tgenabled IN ('O', 'A')
          AND tgtype & bit <> 0 AND tgtype & 2 <> 0 AND prosrc ~* 'raise +exception'
    )
    """


CHECKS = (
    sql_check(
        "I13",
        N_("every order walks allowed edges only, and its history tells all of it"),
        "orders",
        "SELECT count(*) FROM order_history",
        _ORDERS_WRONG,
    ),
    sql_check(
        "I13",
        N_("the history of orders can only be added to"),
        "orders",
        "SELECT count(*) FROM order_history",
        unprotected("order_history"),
    ),
    sql_check(
        "I13",
        N_("the history of payments can only be added to"),
        "payments",
        "SELECT count(*) FROM payment_steps",
        unprotected("payment_steps"),
    ),
)
