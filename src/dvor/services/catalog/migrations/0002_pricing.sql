-- What a price depends on besides base price and seasons: the message `Pricing`, defaults left out.
ALTER TABLE offers
    ADD COLUMN by_hour boolean NOT NULL DEFAULT false,
    ADD COLUMN pricing jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT offers_pricing_object CHECK (jsonb_typeof(pricing) = 'object');
