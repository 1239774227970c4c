"""Work on the outside world and with time: rows first, then run, at least once."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_type_hints
from uuid import UUID

from dvor.kernel import metrics, points, telemetry
from dvor.kernel.batch import writer
from dvor.kernel.caller import Caller, asking
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.ids import new
from dvor.kernel.messages import Message

LOG = telemetry.log("tasks")
BATCH = 50
"""Tasks claimed at once."""
AT_ONCE = 8
"""Tasks run at the same time by one process for one service."""
BACK_OFF_MAX_SECONDS = 300
LEASE = timedelta(seconds=10)
"""How long a process may be silent before another one runs its tasks again."""
HEARTBEAT_SECONDS = 3
RARE_SECONDS = 60


@dataclass(frozen=True)
class Task:
    """Something to do later or outside; run with the service and the work."""

    name: str
    work: type[Message]
    run: Callable[[Any, Any], Awaitable[None]]
    timeout_seconds: float
    attempts_max: int


@dataclass(frozen=True)
class Timer:
    """Something to do again and again, by one process at a time."""

    name: str
    run: Callable[[Any], Awaitable[None]]
    every_seconds: float


def task(*, timeout_seconds: float = 30, attempts_max: int = 10) -> Callable[[Any], Task]:
    """Declare a task: `async def send(service, work: SendMail)`. It may run more than once."""

    def declare(function: Any) -> Task:
        work = get_type_hints(function, localns=_Anything())["work"]
        return Task(function.__name__, work, function, timeout_seconds, attempts_max)

    return declare


class _Anything(dict[str, Any]):
    """Names only known while type checking (the service's class) resolve to Any."""

    def __missing__(self, key: str) -> Any:
        import builtins

        if hasattr(builtins, key):
            raise KeyError(key)
        return Any


def timer(*, every_seconds: float) -> Callable[[Any], Timer]:
    """Declare a timer: `async def sweep(service)`."""

    def declare(function: Any) -> Timer:
        return Timer(function.__name__, function, every_seconds)

    return declare


_CLAIM = """
WITH due AS (
    SELECT id FROM tasks
    WHERE state = 'due' AND run_at <= dvor_now()
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
    ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE tasks t SET lease_until = clock_timestamp() + $2::interval, attempts = attempts + 1
FROM due WHERE t.id = due.id
RETURNING t.id, t.name, t.work, t.trace, t.attempts, t.attempts_max
"""
_KEEP = """
UPDATE tasks SET lease_until = clock_timestamp() + $3::interval
FROM unnest($1::uuid[], $2::int[]) AS ours (id, attempts)
WHERE tasks.id = ours.id AND tasks.attempts = ours.attempts AND state = 'due'
"""
_DONE = """
UPDATE tasks SET state = 'done', done_at = dvor_now(), lease_until = NULL, error = NULL
FROM unnest($1::uuid[], $2::int[]) AS ours (id, attempts)
WHERE tasks.id = ours.id AND tasks.attempts = ours.attempts
"""
_AGAIN = """
UPDATE tasks SET lease_until = NULL, error = $3, run_at = dvor_now() + $4::interval,
    state = CASE WHEN attempts >= attempts_max THEN 'failed' ELSE 'due' END
WHERE id = $1 AND attempts = $2
RETURNING state
"""
_FORGET = "DELETE FROM tasks WHERE state = 'done' AND done_at < dvor_now() - interval '7 days'"
_LEASE = """
INSERT INTO leases AS l (name, holder, until)
VALUES ($1, $2, clock_timestamp() + $3::interval)
ON CONFLICT (name) DO UPDATE
    SET holder = $2, until = clock_timestamp() + $3::interval,
        epoch = l.epoch + (l.holder <> $2)::int
    WHERE l.holder = $2 OR l.until < clock_timestamp()
RETURNING epoch
"""


class Runner:
    """Runs one service's tasks and timers in this process (`inline`).

    `turn`: awaited before tasks are claimed; none where they are in a hurry.
    """

    def __init__(
        self,
        service: str,
        implementation: Any,
        database: Database,
        settings: Settings,
        tasks: tuple[Task, ...],
        timers: tuple[Timer, ...],
        turn: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._service = service
        self._implementation = implementation
        self._db = database
        self._settings = settings
        self._tasks: Mapping[str, Task] = {task.name: task for task in tasks}
        self._timers = timers
        self._turn = turn
        self._hint = asyncio.Event()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._holder = new()
        self._done = writer(self._mark_done, queue_max=10 * BATCH)
        self._running: dict[UUID, int] = {}
        """Tasks that are ours now, and at which attempt: with another number they are not."""

    def notice(self, _payload: str = "") -> None:
        """There may be something to do."""
        self._hint.set()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                if self._tasks:
                    group.create_task(self._run_tasks())
                    group.create_task(self._keep())
                for timer_ in self._timers:
                    group.create_task(self._run_timer(timer_))
                group.create_task(self._run_timer(Timer("forget_done_tasks", self._forget, 3600)))
        finally:
            await self._done.close()

    async def _forget(self, _implementation: Any) -> None:
        await self._db.execute(_FORGET)

    async def _run_tasks(self) -> None:
        while True:
            if self._turn:
                await self._turn()
            self._hint.clear()
            try:
                busy = await self.run_due()
            except Refusal as problem:
                LOG.warning("tasks wait", service=self._service, problem=str(problem))
                busy = 0
                await asyncio.sleep(self._settings.poll_seconds)
            if not busy:
                await hinted(self._hint, self._settings.poll_seconds)

    async def _keep(self) -> None:
        """Prolong the leases of what is running: they are short, so that a crash heals soon."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if self._running:
                try:
                    ours = list(self._running), list(self._running.values())
                    await self._db.execute(_KEEP, *ours, LEASE)
                except Refusal as problem:
                    LOG.warning("leases lapse", service=self._service, problem=str(problem))

    async def run_due(self) -> int:
        """Run what is due now; answers how many were claimed."""
        rows = await self._db.fetch(_CLAIM, BATCH, LEASE)
        self._running |= {row["id"]: row["attempts"] for row in rows}
        try:
            await asyncio.gather(*(self._run_one(row) for row in rows))
        finally:
            for row in rows:
                self._running.pop(row["id"], None)
        return len(rows)

    async def _run_one(self, row: Record) -> None:
        async with self._gate:
            name: str = row["name"]
            began, outcome = time.perf_counter(), "done"
            with telemetry.extract(row["trace"], f"task {name}", kind="consumer"):
                try:
                    await self._attempt(self._tasks.get(name), row)
                except Exception as problem:  # noqa: BLE001 - whatever it is, the row keeps it
                    outcome = await self._again(row, problem)
                else:
                    points.reached(f"{name}.before_done")
                    await self._done.ask((row["id"], row["attempts"]))
                    points.reached(f"{name}.after_done")
            self._running.pop(row["id"], None)
            metrics.TASKS_RUN.labels(self._service, name, outcome).inc()
            metrics.TASK_SECONDS.labels(self._service, name).observe(time.perf_counter() - began)

    async def _mark_done(self, done: Sequence[tuple[UUID, int]]) -> None:
        await self._db.execute(_DONE, *map(list, zip(*done, strict=True)))

    async def _attempt(self, known: Task | None, row: Record) -> None:
        if known is None:
            raise LookupError(f"no task is called {row['name']}")
        work = known.work.model_validate(row["work"])
        with asking(Caller(service=self._service)):
            async with asyncio.timeout(known.timeout_seconds):
                await known.run(self._implementation, work)

    async def _again(self, row: Record, problem: Exception) -> str:
        """Note what went wrong, and when it is tried again; answers what became of the task."""
        error = f"{type(problem).__name__}: {problem}"
        wait = min(2 ** row["attempts"] * 0.25, BACK_OFF_MAX_SECONDS) * random.uniform(0.5, 1)  # noqa: S311
        state = await self._db.fetchval(
            _AGAIN, row["id"], row["attempts"], error[:2000], timedelta(seconds=wait)
        )
        quiet = isinstance(problem, Unavailable) and state == "due"
        write = LOG.info if quiet else LOG.warning
        write("task failed", service=self._service, task=row["name"], error=error, state=state)
        return "given_up" if state == "failed" else "failed"

    async def _run_timer(self, timer_: Timer) -> None:
        lease = timedelta(seconds=max(timer_.every_seconds * 3, 5))
        if timer_.every_seconds >= RARE_SECONDS:  # not all at once, and not while starting
            await asyncio.sleep(random.uniform(0, timer_.every_seconds))  # noqa: S311
        while True:
            try:
                if await self._db.fetchval(_LEASE, f"timer {timer_.name}", self._holder, lease):
                    with asking(Caller(service=self._service)):
                        await timer_.run(self._implementation)
            except Exception as problem:  # noqa: BLE001 - a timer must survive one bad run
                LOG.warning(
                    "timer failed", service=self._service, timer=timer_.name, error=repr(problem)
                )
            await asyncio.sleep(timer_.every_seconds)

    async def run_timers_once(self) -> None:
        """Run every timer now, whoever holds its lease. For tests and replays."""
        for timer_ in self._timers:
            with asking(Caller(service=self._service)):
                await timer_.run(self._implementation)


async def hinted(hint: asyncio.Event, seconds: float) -> bool:
    """Wait for a hint, but not longer than this; answers whether it came.

    Not `asyncio.wait_for`: on Python 3.11 it swallows a cancellation that arrives with the hint.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await hint.wait()
    return False


class Pace:
    """Lets its owner go on at most once in so many seconds: what comes meanwhile is done together.

    Whoever was idle goes on at once.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until it is time again."""
        early = self._next - time.monotonic()
        if early > 0:
            await asyncio.sleep(early)
        self._next = time.monotonic() + self._seconds


def pause(failures: int, longest_seconds: float) -> float:
    """How long to wait after so many failures on end, in seconds: twice as long each time."""
    return min(0.1 * 2 ** min(failures, 30), longest_seconds) * random.uniform(0.5, 1)  # noqa: S311


class Lease:
    """One holder's lease of a name, for `seconds`; kept by asking again when a fifth has passed."""

    def __init__(self, database: Database, name: str, seconds: float) -> None:
        self._db = database
        self._name = name
        self._seconds = seconds
        self._holder = new()
        self._taken: float | None = None

    @property
    def ours(self) -> bool:
        """Whether it was when last asked for."""
        return self._taken is not None

    async def hold(self) -> bool:
        """Whether it is ours now, and for four fifths of its time at least."""
        now = time.monotonic()
        if self._taken is None or now - self._taken > self._seconds / 5:
            self._taken = None
            # It counts from before it was written: so it ends later than we think.
            if await lease(self._db, self._name, self._holder, self._seconds) is not None:
                self._taken = now
        return self.ours


async def lease(database: Database, name: str, holder: UUID, seconds: float) -> int | None:
    """Take or keep a lease; answers its epoch, or None while somebody else has it."""
    return await database.fetchval(_LEASE, name, holder, timedelta(seconds=seconds))
