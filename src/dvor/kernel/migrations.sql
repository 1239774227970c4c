-- What every service's database has: time, events out and in, tasks, leases, answers kept.

CREATE TABLE virtual_clock (
    only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
    shift interval NOT NULL DEFAULT '0'
);
INSERT INTO virtual_clock DEFAULT VALUES;

CREATE FUNCTION dvor_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT clock_timestamp() + shift FROM virtual_clock $$;

CREATE TABLE aggregate_versions (
    aggregate uuid PRIMARY KEY,
    version bigint NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL,
    aggregate uuid NOT NULL,
    version bigint NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    trace jsonb NOT NULL,
    at timestamptz NOT NULL,
    sent_at timestamptz,
    CONSTRAINT outbox_one_version UNIQUE (aggregate, version)
);
CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE inbox (
    message_id uuid PRIMARY KEY,
    aggregate uuid NOT NULL,
    version bigint NOT NULL,
    type text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT dvor_now()
);
CREATE INDEX inbox_seen ON inbox (seen_at);

CREATE TABLE parked_messages (
    message_id uuid PRIMARY KEY,
    aggregate uuid NOT NULL,
    version bigint NOT NULL,
    type text NOT NULL,
    envelope jsonb NOT NULL,
    error text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT dvor_now()
);
CREATE INDEX parked_by_aggregate ON parked_messages (aggregate);

CREATE TABLE tasks (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    work jsonb NOT NULL,
    trace jsonb NOT NULL DEFAULT '{}',
    run_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'failed')),
    attempts int NOT NULL DEFAULT 0,
    attempts_max int NOT NULL,
    lease_until timestamptz,
    error text,
    done_at timestamptz
);
CREATE INDEX tasks_due ON tasks (run_at) WHERE state = 'due';
CREATE INDEX tasks_done ON tasks (done_at) WHERE state = 'done';

CREATE TABLE leases (
    name text PRIMARY KEY,
    holder uuid NOT NULL,
    epoch bigint NOT NULL DEFAULT 1,
    until timestamptz NOT NULL
);

CREATE TABLE idempotency_keys (
    principal text NOT NULL,
    operation text NOT NULL,
    key uuid NOT NULL,
    fingerprint bytea NOT NULL,
    state text NOT NULL DEFAULT 'under_way' CHECK (state IN ('under_way', 'done')),
    epoch int NOT NULL DEFAULT 1,
    lease_until timestamptz NOT NULL,
    status int,
    headers jsonb,
    body bytea,
    made_at timestamptz NOT NULL DEFAULT dvor_now(),
    PRIMARY KEY (principal, operation, key),
    CONSTRAINT done_has_an_answer CHECK (state = 'under_way' OR status IS NOT NULL)
);
CREATE INDEX idempotency_made ON idempotency_keys (made_at);
