CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL CONSTRAINT one_payment_an_order UNIQUE,
    order_number text NOT NULL,
    payer_id uuid NOT NULL,
    amount bigint NOT NULL CONSTRAINT amount_not_negative CHECK (amount >= 0),
    currency text NOT NULL CONSTRAINT currency_is_iso CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL DEFAULT 'requested',
    authorised bigint NOT NULL DEFAULT 0,
    captured bigint NOT NULL DEFAULT 0,
    refunded bigint NOT NULL DEFAULT 0,
    declines int NOT NULL DEFAULT 0 CONSTRAINT declines_not_negative CHECK (declines >= 0),
    -- Four digits at most are ever kept of a card.
    card_ending text CONSTRAINT card_ending_short CHECK (card_ending ~ '^[0-9]{4}$'),
    pay_token text NOT NULL CONSTRAINT one_payment_a_token UNIQUE,
    return_path text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT dvor_now(),
    CONSTRAINT money_in_order CHECK (
        0 <= refunded AND refunded <= captured AND captured <= authorised AND authorised <= amount
    ),
    CONSTRAINT money_fits_status CHECK (
        CASE status
            WHEN 'requested' THEN authorised = 0
            WHEN 'authorised' THEN authorised = amount AND captured = 0
            WHEN 'captured' THEN captured = amount AND (refunded < captured OR amount = 0)
            WHEN 'refunded' THEN captured = amount AND refunded = captured
            WHEN 'voided' THEN captured = 0
            ELSE false
        END
    )
);
CREATE INDEX payments_of_payer ON payments (payer_id, id DESC);

CREATE TABLE payment_steps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments,
    what text NOT NULL CONSTRAINT step_is_known CHECK (
        what IN ('requested', 'declined', 'authorised', 'captured', 'voided', 'refunded')
    ),
    amount bigint NOT NULL CONSTRAINT step_not_negative CHECK (amount >= 0),
    currency text NOT NULL,
    -- The single-use key of the form or call that took this step: once a key, once a step.
    key uuid,
    at timestamptz NOT NULL DEFAULT dvor_now(),
    CONSTRAINT one_step_a_key UNIQUE (payment_id, key)
);
CREATE UNIQUE INDEX one_capture_a_payment ON payment_steps (payment_id) WHERE what = 'captured';

CREATE TABLE refunds (
    key uuid CONSTRAINT one_refund_a_key PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments,
    amount bigint NOT NULL CONSTRAINT refund_positive CHECK (amount > 0),
    created_at timestamptz NOT NULL DEFAULT dvor_now()
);
CREATE INDEX refunds_of_payment ON refunds (payment_id);

CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments,
    type text NOT NULL,
    -- Exactly the bytes that are signed and sent.
    body bytea NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    last_answer text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT dvor_now(),
    delivered_at timestamptz
);
CREATE INDEX webhook_deliveries_of_payment ON webhook_deliveries (payment_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: history is only ever added to', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_steps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_other_edges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.order_id, OLD.payer_id, OLD.amount, OLD.currency, OLD.pay_token)
        IS DISTINCT FROM
        (NEW.id, NEW.order_id, NEW.payer_id, NEW.amount, NEW.currency, NEW.pay_token)
    THEN
        RAISE EXCEPTION 'what payment % asks for never changes', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('requested', 'authorised'), ('requested', 'voided'), ('authorised', 'captured'),
        ('authorised', 'voided'), ('captured', 'refunded')
    ) THEN
        RAISE EXCEPTION 'payment % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER allowed_edges BEFORE UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION refuse_other_edges();
