CREATE TABLE offers (
    offer_id   uuid PRIMARY KEY,
    listing_id uuid NOT NULL,
    seller_id  uuid NOT NULL,
    kind       text NOT NULL CONSTRAINT offers_kind CHECK (kind IN ('product', 'rental', 'stay', 'event')),
    quantity   integer NOT NULL DEFAULT 0 CONSTRAINT offers_quantity CHECK (quantity >= 0),
    timezone   text NOT NULL DEFAULT 'UTC',
    open       boolean NOT NULL
);
CREATE INDEX offers_of_listing ON offers (listing_id);
COMMENT ON TABLE offers IS 'What inventory knows of an offer; quantity 0 until its seller sets a supply.';

-- Half of each page stays free, so that a counter's next version lands on the same page (HOT).
CREATE TABLE cells (
    offer_id uuid NOT NULL CONSTRAINT cells_offer REFERENCES offers,
    slot     integer NOT NULL,
    capacity integer NOT NULL,
    held     integer NOT NULL DEFAULT 0,
    sold     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (offer_id, slot),
    CONSTRAINT cells_within_capacity CHECK (held >= 0 AND sold >= 0 AND held + sold <= capacity)
) WITH (fillfactor = 50);
COMMENT ON TABLE cells IS 'One counter per offer and slot. An absent cell is free: it has the offer''s quantity.';
COMMENT ON COLUMN cells.slot IS '0 for goods and tickets; days since 1970-01-01 for what is let by dates.';

CREATE TABLE holds (
    id         uuid PRIMARY KEY,
    status     text NOT NULL CONSTRAINT holds_status CHECK (status IN ('held', 'confirmed', 'released', 'expired')),
    made_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX holds_to_expire ON holds (expires_at) WHERE status = 'held';
COMMENT ON COLUMN holds.made_at IS 'When it was first taken, or taken anew after it expired; limits how long it can be renewed.';

CREATE TABLE claims (
    hold_id    uuid NOT NULL CONSTRAINT claims_hold REFERENCES holds,
    position   integer NOT NULL,
    offer_id   uuid NOT NULL CONSTRAINT claims_offer REFERENCES offers,
    first_slot integer NOT NULL,
    end_slot   integer NOT NULL,
    quantity   integer NOT NULL CONSTRAINT claims_quantity CHECK (quantity > 0),
    PRIMARY KEY (hold_id, position),
    CONSTRAINT claims_slots CHECK (first_slot < end_slot)
);
COMMENT ON TABLE claims IS 'What a hold consists of: a quantity in every slot from first_slot up to, not including, end_slot.';
