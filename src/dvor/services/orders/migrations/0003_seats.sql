ALTER TABLE cart_lines ADD COLUMN seats text[] NOT NULL DEFAULT '{}';
ALTER TABLE order_lines ADD COLUMN seats text[] NOT NULL DEFAULT '{}';
