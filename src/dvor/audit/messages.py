"""Events: everything told is sent, arrives at all who must hear it, in order, and is applied."""

from collections.abc import Mapping
from typing import Any

from dvor.audit.report import Check, Look
from dvor.audit.sql import MOST, sql_check
from dvor.kernel.texts import N_

SERVICES = ("identity", "catalog", "inventory", "payments", "orders", "notifications")

LISTENERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("catalog", "inventory"): (
        "catalog.listing_archived.v1",
        "catalog.listing_published.v1",
        "catalog.promo_made.v1",
    ),
    ("identity", "notifications"): ("identity.user_registered.v1",),
    ("inventory", "notifications"): ("inventory.waiting_lapsed.v1", "inventory.waiting_offered.v1"),
    ("payments", "orders"): (
        "payments.deposit_captured.v1",
        "payments.deposit_lost.v1",
        "payments.deposit_refused.v1",
        "payments.deposit_released.v1",
    ),
    ("payments", "notifications"): (
        "payments.deposit_captured.v1",
        "payments.deposit_lost.v1",
        "payments.deposit_refused.v1",
        "payments.deposit_released.v1",
    ),
    ("orders", "notifications"): (
        "orders.approval_asked.v1",
        "orders.late_payment_returned.v1",
        "orders.order_cancelled.v1",
        "orders.order_created.v1",
        "orders.order_delivered.v1",
        "orders.order_lines_cancelled.v1",
        "orders.order_paid.v1",
        "orders.payment_failed.v1",
    ),
}
"""Who must hear which facts of whom: a list of its own, which a test compares with the handlers."""

_UNSENT = """
    SELECT format('event %s (%s)', id, type) AS what, format('not sent since %s', at) AS how
    FROM outbox WHERE sent_at IS NULL AND at < dvor_now() - interval '60 seconds'
    UNION ALL
    SELECT format('version %s of %s', version, aggregate), format('comes after %s', before)
    FROM (
        SELECT aggregate, version,
               lag(version) OVER (PARTITION BY aggregate ORDER BY id) AS before
        FROM outbox
    ) AS told WHERE version <> before + 1
    UNION ALL
    SELECT format('event %s (%s)', message_id, type), format('parked: %s', left(error, 200))
    FROM parked_messages
"""

# The day before: earlier ones were looked at then. Each has a minute to arrive.
_SENT = """
    SELECT id, message_id, type FROM outbox
    WHERE sent_at > dvor_now() - interval '1 day' AND sent_at < dvor_now() - interval '60 seconds'
      AND type = ANY($1) AND id > $2 ORDER BY id LIMIT $3
"""
_TAKEN = """
    SELECT message_id FROM inbox WHERE message_id = ANY($1)
    UNION SELECT message_id FROM parked_messages WHERE message_id = ANY($1)
"""
_PAGE = 5000


def _arrivals(source: str, listener: str, types: tuple[str, ...]) -> Check:
    async def look(databases: Mapping[str, Any]) -> Look:
        examined, last, wrong = 0, 0, dict[str, str]()
        while rows := await databases[source].fetch(_SENT, list(types), last, _PAGE):
            asked = [row["message_id"] for row in rows]
            taken = {row["message_id"] for row in await databases[listener].fetch(_TAKEN, asked)}
            for row in rows:
                if row["message_id"] not in taken and len(wrong) < MOST:
                    what = f"event {row['id']} of {source} ({row['type']})"
                    wrong[what] = f"sent, but {listener} has not taken it"
            examined, last = examined + len(rows), rows[-1]["id"]
        return Look(examined=examined, violations=wrong)

    return Check("I9", N_("every event of the last day has arrived"), (source, listener), look)


CHECKS = (
    *(
        sql_check(
            "I9", N_("every event is sent and applied, none is left out"), name,
            "SELECT count(*) FROM outbox", _UNSENT,
        )
        for name in SERVICES
    ),
    *(_arrivals(source, listener, types) for (source, listener), types in LISTENERS.items()),
)  # fmt: skip
