"""Repeated requests: one key, one effect, one answer."""

from dvor.audit.sql import sql_check
from dvor.kernel.texts import N_

SERVICES = ("identity", "catalog", "inventory", "payments", "orders", "notifications")

_EXAMINED = "SELECT count(*) FROM idempotency_keys"

_KEY = "format('key %s of %s on %s', key, principal, operation)"

_WRONG = f"""
    SELECT {_KEY} AS what, format('%s answers', count(*)) AS how
    FROM idempotency_keys GROUP BY principal, operation, key HAVING count(*) > 1
    UNION ALL
    SELECT {_KEY}, 'done, but without an answer'
    FROM idempotency_keys WHERE state = 'done' AND (status IS NULL OR body IS NULL)
    UNION ALL
    SELECT {_KEY}, format('its answer %s is not definite and must not be repeated', status)
    FROM idempotency_keys WHERE state = 'done' AND (status < 200 OR status >= 500)
    UNION ALL
    SELECT {_KEY}, 'its fingerprint is no SHA-256: other bodies could pass for the same'
    FROM idempotency_keys WHERE length(fingerprint) <> 32
"""

_MONEY_EXAMINED = "SELECT count(*) FROM payment_steps"

_MONEY_WRONG = """
    SELECT format('payment %s', payment_id) AS what, format('captured %s times', count(*)) AS how
    FROM payment_steps WHERE what = 'captured' GROUP BY payment_id HAVING count(*) > 1
    UNION ALL
    SELECT format('refund %s', key), format('%s refunds', count(*))
    FROM refunds GROUP BY key HAVING count(*) > 1
    UNION ALL
    SELECT format('key %s of payment %s', key, payment_id), format('%s steps', count(*))
    FROM payment_steps WHERE key IS NOT NULL GROUP BY payment_id, key HAVING count(*) > 1
"""

CHECKS = (
    *(
        sql_check("I10", N_("one key, one stored answer"), name, _EXAMINED, _WRONG)
        for name in SERVICES
    ),
    sql_check(
        "I10",
        N_("one capture a payment, one refund a key, one step a key"),
        "payments",
        _MONEY_EXAMINED,
        _MONEY_WRONG,
    ),
)
