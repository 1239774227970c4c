-- Who waited for something sold out is told that it came free, and that their time ran out.
ALTER TABLE notifications DROP CONSTRAINT topic_is_known;
ALTER TABLE notifications ADD CONSTRAINT topic_is_known CHECK (topic IN (
    'welcome', 'order_created', 'order_paid', 'payment_failed', 'order_cancelled',
    'order_delivered', 'sale_paid', 'sale_cancelled', 'waiting_offered', 'waiting_lapsed'
));
