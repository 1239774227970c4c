"""Orders against holds: paid means booked, all of it that is not cancelled; cancelled means free."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from dvor.audit.report import Check, Look
from dvor.audit.sql import pages
from dvor.kernel.texts import N_

_IN_FLIGHT = "pending_action IS NOT NULL AND pending_since > dvor_now() - interval '60 seconds'"

_ORDERS = f"""
    SELECT id, number, status, hold_id, coalesce({_IN_FLIGHT}, false) AS in_flight
    FROM orders WHERE id > $1 ORDER BY id LIMIT $2
"""
_LINES = """
    SELECT order_id, offer_id, quantity - cancelled AS quantity, hours_from, hours_until,
           coalesce(start_date - date '1970-01-01', 0) AS first_slot,
           coalesce(end_date - date '1970-01-01', 1) AS end_slot
    FROM order_lines WHERE order_id = ANY($1) AND cancelled < quantity
    UNION ALL
    SELECT id, promo_id, 1, NULL, NULL, 0, 1 FROM orders
    WHERE id = ANY($1) AND promo_id IS NOT NULL
"""
_HOLDS = "SELECT id, status FROM holds WHERE id = ANY($1)"
_CLAIMS = """
    SELECT hold_id, offer_id, quantity, first_slot, end_slot, hours_from, hours_until
    FROM claims WHERE hold_id = ANY($1)
"""
_CONFIRMED = """
    SELECT id FROM holds WHERE status = 'confirmed' AND id > $1 ORDER BY id LIMIT $2
"""
_ORDERS_OF_HOLDS = "SELECT hold_id FROM orders WHERE hold_id = ANY($1)"


async def _look(databases: Mapping[str, Any]) -> Look:
    orders, inventory = databases["orders"], databases["inventory"]
    examined, in_flight, wrong = 0, 0, dict[str, str]()
    async for page in pages(orders, _ORDERS):
        hold_ids = [order["hold_id"] for order in page]
        status = {row["id"]: row["status"] for row in await inventory.fetch(_HOLDS, hold_ids)}
        booked = _contents(await inventory.fetch(_CLAIMS, hold_ids), "hold_id")
        bought = _contents(await orders.fetch(_LINES, [o["id"] for o in page]), "order_id")
        for order in page:
            hold_id = order["hold_id"]
            same = booked.get(hold_id) == bought.get(order["id"])
            how = _wrong(order["status"], status.get(hold_id), same=same)
            if how and order["in_flight"]:
                in_flight += 1
            elif how:
                wrong[f"order {order['number']} ({order['id']})"] = how
        examined += len(page)
    async for page in pages(inventory, _CONFIRMED):
        hold_ids = [row["id"] for row in page]
        ordered = {row["hold_id"] for row in await orders.fetch(_ORDERS_OF_HOLDS, hold_ids)}
        for hold_id in set(hold_ids) - ordered:
            wrong[f"hold {hold_id}"] = "confirmed, but no order has it"
        examined += len(page)
    return Look(examined=examined, violations=wrong, in_flight=in_flight)


def _contents(rows: Any, owner: str) -> dict[Any, Counter[Any]]:
    """Units per offer and period of each order or hold; equal lines are one."""
    contents: dict[Any, Counter[Any]] = {}
    for row in rows:
        # Which slots hours have is inventory's secret; both sides know from when to when.
        hourly = row["hours_from"] is not None
        ends = ("hours_from", "hours_until") if hourly else ("first_slot", "end_slot")
        period = row["offer_id"], *(row[name] for name in ends)
        contents.setdefault(row[owner], Counter())[period] += row["quantity"]
    return contents


def _wrong(order: str, hold: str | None, *, same: bool) -> str:
    """What is wrong with an order in this status whose hold is in that status; empty: nothing."""
    match order:
        case "paid" | "delivered":
            if hold != "confirmed":
                return f"{order}, but its hold is {hold or 'missing'}"
            return "" if same else f"{order}, but its hold is not exactly its lines"
        case "cancelled":
            return f"cancelled, but its hold is {hold}" if hold in ("held", "confirmed") else ""
        case _:
            return f"{order}, but its hold is confirmed" if hold == "confirmed" else ""


CHECKS = (
    Check(
        "I5",
        N_(
            "an order is paid exactly when all of it that is not cancelled, and its promo code, is "
            "booked; cancelled ones hold nothing"
        ),
        ("orders", "inventory"),
        _look,
    ),
)
