CREATE TABLE ical_feeds (
    offer_id uuid PRIMARY KEY CONSTRAINT ical_feeds_offer REFERENCES offers,
    token    text NOT NULL CONSTRAINT ical_feeds_token UNIQUE
);
COMMENT ON TABLE ical_feeds IS 'Offers whose taken days others may read, at an address that cannot be guessed.';

CREATE TABLE ical_imports (
    id         uuid PRIMARY KEY,
    offer_id   uuid NOT NULL CONSTRAINT ical_imports_offer REFERENCES offers,
    name       text NOT NULL,
    url        text NOT NULL DEFAULT '',
    fetch_at   timestamptz,
    fetched_at timestamptz,
    problem    text NOT NULL DEFAULT '',
    broken     jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX ical_imports_of_offer ON ical_imports (offer_id);
CREATE INDEX ical_imports_due ON ical_imports (fetch_at) WHERE fetch_at IS NOT NULL;
COMMENT ON TABLE ical_imports IS 'Calendars of other places; their events are closures with the source ical:<id>.';
COMMENT ON COLUMN ical_imports.fetch_at IS 'When to look at its address again; null: its file was brought by hand.';
