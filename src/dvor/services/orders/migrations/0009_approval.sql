-- Requests that sellers answer before anything is booked and charged: needed -> asked -> given.
-- While asked, `held_until` is until when they can.
ALTER TABLE orders ADD COLUMN approval text
    CONSTRAINT approval_step CHECK (approval IN ('needed', 'asked', 'given'));
ALTER TABLE orders ADD COLUMN declined_by uuid;
-- Nothing is booked, charged or handed over before everybody who was asked has said yes.
ALTER TABLE orders ADD CONSTRAINT nothing_before_approval CHECK (approval IS NULL OR approval = 'given'
    OR (status NOT IN ('paid', 'delivered') AND pending_action IS DISTINCT FROM 'settle'));
ALTER TABLE order_lines ADD COLUMN approval boolean NOT NULL DEFAULT false;
ALTER TABLE orders DROP CONSTRAINT orders_pending_action_check;
ALTER TABLE orders ADD CONSTRAINT orders_pending_action_check
    CHECK (pending_action IN ('pay', 'ask', 'settle', 'cancel', 'change'));
CREATE INDEX orders_asked ON orders (held_until) WHERE approval = 'asked' AND status = 'processing';

CREATE TABLE order_approvals (
    order_id uuid NOT NULL REFERENCES orders,
    seller_id uuid NOT NULL,
    given_at timestamptz NOT NULL DEFAULT dvor_now(),
    PRIMARY KEY (order_id, seller_id)
);
