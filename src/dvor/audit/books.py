"""Money: what was captured is all accounted for, in the books and at each seller's."""

from dvor.audit.histories import unprotected
from dvor.audit.sql import sql_check
from dvor.kernel.texts import N_

_EXAMINED = "SELECT count(*) FROM postings"

_UNBALANCED = """
    SELECT format('%s of ledger transaction %s', currency, transaction_id) AS what,
           format('its %s postings make %s', currency, sum(amount)) AS how
    FROM postings GROUP BY transaction_id, currency HAVING sum(amount) <> 0
"""

# Customers' money at the provider: captured, less what went back and what is being argued about.
_UNACCOUNTED = """
    WITH books AS (
        SELECT t.payment_id, sum(p.amount) AS amount
        FROM postings p JOIN ledger_transactions t ON t.id = p.transaction_id
        WHERE p.account = 'provider' AND t.payment_id IS NOT NULL GROUP BY t.payment_id
    ), gone AS (
        SELECT payment_id, sum(amount) AS amount FROM refunds WHERE state = 'done'
        GROUP BY payment_id
    ), kept AS (
        SELECT payment_id, sum(captured) AS amount FROM deposits GROUP BY payment_id
    )
    SELECT format('payment %s', id) AS what,
           format('%s taken, %s kept of deposits, %s given back, %s disputed, but the books say %s',
                  captured, coalesce(kept.amount, 0), coalesce(gone.amount, 0), disputed,
                  coalesce(books.amount, 0)) AS how
    FROM payments LEFT JOIN books ON books.payment_id = id LEFT JOIN gone ON gone.payment_id = id
    LEFT JOIN kept ON kept.payment_id = id
    WHERE captured + coalesce(kept.amount, 0) - coalesce(gone.amount, 0) - disputed
          <> coalesce(books.amount, 0)
    UNION ALL
    SELECT format('payment %s', id), format('%s set aside to be given back, but its refunds make %s',
                                            refunded, coalesce(sum(r.amount), 0))
    FROM payments LEFT JOIN refunds r ON payment_id = id AND r.state <> 'failed'
    GROUP BY id HAVING refunded <> coalesce(sum(r.amount), 0)
    UNION ALL
    SELECT format('payment %s', id), format('%s asked for, but its shares make %s', max(p.amount),
                                            coalesce(sum(s.amount), 0))
    FROM payments p LEFT JOIN payment_shares s ON payment_id = id
    WHERE captured = 0 OR captured = p.amount
    GROUP BY id HAVING max(p.amount) <> coalesce(sum(s.amount), 0)
"""

_BALANCES_WRONG = """
    WITH books AS (
        SELECT seller_id, currency, -sum(amount) AS balance
        FROM postings WHERE account = 'seller' GROUP BY seller_id, currency
    )
    SELECT format('seller %s in %s', seller_id, currency) AS what,
           format('owed %s, but the books say %s', coalesce(b.balance, 0),
                  coalesce(books.balance, 0)) AS how
    FROM seller_balances b FULL JOIN books USING (seller_id, currency)
    WHERE coalesce(b.balance, 0) <> coalesce(books.balance, 0)
"""

CHECKS = (
    sql_check(
        "I3", N_("every transaction of the ledger balances"), "payments", _EXAMINED, _UNBALANCED
    ),
    sql_check(
        "I3",
        N_("all captured money is accounted for: sales, deposits, refunds, disputes"),
        "payments",
        "SELECT count(*) FROM payments",
        _UNACCOUNTED,
    ),
    sql_check(
        "I3",
        N_("what a seller is owed is what the ledger says"),
        "payments",
        "SELECT count(*) FROM seller_balances",
        _BALANCES_WRONG,
    ),
    sql_check(
        "I3", N_("the ledger can only be added to"), "payments", _EXAMINED, unprotected("postings")
    ),
)
