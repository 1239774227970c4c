"""Mails: who is concerned is told once of each step of an order, and never not at all."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from dvor.audit.report import Check, Look
from dvor.audit.sql import pages, sql_check
from dvor.kernel.texts import N_

# What people are told of, and of what later steps.
_TOPICS = {
    "created": "order_created",
    "approval_asked": "approval_waited",
    "paid": "order_paid",
    "cancelled": "order_cancelled",
    "delivered": "order_delivered",
}

# An event has a minute to arrive.
_ORDERS = """
    SELECT id, number, customer_id FROM orders
    WHERE id > $1 ORDER BY id LIMIT $2
"""
_STEPS = """
    SELECT DISTINCT order_id, CASE what WHEN 'approval_asked' THEN what ELSE status END AS step
    FROM order_history
    WHERE order_id = ANY($1) AND at < dvor_now() - interval '60 seconds'
"""
_SELLERS = """
    SELECT order_id, seller_id, bool_or(approval) AS asked FROM order_lines
    WHERE order_id = ANY($1) GROUP BY order_id, seller_id
"""
_TOLD = "SELECT topic, subject_id, recipient_id FROM notifications WHERE subject_id = ANY($1)"


async def _look(databases: Mapping[str, Any]) -> Look:
    orders, notifications = databases["orders"], databases["notifications"]
    examined, wrong = 0, dict[str, str]()
    async for page in pages(orders, _ORDERS):
        ids = [order["id"] for order in page]
        sellers: dict[Any, list[Any]] = {}
        for row in await orders.fetch(_SELLERS, ids):
            sellers.setdefault(row["order_id"], []).append(row)
        customers = {order["id"]: order["customer_id"] for order in page}
        due = list[tuple[str, Any, Any]]()
        for step in await orders.fetch(_STEPS, ids):
            order_id, topic = step["order_id"], _TOPICS.get(step["step"])
            if topic:
                due.append((topic, order_id, customers[order_id]))
            for row in sellers.get(order_id, ()):
                if topic == "order_paid":
                    due.append(("sale_paid", order_id, row["seller_id"]))
                if topic == "approval_waited" and row["asked"]:
                    due.append(("approval_asked", order_id, row["seller_id"]))
        told = Counter(tuple(row) for row in await notifications.fetch(_TOLD, ids))
        for each in due:
            topic, order_id, recipient = each
            if told[each] != 1:
                wrong[f"order {order_id}, {topic} to {recipient}"] = f"told {told[each]} times"
        examined += len(due)
    return Look(examined=examined, violations=wrong)


_MAILED_EXAMINED = "SELECT count(*) FROM notifications"

_MAILED_WRONG = """
    SELECT format('notification %s', notification_id) AS what,
           format('%s mails', count(*)) AS how
    FROM mails GROUP BY notification_id HAVING count(*) > 1
    UNION ALL
    SELECT format('mail %s', message_id), format('%s mails have this Message-ID', count(*))
    FROM mails GROUP BY message_id HAVING count(*) > 1
    UNION ALL
    SELECT format('notification %s', id), format('not mailed since %s', created_at)
    FROM notifications
    WHERE mailed_at IS NULL AND mail_problem = ''
      AND created_at < dvor_now() - interval '10 minutes'
"""

CHECKS = (
    Check(
        "I8",
        N_("customer and sellers are told of each step of an order exactly once"),
        ("orders", "notifications"),
        _look,
    ),
    sql_check(
        "I8",
        N_("every notification is mailed, under one Message-ID"),
        "notifications",
        _MAILED_EXAMINED,
        _MAILED_WRONG,
    ),
)
