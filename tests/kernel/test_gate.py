"""So many requests that change something are worked on at once, the others in order of arrival."""

import asyncio

import pytest

from dvor.kernel.batch import Busy
from dvor.kernel.http.gate import Gate


class Crowd:
    """Passes a gate, each as long as it is told."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.inside: list[int] = []
        self.go = asyncio.Event()

    async def come(self, number: int) -> None:
        async with self.gate.passed():
            self.inside.append(number)
            await self.go.wait()

    async def arrive(self, *numbers: int) -> list["asyncio.Task[None]"]:
        tasks = [asyncio.create_task(self.come(number)) for number in numbers]
        await asyncio.sleep(0)
        return tasks


class TestGate:
    async def test_more_than_have_a_place_wait_in_order(self) -> None:
        crowd = Crowd(Gate(2, 10))
        tasks = await crowd.arrive(1, 2, 3, 4)
        assert crowd.inside == [1, 2]
        crowd.go.set()
        await asyncio.gather(*tasks)
        assert crowd.inside == [1, 2, 3, 4]

    async def test_more_than_may_wait_are_told_to_come_again(self) -> None:
        crowd = Crowd(Gate(1, 1))
        tasks = await crowd.arrive(1, 2)
        with pytest.raises(Busy):
            await crowd.come(3)
        crowd.go.set()
        await asyncio.gather(*tasks)
        await crowd.come(4)
        assert crowd.inside == [1, 2, 4]

    async def test_where_nobody_may_wait_a_free_place_is_taken(self) -> None:
        crowd = Crowd(Gate(1, 0))
        tasks = await crowd.arrive(1)
        with pytest.raises(Busy):
            await crowd.come(2)
        crowd.go.set()
        await asyncio.gather(*tasks)
        await crowd.come(3)
        assert crowd.inside == [1, 3]

    async def test_who_leaves_gives_the_place_to_the_next(self) -> None:
        crowd = Crowd(Gate(1, 10))
        first, second, third = await crowd.arrive(1, 2, 3)
        second.cancel()  # waiting
        await asyncio.sleep(0)
        first.cancel()  # inside
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert crowd.inside == [1, 3]
        crowd.go.set()
        await asyncio.gather(first, second, third, return_exceptions=True)


class TestCalm:
    async def test_work_in_no_hurry_waits_for_those_who_wait(self) -> None:
        crowd = Crowd(Gate(1, 10))
        await crowd.gate.calm(5)
        tasks = await crowd.arrive(1)
        await crowd.gate.calm(5)  # somebody is inside, nobody waits
        tasks += await crowd.arrive(2)
        patient = asyncio.create_task(crowd.gate.calm(5))
        await asyncio.sleep(0.01)
        assert not patient.done()
        crowd.go.set()
        await patient
        assert crowd.inside == [1, 2]
        await asyncio.gather(*tasks)

    async def test_but_not_for_ever(self) -> None:
        crowd = Crowd(Gate(1, 10))
        tasks = await crowd.arrive(1, 2)
        await crowd.gate.calm(0.01)
        assert crowd.inside == [1]
        crowd.go.set()
        await asyncio.gather(*tasks)

    async def test_who_gives_up_is_not_waited_for(self) -> None:
        crowd = Crowd(Gate(1, 10))
        inside, waiting = await crowd.arrive(1, 2)
        waiting.cancel()
        await crowd.gate.calm(5)
        assert crowd.inside == [1]
        inside.cancel()
        await asyncio.gather(inside, waiting, return_exceptions=True)
