"""Transactions: one at a time, whole or not at all, no connection left behind."""

import asyncio
import contextvars
import random
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from dvor.kernel import clock, virtual_clock
from dvor.kernel.db import (
    Contended,
    Database,
    assert_no_transaction,
    raw_connection,
    translated,
)
from dvor.kernel.errors import Conflict, Unavailable
from tests.kernel.conftest import OpenDatabase


class Taken(Conflict):
    """Taken."""


class TestTransaction:
    async def test_a_call_to_another_service_inside_asserts(self, database: OpenDatabase) -> None:
        db = await database("orders")
        assert_no_transaction("catalog.offers")
        async with db.tx():
            with pytest.raises(AssertionError, match=r"catalog\.offers inside an open transaction"):
                assert_no_transaction("catalog.offers")
        assert_no_transaction("catalog.offers")

    async def test_a_second_one_inside_the_first_asserts(self, database: OpenDatabase) -> None:
        db = await database("orders")
        async with db.tx():
            with pytest.raises(AssertionError):
                async with db.tx():
                    pass

    async def test_a_named_constraint_becomes_its_refusal(self, database: OpenDatabase) -> None:
        db = await database("orders")
        async with db.tx() as tx:
            insert = "INSERT INTO received_webhooks (webhook_id) VALUES ('a')"
            await tx.execute(insert)
            with pytest.raises(Taken):
                async with tx.refusing(received_webhooks_pkey=Taken):
                    await tx.execute(insert)
            assert await tx.fetchval("SELECT count(*) FROM received_webhooks") == 1

    async def test_waiting_too_long_for_a_lock_says_so(self, database: OpenDatabase) -> None:
        db = await database("orders", lock_timeout_ms=50)
        await db.execute("INSERT INTO aggregate_versions VALUES (gen_random_uuid(), 1)")
        async with db.tx() as tx:
            await tx.execute("SELECT * FROM aggregate_versions FOR UPDATE")
            with pytest.raises(Contended):
                await asyncio.create_task(
                    db.execute("UPDATE aggregate_versions SET version = 2"), context=_fresh()
                )

    async def test_cancelled_requests_leave_nothing_open(self, database: OpenDatabase) -> None:
        db = await database("orders", database_pool=4)
        dice = random.Random(7)

        async def write() -> None:
            async with db.tx() as tx:
                await tx.execute("INSERT INTO received_webhooks VALUES (gen_random_uuid()::text)")
                await tx.execute("SELECT pg_sleep(0.002)")

        for _ in range(30):
            batch = [asyncio.create_task(write()) for _ in range(10)]
            await asyncio.sleep(dice.uniform(0, 0.01))
            for one in batch:
                one.cancel()
            await asyncio.gather(*batch, return_exceptions=True)
        open_ = await db.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%'"
        )
        assert open_ == 0
        await asyncio.gather(*(write() for _ in range(8)))


class TestConnections:
    async def test_whoever_waits_gets_one_that_is_given_back(self, database: OpenDatabase) -> None:
        db = await database("orders", database_pool=2)

        async def long(number: int) -> int:
            async with db.tx() as tx:
                await tx.execute("SELECT pg_sleep(0.01)")
                return await tx.fetchval("SELECT $1::int", number)

        async def short(number: int) -> int:
            return await db.fetchval("SELECT $1::int", number)

        await short(0)  # one is at hand
        found = await asyncio.gather(*(long(n) if n % 2 else short(n) for n in range(40)))
        assert found == list(range(40))

    async def test_one_that_was_cut_meanwhile_is_not_used(self, database: OpenDatabase) -> None:
        db = await database("orders", database_pool=2)
        mine = await db.fetchval("SELECT pg_backend_pid()")
        async with raw_connection(db._url) as other:
            await other.execute("SELECT pg_terminate_backend($1)", mine)
        await asyncio.sleep(0.1)
        assert await db.fetchval("SELECT pg_backend_pid()") != mine

    async def test_one_left_in_the_middle_of_beginning_is_cut(
        self, database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        db = await database("orders", database_pool=1)
        mine = await db.fetchval("SELECT pg_backend_pid()")

        async def slow(transaction: Any) -> None:
            await transaction._connection.execute("BEGIN")
            await asyncio.sleep(30)

        with monkeypatch.context() as broken:
            broken.setattr(Transaction, "start", slow)
            begun = asyncio.create_task(_begin(db))
            await asyncio.sleep(0.1)
            begun.cancel()
            await asyncio.gather(begun, return_exceptions=True)
        assert begun.cancelled()
        assert await db.fetchval("SELECT pg_backend_pid()") != mine

    async def test_closing_takes_those_at_hand_and_those_in_use(
        self, database: OpenDatabase
    ) -> None:
        db = await database("orders", database_pool=2)
        await db.fetchval("SELECT 1")
        slow = asyncio.create_task(db.fetchval("SELECT 1 FROM pg_sleep(0.2)"))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            await db.close()
        assert await slow == 1


async def _begin(db: Database) -> None:
    async with db.tx():
        pass


def _fresh() -> contextvars.Context:
    """A context of its own, as another request has."""
    return contextvars.Context()


class TestVirtualClock:
    async def test_sql_and_python_agree(self, database: OpenDatabase) -> None:
        db = await database("orders")
        try:
            await virtual_clock.move([db], timedelta(days=-400))
            told = await db.fetchval("SELECT dvor_now()")
            assert abs(told - clock.now()) < timedelta(seconds=5)
            clock.follow(timedelta())
            await virtual_clock.follow(db)
            assert clock.shift() == timedelta(days=-400)
        finally:
            clock.follow(timedelta())


class TestTranslated:
    def test_a_connection_lost_between_two_messages_is_no_fault_of_ours(self) -> None:
        with pytest.raises(Unavailable), translated():
            raise asyncpg.InternalClientError("cannot switch to state 15")
