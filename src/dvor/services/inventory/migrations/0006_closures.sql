-- Units that their owner keeps back. The capacity of a cell is the offer's quantity without what is
-- closed, but never less than what was promised before.
CREATE TABLE closures (
    id         uuid PRIMARY KEY,
    offer_id   uuid NOT NULL CONSTRAINT closures_offer REFERENCES offers,
    first_slot integer NOT NULL,
    end_slot   integer NOT NULL,
    units      integer NOT NULL CONSTRAINT closures_units CHECK (units > 0),
    source     text NOT NULL CONSTRAINT closures_source CHECK (source ~ '^(owner|(ical|room):[0-9a-f-]{36})$'),
    note       text NOT NULL DEFAULT '',
    unmet      boolean NOT NULL DEFAULT false,
    CONSTRAINT closures_slots CHECK (first_slot < end_slot)
);
CREATE INDEX closures_of_offer ON closures (offer_id, end_slot);
CREATE INDEX closures_unmet ON closures (offer_id) WHERE unmet;
COMMENT ON TABLE closures IS 'Units not to be had in every slot from first_slot up to, not including, end_slot.';
COMMENT ON COLUMN closures.unmet IS 'Some slot has promised what should be closed: to be taken when it becomes free.';

CREATE FUNCTION closed_units(of_offer uuid, from_slot integer, to_slot integer)
    RETURNS TABLE (slot integer, units integer) LANGUAGE sql STABLE
    AS $$
        SELECT slot, sum(units)::integer
        FROM closures, generate_series(greatest(first_slot, from_slot), least(end_slot, to_slot) - 1) AS slot
        WHERE offer_id = of_offer AND end_slot > from_slot AND first_slot < to_slot
        GROUP BY slot
    $$;
COMMENT ON FUNCTION closed_units IS 'What is closed of an offer in each slot from from_slot up to, not including, to_slot; slots that are open are left out.';
