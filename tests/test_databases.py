"""A database that tests share in turn is for each of them as if it were new."""

import itertools
import os
from dataclasses import replace
from typing import Any

import pytest

from dvor.kernel.config import Settings
from dvor.kernel.db import raw_connection
from tests import databases

SERVICES = ("catalog", "orders")
_numbers = itertools.count()

EVENT = """
INSERT INTO outbox (message_id, aggregate, version, type, data, trace, at)
SELECT gen_random_uuid(), gen_random_uuid(), 1, 'x', '{}', '{}', now() FROM generate_series(1, %s)
"""
ONE_OF_EACH_KIND = {
    "catalog": (
        "UPDATE virtual_clock SET shift = '1 hour'",
        "DELETE FROM categories WHERE parent IS NOT NULL",
        "UPDATE list_generation SET number = number + 1",
        "DELETE FROM migrations",
        EVENT % 3,
    ),
    "orders": (EVENT % 2_000, "INSERT INTO leases VALUES ('x', gen_random_uuid(), 1, now())"),
}
OTHERWISE = (
    "ALTER TABLE outbox DROP CONSTRAINT outbox_one_version",
    "ALTER TABLE order_history DISABLE TRIGGER append_only",
    "DROP INDEX outbox_sent",
    "CREATE TABLE more (x int)",
    "ALTER TABLE leases ALTER epoch SET DEFAULT 2",
    "CREATE OR REPLACE FUNCTION dvor_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()'",
)


async def everything(url: str) -> dict[str, Any]:
    """Every row and every sequence of a database."""
    async with raw_connection(url) as connection:
        tables = await connection.fetch(
            "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND"
            " relnamespace = 'public'::regnamespace"
        )
        rows = {
            t["name"]: await connection.fetchval(
                f"SELECT json_agg(t ORDER BY t::text)::text FROM {t['name']} AS t"
            )
            for t in tables
        }
        sequences = await connection.fetch("SELECT sequencename, last_value FROM pg_sequences")
        return rows | {row["sequencename"]: row["last_value"] for row in sequences}


class Shelf:
    """What tests do: take databases, use them, give them back."""

    def __init__(self, template: Settings) -> None:
        self.template = template
        self.mine = template

    async def take(self) -> list[int]:
        """The databases' identities, which new names do not change."""
        prefix = f"shelf{os.getpid()}_{next(_numbers)}_"
        await databases.take(self.template, prefix, SERVICES)
        self.mine = replace(self.template, database_prefix=prefix)
        identity = "SELECT oid FROM pg_database WHERE datname = current_database()"
        return [await self.ask(service, identity) for service in SERVICES]

    async def give_back(self) -> None:
        await databases.give_back(self.template, self.mine.database_prefix, SERVICES)

    async def ask(self, service: str, sql: str) -> Any:
        async with raw_connection(self.mine.database(service)) as connection:
            return await connection.fetchval(sql)


@pytest.fixture
def shelf(template: Settings) -> Shelf:
    return Shelf(template)


class TestGivenBack:
    async def test_it_is_as_good_as_new(self, shelf: Shelf) -> None:
        first = await shelf.take()
        for service, changes in ONE_OF_EACH_KIND.items():
            for sql in changes:
                await shelf.ask(service, sql)
        await shelf.give_back()
        assert await shelf.take() == first
        for service in SERVICES:
            new = await everything(shelf.template.database(service))
            assert await everything(shelf.mine.database(service)) == new
        await shelf.give_back()

    @pytest.mark.parametrize("sql", OTHERWISE)
    async def test_with_another_schema_it_is_not_used_again(self, shelf: Shelf, sql: str) -> None:
        catalog, orders = await shelf.take()
        await shelf.ask("orders", sql)
        await shelf.give_back()
        again = await shelf.take()
        assert again[0] == catalog
        assert again[1] != orders
        await shelf.give_back()

    async def test_while_somebody_is_connected_it_is_not_used_again(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(databases, "_PATIENCE_SECONDS", 0.1)
        catalog, orders = await shelf.take()
        async with raw_connection(shelf.mine.database("catalog")):
            await shelf.give_back()
        again = await shelf.take()
        assert again[0] != catalog
        assert again[1] == orders
        await shelf.give_back()
