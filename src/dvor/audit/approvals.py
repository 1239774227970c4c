"""Requests: nothing is booked and charged before everybody who is asked has said yes."""

from dvor.audit.sql import sql_check
from dvor.kernel.texts import N_

_EXAMINED = "SELECT count(*) FROM orders WHERE approval IS NOT NULL"

# That money was captured for them I3 tells of, that they are booked I5: both by the status.
_WRONG = """
    SELECT format('order %s (%s)', number, id) AS what,
           format('%s without the yes of seller %s', status, seller_id) AS how
    FROM orders JOIN (SELECT DISTINCT order_id, seller_id FROM order_lines WHERE approval) AS asked
        ON asked.order_id = orders.id
    WHERE (status IN ('paid', 'delivered') OR approval = 'given' OR pending_action = 'settle')
      AND NOT EXISTS (SELECT FROM order_approvals AS yes
                      WHERE yes.order_id = orders.id AND yes.seller_id = asked.seller_id)
    UNION ALL
    SELECT format('order %s (%s)', number, id),
           format('its sellers answer, but it says %s', coalesce(approval, 'nothing of that'))
    FROM orders
    WHERE (approval IS NOT NULL)
          <> EXISTS (SELECT FROM order_lines WHERE order_id = orders.id AND approval)
       OR approval IS DISTINCT FROM 'given' AND approval IS NOT NULL
          AND status IN ('paid', 'delivered')
"""

CHECKS = (
    sql_check(
        "I15",
        N_("what sellers are asked about is booked and charged when all of them said yes"),
        "orders",
        _EXAMINED,
        _WRONG,
    ),
)
