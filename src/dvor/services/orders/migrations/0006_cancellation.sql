-- What comes back of a line (message `Policy`), as it was agreed when it was ordered (until now:
-- everything), and what was cancelled of it since.
ALTER TABLE order_lines
    ADD COLUMN cancellation jsonb NOT NULL DEFAULT '{"steps": [{"until": "handover"}]}',
    ADD COLUMN cancelled int NOT NULL DEFAULT 0,
    ADD COLUMN cancelled_seats text[] NOT NULL DEFAULT '{}',
    ADD COLUMN refunded bigint NOT NULL DEFAULT 0,
    ADD COLUMN fee_kept bigint NOT NULL DEFAULT 0,
    -- Steps of the policy that are over, whatever their deadline says.
    ADD COLUMN steps_over int NOT NULL DEFAULT 0 CHECK (steps_over >= 0),
    ADD CONSTRAINT cancelled_within_quantity CHECK (cancelled BETWEEN 0 AND quantity),
    ADD CONSTRAINT line_refund_within_total CHECK (
        refunded >= 0 AND fee_kept >= 0 AND refunded + fee_kept <= total
    ),
    ADD CONSTRAINT refunded_only_when_cancelled CHECK (cancelled > 0 OR refunded + fee_kept = 0);
UPDATE order_lines SET cancelled = quantity, refunded = total FROM orders
    WHERE orders.id = order_id AND orders.status = 'cancelled'
    AND orders.refunded_amount = orders.total_amount AND orders.total_amount > 0;

-- What was asked to be changed of a paid order: what of each line, and what comes back for it.
CREATE TABLE order_changes (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    asked_by text NOT NULL CHECK (asked_by IN ('customer', 'seller', 'admin')),
    lines jsonb NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT dvor_now()
);
CREATE INDEX changes_of_order ON order_changes (order_id);

-- What is to be given back: written before the money is asked for, once a key.
CREATE TABLE order_refunds (
    key uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    change_id uuid NOT NULL REFERENCES order_changes,
    payment_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0)
);
CREATE INDEX refunds_of_order ON order_refunds (order_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON order_changes
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON order_refunds
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

ALTER TABLE orders
    ADD COLUMN change_id uuid REFERENCES order_changes,
    DROP CONSTRAINT orders_pending_action_check,
    ADD CONSTRAINT orders_pending_action_check
        CHECK (pending_action IN ('pay', 'settle', 'cancel', 'change'));
