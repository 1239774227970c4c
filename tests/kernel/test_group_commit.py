"""Small transactions that wait at the same time are committed together, each as if it were alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from dvor.kernel.batch import GroupCommit
from dvor.kernel.caller import Caller, asking, current
from dvor.kernel.db import Database, Tx
from dvor.kernel.errors import Conflict
from tests.kernel.conftest import OpenDatabase


class Desk:
    """Notes words, each a row of its own, in transactions that may be shared."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.commit = GroupCommit(db, "tests.noted", queue_max=100)
        self.gathered: list[list[str]] = []

    async def note(self, word: str) -> int:
        """Answers the transaction it was written in."""

        async def write(tx: Tx) -> int | Conflict:
            if word == "expected":
                return Conflict()
            await tx.execute("INSERT INTO received_webhooks (webhook_id) VALUES ($1)", word)
            tx.gather(self.count, word)
            if word == "bad":
                raise LookupError(word)
            return await tx.fetchval("SELECT pg_current_xact_id()::text::bigint")

        return await self.commit.run(write)

    async def count(self, tx: Tx, words: Sequence[str]) -> None:
        self.gathered.append(list(words))

    async def note_all(self, *words: str) -> list[Any]:
        return await asyncio.gather(*map(self.note, words), return_exceptions=True)

    async def noted(self) -> list[str]:
        rows = await self.db.fetch("SELECT webhook_id FROM received_webhooks ORDER BY 1")
        return [row["webhook_id"] for row in rows]


@pytest.fixture
async def desk(database: OpenDatabase) -> AsyncIterator[Desk]:
    made = Desk(await database("orders"))
    yield made
    await made.commit.close()


class TestGroupCommit:
    async def test_who_waits_together_shares_one_transaction(self, desk: Desk) -> None:
        transactions = await desk.note_all("a", "b", "c", "d")
        assert len(set(transactions)) == 1
        assert desk.gathered == [["a", "b", "c", "d"]]
        assert await desk.noted() == ["a", "b", "c", "d"]

    async def test_what_fails_alone_fails_nobody_else(self, desk: Desk) -> None:
        await desk.note("a")
        answers = await desk.note_all("b", "bad", "a", "c")
        assert isinstance(answers[1], LookupError)
        assert isinstance(answers[2], Exception)  # it was there
        assert await desk.noted() == ["a", "b", "c"]

    async def test_an_expected_refusal_costs_the_others_nothing(self, desk: Desk) -> None:
        *_, refused, last = answers = await desk.note_all("a", "b", "expected", "c")
        assert isinstance(refused, Conflict)
        assert answers[0] == answers[1] == last
        assert await desk.noted() == ["a", "b", "c"]

    async def test_each_works_as_who_asked_and_within_the_transaction(self, desk: Desk) -> None:
        async def who(tx: Tx) -> str:
            with pytest.raises(AssertionError, match="inside an open transaction"):
                await desk.note("never")
            return current().service

        async def ask(name: str) -> str:
            with asking(Caller(service=name)):
                return await desk.commit.run(who)

        assert await asyncio.gather(*map(ask, "abc")) == ["a", "b", "c"]

    async def test_who_left_is_not_written_unless_it_was_begun(self, desk: Desk) -> None:
        begun = asyncio.create_task(desk.note("a"))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(desk.note(word)) for word in "bc"]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.gather(begun, *waiting, return_exceptions=True)
        assert await desk.noted() == ["a", "c"]
