"""Units: counters agree with claims, nothing is promised twice, nothing is kept too long."""

from dvor.audit.sql import sql_check
from dvor.kernel.texts import N_

# What is promised in each cell, worked out from the claims alone.
_LEDGER = """
    SELECT claimed.offer_id, claimed.slot,
           coalesce(sum(claimed.units) FILTER (WHERE holds.status = 'held'), 0) AS held,
           coalesce(sum(claimed.units) FILTER (WHERE holds.status = 'confirmed'), 0) AS sold
    FROM holds JOIN claimed_cells AS claimed ON claimed.hold_id = holds.id
    WHERE holds.status IN ('held', 'confirmed')
    GROUP BY claimed.offer_id, claimed.slot
"""

# The first day and the first hour that can still be sold; one day of slack spares the audit a list
# of time zones. Days are slots below 100,000, hours above.
_AHEAD = """
    (slot > dvor_now()::date - date '1970-01-01' + 1 AND slot < 100000
     OR slot > extract(epoch FROM dvor_now()) / 3600 + 24)
"""

_CELL = "format('offer %s slot %s', offer_id, slot)"

_COUNTERS_WRONG = f"""
    SELECT {_CELL} AS what,
           format('held %s, sold %s of %s, but claims say held %s, sold %s', cells.held, cells.sold,
                  cells.capacity, coalesce(ledger.held, 0), coalesce(ledger.sold, 0)) AS how
    FROM cells FULL JOIN ({_LEDGER}) AS ledger USING (offer_id, slot)
    WHERE cells.offer_id IS NULL
       OR cells.held <> coalesce(ledger.held, 0) OR cells.sold <> coalesce(ledger.sold, 0)
       OR cells.held < 0 OR cells.sold < 0 OR cells.held + cells.sold > cells.capacity
"""

# A seller may have had more rooms in the past; what is still to come must fit what there is now.
_PROMISED_TWICE = f"""
    SELECT {_CELL} AS what,
           format('%s promised of %s', ledger.held + ledger.sold,
                  least(cells.capacity, offers.quantity)) AS how
    FROM ({_LEDGER}) AS ledger
    LEFT JOIN cells USING (offer_id, slot) LEFT JOIN offers USING (offer_id)
    WHERE ledger.held + ledger.sold > coalesce(cells.capacity, 0)
       OR (slot = 0 OR {_AHEAD})
          AND ledger.held + ledger.sold > coalesce(offers.quantity, 0)
"""

_KEPT_TOO_LONG = """
    SELECT format('hold %s', id) AS what, format('held, but it ended at %s', expires_at) AS how
    FROM holds WHERE status = 'held' AND expires_at < dvor_now() - interval '5 seconds'
"""

CHECKS = (
    sql_check(
        "I1",
        N_("every counter is within its capacity and equals the sum of its claims, both ways"),
        "inventory",
        "SELECT count(*) FROM cells",
        _COUNTERS_WRONG,
    ),
    sql_check(
        "I2",
        N_("no unit, day, night or ticket is promised twice"),
        "inventory",
        f"SELECT count(*) FROM ({_LEDGER}) AS ledger",
        _PROMISED_TWICE,
    ),
    sql_check(
        "I6",
        N_("no hold is alive more than 5 seconds after its deadline"),
        "inventory",
        "SELECT count(*) FROM holds",
        _KEPT_TOO_LONG,
    ),
)
