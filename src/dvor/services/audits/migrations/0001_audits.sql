CREATE TABLE audits (
    id uuid PRIMARY KEY,
    begun_at timestamptz NOT NULL DEFAULT dvor_now(),
    ended_at timestamptz,
    violations bigint NOT NULL DEFAULT 0,
    -- Messages `AuditFinding`.
    findings jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX audits_newest ON audits (begun_at DESC);
CREATE INDEX audits_broken ON audits (begun_at DESC) WHERE violations > 0;
