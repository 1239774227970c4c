"""Requests that wait are answered together, each as if it were alone."""

import asyncio
import random
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import pytest

from dvor.kernel.batch import Batcher, Busy
from dvor.kernel.caller import ANONYMOUS, Caller, asking, current
from dvor.kernel.errors import Conflict, Refusal, Unavailable

_trace: ContextVar[str] = ContextVar("trace", default="none")


class Bench:
    """Doubles numbers; stops at a gate; fails where it is told to."""

    def __init__(self, **limits: Any) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails_on: dict[int, Exception] = {}
        self.under_way = self.most_under_way = 0
        usual: dict[str, Any] = {"batch_max": 100, "queue_max": 1000, "lanes": 1}
        self.batcher: Batcher[int, int] = Batcher(self.work, **(usual | limits))

    async def work(self, items: Sequence[int]) -> list[int | Refusal]:
        self.batches.append(list(items))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
            for item in items:
                if item in self.fails_on:
                    raise self.fails_on[item]
            return [Conflict() if item < 0 else item * 2 for item in items]
        finally:
            self.under_way -= 1

    async def ask(self, item: int) -> int:
        return await self.batcher.ask(item)

    async def ask_all(self, items: Sequence[int]) -> list[Any]:
        return await asyncio.gather(*map(self.ask, items), return_exceptions=True)

    async def begin(self, *items: int) -> list["asyncio.Task[int]"]:
        """Ask, and wait until what can begin has begun."""
        asked = [asyncio.create_task(self.ask(item)) for item in items]
        for _ in range(4):
            await asyncio.sleep(0)
        return asked


class TestBatches:
    async def test_one_alone_goes_at_once(self) -> None:
        bench = Bench()
        assert await bench.ask(21) == 42
        assert bench.batches == [[21]]

    async def test_those_who_wait_go_together_in_order_of_arrival(self) -> None:
        bench = Bench(batch_max=3)
        bench.gate.clear()
        first = await bench.begin(0)
        others = await bench.begin(1, 2, 3, 4, 5)
        bench.gate.set()
        assert await asyncio.gather(*first, *others) == [0, 2, 4, 6, 8, 10]
        assert bench.batches == [[0], [1, 2, 3], [4, 5]]

    async def test_nobody_overtakes_who_asked_again_and_again(self) -> None:
        bench = Bench(batch_max=4)
        answered: list[int] = []

        async def client(number: int) -> None:
            for _ in range(10):
                await bench.ask(number)
                answered.append(number)

        await asyncio.gather(*(client(number) for number in range(20)))
        assert all(set(answered[n * 20 : n * 20 + 20]) == set(range(20)) for n in range(10))

    async def test_only_so_many_are_under_way_as_there_are_lanes(self) -> None:
        bench = Bench(batch_max=2, lanes=3)
        assert await bench.ask_all(range(50)) == [item * 2 for item in range(50)]
        assert bench.most_under_way == 3
        assert [item for batch in bench.batches for item in batch] == list(range(50))

    async def test_what_the_caller_carries_stays_outside(self) -> None:
        seen = []

        async def work(items: Sequence[int]) -> list[int]:
            seen.append((current(), _trace.get()))
            return list(items)

        batcher: Batcher[int, int] = Batcher(work, batch_max=9, queue_max=9)
        _trace.set("mine")
        with asking(Caller(service="orders")):
            await batcher.ask(1)
        assert seen == [(ANONYMOUS, "none")]


