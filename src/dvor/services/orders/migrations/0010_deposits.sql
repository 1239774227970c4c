-- Deposits of lines, which payments sets aside before anything is booked: needed -> secured. Orders
-- from before have none: theirs were paid at the pickup.
ALTER TABLE orders ADD COLUMN deposit text
    CONSTRAINT deposit_step CHECK (deposit IN ('needed', 'secured'));
-- Nobody is asked, nothing is booked and charged before all of them are set aside.
ALTER TABLE orders ADD CONSTRAINT nothing_before_deposit CHECK (deposit IS NULL OR deposit = 'secured'
    OR (status NOT IN ('paid', 'delivered')
        AND (pending_action IS NULL OR pending_action NOT IN ('ask', 'settle'))));
ALTER TABLE orders DROP CONSTRAINT orders_pending_action_check;
ALTER TABLE orders ADD CONSTRAINT orders_pending_action_check
    CHECK (pending_action IN ('pay', 'secure', 'ask', 'settle', 'cancel', 'change'));
