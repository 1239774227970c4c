-- Deposits: set aside apart from the price, on the card that paid it; held while something is lent.
ALTER TABLE payments ADD COLUMN deposit bigint NOT NULL DEFAULT 0
    CONSTRAINT deposit_not_negative CHECK (deposit >= 0);

CREATE TABLE deposits (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments,
    line_id uuid NOT NULL CONSTRAINT one_deposit_a_line UNIQUE,
    seller_id uuid NOT NULL,
    title jsonb NOT NULL,
    amount bigint NOT NULL CONSTRAINT deposit_positive CHECK (amount > 0),
    currency text NOT NULL,
    status text NOT NULL DEFAULT 'requested',
    -- Minor units that nobody may claim any more, and those that the seller has.
    released bigint NOT NULL DEFAULT 0,
    captured bigint NOT NULL DEFAULT 0,
    claimed bigint NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    evidence text NOT NULL DEFAULT '',
    -- Why it is let go: over, returned, cancelled.
    why text NOT NULL DEFAULT '',
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    claim_until timestamptz NOT NULL,
    -- How often the bank refused to set it aside anew since it last did.
    refusals int NOT NULL DEFAULT 0,
    -- When somebody must look at it next.
    due_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT dvor_now(),
    CONSTRAINT deposit_in_order CHECK (
        0 <= captured AND 0 <= released AND captured + released <= amount
        AND 0 <= claimed AND captured <= claimed
    ),
    CONSTRAINT deposit_fits_status CHECK (
        CASE status
            WHEN 'requested' THEN captured = 0 AND claimed = 0
            WHEN 'held' THEN captured = 0 AND claimed = 0 AND released < amount
            WHEN 'resting' THEN captured = 0 AND claimed = 0 AND released < amount
            WHEN 'claimed' THEN captured = 0 AND claimed > 0 AND claimed + released <= amount
            WHEN 'captured' THEN captured > 0 AND captured + released = amount
            WHEN 'releasing' THEN captured = 0 AND claimed = 0
            WHEN 'released' THEN claimed = 0 AND released = amount
            WHEN 'declined' THEN claimed = 0 AND released = amount
            WHEN 'lost' THEN claimed > 0 AND released = amount
            ELSE false
        END
    ),
    CONSTRAINT no_deposit_is_forgotten CHECK (
        due_at IS NOT NULL OR status NOT IN ('held', 'resting', 'claimed', 'releasing')
    ),
    CONSTRAINT deposit_ends CHECK (begins_at <= ends_at AND ends_at <= claim_until)
);
CREATE INDEX deposits_of_payment ON deposits (payment_id);
CREATE INDEX deposits_due ON deposits (due_at) WHERE due_at IS NOT NULL;

CREATE FUNCTION refuse_other_deposit_edges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.payment_id, OLD.line_id, OLD.seller_id, OLD.amount, OLD.currency)
        IS DISTINCT FROM
        (NEW.id, NEW.payment_id, NEW.line_id, NEW.seller_id, NEW.amount, NEW.currency)
        OR NEW.released < OLD.released
    THEN
        RAISE EXCEPTION 'what deposit % is of never changes, and what is let go stays so', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('requested', 'held'), ('requested', 'declined'), ('requested', 'releasing'),
        ('held', 'resting'), ('held', 'claimed'), ('held', 'releasing'),
        ('resting', 'held'), ('resting', 'releasing'),
        ('claimed', 'captured'), ('claimed', 'lost'), ('releasing', 'released')
    ) THEN
        RAISE EXCEPTION 'deposit % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER allowed_edges BEFORE UPDATE ON deposits
    FOR EACH ROW EXECUTE FUNCTION refuse_other_deposit_edges();

-- What the bank sets aside for a deposit, one after the other: it keeps nothing aside for long.
CREATE TABLE deposit_authorisations (
    deposit_id uuid NOT NULL REFERENCES deposits,
    number int NOT NULL CHECK (number > 0),
    amount bigint NOT NULL CHECK (amount > 0),
    -- What the provider calls it; ours until it gave a name.
    reference text NOT NULL CONSTRAINT one_authorisation_a_reference UNIQUE,
    state text NOT NULL DEFAULT 'asked' CONSTRAINT authorisation_state_is_known CHECK (
        state IN ('asked', 'declined', 'held', 'letting_go', 'gone', 'captured')
    ),
    asked_at timestamptz NOT NULL DEFAULT dvor_now(),
    held_at timestamptz,
    PRIMARY KEY (deposit_id, number)
);
CREATE UNIQUE INDEX one_asked_a_deposit ON deposit_authorisations (deposit_id) WHERE state = 'asked';
CREATE UNIQUE INDEX one_held_a_deposit ON deposit_authorisations (deposit_id) WHERE state = 'held';
CREATE UNIQUE INDEX one_capture_a_deposit ON deposit_authorisations (deposit_id)
    WHERE state = 'captured';

ALTER TABLE payment_steps DROP CONSTRAINT step_is_known, ADD CONSTRAINT step_is_known CHECK (
    what IN ('requested', 'declined', 'authorised', 'captured', 'voided', 'refunded',
             'refund_failed', 'disputed', 'dispute_won', 'dispute_lost', 'deposit_held',
             'deposit_declined', 'deposit_rested', 'deposit_claimed', 'deposit_captured',
             'deposit_released', 'deposit_lost')
);

-- The simulated bank lets go by itself what was set aside without the payer.
ALTER TABLE bank_payments ADD COLUMN ends_at timestamptz;
