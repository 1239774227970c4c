CREATE TABLE seat_maps (
    listing_id uuid PRIMARY KEY,
    version    integer NOT NULL,
    layout     jsonb NOT NULL
);
COMMENT ON TABLE seat_maps IS 'What the organiser drew: contracts.seating.SeatMap.';

-- A slot belongs to one (offer, name) for ever: a seat that is taken away and put back has its old one.
CREATE TABLE seats (
    offer_id   uuid NOT NULL CONSTRAINT seats_offer REFERENCES offers,
    slot       integer NOT NULL CONSTRAINT seats_slot CHECK (slot >= 1),
    listing_id uuid NOT NULL,
    name       text NOT NULL,
    row_place  integer NOT NULL,
    place      integer NOT NULL,
    centre     integer NOT NULL,
    accessible boolean NOT NULL,
    active     boolean NOT NULL DEFAULT true,
    PRIMARY KEY (offer_id, slot),
    CONSTRAINT seats_one_slot UNIQUE (offer_id, name)
);
CREATE UNIQUE INDEX seats_one_name ON seats (listing_id, name) WHERE active;
COMMENT ON TABLE seats IS 'The numbered seats of an offer (a tier): each is the cell (offer_id, slot) with capacity 1.';
COMMENT ON COLUMN seats.row_place IS 'Rows from the stage back, through all sections.';
COMMENT ON COLUMN seats.place IS 'Column in its section; columns that follow each other are beside each other.';
COMMENT ON COLUMN seats.centre IS 'The middle of its section in half columns, to the right of column 0.';
COMMENT ON COLUMN seats.active IS 'False: no longer in the map; its cell has capacity 0.';
