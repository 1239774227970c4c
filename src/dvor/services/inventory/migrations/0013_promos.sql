-- Uses of a promo code are units of an offer of its own: one timeless cell, its limits as quantity and rule.
-- `listing_id` is the code's id again. The platform's codes are nobody's.
ALTER TABLE offers
    DROP CONSTRAINT offers_kind,
    ADD CONSTRAINT offers_kind CHECK (kind IN ('product', 'rental', 'stay', 'event', 'promo')),
    ALTER COLUMN seller_id DROP NOT NULL,
    ADD CONSTRAINT offers_have_sellers CHECK (seller_id IS NOT NULL OR kind = 'promo');
