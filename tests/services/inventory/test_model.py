"""The service against a model in plain Python: random steps, the same answers (MD-1)."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
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
from dvor.contracts.closures import Closure
from dvor.contracts.inventory import Claim, Rules
from dvor.kernel import clock, ids
from dvor.kernel.errors import Refusal
from dvor.kernel.periods import DateRange, HourRange
from dvor.services.inventory.closures import ClosureDesk
from dvor.services.inventory.service import InventoryService
from tests.services.inventory.conftest import Scene, units
from tests.services.inventory.model import Model, Refused, Thing, first_open, span

KINDS = {
    "lamp": (Kind.PRODUCT, "timeless"),
    "ticket": (Kind.EVENT, "timeless"),
    "bike": (Kind.RENTAL, "day"),
    "room": (Kind.STAY, "day"),
    "court": (Kind.RENTAL, "hour"),
    "seats": (Kind.EVENT, "seat"),
}
SEATS = ("A1", "A2", "A3", "A4", "A5")
SQL_SEATS = """
    INSERT INTO seats (offer_id, slot, listing_id, name, row_place, place, centre, accessible)
    SELECT $1, n, $1, 'A' || n, 1, n, 6, false FROM generate_series(1, 5) AS n
"""
VERDICTS = {
    *("held", "confirmed", "released", "expired", "set"),
    *("closed", "closed in part", "closed later", "reopened", "UnknownClosure"),
    *("SoldOut", "LimitReached", "BelowPromised", "Conflict", "HoldEnded", "UnknownHold"),
    *("Closed", "ClosedDates", "InThePast", "TooFarAhead", "TooLate", "TooShort", "TooLong"),
    *("WrongWeekday", "UnknownSupply", "NeedsDates", "NeedsHours", "NoSeats"),
    "UnknownSeat",
}

line = st.tuples(
    st.sampled_from([*KINDS, "room", "bike"]),
    st.sampled_from([1, 1, 1, 2, 2, 2, 3, 4, 0, -1, 800]),  # the day, hour or seat it begins with
    st.integers(1, 3),
    st.sampled_from([1, 1, 2]),
)
"""What, from when, how long, how many."""
LET = ("bike", "room", "court")
"""What has days that can be closed."""
MISFITS = (
    *(("lamp", "dates"), ("ticket", "seats"), ("bike", "hours"), ("room", "bare")),
    *(("room", "seats"), ("court", "dates"), ("lamp", "unknown")),
    ("seats", "no such seat"),
)
"""What is asked for in a shape that it does not have."""


def wishes_of_sellers(day: DateRange) -> dict[str, tuple[dict[str, Any], ...]]:
    """Rules that sellers choose from. `day`: the second day that is sold."""
    stays: tuple[dict[str, Any], ...] = (
        {},
        {"length_min": 2},
        {"length_max": 1},
        {"closed": (day,)},
        {"arrival_weekdays": (day.start.weekday(),)},
        {"departure_weekdays": (day.end.weekday(),)},
        {"notice_hours": 40},
        {"horizon_days": 3},
        {"per_customer": 1},
        {"buffer": 1},
    )
    limits: tuple[dict[str, Any], ...] = ({}, {"per_customer": 1}, {"per_customer": 2})
    hours = ({}, {"length_max": 2}, {"buffer": 2}, {"closed": (day,)}, {"notice_hours": 26})
    return {
        **dict.fromkeys(("lamp", "ticket", "seats"), limits),
        **dict.fromkeys(("bike", "room"), stays),
        "court": hours,
    }


def compare(
    scene: Scene, loop: asyncio.AbstractEventLoop, reached: Counter[str]
) -> type[RuleBasedStateMachine]:
    """A state machine whose steps run in `loop`; counts the verdicts that it met."""

    class Comparison(RuleBasedStateMachine):
        @initialize(quantity=st.integers(1, 4), asked=st.integers(0, 9))
        def open(self, quantity: int, asked: int) -> None:
            self.model = Model()
            self.names = [ids.new() for _ in range(4)]
            self.people = [ids.new(), ids.new(), None]
            self.closed: list[UUID] = []
            self.now = clock.now().replace(minute=0, second=0, microsecond=0)
            self.things = {name: self.wait(self.thing(name, quantity)) for name in KINDS}
            self.model.things = {thing.id: thing for thing in self.things.values()}
            self.choices = wishes_of_sellers(self.days(2, 1))
            for name in ("room", "court"):
                self.seller_asks(name, asked)

        async def thing(self, name: str, quantity: int) -> Thing:
            kind, unit = KINDS[name]
            there = len(SEATS) if unit == "seat" else quantity
            offer = await scene.offer(kind, there, by_hour=unit == "hour")
            if unit == "seat":
                await scene.db.execute(SQL_SEATS, offer)
                sql = "UPDATE offers SET seated = true WHERE offer_id = $1"
                await scene.db.execute(sql, offer)
            return Thing(offer, unit, there, seats=SEATS if unit == "seat" else ())

        def wait(self, work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result(60)

        def same(self, expected: Any, work: Any, *arguments: Any, shown: Any = status) -> Any:
            """The model's answer, then the service's, which is given back."""
            try:
                modelled = expected(*arguments)
            except Refused as refused:
                modelled = str(refused)
            answer = None
            try:
                answer = self.wait(work)
                said = shown(answer)
            except Refusal as refusal:
                said = type(refusal).__name__
            assert said == modelled
            reached[said] += 1
            return answer

        def days(self, start: int, length: int) -> DateRange:
            first = self.now.date() + timedelta(days=start)
            return DateRange(start=first, end=first + timedelta(days=length))

        def claim(
            self, name: str, start: int, length: int, quantity: int, shape: str = ""
        ) -> Claim:
            thing = self.things[name]
            offer = ids.new() if shape == "unknown" else thing.id
            if shape in ("", "unknown"):
                shape = {"day": "dates", "hour": "hours", "seat": "seats"}.get(thing.unit, "bare")
            if shape == "dates":
                return units(offer, quantity, self.days(start, length))
            if shape == "hours":
                begin = self.now + timedelta(hours=24 + start)
                if start < 0:
                    begin = self.now - timedelta(hours=2)
                during = HourRange(start=begin, end=begin + timedelta(hours=length))
                return Claim(offer_id=offer, quantity=quantity, hours=during)
            if shape == "no such seat":
                return Claim(offer_id=offer, quantity=1, seats=("Z9",))
            if shape == "seats":
                first = max(start, 1) if start < 9 else 5
                seats = tuple(f"A{number}" for number in range(first, first + quantity))
                return Claim(offer_id=offer, quantity=quantity, seats=seats)
            return units(offer, quantity)

        @rule(
            who=st.integers(0, 3),
            lines=st.lists(line, min_size=1, max_size=2),
            by=st.sampled_from([0, 0, 1, 2]),
        )
        def hold(self, who: int, lines: list[Any], by: int) -> None:
            claims, name, person = (
                [self.claim(*each) for each in lines],
                self.names[who],
                self.people[by],
            )
            work = scene.hold(*claims, hold_id=name, customer=person)
            self.same(self.model.hold, work, name, claims, person, clock.now())

        @rule(who=st.integers(0, 3), misfit=st.sampled_from(MISFITS))
        def hold_what_does_not_fit(self, who: int, misfit: tuple[str, str]) -> None:
            what, shape = misfit
            claims, name = [self.claim(what, 1, 1, 1, shape)], self.names[who]
            work = scene.hold(*claims, hold_id=name)
            self.same(self.model.hold, work, name, claims, None, clock.now())

        @rule(who=st.integers(0, 3))
        def confirm(self, who: int) -> None:
            name = self.names[who]
            self.same(self.model.confirm, scene.confirm(name), name, clock.now())

        @rule(who=st.integers(0, 3), anew=st.booleans())
        def release(self, who: int, anew: bool) -> None:
            name = self.names[who]
            self.same(self.model.release, scene.release(name), name, clock.now())
            if anew:
                self.names[who] = ids.new()

        @rule(who=st.integers(0, 3))
        def look(self, who: int) -> None:
            name = self.names[who]
            self.same(self.model.look, scene.get_hold(name), name, clock.now())

        @rule(seconds=st.sampled_from([100, 601, 901]), sweeper_comes=st.booleans())
        def time_passes(self, seconds: int, sweeper_comes: bool) -> None:
            if not sweeper_comes:
                return self.wait(scene.house.clock.advance(seconds=seconds))
            self.wait(scene.expire(seconds))
            self.model.sweep(clock.now())
            reached["closed later"] += self.model.follow_up(clock.now())
            return None

        @rule(name=st.sampled_from([n for n, (_, unit) in KINDS.items() if unit != "seat"]),
              quantity=st.integers(0, 5))  # fmt: skip
        def supply(self, name: str, quantity: int) -> None:
            thing = self.things[name]
            work = self.selling("set_supply", thing.id, quantity)
            self.same(self.model.supply, work, thing.id, quantity, clock.now())

        @rule(
            name=st.sampled_from([*LET, *LET, "lamp"]),
            start=st.sampled_from([0, 1, 1, 2, 2, 3, -3, 800]),
            length=st.integers(1, 3),
            units=st.integers(1, 3),
            again=st.booleans(),
        )
        def close(self, name: str, start: int, length: int, units: int, again: bool) -> None:
            """Some units, once or twice under one key: a repeated request closes nothing more."""
            thing, dates, key = self.things[name], self.days(start, length), ids.new()
            closure = ids.derived(scene.seller.user_id, key, "closure")
            for _ in range(2 if again else 1):
                work = self.selling("close_dates", thing.id, dates, units, key=key)
                asked = closure, thing.id, dates, units, clock.now()
                made = self.same(self.model.close, work, *asked, shown=closed)
                if made:
                    self.closed.append(closure)
                    assert made.id == closure

        @rule(which=st.integers(0, 4))
        def reopen(self, which: int) -> None:
            closure = self.closed[which] if which < len(self.closed) else ids.new()
            work = self.selling("reopen", closure)
            self.same(self.model.reopen, work, closure, clock.now(), shown=lambda _: "reopened")

        @rule(name=st.sampled_from(LET), length=st.integers(1, 4))
        def what_is_closed(self, name: str, length: int) -> None:
            thing, now = self.things[name], clock.now()
            week = DateRange(start=now.date(), end=now.date() + timedelta(days=length))
            found = self.wait(self.selling("closures", thing.id, week))
            lacking = {c.id: {s.day: s.units for s in c.conflicts} for c in found.items}
            slots = span(thing, week)
            assert lacking == {
                closure: self.model.conflicts(closed, now)
                for closure, closed in self.model.closures.items()
                if closed.offer_id == thing.id
                and closed.slots.start < slots.stop
                and slots.start < closed.slots.stop
            }
            days = self.wait(self.selling("occupancy", thing.id, week)).days
            for day in days:
                numbers = day.closed, day.held, day.sold, day.free
                assert numbers == self.model.occupancy(thing, day.day)

        def seller_asks(self, name: str, choice: int) -> None:
            thing, choices = self.things[name], self.choices[name]
            thing.rules = Rules(**choices[choice % len(choices)])
            self.wait(self.selling("set_rules", thing.id, thing.rules))

        @rule(name=st.sampled_from(list(KINDS)), choice=st.integers(0, 9))
        def rules_change(self, name: str, choice: int) -> None:
            self.seller_asks(name, choice)

        @rule(
            name=st.sampled_from(["room", "court"]),
            choice=st.integers(0, 9),
            who=st.integers(0, 3),
            start=st.integers(1, 3),
            length=st.integers(1, 3),
        )
        def hold_by_new_rules(
            self, name: str, choice: int, who: int, start: int, length: int
        ) -> None:
            self.seller_asks(name, choice)
            self.hold(who, [(name, start, length, 1)], 0)

        @rule(who=st.integers(0, 3))
        def come_back_too_late(self, who: int) -> None:
            self.hold(who, [("lamp", 1, 1, 1)], 0)
            self.wait(scene.house.clock.advance(seconds=901))
            self.look(who)

        @rule(name=st.sampled_from(list(KINDS)), on_sale=st.sampled_from([True, True, False]))
        def show(self, name: str, on_sale: bool) -> None:
            thing = self.things[name]
            thing.open = on_sale
            self.wait((scene.publish if on_sale else scene.archive)(thing.id))

        async def selling(self, verb: str, *arguments: Any, key: UUID | None = None) -> Any:
            with scene.house.calling(scene.seller.model_copy(update={"key": key})):
                return await getattr(scene.inventory, verb)(*arguments)

        @rule(
            name=st.sampled_from(["lamp", "ticket", "bike", "room", "court"]),
            length=st.integers(1, 6),
        )
        def availability(self, name: str, length: int) -> None:
            thing, claim = self.things[name], self.claim(name, 1, length, 1)
            slots = self.model.slots(claim)
            asked = self.wait(scene.inventory.free((thing.id,), claim.dates, claim.hours))
            barred = self.model.barred(claim, clock.now())
            expected = 0 if barred else max(self.model.free(thing.id, slots), 0)
            assert asked.items[0].free == expected
            if claim.dates:
                calendar = self.wait(scene.inventory.calendar(thing.id, claim.dates))
                days = span(thing, claim.dates)
                expected_days = [max(self.model.free(thing.id, [day]), 0) for day in days]
                assert [day.free for day in calendar.days] == expected_days

        @invariant()
        def counters_agree(self) -> None:
            if not hasattr(self, "model"):
                return
            sql = "SELECT * FROM cells WHERE offer_id = ANY($1)"
            rows = self.wait(scene.db.fetch(sql, list(self.model.things)))
            for number, status in (("held", "held"), ("sold", "confirmed")):
                counted = {(row["offer_id"], row["slot"]): row[number] for row in rows}
                expected: Counter[tuple[UUID, int]] = self.model.promised(None, status)
                assert Counter({k: n for k, n in counted.items() if n}) == expected
            now = clock.now()
            for row in rows:
                thing = self.model.things[row["offer_id"]]
                if thing.unit != "seat" and row["slot"] >= first_open(thing, now):
                    assert row["capacity"] == self.model.capacity((thing.id, row["slot"]))

    return Comparison


def status(answer: Any) -> str:
    """How an answer is shown beside the model's."""
    return str(getattr(answer, "status", "set"))


