-- What a payment is split into. The platform itself has the seller id 00000000-….
ALTER TABLE payments ADD COLUMN commission_bp int NOT NULL DEFAULT 0
    CONSTRAINT commission_is_a_part CHECK (commission_bp BETWEEN 0 AND 10000);
CREATE TABLE payment_shares (
    payment_id uuid NOT NULL REFERENCES payments,
    seller_id uuid NOT NULL,
    amount bigint NOT NULL,
    -- Given back, or taken back by the payer's bank.
    returned bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (payment_id, seller_id),
    CONSTRAINT share_in_order CHECK (0 <= returned AND returned <= amount)
);

-- Double entry: the postings of a transaction sum to nothing in each currency. Positive is what we
-- have or are owed (debit), negative what we owe or have earned (credit).
CREATE TABLE ledger_transactions (
    id uuid PRIMARY KEY,
    what text NOT NULL,
    payment_id uuid REFERENCES payments,
    at timestamptz NOT NULL DEFAULT dvor_now()
);
CREATE INDEX ledger_transactions_of_payment ON ledger_transactions (payment_id);
CREATE TABLE postings (
    transaction_id uuid NOT NULL REFERENCES ledger_transactions,
    position int NOT NULL,
    account text NOT NULL CONSTRAINT account_is_known CHECK (account IN (
        'provider', 'seller', 'commission', 'refunds', 'contested', 'chargebacks', 'payouts'
    )),
    seller_id uuid,
    currency text NOT NULL,
    amount bigint NOT NULL CONSTRAINT posting_moves_something CHECK (amount <> 0),
    -- Of its transaction.
    at timestamptz NOT NULL DEFAULT dvor_now(),
    PRIMARY KEY (transaction_id, position),
    CONSTRAINT sellers_account_has_a_seller CHECK (account <> 'seller' OR seller_id IS NOT NULL)
);
CREATE INDEX postings_of_seller ON postings (seller_id, at DESC, transaction_id DESC)
    WHERE account = 'seller';

CREATE FUNCTION refuse_imbalance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM postings WHERE transaction_id = NEW.transaction_id
        GROUP BY currency HAVING sum(amount) <> 0
    ) THEN
        RAISE EXCEPTION 'ledger transaction % does not balance', NEW.transaction_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_balances';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER ledger_balances AFTER INSERT ON postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_imbalance();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What each seller is owed: always the postings of their account, turned round.
CREATE TABLE seller_balances (
    seller_id uuid NOT NULL,
    currency text NOT NULL,
    balance bigint NOT NULL,
    PRIMARY KEY (seller_id, currency)
) WITH (fillfactor = 50);

CREATE TABLE payout_runs (
    key uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT dvor_now(),
    finished_at timestamptz
);
CREATE INDEX payout_runs_newest ON payout_runs (started_at DESC, key DESC);
CREATE TABLE payouts (
    id uuid PRIMARY KEY,
    run_key uuid NOT NULL REFERENCES payout_runs,
    seller_id uuid NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CONSTRAINT payout_positive CHECK (amount > 0),
    created_at timestamptz NOT NULL DEFAULT dvor_now(),
    CONSTRAINT one_payout_a_run UNIQUE (run_key, seller_id, currency)
);
CREATE INDEX payouts_of_seller ON payouts (seller_id, created_at DESC, id DESC);
CREATE INDEX payouts_newest ON payouts (created_at DESC, id DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payouts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Money from before the ledger belongs to the platform: nobody said whose sales it was.
INSERT INTO payment_shares (payment_id, seller_id, amount, returned)
SELECT id, '00000000-0000-0000-0000-000000000000', amount, refunded FROM payments WHERE amount > 0;
INSERT INTO ledger_transactions (id, what, payment_id)
SELECT id, 'opening', id FROM payments WHERE captured > refunded;
INSERT INTO postings (transaction_id, position, account, currency, amount)
SELECT id, 0, 'provider', currency, captured - refunded FROM payments WHERE captured > refunded
UNION ALL
SELECT id, 1, 'commission', currency, refunded - captured FROM payments WHERE captured > refunded;
