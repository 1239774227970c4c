"""What a transaction writes beside its tables: events for the outbox, tasks."""

from collections.abc import Sequence
from typing import Any

from dvor.kernel.events import Event
from dvor.kernel.ids import new

_INSERT_EVENTS = """
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

_INSERT_TASKS = """
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


async def write_events(connection: Any, events: Sequence[tuple[Event, str]]) -> None:
    """Append to the outbox: events, each with the trace it belongs to as JSON."""
    await connection.execute(
        _INSERT_EVENTS,
        [new() for _ in events],
        [event.aggregate_id for event, _ in events],
        [event.wire_name for event, _ in events],
        [event.model_dump_json() for event, _ in events],
        [trace for _, trace in events],
    )


async def write_tasks(connection: Any, tasks: Sequence[tuple[Any, ...]]) -> None:
    """Have tasks done: id, name, work, when, how often at most, trace. One that is known is not."""
    columns = [list(column) for column in zip(*tasks, strict=True)]
    await connection.execute(_INSERT_TASKS, *columns)
