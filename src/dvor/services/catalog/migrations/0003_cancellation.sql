-- What comes back to customers who cancel (message `Policy`); nothing said: everything.
ALTER TABLE listings ADD COLUMN cancellation jsonb NOT NULL DEFAULT '{"steps": [{"until": "handover"}]}';
