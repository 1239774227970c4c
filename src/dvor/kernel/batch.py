"""Work done together: what waits now goes into one call."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Generic, TypeVar

from dvor.kernel import metrics, telemetry
from dvor.kernel.db import Contended, Database, Tx, assert_no_transaction
from dvor.kernel.errors import Refusal, Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Wanted = TypeVar("Wanted")
Row = TypeVar("Row")

READ_TOGETHER_MAX, READ_LANES = 100, 2
"""Who is answered by one reading; readings at the same time."""
WRITE_TOGETHER_MAX = 100
"""What is written by one call."""
COMMIT_TOGETHER_MAX, COMMIT_LANES = 50, 1
"""Works in one transaction; such transactions of one kind at the same time in one process."""


class Busy(Unavailable):
    """Very many people want this right now. Nothing was lost; try again in a moment."""


class Batcher(Generic[Item, Answer]):
    """Gathers requests while the calls before them are under way, first come, first served.

    There is no timer: alone, a request goes at once. `work` gets 1 to `batch_max` items and
    answers each, in their order; a Refusal among the answers is raised to the one who asked. Up to
    `lanes` calls of `work` are under way at once, each in a context of its own: it knows no caller,
    trace or deadline. A waiter may be cancelled: still waiting, its item is never begun; under
    way, the effect stands and nobody hears of it.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Refusal]]],
        *,
        batch_max: int,
        queue_max: int,
        lanes: int = 1,
        name: str = "",
    ) -> None:
        """`name`: what measures call it; by default that of `work`."""
        self._name = name or _named(work)
        self._sizes = metrics.sizes(self._name)
        self._askers: dict[asyncio.Future[Answer], Any] | None = {} if telemetry.tracing() else None
        """Where in a trace each stood who asked."""
        self._work = work
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._lanes_free = lanes
        self._queue: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._closed = False

    def ask(self, item: Item) -> "asyncio.Future[Answer]":
        """The answer to come. Raises Busy where `queue_max` wait already."""
        if self._closed:
            raise Unavailable
        if len(self._queue) >= self._queue_max:
            raise Busy
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((item, answer))
        if self._askers is not None:
            self._askers[answer] = telemetry.here()
            answer.add_done_callback(self._askers.pop)
        if self._lanes_free:
            self._lanes_free -= 1
            lane = asyncio.create_task(self._lane(), context=Context())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return answer

    async def close(self) -> None:
        """Take no more and wait until everybody has an answer."""
        self._closed = True
        while self._lanes:
            await asyncio.wait(self._lanes)

    async def _lane(self) -> None:
        try:
            while batch := self._next():
                await self._answer(batch)
        finally:
            self._lanes_free += 1

    def _next(self) -> list[tuple[Item, "asyncio.Future[Answer]"]]:
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        while self._queue and len(batch) < self._batch_max:
            waiting = self._queue.popleft()
            if not waiting[1].done():
                batch.append(waiting)
        return batch

    async def _answer(self, batch: list[tuple[Item, "asyncio.Future[Answer]"]]) -> None:
        self._sizes.note(len(batch))
        try:
            if self._askers is None:
                answers = await self._work([item for item, _ in batch])
            else:
                askers = [self._askers.get(answer) for _, answer in batch]
                with telemetry.together(self._name, askers):
                    answers = await self._work([item for item, _ in batch])
            assert len(answers) == len(batch), "one answer for each item"
        except Exception as problem:  # noqa: BLE001 - whatever it is, those who wait hear of it
            if len(batch) == 1 or _concerns_all(problem):
                for _, answer in batch:
                    _tell(answer, problem)
                return
            for waiting in batch:  # one of them is to blame: the others must not suffer
                if not waiting[1].done():
                    await self._answer([waiting])
        except BaseException:
            for _, answer in batch:
                answer.cancel()
            raise
        else:
            _tell_all(batch, answers)


def reader(
    read: Callable[[Sequence[Wanted]], Awaitable[Mapping[Wanted, Row]]], *, queue_max: int
) -> Batcher[Sequence[Wanted], Mapping[Wanted, Row]]:
    """What many ask for at once is read once. Each gets at least what it asked for.

    A reading begins after everyone it answers has asked: nobody gets what was true before.
    """

    async def work(asked: Sequence[Sequence[Wanted]]) -> list[Mapping[Wanted, Row]]:
        found = await read(list({one for wanted in asked for one in wanted}))
        return [found] * len(asked)

    return Batcher(
        work,
        batch_max=READ_TOGETHER_MAX,
        queue_max=queue_max,
        lanes=READ_LANES,
        name=_named(read),
    )


def writer(
    write: Callable[[Sequence[Item]], Awaitable[object]],
    *,
    batch_max: int = WRITE_TOGETHER_MAX,
    queue_max: int,
    lanes: int = 1,
) -> Batcher[Item, None]:
    """What many write at once is written by one call, which nobody needs an answer of."""

    async def work(items: Sequence[Item]) -> list[None]:
        await write(items)
        return [None] * len(items)

    return Batcher(work, batch_max=batch_max, queue_max=queue_max, lanes=lanes, name=_named(write))


class GroupCommit:
    """Small transactions of one kind that are committed together, as databases flush their logs.

    A work gets a transaction that it may share with others who ask now, and does a few statements
    on rows of its own. What it tells and enqueues is written for all of them at once. If one of
    them fails, the whole is undone and each is done alone, so none must do anything but by `tx`;
    a refusal that is to be expected is returned, not raised: then it costs nobody anything.
    """

    def __init__(self, db: Database, name: str, *, queue_max: int) -> None:
        self._db = db
        self._name = name
        self._works: Batcher[Any, Any] = Batcher(
            self._all,
            batch_max=COMMIT_TOGETHER_MAX,
            queue_max=queue_max,
            lanes=COMMIT_LANES,
            name=name,
        )

    async def run(self, work: Callable[[Tx], Coroutine[Any, Any, Answer | Refusal]]) -> Answer:
        """What `work(tx)` answers, once it is committed. Raises what it raises or answers."""
        assert_no_transaction(f"waiting for {self._name}")
        return await self._works.ask((work, copy_context()))

    async def close(self) -> None:
        """Take no more and wait until everybody has an answer."""
        await self._works.close()

    async def _all(self, asked: Sequence[Any]) -> list[Any]:
        async with self._db.tx(self._name) as tx:
            return [await tx.shared(work, context) for work, context in asked]


def _named(function: Any) -> str:
    """A function by its module and name: `orders.queries.whole`."""
    while isinstance(function, partial):
        function = function.func
    module = str(function.__module__).removeprefix("dvor.").removeprefix("services.")
    return f"{module}.{function.__name__.lstrip('_')}"


def _concerns_all(problem: Exception) -> bool:
    """A server that is down is down for each single item, too; a lock may be one item's trouble."""
    return isinstance(problem, Unavailable) and not isinstance(problem, Contended)


def _tell_all(
    batch: Sequence[tuple[Any, "asyncio.Future[Answer]"]], answers: Sequence[Answer | Refusal]
) -> None:
    for (_, waiting), answer in zip(batch, answers, strict=True):
        if isinstance(answer, Exception):
            _tell(waiting, answer)
        elif not waiting.done():
            waiting.set_result(answer)


def _tell(waiting: "asyncio.Future[Answer]", problem: Exception) -> None:
    if not waiting.done():
        waiting.set_exception(problem)
