"""MD-6: nothing outside is asked within a transaction; how many statements an order costs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest

from dvor.kernel import db, mail
from dvor.kernel.outbound import Lines, fetch, post
from tests.simulation.checks import cancel, facts, pay, place
from tests.simulation.stage import NAMES, Stage

PLACING_MOST = 26
PAYING_MOST = 58
CANCELLING_MOST = 58
"""Statements of all services together for one order alone, begin and commit counted.

The simulated bank is an outsider in the same database: what it writes for itself (its state, its
keys, its webhooks, in transactions of its own) and the books are in these numbers, too.
"""


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> list[str]:
    """Every statement from now on that a service on the stage gives to its database.

    Other tests' services may work in this process, too: theirs are not counted.
    """
    said: list[str] = []

    def counted(database: db.Database) -> Any:
        real = database._acquired

        @asynccontextmanager
        async def acquired() -> AsyncIterator[Any]:
            async with real() as held:
                with held.query_logger(lambda one: said.extend(_told(one.query))):
                    yield held

        return acquired

    for name in NAMES:
        database = stage.db(name)
        monkeypatch.setattr(database, "_acquired", counted(database))
    return said


def _told(sql: str) -> list[str]:
    # The driver asks each connection once for the types it meets.
    if "typeinfo_tree" in sql or "set_config('jit'" in sql:
        return []
    return [" ".join(sql.split())[:80]]


class TestStatements:
    async def test_an_order_costs_so_many(self, stage: Stage, statements: list[str]) -> None:
        offer, customer = await stage.offer(5), stage.customer()
        statements.clear()
        order = await place(stage, customer, offer, key=uuid4())
        placing = list(statements)
        statements.clear()
        await pay(stage, order)
        for work in (lambda: stage.run_tasks("payments"), stage.move_orders):
            while await work():
                pass
        paying = list(statements)
        statements.clear()
        await cancel(stage, order, customer)
        cancelling = list(statements)
        print(len(placing), len(paying), len(cancelling))
        assert (await facts(stage, order.id))["history"][-1] == "refunded"
        assert len(placing) <= PLACING_MOST, "\n".join(placing)
        assert len(paying) <= PAYING_MOST, "\n".join(paying)
        assert len(cancelling) <= CANCELLING_MOST, "\n".join(cancelling)


class TestTransactions:
    async def test_nobody_outside_is_asked_within_one(self, stage: Stage) -> None:
        async with stage.db("payments").tx():
            for asking in (
                post("http://127.0.0.1:9/", b"", {}, 1, Lines()),
                fetch("https://example.org/", timeout_seconds=1, bytes_max=1),
                mail.send("smtp://127.0.0.1:9", EmailMessage(), 1),
                stage.process.broker.publish("orders", []),
                stage.service.steps.inventory.release(uuid4()),
            ):
                with pytest.raises(AssertionError, match="inside an open transaction on payments"):
                    await asking
