"""Closures: a day to come has what there is without what is closed, or what it has promised."""

from dvor.audit.sql import sql_check
from dvor.kernel.texts import N_

# Slots that have begun keep what they had; a day of slack spares the audit a list of time zones.
_TO_COME = """
    slot > (dvor_now()::date - date '1970-01-01' + 1) * CASE WHEN by_hour THEN 24 ELSE 1 END
"""

_CLOSED = """
    SELECT offer_id, slot, sum(units) AS units, bool_or(unmet) AS unmet
    FROM closures CROSS JOIN generate_series(first_slot, end_slot - 1) AS slot
    GROUP BY offer_id, slot
"""

_WRONG = f"""
    SELECT format('offer %s slot %s', offer_id, slot) AS what,
           CASE WHEN capacity IS NULL THEN format('%s closed, but there is no cell', units)
           ELSE format('capacity %s, but there are %s without %s closed, and %s are promised',
                       capacity, quantity, coalesce(units, 0), held + sold) END AS how
    FROM cells FULL JOIN ({_CLOSED}) AS closed USING (offer_id, slot) JOIN offers USING (offer_id)
    WHERE kind IN ('rental', 'stay') AND {_TO_COME} AND (
        capacity IS NULL
        OR capacity < greatest(quantity - coalesce(units, 0), 0)
        OR capacity > greatest(quantity - coalesce(units, 0), held + sold) AND unmet IS NOT TRUE
        OR capacity > quantity
    )
"""

CHECKS = (
    sql_check(
        "I14",
        N_("a day to come has what there is without what is closed, or what it has promised"),
        "inventory",
        "SELECT count(*) FROM cells",
        _WRONG,
    ),
)
