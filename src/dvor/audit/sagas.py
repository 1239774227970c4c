"""Sagas: every order comes to an end, and nothing that was to be done for it is given up."""

from dvor.audit.sql import sql_check
from dvor.kernel.texts import N_

_STUCK = """
    SELECT format('order %s (%s)', number, id) AS what,
           format('has to %s since %s', pending_action, pending_since) AS how
    FROM orders WHERE pending_since < dvor_now() - interval '60 seconds'
    UNION ALL
    SELECT format('order %s (%s)', number, id),
           format('%s, and nobody has looked at it since %s', status, coalesce(due_at, created_at))
    FROM orders
    WHERE due_at < dvor_now() - interval '60 seconds'
       OR due_at IS NULL AND (pending_action IS NOT NULL OR status IN ('created', 'processing'))
"""

_GIVEN_UP = """
    SELECT format('task %s (%s)', name, id) AS what,
           format('given up after %s attempts: %s', attempts, left(error, 200)) AS how
    FROM tasks WHERE state = 'failed'
"""

CHECKS = (
    sql_check(
        "I7",
        N_("every order under way comes to an end"),
        "orders",
        "SELECT count(*) FROM orders",
        _STUCK,
    ),
    *(
        sql_check(
            "I7", N_("nothing that was to be done is given up"), name,
            "SELECT count(*) FROM tasks", _GIVEN_UP,
        )
        for name in ("orders", "payments")
    ),
)  # fmt: skip
