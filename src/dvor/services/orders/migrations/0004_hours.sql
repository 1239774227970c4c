ALTER TABLE cart_lines ADD COLUMN hours_from timestamptz, ADD COLUMN hours_until timestamptz,
    ADD CONSTRAINT hours_together CHECK ((hours_from IS NULL) = (hours_until IS NULL)),
    DROP CONSTRAINT equal_lines_are_one,
    ADD CONSTRAINT equal_lines_are_one
        UNIQUE NULLS NOT DISTINCT (cart_id, offer_id, start_date, end_date, hours_from, hours_until);
ALTER TABLE order_lines ADD COLUMN hours_from timestamptz, ADD COLUMN hours_until timestamptz,
    ADD CONSTRAINT hours_of_line_together CHECK ((hours_from IS NULL) = (hours_until IS NULL));
