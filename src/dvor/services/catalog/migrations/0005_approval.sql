-- Whether the seller answers each request before it is booked and charged.
ALTER TABLE listings ADD COLUMN approval boolean NOT NULL DEFAULT false
    CONSTRAINT listings_approval_of_what_is_let CHECK (NOT approval OR kind IN ('rental', 'stay'));
