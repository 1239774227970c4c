"""The books of the one payment that is paid in the world of the audit's tests."""

from uuid import UUID

SELLER, SALE, PAYMENT = UUID(int=3), UUID(int=11), UUID(int=211)

BOOKS = f"""
    INSERT INTO payment_shares (payment_id, seller_id, amount)
    SELECT id, '{SELLER}', amount FROM payments;
    INSERT INTO ledger_transactions (id, what, payment_id)
    VALUES ('{SALE}', 'captured', '{PAYMENT}');
    INSERT INTO postings (transaction_id, position, account, seller_id, currency, amount)
    VALUES ('{SALE}', 1, 'provider', NULL, 'EUR', 500),
           ('{SALE}', 2, 'seller', '{SELLER}', 'EUR', -450),
           ('{SALE}', 3, 'commission', '{SELLER}', 'EUR', -50);
    INSERT INTO seller_balances VALUES ('{SELLER}', 'EUR', 450);
"""
