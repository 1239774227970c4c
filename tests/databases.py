"""Databases that tests use one after another: copied from a template once, then emptied each time.

Copying and dropping one costs about half a second of a processor, emptying a few milliseconds. A
database whose schema a test has changed, or where somebody is still connected, is dropped.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from dvor.kernel.config import Settings

_TRUNCATED_BYTES = 131_072
"""Smaller tables are emptied by DELETE, which makes no new files."""
_PATIENCE_SECONDS = 2.0
"""How long sessions that were closed may take to end."""

_LOOK = """
SELECT
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()) AS sessions,
    (SELECT string_agg(part, ' ') FROM (
        -- Whatever writes a row of a catalogue leaves its transaction there. Not in pg_class:
        -- TRUNCATE writes there too.
        SELECT count(*) || ':' || coalesce(sum(hashtextextended(concat_ws('|', relname, relkind,
            relnamespace, relpersistence, relchecks, relrowsecurity, reloptions, relacl), 0)), 0)
            AS part FROM pg_class WHERE oid >= 16384
        UNION ALL SELECT {mark} FROM pg_attribute WHERE attrelid >= 16384
        UNION ALL SELECT {mark} FROM pg_attrdef
        UNION ALL SELECT {mark} FROM pg_constraint WHERE oid >= 16384
        UNION ALL SELECT {mark} FROM pg_index WHERE indrelid >= 16384
        UNION ALL SELECT {mark} FROM pg_trigger
        UNION ALL SELECT {mark} FROM pg_proc WHERE oid >= 16384
        UNION ALL SELECT {mark} FROM pg_type WHERE oid >= 16384
        UNION ALL SELECT {mark} FROM pg_rewrite WHERE oid >= 16384
        UNION ALL SELECT {mark} FROM pg_namespace
        UNION ALL SELECT {mark} FROM pg_sequence
        UNION ALL SELECT {mark} FROM pg_policy
        UNION ALL SELECT {mark} FROM pg_extension
        UNION ALL SELECT {mark} FROM pg_db_role_setting WHERE setdatabase =
            (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS parts) AS schema
""".replace("{mark}", "count(*) || ':' || coalesce(sum(xmin::text::bigint), 0)")

_TABLES = "relkind = 'r' AND relnamespace = 'public'::regnamespace"

_EMPTY = """
DO $empty$
DECLARE
    heavy text;
    one regclass;
BEGIN
    -- No triggers: neither foreign keys nor those that refuse to lose history.
    PERFORM set_config('session_replication_role', 'replica', true);
    SELECT string_agg(oid::regclass::text, ', ') INTO heavy
        FROM pg_class WHERE {tables} AND pg_relation_size(oid) > {bytes};
    IF heavy IS NOT NULL THEN
        EXECUTE 'TRUNCATE ' || heavy || ' CASCADE';
    END IF;
    FOR one IN SELECT oid FROM pg_class
        WHERE {tables} AND pg_relation_size(oid) > 0 AND relname <> ALL ({seeded}::text[])
    LOOP
        EXECUTE 'DELETE FROM ' || one;
    END LOOP;
    PERFORM setval(seqrelid, seqstart, false)
        FROM pg_sequence WHERE pg_sequence_last_value(seqrelid) IS NOT NULL;
{seeds}
END
$empty$
"""

_SEED = """
    IF (SELECT {mark} FROM {table}) <> {before} THEN
        DELETE FROM {table};
        INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
            SELECT {columns} FROM json_populate_recordset(NULL::{table}, {rows});
    END IF;
""".replace("{mark}", "count(*) || ':' || coalesce(sum(xmin::text::bigint), 0)")


@dataclass(frozen=True)
class _Template:
    """What a database looks like before a test."""

    schema: str
    emptying: str
    """The statement that makes it so again."""


_templates: dict[str, _Template] = {}
_shelf: dict[str, list[str]] = defaultdict(list)
"""Template -> empty databases that wait for a test."""


async def take(template: Settings, prefix: str, services: Iterable[str]) -> None:
    """Give each of these services an empty, migrated database named after it and `prefix`."""
    admin = await asyncpg.connect(template.database_url)
    try:
        for service in services:
            source, name = f"{template.database_prefix}{service}", f"{prefix}{service}"
            if _shelf[source]:
                await admin.execute(f'ALTER DATABASE "{_shelf[source].pop()}" RENAME TO "{name}"')
                continue
            if source not in _templates:
                _templates[source] = await _read(template.database(service))
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    finally:
        await admin.close()


async def copy(template: Settings, prefix: str, services: Iterable[str]) -> None:
    """Give each of these services a database that has what the template's has; nobody else uses it.

    Nobody may be connected to the template.
    """
    admin = await asyncpg.connect(template.database_url)
    try:
        for service in services:
            source, name = f"{template.database_prefix}{service}", f"{prefix}{service}"
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    finally:
        await admin.close()


async def give_back(template: Settings, prefix: str, services: Iterable[str]) -> None:
    """Nobody needs these any more: the next test may have them, or they are dropped."""
    mine = replace(template, database_prefix=prefix)
    urls = {service: mine.database(service) for service in services}
    sources = {service: f"{template.database_prefix}{service}" for service in urls}
    emptied = await asyncio.gather(*(_emptied(urls[s], _templates[sources[s]]) for s in urls))
    kept = dict(zip(urls, emptied, strict=True))
    await _drop(template, [f"{prefix}{service}" for service in urls if not kept[service]])
    for service in urls:
        if kept[service]:
            _shelf[sources[service]].append(f"{prefix}{service}")


async def _drop(template: Settings, names: list[str]) -> None:
    if not names:
        return
    admin = await asyncpg.connect(template.database_url)
    try:
        for name in names:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def _emptied(url: str, template: _Template) -> bool:
    """Whether the database is again as it was before the test."""
    try:
        connection = await asyncpg.connect(url)
    except asyncpg.PostgresError:  # a test has dropped it
        return False
    try:
        for _ in range(int(_PATIENCE_SECONDS / 0.02)):
            look: Any = await connection.fetchrow(_LOOK)
            if look["schema"] != template.schema:
                return False
            if not look["sessions"]:
                await connection.execute(template.emptying)
                return True
            await asyncio.sleep(0.02)
        return False
    finally:
        await connection.close()


async def _read(url: str) -> _Template:
    connection = await asyncpg.connect(url)
    try:
        look: Any = await connection.fetchrow(_LOOK)
        called = "SELECT count(*) FROM pg_sequence WHERE pg_sequence_last_value(seqrelid) > 0"
        assert not await connection.fetchval(called), "a migration has used a sequence"
        tables = [
            row["name"]
            for row in await connection.fetch(
                f"SELECT oid::regclass::text AS name FROM pg_class WHERE {_TABLES}"
            )
        ]
        seeds = {t: s for t in tables if (s := await _seed(connection, t))}
        names = "{" + ",".join(seeds) + "}"
        emptying = (
            _EMPTY.replace("{tables}", _TABLES)
            .replace("{bytes}", str(_TRUNCATED_BYTES))
            .replace("{seeded}", _literal(names))
            .replace("{seeds}", "".join(seeds.values()))
        )
        return _Template(look["schema"], emptying)
    finally:
        await connection.close()


async def _seed(connection: Any, table: str) -> str:
    """The statement that brings back what migrations have written; empty where that is nothing."""
    rows = await connection.fetchval(f"SELECT json_agg(t) FROM {table} AS t")
    if rows is None:
        return ""
    columns = await connection.fetchval(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attgenerated = ''",
        table,
    )
    mark = "SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint), 0) FROM "
    parts: Mapping[str, str] = {
        "table": table,
        "columns": columns,
        "rows": _literal(json.dumps(json.loads(rows))),
        "before": _literal(await connection.fetchval(mark + table)),
    }
    statement = _SEED
    for name, part in parts.items():
        statement = statement.replace("{" + name + "}", part)
    return statement


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
