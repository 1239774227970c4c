-- What follows a payment (its webhooks) belongs to the trace and request in which it was asked for.
ALTER TABLE payments ADD COLUMN trace jsonb NOT NULL DEFAULT '{}';
