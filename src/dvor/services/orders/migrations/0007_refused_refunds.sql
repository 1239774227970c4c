-- Refunds that the bank refused, once a try. A key stands for ever for what became of it, so that the
-- next try has a key of its own.
CREATE TABLE refused_refunds (
    key uuid NOT NULL,
    try int NOT NULL CHECK (try > 0),
    next_key uuid NOT NULL UNIQUE,
    order_id uuid NOT NULL REFERENCES orders,
    at timestamptz NOT NULL DEFAULT dvor_now(),
    PRIMARY KEY (key, try)
);
CREATE INDEX refused_refunds_of_order ON refused_refunds (order_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON refused_refunds
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
