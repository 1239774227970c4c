-- How an offer is counted, and what its seller asks of bookings (contracts.inventory.Rules).
ALTER TABLE offers
    ADD COLUMN by_hour boolean NOT NULL DEFAULT false,
    ADD COLUMN seated boolean NOT NULL DEFAULT false,
    ADD COLUMN rules jsonb NOT NULL DEFAULT '{}';
