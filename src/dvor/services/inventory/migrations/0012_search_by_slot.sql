-- A search for dates crosses off what is sold out slot by slot: of each slot in one short scan.
DROP INDEX cells_sold_out;
CREATE INDEX cells_sold_out ON cells (slot, offer_id) WHERE sold_out;
