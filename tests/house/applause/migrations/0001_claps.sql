CREATE TABLE claps (
    listing_id uuid CONSTRAINT claps_pkey PRIMARY KEY,
    count integer NOT NULL CONSTRAINT claps_not_negative CHECK (count >= 0)
);
