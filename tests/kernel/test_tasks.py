"""Tasks: rows first, at least once, with retries."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from dvor.kernel import tasks
from dvor.kernel.caller import current
from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from dvor.kernel.messages import Message
from dvor.kernel.tasks import Lease, Pace, Runner, Task, task, timer
from tests.kernel.conftest import OpenDatabase


class Work(Message):
    """What to do."""

    name: str


class Worker:
    """A service whose tasks write down what they did, and fail as often as they are told."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failures = 0
        self.callers: list[str] = []


@task(timeout_seconds=0.2, attempts_max=3)
async def do(service: Worker, work: Work) -> None:
    """Do it, or fail."""
    service.callers.append(current().service)
    if service.failures:
        service.failures -= 1
        raise RuntimeError("not this time")
    if work.name == "slow":
        await asyncio.sleep(5)
    service.done.append(work.name)


def runner(db: Database, worker: Any, settings: Settings) -> Runner:
    """Runs the tasks of the orders service."""
    return Runner("orders", worker, db, settings, (do,), ())


async def enqueue(db: Database, name: str, *, key: str = "", known: Task = do) -> None:
    """Commit a task."""
    async with db.tx() as tx:
        tx.enqueue(known, Work(name=name), key=key or name)


async def hurry(db: Database) -> None:
    """Make waiting retries due now."""
    await db.execute("UPDATE tasks SET run_at = dvor_now() WHERE state = 'due'")


class TestRunner:
    async def test_the_same_key_is_done_once(
        self, database: OpenDatabase, settings: Settings
    ) -> None:
        db, worker = await database("orders"), Worker()
        await enqueue(db, "a", key="one")
        await enqueue(db, "b", key="one")
        await runner(db, worker, settings).run_due()
        assert worker.done == ["a"]
        assert worker.callers == ["orders"]

    async def test_a_failure_is_tried_again(
        self, database: OpenDatabase, settings: Settings
    ) -> None:
        db, worker = await database("orders"), Worker()
        worker.failures = 2
        await enqueue(db, "a")
        for _ in range(3):
            await runner(db, worker, settings).run_due()
            await hurry(db)
        assert worker.done == ["a"]

    async def test_after_the_last_attempt_it_stays_failed_with_its_error(
        self, database: OpenDatabase, settings: Settings
    ) -> None:
        db, worker = await database("orders"), Worker()
        worker.failures = 9
        await enqueue(db, "a")
        for _ in range(5):
            await runner(db, worker, settings).run_due()
            await hurry(db)
        row = await db.fetchrow("SELECT state, attempts, error FROM tasks")
        assert row is not None
        assert (row["state"], row["attempts"]) == ("failed", 3)
        assert "not this time" in row["error"]

    async def test_what_takes_too_long_is_stopped(
        self, database: OpenDatabase, settings: Settings
    ) -> None:
        db, worker = await database("orders"), Worker()
        await enqueue(db, "slow")
        await runner(db, worker, settings).run_due()
        assert worker.done == []
        assert "TimeoutError" in await db.fetchval("SELECT error FROM tasks")

    async def test_two_runners_share_the_work(
        self, database: OpenDatabase, settings: Settings
    ) -> None:
        db, worker = await database("orders"), Worker()
        for number in range(60):
            await enqueue(db, str(number))
        await asyncio.gather(*(runner(db, worker, settings).run_due() for _ in range(4)))
        assert sorted(worker.done, key=int) == [str(n) for n in range(60)]

    async def test_a_task_whose_runner_died_runs_after_its_lease(
        self, database: OpenDatabase, settings: Settings
    ) -> None:
        db, worker = await database("orders"), Worker()
        await enqueue(db, "a")
        await db.execute("UPDATE tasks SET attempts = 1, lease_until = clock_timestamp() + '1 h'")
        assert await runner(db, worker, settings).run_due() == 0
        await db.execute("UPDATE tasks SET lease_until = clock_timestamp() - '1 s'::interval")
        await runner(db, worker, settings).run_due()
        assert worker.done == ["a"]

    async def test_a_task_that_takes_longer_than_a_lease_stays_ours(
        self, database: OpenDatabase, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tasks, "LEASE", timedelta(seconds=0.3))
        monkeypatch.setattr(tasks, "HEARTBEAT_SECONDS", 0.05)
        db, worker = await database("orders"), Worker()
        began = list[str]()

        @task(timeout_seconds=5, attempts_max=3)
        async def dawdle(service: Worker, work: Work) -> None:
            began.append(work.name)
            await asyncio.sleep(1)

        await enqueue(db, "a", known=dawdle)
        runners = [Runner("orders", worker, db, settings, (dawdle,), ()) for _ in "12"]
        loops = [asyncio.create_task(one.run()) for one in runners]
        await asyncio.sleep(1.3)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        assert began == ["a"]
        assert await db.fetchval("SELECT state FROM tasks") == "done"


class TestLease:
    async def test_is_kept_in_mind_for_a_fifth_of_its_time(
        self, database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        db, asked = await database("orders"), list[str]()
        real = tasks.lease

        async def lease(db: Database, name: str, holder: Any, seconds: float) -> int | None:
            asked.append(name)
            return await real(db, name, holder, seconds)

        monkeypatch.setattr(tasks, "lease", lease)
        ours, theirs = Lease(db, "it", 600), Lease(db, "it", 600)
        assert [await ours.hold(), await ours.hold()] == [True, True]
        assert asked == ["it"]
        assert [await theirs.hold(), await theirs.hold()] == [False, False]
        assert len(asked) == 3  # who has not got it asks each time

    async def test_that_lapsed_and_went_to_another_is_not_ours(
        self, database: OpenDatabase
    ) -> None:
        db = await database("orders")
        ours, theirs = Lease(db, "it", 0.05), Lease(db, "it", 600)
        assert await ours.hold()
        await asyncio.sleep(0.1)
        assert await theirs.hold()
        assert not await ours.hold() and not ours.ours


class TestPace:
    async def test_who_was_idle_goes_at_once_who_was_not_waits(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits = list[float]()

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        monkeypatch.setattr(tasks.asyncio, "sleep", sleep)
        pace = Pace(600)
        await pace.turn()
        assert waits == []
        await pace.turn()
        assert len(waits) == 1 and 0 < waits[0] <= 600


class TestTimers:
    async def test_one_process_at_a_time_runs_a_timer(
        self, database: OpenDatabase, settings: Settings
    ) -> None:
        db = await database("orders")
        ran: list[str] = []

        @timer(every_seconds=0.02)
        async def tick(service: str) -> None:
            ran.append(service)

        runners = [Runner("orders", name, db, settings, (), (tick,)) for name in ("a", "b")]
        loops = [asyncio.create_task(one.run()) for one in runners]
        await asyncio.sleep(0.3)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        assert len(ran) > 1
        assert len(set(ran)) == 1