def closed(answer: Closure) -> str:
    """The same of a closure."""
    return "closed in part" if answer.conflicts else "closed"


class TestModel:
    @pytest.mark.timeout(20_000)
    @pytest.mark.parametrize(
        ("runs", "steps"), [(200, 30), pytest.param(3000, 60, marks=pytest.mark.nightly)]
    )
    async def test_the_service_answers_as_the_model(
        self, patient: Scene, monkeypatch: pytest.MonkeyPatch, runs: int, steps: int
    ) -> None:
        scene = patient
        reached: Counter[str] = Counter()
        # The sweeper comes when a step says so, not when a second has passed; so do closures.
        expire_due, follow_up, expire = (
            InventoryService.expire_due,
            ClosureDesk.follow_up,
            scene.expire,
        )

        async def nothing_is_due(_self: Any) -> int:
            return 0

        def let(expiring: Any, following: Any) -> None:
            monkeypatch.setattr(InventoryService, "expire_due", expiring)
            monkeypatch.setattr(ClosureDesk, "follow_up", following)

        async def expire_now(seconds: int) -> None:
            let(expire_due, follow_up)
            await expire(seconds)
            let(nothing_is_due, nothing_is_due)

        let(nothing_is_due, nothing_is_due)
        monkeypatch.setattr(scene, "expire", expire_now)
        await asyncio.to_thread(
            run_state_machine_as_test,
            compare(scene, asyncio.get_running_loop(), reached),
            settings=settings(
                max_examples=runs,
                stateful_step_count=steps,
                deadline=None,
                derandomize=runs < 1000,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
        # Few runs are the same each time: whether all verdicts were met is not left to chance.
        assert VERDICTS - reached.keys() == set()