class TestFailures:
    async def test_a_refusal_is_for_one(self) -> None:
        one, bad, other = await Bench().ask_all([1, -1, 2])
        assert (one, type(bad), other) == (2, Conflict, 4)

    async def test_a_failing_item_never_fails_the_others(self) -> None:
        bench = Bench()
        bench.fails_on = {3: ZeroDivisionError()}
        answers = await bench.ask_all(range(5))
        assert answers[:3] == [0, 2, 4] and answers[4] == 8
        assert isinstance(answers[3], ZeroDivisionError)
        assert bench.batches == [[0, 1, 2, 3, 4], [0], [1], [2], [3], [4]]

    async def test_a_server_that_is_down_is_not_asked_for_each(self) -> None:
        bench = Bench()
        bench.fails_on = {3: Unavailable()}
        assert {type(answer) for answer in await bench.ask_all(range(5))} == {Unavailable}
        assert len(bench.batches) == 1
        assert await bench.ask(4) == 8

    async def test_too_few_answers_are_nobodys(self) -> None:
        async def work(items: Sequence[int]) -> list[int]:
            return []

        batcher: Batcher[int, int] = Batcher(work, batch_max=9, queue_max=9)
        with pytest.raises(AssertionError):
            await batcher.ask(1)

    async def test_a_full_queue_says_when_to_come_again(self) -> None:
        bench = Bench(queue_max=2)
        bench.gate.clear()
        asked = await bench.begin(1)
        asked += await bench.begin(2, 3)
        with pytest.raises(Busy) as refused:
            await bench.ask(4)
        assert refused.value.retry_after_seconds and refused.value.http_status == 503
        bench.gate.set()
        assert await asyncio.gather(*asked) == [2, 4, 6]


class TestCancellation:
    async def test_who_still_waits_is_never_begun(self) -> None:
        bench = Bench()
        bench.gate.clear()
        asked = await bench.begin(1)
        asked += await bench.begin(2, 3)
        asked[1].cancel()
        bench.gate.set()
        assert await asked[2] == 6
        assert bench.batches == [[1], [3]]

    async def test_who_is_under_way_is_done_and_does_not_disturb_the_others(self) -> None:
        bench = Bench()
        bench.gate.clear()
        asked = await bench.begin(1, 2, 3)
        asked[0].cancel()
        bench.gate.set()
        assert await asyncio.gather(*asked[1:]) == [4, 6]
        assert bench.batches == [[1, 2, 3]]

    async def test_who_left_is_not_replayed(self) -> None:
        bench = Bench()
        bench.gate.clear()
        bench.fails_on = {3: ZeroDivisionError()}
        asked = await bench.begin(1, 2, 3)
        asked[0].cancel()
        bench.gate.set()
        assert await asked[1] == 4
        with pytest.raises(ZeroDivisionError):
            await asked[2]
        assert bench.batches == [[1, 2, 3], [2], [3]]

    async def test_a_storm_leaves_nothing_behind(self) -> None:
        bench = Bench(batch_max=7, lanes=2)
        chance = random.Random(5)
        bench.fails_on = {n: ZeroDivisionError() for n in range(0, 500, 50)}
        asked = [asyncio.create_task(bench.ask(n)) for n in range(500)]
        while not all(task.done() for task in asked):
            for task in chance.sample(asked, 5):
                task.cancel()
            await asyncio.sleep(0)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for n, answer in enumerate(answers):
            assert answer == n * 2 or isinstance(answer, asyncio.CancelledError | ZeroDivisionError)
        assert await bench.ask(501) == 1002
        await bench.batcher.close()
        assert bench.under_way == 0


class TestClose:
    async def test_answers_those_inside_and_lets_nobody_in(self) -> None:
        bench = Bench(batch_max=1)
        bench.gate.clear()
        asked = await bench.begin(1, 2)
        closing = asyncio.create_task(bench.batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await bench.ask(3)
        bench.gate.set()
        await closing
        assert [task.result() if task.done() else await task for task in asked] == [2, 4]

    async def test_a_lane_that_is_killed_lets_its_waiters_go(self) -> None:
        bench = Bench()
        bench.gate.clear()
        asked = await bench.begin(1, 2)
        for lane in bench.batcher._lanes:
            lane.cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(answer) for answer in answers] == [asyncio.CancelledError] * 2
        bench.gate.set()
        assert await bench.ask(3) == 6
