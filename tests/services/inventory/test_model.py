"""The service against a model of a few lines: random steps, the same answers."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dvor.contracts.catalog import Kind
from dvor.kernel import clock, ids
from dvor.kernel.errors import Refusal
from tests.services.inventory.conftest import Scene, nights, units

TTL, LIFETIME = timedelta(seconds=900), timedelta(seconds=3600)


@dataclass
class ModelHold:
    """A hold as the model sees it: units per (offer, night)."""

    status: str
    made_at: datetime
    expires_at: datetime
    claims: Counter[Any]


@dataclass
class Model:
    """What should be true."""

    capacity: dict[Any, int] = field(default_factory=dict)
    holds: dict[UUID, ModelHold] = field(default_factory=dict)

    def promised(self, without: UUID | None = None) -> Counter[Any]:
        taken: Counter[Any] = Counter()
        for hold_id, hold in self.holds.items():
            if hold_id != without and hold.status in ("held", "confirmed"):
                taken.update(hold.claims)
        return taken

    def hold(self, hold_id: UUID, claims: Counter[Any], now: datetime) -> str:
        old = self.holds.get(hold_id)
        if old and old.status == "confirmed":
            return "Conflict"
        if old and old.status == "released":
            return "HoldEnded"
        taken = self.promised(without=hold_id)
        if any(taken[cell] + n > self.capacity[cell[0]] for cell, n in claims.items()):
            return "SoldOut"
        alive = old and old.status == "held" and old.expires_at > now
        made_at = old.made_at if old and alive else now
        self.holds[hold_id] = ModelHold("held", made_at, min(now + TTL, made_at + LIFETIME), claims)
        return "held"

    def confirm(self, hold_id: UUID, now: datetime) -> str:
        hold = self.holds.get(hold_id)
        if hold is None:
            return "UnknownHold"
        if hold.status == "held" and hold.expires_at > now:
            hold.status = "confirmed"
        return "confirmed" if hold.status == "confirmed" else "HoldEnded"

    def release(self, hold_id: UUID, now: datetime) -> str:
        hold = self.holds.setdefault(hold_id, ModelHold("held", now, now, Counter()))
        if hold.status in ("held", "confirmed"):
            hold.status = "released"
        return hold.status

    def sweep(self, now: datetime) -> None:
        for hold in self.holds.values():
            if hold.status == "held" and hold.expires_at <= now:
                hold.status = "expired"


def compare(scene: Scene, loop: asyncio.AbstractEventLoop) -> type[RuleBasedStateMachine]:
    """A state machine whose steps run in `loop`."""

    class Comparison(RuleBasedStateMachine):
        @initialize(goods=st.integers(1, 4), rooms=st.integers(1, 3))
        def open(self, goods: int, rooms: int) -> None:
            self.model = Model()
            self.names = [ids.new() for _ in range(4)]
            self.goods = self.wait(scene.offer(Kind.PRODUCT, goods))
            self.room = self.wait(scene.offer(Kind.STAY, rooms))
            self.model.capacity = {self.goods: goods, self.room: rooms}

        def wait(self, work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result(30)

        def answer(self, work: Any) -> str:
            try:
                return str(self.wait(work).status)
            except Refusal as refusal:
                return type(refusal).__name__

        @rule(
            who=st.integers(0, 3),
            goods=st.integers(0, 3),
            stays=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=2),
        )
        def hold(self, who: int, goods: int, stays: list[tuple[int, int]]) -> None:
            lines = [units(self.goods, goods)] if goods else []
            cells: Counter[Any] = Counter({(self.goods, None): goods} if goods else {})
            for start, length in stays:
                dates = nights(start, start + length)
                lines.append(units(self.room, 1, dates))
                cells.update([(self.room, day) for day in dates.days()])
            if lines:
                expected = self.model.hold(self.names[who], cells, clock.now())
                assert self.answer(scene.hold(*lines, hold_id=self.names[who])) == expected

        @rule(who=st.integers(0, 3))
        def confirm(self, who: int) -> None:
            expected = self.model.confirm(self.names[who], clock.now())
            assert self.answer(scene.confirm(self.names[who])) == expected

        @rule(who=st.integers(0, 3))
        def release(self, who: int) -> None:
            expected = self.model.release(self.names[who], clock.now())
            assert self.answer(scene.release(self.names[who])) == expected

        @rule(who=st.integers(0, 3))
        def start_afresh(self, who: int) -> None:
            self.names[who] = ids.new()

        @rule(seconds=st.sampled_from([100, 600, 901]))
        def time_passes(self, seconds: int) -> None:
            self.wait(scene.expire(seconds))
            self.model.sweep(clock.now())

        @invariant()
        def counters_agree(self) -> None:
            if not hasattr(self, "model"):
                return
            taken = self.model.promised()
            free = self.model.capacity[self.goods] - taken[self.goods, None]
            assert self.wait(scene.free(self.goods)) == free
            week = nights(0, 8)
            calendar = self.wait(scene.inventory.calendar(self.room, week))
            rooms = self.model.capacity[self.room]
            assert [day.free for day in calendar.days] == [
                rooms - taken[self.room, day] for day in week.days()
            ]

    return Comparison


class TestModel:
    async def test_the_service_answers_as_the_model(self, scene: Scene) -> None:
        machine = compare(scene, asyncio.get_running_loop())
        await asyncio.to_thread(
            run_state_machine_as_test,
            machine,
            settings=settings(
                max_examples=60,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
