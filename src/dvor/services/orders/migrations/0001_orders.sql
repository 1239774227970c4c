CREATE TABLE carts (
    id uuid PRIMARY KEY,
    customer_id uuid,
    guest_hash bytea,
    hold_id uuid NOT NULL,
    held_until timestamptz,
    version bigint NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT dvor_now(),
    CONSTRAINT cart_has_one_owner CHECK ((customer_id IS NULL) <> (guest_hash IS NULL)),
    CONSTRAINT one_cart_per_customer UNIQUE (customer_id),
    CONSTRAINT one_cart_per_guest UNIQUE (guest_hash)
);

CREATE TABLE cart_lines (
    id uuid PRIMARY KEY,
    cart_id uuid NOT NULL REFERENCES carts ON DELETE CASCADE,
    position bigint GENERATED ALWAYS AS IDENTITY,
    offer_id uuid NOT NULL,
    quantity int NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
    start_date date,
    end_date date,
    CONSTRAINT dates_together CHECK ((start_date IS NULL) = (end_date IS NULL)),
    CONSTRAINT equal_lines_are_one
        UNIQUE NULLS NOT DISTINCT (cart_id, offer_id, start_date, end_date)
);

-- Requests that already changed a cart: a repeated one changes nothing.
CREATE TABLE cart_keys (
    key uuid PRIMARY KEY,
    used_at timestamptz NOT NULL DEFAULT dvor_now()
);
CREATE INDEX cart_keys_used ON cart_keys (used_at);

CREATE TABLE orders (
    id uuid PRIMARY KEY,
    number text NOT NULL,
    customer_id uuid NOT NULL,
    status text NOT NULL
        CHECK (status IN ('created', 'processing', 'paid', 'cancelled', 'delivered')),
    hold_id uuid NOT NULL,
    payment_id uuid,
    pay_path text NOT NULL DEFAULT '',
    pay_until timestamptz NOT NULL,
    total_amount bigint NOT NULL CHECK (total_amount >= 0),
    currency text NOT NULL,
    refunded_amount bigint NOT NULL DEFAULT 0,
    pending_action text CHECK (pending_action IN ('pay', 'settle', 'cancel')),
    pending_since timestamptz,
    cancel_reason text,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT dvor_now(),
    CONSTRAINT one_order_per_hold UNIQUE (hold_id),
    CONSTRAINT refund_within_total CHECK (refunded_amount BETWEEN 0 AND total_amount),
    CONSTRAINT pending_has_a_start CHECK ((pending_action IS NULL) = (pending_since IS NULL))
);
CREATE INDEX orders_of_customer ON orders (customer_id, created_at DESC, id DESC);
CREATE INDEX orders_newest ON orders (created_at DESC, id DESC);
CREATE INDEX orders_pending ON orders (pending_since) WHERE pending_action IS NOT NULL;
CREATE INDEX orders_by_number ON orders (number text_pattern_ops);

CREATE FUNCTION refuse_wrong_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('created', 'processing'), ('created', 'cancelled'), ('processing', 'paid'),
        ('processing', 'cancelled'), ('paid', 'cancelled'), ('paid', 'delivered')
    ) THEN
        RAISE EXCEPTION 'an order does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'allowed_steps';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER allowed_steps BEFORE UPDATE OF status ON orders FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION refuse_wrong_step();

CREATE TABLE order_lines (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    position int NOT NULL,
    offer_id uuid NOT NULL,
    listing_id uuid NOT NULL,
    seller_id uuid NOT NULL,
    kind text NOT NULL,
    title jsonb NOT NULL,
    name jsonb NOT NULL,
    picture text NOT NULL,
    quantity int NOT NULL CHECK (quantity > 0),
    start_date date,
    end_date date,
    starts_at timestamptz,
    timezone text NOT NULL DEFAULT '',
    units int NOT NULL CHECK (units > 0),
    day_prices bigint[] NOT NULL,
    unit_price bigint NOT NULL CHECK (unit_price >= 0),
    total bigint NOT NULL CHECK (total >= 0),
    UNIQUE (order_id, position)
);
CREATE INDEX order_lines_of_seller ON order_lines (seller_id, order_id);

CREATE TABLE order_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    at timestamptz NOT NULL DEFAULT dvor_now(),
    what text NOT NULL,
    status text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX history_of_order ON order_history (order_id, id);

CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is only added to' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON order_history
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

CREATE TABLE received_webhooks (
    webhook_id text PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT dvor_now()
);
