-- Whether a cell is sold out is a column of its own: an index on an expression of the counters would
-- have to be written with every hold, this one changes only when the answer does (the rest stays HOT).
ALTER TABLE cells ADD COLUMN sold_out boolean NOT NULL GENERATED ALWAYS AS (held + sold >= capacity) STORED;
CREATE INDEX cells_sold_out ON cells (offer_id, slot) WHERE sold_out;
CREATE INDEX offers_on_sale ON offers (kind, by_hour, offer_id) WHERE open;
