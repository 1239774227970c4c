"""Requests decided together: each as if it were alone, in order of arrival."""

import asyncio
from contextvars import Context
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import Claim, Closed, HoldEnded, SoldOut, UnknownHold, UnknownSupply
from dvor.kernel import clock, ids
from dvor.services.inventory import hold_queries
from dvor.services.inventory.allocation import (
    Books,
    Confirm,
    Expire,
    Meaning,
    Release,
    Request,
    Take,
    Terms,
    allocate,
)
from dvor.services.inventory.rules import Cell
from dvor.services.inventory.slots import Offer
from tests.services.inventory.conftest import Scene, nights, units

NAMES = [ids.new() for _ in range(4)]
GOODS = [ids.new(), ids.new()]
OFFERS = {
    offer_id.int: Offer(offer_id, ids.new(), Kind.PRODUCT, quantity, "UTC", True)
    for offer_id, quantity in zip(GOODS, (3, 5), strict=True)
}
TERMS = Terms(ttl_seconds=900, lifetime_seconds=3600, horizon_days=730)


def take(hold_id: UUID, claims: tuple[Claim, ...]) -> Take:
    return Take(hold_id, claims, *Meaning.of(claims, OFFERS))


claims = st.lists(
    st.builds(units, st.sampled_from(GOODS), st.integers(1, 4)), min_size=1, max_size=3
).map(tuple)
names = st.sampled_from(NAMES)
requests = st.lists(
    st.one_of(
        st.builds(take, names, claims),
        st.builds(take, names, claims),
        *(st.builds(request, names) for request in (Confirm, Release, Expire)),
    ),
    max_size=25,
)


def blank(now: datetime | None = None) -> Books:
    cells = {(number, 0): Cell(offer.quantity, 0, 0) for number, offer in OFFERS.items()}
    return Books(now or clock.now(), TERMS, {}, OFFERS, cells)


def counters(books: Books) -> dict[Any, tuple[int, int, int]]:
    return {key: (cell.capacity, cell.held, cell.sold) for key, cell in books.cells.items()}


class TestAllocate:
    @given(requests, st.integers(0, 25))
    def test_one_batch_or_two_makes_no_difference(self, asked: list[Request], cut: int) -> None:
        whole = blank()
        parted = blank(whole.now)
        verdicts = allocate(whole, asked)
        others = [*allocate(parted, asked[:cut]), *allocate(parted, asked[cut:])]
        assert list(map(repr, verdicts)) == list(map(repr, others))
        assert counters(whole) == counters(parted)
        assert whole.holds == parted.holds

    @given(requests)
    def test_counters_agree_with_claims_and_never_exceed_what_there_is(
        self, asked: list[Request]
    ) -> None:
        books = blank()
        allocate(books, asked)
        for (number, _), cell in books.cells.items():
            for status, counted in (("held", cell.held), ("confirmed", cell.sold)):
                alive = [hold for hold in books.holds.values() if hold.status == status]
                claimed = [c.quantity for h in alive for c in h.claims if c.offer_id.int == number]
                assert counted == sum(claimed)
            assert cell.promised <= cell.capacity

    def test_a_refusal_changes_nothing(self) -> None:
        books = blank()
        allocate(books, [take(NAMES[0], (units(GOODS[0]), units(GOODS[1], 6)))])
        assert not any(any(cell.moved()) for cell in books.cells.values())
        assert books.holds == {}


async def together(*calls: Any) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


def kinds(answers: list[Any]) -> list[str]:
    return [type(a).__name__ if isinstance(a, BaseException) else str(a.status) for a in answers]


class TestTogether:
    async def test_refusals_of_every_kind_touch_nobody_else(self, scene: Scene) -> None:
        goods, room = await scene.offer(quantity=2), await scene.offer(Kind.STAY, 1)
        closed = await scene.offer(on_sale=False)
        answers = await together(
            scene.hold(units(goods)),
            scene.hold(units(ids.new())),
            scene.hold(units(closed)),
            scene.hold(units(room, 1, nights(0, 2))),
            scene.hold(units(goods), units(room, 1, nights(1, 3))),
            scene.confirm(ids.new()),
            scene.hold(units(goods)),
            scene.hold(units(goods)),
        )
        refusals = [UnknownSupply, Closed, None, SoldOut, UnknownHold, None, SoldOut]
        expected = ["held"] + ["held" if r is None else r.__name__ for r in refusals]
        assert kinds(answers) == expected

    async def test_one_hold_asked_for_several_things_gets_them_in_turn(self, scene: Scene) -> None:
        goods, name = await scene.offer(quantity=3), ids.new()
        answers = await together(
            scene.hold(units(goods, 3), hold_id=name),
            scene.hold(units(goods, 2), hold_id=name),
            scene.confirm(name),
            scene.hold(units(goods, 1)),
            scene.release(name),
            scene.hold(units(goods, 1), hold_id=name),
        )
        assert kinds(answers) == ["held", "held", "confirmed", "held", "released", "HoldEnded"]
        assert await scene.counters(goods) == {(3, 1, 0)}

    async def test_two_processes_make_one_hold_once(self, scene: Scene) -> None:
        goods, twin = await scene.offer(quantity=1000), scene.twin()
        names = [ids.new() for _ in range(40)]
        answers = await together(
            *(door.hold(units(goods, 2), hold_id=n) for n in names for door in (scene, twin))
        )
        assert set(kinds(answers)) == {"held"}
        assert await scene.counters(goods) == {(1000, 80, 0)}

    async def test_a_hold_that_the_twin_made_meanwhile_is_not_in_its_own_way(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        goods, twin, name = await scene.offer(quantity=1), scene.twin(), ids.new()
        await scene.release((await scene.hold(units(goods))).id)
        open_books = hold_queries.open_books

        async def open_after_the_twin(db: Any, hold_ids: Any, cells: Any) -> Any:
            monkeypatch.setattr(hold_queries, "open_books", open_books)
            work = twin.hold(units(goods), hold_id=name)
            await asyncio.create_task(work, context=Context())
            now, known, _ = await open_books(db, [ids.new()], cells)
            return now, known, await hold_queries.lock_cells(db, cells)

        monkeypatch.setattr(hold_queries, "open_books", open_after_the_twin)
        assert (await scene.hold(units(goods), hold_id=name)).status == "held"
        assert await scene.counters(goods) == {(1, 1, 0)}

    async def test_who_leaves_harms_nobody(self, scene: Scene) -> None:
        goods = await scene.offer(quantity=1000)
        names = [ids.new() for _ in range(200)]
        asked = [asyncio.create_task(scene.hold(units(goods), hold_id=name)) for name in names]
        await asyncio.sleep(0.005)
        for task in asked[::2]:
            task.cancel()
        answers = await together(*asked)
        assert set(kinds(answers[1::2])) == {"held"}
        # Whatever became of the others: whoever gives up releases, and nothing is left behind.
        await together(*(scene.release(name) for name in names[::2]))
        assert await scene.counters(goods) == {(1000, 100, 0)}
        with pytest.raises(HoldEnded):
            await scene.hold(units(goods), hold_id=names[0])
