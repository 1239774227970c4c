"""Deposits: never more taken than was set aside, no part both taken and let go, none kept too long."""

from collections.abc import Mapping
from typing import Any

from dvor.audit.report import Check, Look
from dvor.audit.sql import pages, sql_check
from dvor.kernel.texts import N_

# A bank that is out of reach is asked every minute: an hour is more than an outage takes.
_LATE = "interval '1 hour'"

_WRONG = f"""
    WITH kept AS (
        SELECT deposit_id, count(*) FILTER (WHERE state = 'held') AS held,
               count(*) FILTER (WHERE state = 'captured') AS captured,
               count(*) FILTER (WHERE state IN ('asked', 'held', 'letting_go')) AS open
        FROM deposit_authorisations GROUP BY deposit_id
    )
    SELECT format('deposit %s', id) AS what,
           format('%s taken and %s let go of %s', captured, released, amount) AS how
    FROM deposits WHERE captured < 0 OR released < 0 OR captured + released > amount
       OR captured > claimed
    UNION ALL
    SELECT format('deposit %s', id), format('%s, but %s authorisations were captured', status,
                                            coalesce(kept.captured, 0))
    FROM deposits LEFT JOIN kept ON deposit_id = id
    WHERE coalesce(kept.captured, 0) <> (status = 'captured')::int
    UNION ALL
    SELECT format('deposit %s', id), format('%s, but %s authorisations are held', status,
                                            coalesce(kept.held, 0))
    FROM deposits LEFT JOIN kept ON deposit_id = id
    WHERE coalesce(kept.held, 0) > (status IN ('held', 'claimed'))::int
       OR status = 'held' AND coalesce(kept.held, 0) = 0
    UNION ALL
    SELECT format('deposit %s', id), format('%s, but the bank keeps money aside', status)
    FROM deposits JOIN kept ON deposit_id = id
    WHERE kept.open > 0 AND due_at IS NULL AND status <> 'requested'
    UNION ALL
    SELECT format('deposit %s', id), format('%s, but its time was over at %s', status, claim_until)
    FROM deposits WHERE status IN ('held', 'resting')
      AND claim_until < dvor_now() - {_LATE}
    UNION ALL
    SELECT format('deposit %s', id), format('%s, but nobody has looked at it since %s', status,
                                            due_at)
    FROM deposits WHERE due_at < dvor_now() - {_LATE}
"""

# By the books of the simulated bank, where it moved the money.
_BANK_WRONG = """
    WITH bank AS (
        SELECT deposit_id, sum(b.captured) AS captured,
               count(*) FILTER (WHERE b.state = 'authorised' AND b.ends_at > dvor_now()) AS aside
        FROM deposit_authorisations a JOIN bank_payments b USING (reference) GROUP BY deposit_id
    )
    SELECT format('deposit %s', d.id) AS what,
           format('%s, %s taken, but the bank has taken %s and keeps %s authorisations', d.status,
                  d.captured, bank.captured, aside) AS how
    FROM deposits d JOIN bank ON deposit_id = d.id
    WHERE d.status <> 'claimed' AND bank.captured <> d.captured
       OR d.due_at IS NULL AND d.status IN ('captured', 'released', 'declined', 'lost') AND aside > 0
"""

_ORDERS = """
    SELECT o.id, number, o.status, l.id AS line_id, l.deposit, l.cancelled = l.quantity AS cut,
           coalesce(pending_since > dvor_now() - interval '60 seconds', false) AS in_flight
    FROM orders o JOIN order_lines l ON l.order_id = o.id
    WHERE o.deposit IS NOT NULL AND l.deposit > 0 AND o.id > $1
      AND o.id IN (SELECT id FROM orders WHERE deposit IS NOT NULL AND id > $1 ORDER BY id LIMIT $2)
    ORDER BY o.id
"""
_DEPOSITS = "SELECT line_id, amount, status FROM deposits WHERE line_id = ANY($1)"
_SECURED = ("held", "resting", "claimed", "captured", "releasing", "released", "lost")


async def _look(databases: Mapping[str, Any]) -> Look:
    examined, in_flight, wrong = 0, 0, dict[str, str]()
    async for page in pages(databases["orders"], _ORDERS):
        line_ids = [row["line_id"] for row in page]
        rows = await databases["payments"].fetch(_DEPOSITS, line_ids)
        deposits = {row["line_id"]: row for row in rows}
        for line in page:
            how = _wrong(line, deposits.get(line["line_id"]))
            if how and line["in_flight"]:
                in_flight += 1
            elif how:
                wrong[f"line {line['line_id']} of order {line['number']} ({line['id']})"] = how
        examined += len(page)
    return Look(examined=examined, violations=wrong, in_flight=in_flight)


def _wrong(line: Any, deposit: Any) -> str:
    """What is wrong with the deposit of a line of an order; empty: nothing."""
    status = deposit["status"] if deposit else "missing"
    if deposit and deposit["amount"] != line["deposit"]:
        return f"a deposit of {line['deposit']}, but {deposit['amount']} was asked for"
    if line["status"] in ("paid", "delivered"):
        if status not in _SECURED:
            return f"{line['status']}, but its deposit is {status}"
        if line["cut"] and status in ("held", "resting"):
            return f"cancelled, but its deposit is {status}"
    if line["status"] == "cancelled" and status in ("held", "resting"):
        return f"cancelled, but its deposit is {status}"
    return ""


CHECKS = (
    sql_check(
        "I16",
        N_(
            "of a deposit no more is taken than was set aside, and none is kept when its time is over"
        ),
        "payments",
        "SELECT count(*) FROM deposits",
        _WRONG,
    ),
    sql_check(
        "I16",
        N_("the bank has taken of deposits what the books say, and keeps nothing that is over"),
        "payments",
        "SELECT count(*) FROM deposits",
        _BANK_WRONG,
    ),
    Check(
        "I16",
        N_("an order is paid only with its deposits, and a cancelled one has none"),
        ("orders", "payments"),
        _look,
    ),
)
