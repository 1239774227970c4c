-- Money is moved by a provider outside: what we know of it, and what we wait for.
ALTER TABLE payments
    ADD COLUMN provider text NOT NULL DEFAULT 'simulator',
    -- What the provider calls the payment; our own id until it gave a name.
    ADD COLUMN reference text,
    -- When the provider was last asked to authorise; null: never.
    ADD COLUMN asked_at timestamptz,
    -- The provider was asked and has not said what came of it.
    ADD COLUMN underway boolean NOT NULL DEFAULT false,
    ADD COLUMN action_path text NOT NULL DEFAULT '',
    -- When to ask again, in case nobody tells us.
    ADD COLUMN look_at timestamptz,
    ADD COLUMN disputed bigint NOT NULL DEFAULT 0,
    ADD COLUMN dispute text NOT NULL DEFAULT ''
        CONSTRAINT dispute_is_known CHECK (dispute IN ('', 'open', 'won', 'lost')),
    ADD CONSTRAINT disputed_has_an_outcome CHECK ((disputed > 0) <= (dispute IN ('open', 'lost'))),
    DROP CONSTRAINT money_in_order,
    ADD CONSTRAINT money_in_order CHECK (
        0 <= refunded AND 0 <= disputed AND refunded + disputed <= captured
        AND captured <= authorised AND authorised <= amount
    ),
    DROP CONSTRAINT money_fits_status,
    ADD CONSTRAINT money_fits_status CHECK (
        CASE status
            WHEN 'requested' THEN authorised = 0
            WHEN 'authorised' THEN authorised = amount AND captured = 0
            WHEN 'captured' THEN captured > 0 OR amount = 0
            WHEN 'refunded' THEN refunded = captured AND captured > 0
            WHEN 'voided' THEN captured = 0
            ELSE false
        END
    );
UPDATE payments SET reference = id::text, asked_at = created_at WHERE status <> 'requested';
CREATE UNIQUE INDEX one_payment_a_reference ON payments (reference);
CREATE INDEX payments_to_look_at ON payments (look_at) WHERE look_at IS NOT NULL;

ALTER TABLE payment_steps DROP CONSTRAINT step_is_known, ADD CONSTRAINT step_is_known CHECK (
    what IN ('requested', 'declined', 'authorised', 'captured', 'voided', 'refunded',
             'refund_failed', 'disputed', 'dispute_won', 'dispute_lost')
);

-- A refund is set aside in `payments.refunded` before the provider is asked, and undone if it says no.
ALTER TABLE refunds
    ADD COLUMN state text NOT NULL DEFAULT 'done'
        CONSTRAINT refund_state_is_known CHECK (state IN ('pending', 'done', 'failed')),
    ADD COLUMN reason text NOT NULL DEFAULT '';
ALTER TABLE refunds ALTER COLUMN state SET DEFAULT 'pending';
DROP TRIGGER append_only ON refunds;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION refuse_other_outcomes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'pending'
        OR (OLD.key, OLD.payment_id, OLD.amount, OLD.reason, OLD.created_at)
            IS DISTINCT FROM (NEW.key, NEW.payment_id, NEW.amount, NEW.reason, NEW.created_at)
    THEN
        RAISE EXCEPTION 'UPDATE of refunds refused: history is only ever added to'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER outcome_once BEFORE UPDATE ON refunds
    FOR EACH ROW EXECUTE FUNCTION refuse_other_outcomes();

-- What the provider told us and we have acted upon.
CREATE TABLE provider_events (
    id text PRIMARY KEY,
    type text NOT NULL,
    payment_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT dvor_now()
);

-- The simulated bank. It stands outside: nothing here refers to our payments, and nothing of ours
-- to it.
CREATE TABLE bank_payments (
    reference text PRIMARY KEY,
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    description text NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CONSTRAINT bank_state_is_known CHECK (
        state IN ('open', 'action', 'processing', 'authorised', 'captured', 'voided')
    ),
    outcome text NOT NULL DEFAULT '',
    captured bigint NOT NULL DEFAULT 0,
    refunded bigint NOT NULL DEFAULT 0,
    disputed bigint NOT NULL DEFAULT 0,
    dispute text NOT NULL DEFAULT '',
    declines int NOT NULL DEFAULT 0,
    card_ending text NOT NULL DEFAULT '' CHECK (card_ending ~ '^([0-9]{4})?$'),
    CONSTRAINT bank_money_in_order CHECK (
        0 <= refunded AND 0 <= disputed AND refunded + disputed <= captured AND captured <= amount
    ),
    CONSTRAINT nothing_captured_of_nothing CHECK (state IN ('authorised', 'captured') OR captured = 0)
);
-- One key, one effect.
CREATE TABLE bank_calls (
    key text PRIMARY KEY,
    reference text NOT NULL,
    operation text NOT NULL,
    amount bigint NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT dvor_now()
);
CREATE INDEX bank_refunds ON bank_calls (reference) WHERE operation = 'refund';
CREATE TABLE bank_webhooks (
    id uuid PRIMARY KEY,
    reference text NOT NULL,
    type text NOT NULL,
    description text NOT NULL,
    body bytea NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    last_answer text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT dvor_now(),
    delivered_at timestamptz
);
INSERT INTO bank_payments (reference, amount, currency, description, expires_at, state, captured,
                           refunded, card_ending)
SELECT id::text, amount, currency, order_number, expires_at,
       CASE status WHEN 'refunded' THEN 'captured' ELSE status END, captured, refunded,
       coalesce(card_ending, '')
FROM payments WHERE status <> 'requested';
CREATE INDEX bank_webhooks_newest ON bank_webhooks (created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (created_at DESC, id DESC);
