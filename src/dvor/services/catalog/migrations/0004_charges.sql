-- What is charged besides a price, and codes that take something off.

-- Messages `Fee`, in the order they are shown.
ALTER TABLE listings ADD COLUMN fees jsonb NOT NULL DEFAULT '[]'
    CONSTRAINT listings_fees_array CHECK (jsonb_typeof(fees) = 'array');

-- Sellers who tax what they sell; who is not here does not.
CREATE TABLE seller_taxes (
    seller_id uuid CONSTRAINT seller_taxes_pkey PRIMARY KEY,
    name_ru text NOT NULL,
    name_en text NOT NULL,
    -- Hundredths of a percent.
    rate integer NOT NULL CONSTRAINT seller_taxes_rate CHECK (rate BETWEEN 1 AND 10000),
    included boolean NOT NULL
);

-- What a code says never changes: inventory counts its uses by these limits. It can be stopped.
CREATE TABLE promos (
    id uuid CONSTRAINT promos_pkey PRIMARY KEY,
    -- In capital letters.
    code text NOT NULL CONSTRAINT promos_code_unique UNIQUE,
    -- NULL: the platform's.
    seller_id uuid,
    percent integer NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    minimum bigint NOT NULL CONSTRAINT promos_minimum CHECK (minimum >= 0),
    kinds text[] NOT NULL,
    listing_ids uuid[] NOT NULL,
    valid_from timestamptz,
    valid_until timestamptz,
    uses integer NOT NULL CONSTRAINT promos_uses CHECK (uses > 0),
    per_customer integer NOT NULL CONSTRAINT promos_per_customer CHECK (per_customer >= 0),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    CONSTRAINT promos_one_thing CHECK (percent BETWEEN 0 AND 100 AND amount >= 0 AND (percent > 0) <> (amount > 0))
);
CREATE INDEX promos_of_seller ON promos (seller_id, created_at DESC, id DESC);
