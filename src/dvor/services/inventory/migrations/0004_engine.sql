-- A hold is one row with its claims inside: the engine writes thousands of them a second, and a row of
-- their own with an index of their own was half of that work. `claims` shows them one by one.
CREATE TYPE claim AS (
    offer_id    uuid,
    first_slot  integer,
    end_slot    integer,
    buffer      integer,
    quantity    integer,
    hours_from  timestamptz,
    hours_until timestamptz,
    seat_slots  integer[],
    seat_names  text[]
);
COMMENT ON TYPE claim IS 'A quantity in every slot from first_slot up to, not including, end_slot + buffer; or one in each of seat_slots.';

ALTER TABLE holds
    ADD COLUMN customer_id uuid,
    ADD COLUMN limited boolean NOT NULL DEFAULT false,
    ADD COLUMN claims claim[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN holds.limited IS 'Some of it counts against a limit per customer.';
UPDATE holds SET claims = found.claims FROM (
    SELECT hold_id, array_agg(
        ROW(offer_id, first_slot, end_slot, 0, quantity, NULL, NULL, NULL, NULL)::claim ORDER BY position
    ) AS claims FROM claims GROUP BY hold_id
) AS found WHERE found.hold_id = holds.id;
ALTER TABLE holds ALTER COLUMN claims DROP DEFAULT;
DROP TABLE claims;
CREATE INDEX holds_limited ON holds (customer_id) WHERE limited AND status IN ('held', 'confirmed');

CREATE FUNCTION claimed_offers(claims claim[]) RETURNS uuid[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (SELECT array_agg(DISTINCT offer_id) FROM unnest(claims));
CREATE INDEX holds_of_offer ON holds USING gin (claimed_offers(claims)) WHERE status = 'confirmed';

CREATE VIEW claims AS
    SELECT holds.id AS hold_id, claim.position, claim.offer_id, claim.first_slot, claim.end_slot,
        claim.buffer, claim.quantity, claim.hours_from, claim.hours_until, claim.seat_slots, claim.seat_names
    FROM holds CROSS JOIN LATERAL unnest(holds.claims) WITH ORDINALITY AS claim
        (offer_id, first_slot, end_slot, buffer, quantity, hours_from, hours_until, seat_slots, seat_names, position);

-- Cell by cell what holds have claimed: the ledger behind the counters.
CREATE VIEW claimed_cells AS
    SELECT hold_id, offer_id, slot, quantity AS units
    FROM claims CROSS JOIN LATERAL generate_series(first_slot, end_slot + buffer - 1) AS slot
    WHERE seat_slots IS NULL
    UNION ALL
    SELECT hold_id, offer_id, slot, 1 FROM claims CROSS JOIN LATERAL unnest(seat_slots) AS slot;
