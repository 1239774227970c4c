-- The line for what is sold out (contracts.waiting).
CREATE TABLE waiting (
    id            uuid PRIMARY KEY,
    place         bigint GENERATED ALWAYS AS IDENTITY,
    customer_id   uuid NOT NULL,
    offer_id      uuid NOT NULL CONSTRAINT waiting_offer REFERENCES offers,
    first_slot    integer NOT NULL,
    end_slot      integer NOT NULL,
    hours_from    timestamptz,
    hours_until   timestamptz,
    quantity      integer NOT NULL CONSTRAINT waiting_quantity CHECK (quantity > 0),
    title         jsonb NOT NULL,
    name          jsonb NOT NULL,
    status        text NOT NULL DEFAULT 'waiting' CONSTRAINT waiting_status CHECK (status IN
        ('waiting', 'offered', 'taken', 'declined', 'lapsed', 'left', 'over')),
    joined_at     timestamptz NOT NULL DEFAULT dvor_now(),
    offered_until timestamptz,
    ended_at      timestamptz,
    CONSTRAINT waiting_slots CHECK (first_slot < end_slot)
);
COMMENT ON TABLE waiting IS 'Who waits for what. The hold that an offer stands on has the id of the entry.';
COMMENT ON COLUMN waiting.place IS 'Rises with the order of arrival: who competes for a cell joins with that cell locked.';
COMMENT ON COLUMN waiting.title IS 'What the listing was called then: whoever tells the customer need not ask the catalogue.';
CREATE UNIQUE INDEX waiting_once ON waiting (customer_id, offer_id, first_slot, end_slot)
    WHERE status IN ('waiting', 'offered');
CREATE INDEX waiting_line ON waiting (offer_id, place) WHERE status IN ('waiting', 'offered');
CREATE INDEX waiting_of_customer ON waiting (customer_id, place DESC);
CREATE INDEX waiting_to_end ON waiting (end_slot) WHERE status = 'waiting';

-- On the cell, not on the offer: read under the cell's own lock it is never out of date, and only
-- those pay for a line who touch what somebody waits for.
ALTER TABLE cells ADD COLUMN waited boolean NOT NULL DEFAULT false;
CREATE INDEX cells_waited ON cells (offer_id, slot) WHERE waited;
COMMENT ON COLUMN cells.waited IS 'Somebody may wait for it: whoever frees it looks for them first.';
