"""Promo codes: used no more often than they may be, by all and by each customer."""

from collections.abc import Mapping
from typing import Any

from dvor.audit.report import Check, Look
from dvor.audit.sql import pages, sql_check
from dvor.kernel.texts import N_

# From the claims of holds, not from the counters: those are compared elsewhere (I1).
_USES = """
    WITH uses AS (
        SELECT offers.offer_id, offers.quantity, holds.customer_id, claims.quantity AS units,
               coalesce((offers.rules ->> 'per_customer')::int, 0) AS per_customer
        FROM claims JOIN holds ON holds.id = claims.hold_id AND holds.status IN ('held', 'confirmed')
        JOIN offers ON offers.offer_id = claims.offer_id AND offers.kind = 'promo'
    )
    SELECT format('promo code %s', offer_id) AS what,
           format('used %s times of %s', sum(units), quantity) AS how
    FROM uses GROUP BY offer_id, quantity HAVING sum(units) > quantity
    UNION ALL
    SELECT format('promo code %s', offer_id),
           format('used %s times by customer %s, who may %s', sum(units), customer_id, per_customer)
    FROM uses WHERE per_customer > 0 AND customer_id IS NOT NULL
    GROUP BY offer_id, customer_id, per_customer HAVING sum(units) > per_customer
"""

_PROMOS = "SELECT id, code, uses, per_customer FROM promos WHERE id > $1 ORDER BY id LIMIT $2"
_PAID = """
    SELECT promo_id, customer_id, count(*) AS uses FROM orders
    WHERE promo_id = ANY($1) AND status IN ('paid', 'delivered') GROUP BY promo_id, customer_id
"""
_CODED = """
    SELECT count(*) FROM orders WHERE (promo_id IS NOT NULL) <> EXISTS (
        SELECT FROM order_lines, jsonb_array_elements(parts) AS part
        WHERE order_id = orders.id AND part ->> 'kind' = 'promo')
"""


async def _look_at_orders(databases: Mapping[str, Any]) -> Look:
    catalog, orders = databases["catalog"], databases["orders"]
    examined, wrong = 0, dict[str, str]()
    async for page in pages(catalog, _PROMOS):
        paid = await orders.fetch(_PAID, [promo["id"] for promo in page])
        for promo in page:
            each = [row["uses"] for row in paid if row["promo_id"] == promo["id"]]
            most = max(each, default=0)
            if sum(each) > promo["uses"]:
                wrong[f"promo code {promo['code']}"] = f"paid {sum(each)} times of {promo['uses']}"
            elif promo["per_customer"] and most > promo["per_customer"]:
                wrong[f"promo code {promo['code']}"] = f"paid {most} times by one customer"
        examined += len(page)
    if odd := await orders.fetchval(_CODED):
        wrong["orders"] = f"{odd} have a promo code and no discount for it, or the reverse"
    return Look(examined=examined, violations=wrong)


CHECKS = (
    sql_check(
        "I11",
        N_("a promo code is claimed no more often than its limits, for all and for each customer"),
        "inventory",
        "SELECT count(*) FROM offers WHERE kind = 'promo'",
        _USES,
    ),
    Check(
        "I11",
        N_("no more orders are paid with a promo code than it says, and each has its discount"),
        ("catalog", "orders"),
        _look_at_orders,
    ),
)
