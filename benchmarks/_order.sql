\set customer random(1, 1000000)
\set offer random(1, 100)
SELECT gen_random_uuid() AS cart, gen_random_uuid() AS hold, gen_random_uuid() AS "order", gen_random_uuid() AS payment \gset
WITH moved AS (
    UPDATE cells SET held = held + 1 WHERE offer_id = :offer AND held + sold + 1 <= capacity RETURNING offer_id
), held AS (
    INSERT INTO holds (id, status, expires_at, offer_id)
    SELECT :hold::uuid, 'held', clock_timestamp() + interval '15 minutes', offer_id FROM moved RETURNING id
), cart AS (
    INSERT INTO carts (id, customer_id, hold_id, version) SELECT :cart::uuid, :customer, id, 1 FROM held RETURNING id
)
INSERT INTO cart_lines (cart_id, offer_id, quantity) SELECT id, :offer, 1 FROM cart;
WITH gone AS (DELETE FROM cart_lines WHERE cart_id = :cart::uuid RETURNING offer_id), placed AS (
    INSERT INTO orders (id, customer_id, hold_id, status, total) VALUES (:order::uuid, :customer, :hold::uuid, 'created', 250000) RETURNING id
), line AS (
    INSERT INTO order_lines (order_id, offer_id, quantity, total, title) SELECT :order::uuid, offer_id, 1, 250000, '{"en": "The last few lamps"}' FROM gone
), noted AS (
    INSERT INTO order_history (order_id, what) SELECT id, 'created' FROM placed
), told AS (
    INSERT INTO outbox (key, body) SELECT id, '{"type": "OrderCreated"}' FROM placed
)
UPDATE carts SET version = version + 1 WHERE id = :cart::uuid;
INSERT INTO payments (id, order_id, amount, status) VALUES (:payment::uuid, :order::uuid, 250000, 'requested');
WITH requested AS (
    UPDATE orders SET status = 'processing', payment_id = :payment::uuid WHERE id = :order::uuid RETURNING id
)
INSERT INTO order_history (order_id, what) SELECT id, 'payment_requested' FROM requested;
WITH secured AS (
    UPDATE payments SET status = 'authorised' WHERE id = :payment::uuid AND status = 'requested' RETURNING id
), step AS (
    INSERT INTO payment_steps (payment_id, what, amount) SELECT id, 'authorised', 250000 FROM secured
)
INSERT INTO webhooks (payment_id, type) SELECT id, 'payment.authorised' FROM secured;
WITH seen AS (
    UPDATE orders SET pending = 'settle' WHERE id = :order::uuid AND status = 'processing' RETURNING id
)
INSERT INTO order_history (order_id, what) SELECT id, 'payment_authorised' FROM seen;
WITH booked AS (
    UPDATE holds SET status = 'sold' WHERE id = :hold::uuid AND status = 'held' RETURNING offer_id
)
UPDATE cells SET held = held - 1, sold = sold + 1 FROM booked WHERE cells.offer_id = booked.offer_id;
WITH captured AS (
    UPDATE payments SET status = 'captured' WHERE id = :payment::uuid AND status = 'authorised' RETURNING id
)
INSERT INTO payment_steps (payment_id, what, amount) SELECT id, 'captured', 250000 FROM captured;
WITH paid AS (
    UPDATE orders SET status = 'paid', pending = NULL WHERE id = :order::uuid AND status = 'processing' RETURNING id
), noted AS (
    INSERT INTO order_history (order_id, what) SELECT id, unnest(ARRAY['booked', 'paid']) FROM paid
)
INSERT INTO outbox (key, body) SELECT id, '{"type": "OrderPaid"}' FROM paid;
INSERT INTO notifications (customer_id, topic) VALUES (:customer, 'order_paid');
SELECT o.*, l.* FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.id = :order::uuid;
