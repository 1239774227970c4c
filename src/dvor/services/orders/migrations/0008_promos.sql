-- The code that was typed; empty: none.
ALTER TABLE carts ADD COLUMN promo_code text NOT NULL DEFAULT '';
-- The code whose use is in the order's hold.
ALTER TABLE orders ADD COLUMN promo_id uuid, ADD COLUMN promo_code text NOT NULL DEFAULT '',
    ADD CONSTRAINT promo_whole CHECK ((promo_id IS NULL) = (promo_code = ''));
