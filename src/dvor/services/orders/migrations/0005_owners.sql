-- Who moves an order on: see saga.py. `due_at` is when somebody must look at it next, and the end
-- of its owner's lease; each owner has an epoch of its own.
ALTER TABLE orders
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN due_at timestamptz,
    ADD COLUMN held_until timestamptz,
    ADD COLUMN tries int NOT NULL DEFAULT 0;
-- The real end of a hold is the inventory's secret; an unpaid order is then looked at a little late.
UPDATE orders SET held_until = pay_until + interval '2 minutes';
UPDATE orders SET due_at = dvor_now()
    WHERE pending_action IS NOT NULL OR status IN ('created', 'processing');
ALTER TABLE orders ALTER COLUMN held_until SET NOT NULL,
    ADD CONSTRAINT nobody_is_forgotten CHECK (
        due_at IS NOT NULL OR pending_action IS NULL AND status NOT IN ('created', 'processing')
    );
DROP INDEX orders_pending;
CREATE INDEX orders_due ON orders (due_at) WHERE due_at IS NOT NULL;
-- Until now tasks finished and expired orders.
DELETE FROM tasks WHERE name IN ('finish_order', 'expire_order') AND state = 'due';
