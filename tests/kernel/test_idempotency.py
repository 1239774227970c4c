"""The keys of many requests at once."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from dvor.kernel.idempotency import Answer, Asked, Claim, KeyBusy, Keys
from tests.conftest import House, MakeHouse

PEOPLE = 40


def asked(number: int, body: bytes = b"{}") -> Asked:
    return Asked(f"person {number}", "POST /somewhere", uuid4(), body)


async def keys_of(make_house: MakeHouse) -> tuple[House, Keys]:
    house = await make_house("identity")
    keys = house.process.keys("identity")
    assert keys is not None
    return house, keys


class TestKeys:
    async def test_a_crowd_costs_few_statements(
        self, make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house, keys = await keys_of(make_house)
        said: list[str] = []

        def counted(real: Any) -> Any:
            async def run(sql: str, *args: Any) -> Any:
                said.append(sql)
                return await real(sql, *args)

            return run

        for name in ("fetch", "execute"):
            real = getattr(house.db("identity"), name)
            monkeypatch.setattr(house.db("identity"), name, counted(real))
        crowd = [asked(number) for number in range(PEOPLE)]
        won = await asyncio.gather(*map(keys.claim, crowd))
        claims = [one for one in won if isinstance(one, Claim)]
        assert [claim.key for claim in claims] == [one.key for one in crowd]
        answers = [Answer(201, {"etag": str(number)}, b"%d" % number) for number in range(PEOPLE)]
        await asyncio.gather(*map(keys.store, claims, answers))
        assert len(said) <= 6, "each went alone"
        assert [await keys.claim(one) for one in crowd] == answers

    async def test_of_twins_in_one_batch_one_runs(self, make_house: MakeHouse) -> None:
        _, keys = await keys_of(make_house)
        twin = asked(1)
        found = await asyncio.gather(
            *map(keys.claim, [asked(0), twin, twin, asked(2)]), return_exceptions=True
        )
        assert sum(isinstance(one, Claim) for one in found) == 3
        assert [type(one) for one in found if not isinstance(one, Claim)] == [KeyBusy]
