-- How a line's total came about, as the catalogue explained it then (messages `PricePart`), and its
-- deposit, which is in no total.
ALTER TABLE order_lines
    ADD COLUMN parts jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN deposit bigint NOT NULL DEFAULT 0
        CONSTRAINT order_lines_deposit_positive CHECK (deposit >= 0);

-- Until now a price was what its days cost, and nothing was taken off.
UPDATE order_lines SET parts = (
    SELECT jsonb_agg(jsonb_build_object(
        'kind', 'base', 'units', units, 'price', price,
        'amount', units * price * order_lines.quantity
    ) ORDER BY price)
    FROM (
        SELECT price, count(*) AS units FROM unnest(day_prices) AS price GROUP BY price
    ) AS days
);

ALTER TABLE order_lines ALTER COLUMN parts DROP DEFAULT, ALTER COLUMN deposit DROP DEFAULT;
