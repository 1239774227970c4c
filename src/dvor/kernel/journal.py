"""SQL of what a transaction writes beside its tables: events for the outbox, tasks."""

INSERT_EVENTS = """
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
        WITH ORDINALITY AS g (message_id, aggregate, type, data, trace, position)
), counted AS (
    SELECT aggregate, count(*) AS events FROM given GROUP BY aggregate
), versions AS (
    INSERT INTO aggregate_versions AS v (aggregate, version)
    SELECT aggregate, events FROM counted ORDER BY aggregate
    ON CONFLICT (aggregate) DO UPDATE SET version = v.version + excluded.version
    RETURNING aggregate, version
), numbered AS (
    SELECT g.*, v.version - c.events
             + row_number() OVER (PARTITION BY g.aggregate ORDER BY position) AS version
    FROM given g JOIN counted c USING (aggregate) JOIN versions v USING (aggregate)
), told AS (
    INSERT INTO outbox (message_id, aggregate, version, type, data, trace, at)
    SELECT message_id, aggregate, version, type, data::jsonb, trace::jsonb, dvor_now()
    FROM numbered ORDER BY position
    RETURNING id
)
SELECT pg_notify('dvor_outbox', '') FROM told LIMIT 1
"""

INSERT_TASKS = """
WITH given AS (
    INSERT INTO tasks (id, name, work, run_at, attempts_max, trace)
    SELECT id, name, work::jsonb, coalesce(run_at, dvor_now()), attempts_max, trace::jsonb
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::int[], $6::text[])
        AS g (id, name, work, run_at, attempts_max, trace)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT pg_notify('dvor_tasks', '') FROM given LIMIT 1
"""
