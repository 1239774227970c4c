"""What concurrent customers saw can be explained by an order of their calls, whatever breaks."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import Claim
from dvor.kernel import clock, ids
from dvor.kernel.db import raw_connection
from dvor.kernel.errors import Unavailable
from dvor.kernel.periods import HourRange
from tests import seeds
from tests.histories.linear import Call, Verdict, check, parts
from tests.histories.promises import Promises, Shop, touched
from tests.histories.recorder import Recorder, needs, slots
from tests.services.inventory.conftest import FakeCatalog, Nobody, Scene, nights, units
from tests.services.inventory.halls import Event, event, hall

CLIENTS = 8
SLOTS = 5
"""Days, nights or hours that are sold here."""
UNITS = {
    "goods": (Kind.PRODUCT, ""),
    "tickets": (Kind.EVENT, ""),
    "rentals": (Kind.RENTAL, "day"),
    "rooms": (Kind.STAY, "day"),
    "courts": (Kind.RENTAL, "hour"),
    "seats": (Kind.EVENT, "seat"),
}
KINDS = {name: (name, name) for name in UNITS} | {
    "mixed carts": ("goods", "rooms", "courts"),
    "seats and other things": ("seats", "goods"),
}
FAULTS = ("nothing", "kills", "locks", "leaving")
SQL_KILL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'dvor inventory'
    ORDER BY random() LIMIT 1
"""


@dataclass
class Crowd:
    """Eight clients of two engines, and a seller who changes how much there is."""

    scene: Scene
    sold: tuple[str, ...]
    """Names in UNITS."""
    fault: str
    seed: int
    recorder: Recorder = field(default_factory=Recorder)
    offers: list[tuple[UUID, str]] = field(default_factory=list)
    """With the unit they are let by."""
    begin: datetime = field(default_factory=lambda: clock.now().replace(minute=0, second=0))
    halls: dict[UUID, Event] = field(default_factory=dict)
    """The events whose seats are sold, by their only tier."""
    seats: dict[UUID, list[str]] = field(default_factory=dict)
    names: list[UUID] = field(default_factory=lambda: [ids.new() for _ in range(6)])
    """Holds that clients share: two tabs of one cart."""

    async def stage(self) -> Shop:
        chance = random.Random(self.seed)
        supply: dict[UUID, int] = {}
        for name in self.sold:
            (kind, unit), there = UNITS[name], chance.randint(2, 6)
            if unit == "seat":
                show, seats = await patiently(lambda seats=there: self._hall(seats))
                (offer,) = show.tiers
                self.halls[offer], self.seats[offer] = show, seats
            else:
                offer = await patiently(
                    lambda kind=kind, there=there, unit=unit: self.scene.offer(
                        kind, there, by_hour=unit == "hour"
                    )
                )
                supply[offer] = there
            self.offers.append((offer, unit))
        self.doors = self.scene, self.scene.twin()
        return Shop.of(supply, self.seats)

    async def _hall(self, seats: int) -> tuple[Event, list[str]]:
        """An event with two rows; the names of its seats."""
        show = await event(self.scene)
        (tier,) = show.tiers
        drawn = hall([tier] * (seats // 2), [tier] * (seats - seats // 2))
        await show.draw(drawn)
        return show, [placed.name for placed in drawn.placed()]

    def claim(self, chance: random.Random, offer: UUID, unit: str, quantity: int) -> Claim:
        if unit == "seat":
            there = self.seats[offer]
            named = chance.sample(there, min(quantity, len(there)))
            return Claim(offer_id=offer, quantity=len(named), seats=tuple(named))
        start = chance.randrange(SLOTS)
        end = chance.randint(start + 1, SLOTS)
        if unit == "hour":
            tomorrow = self.begin.replace(microsecond=0) + timedelta(days=1)
            hours = HourRange(
                start=tomorrow + timedelta(hours=start), end=tomorrow + timedelta(hours=end)
            )
            return Claim(offer_id=offer, quantity=quantity, hours=hours)
        return units(offer, quantity, nights(start, end) if unit else None)

    def claims(self, chance: random.Random, offers: list[tuple[UUID, str]]) -> tuple[Claim, ...]:
        found = []
        for offer, unit in offers:
            line = self.claim(chance, offer, unit, chance.randint(1, 2))
            found += [line] * (1 if line.seats else chance.choice((1, 1, 2)))
        return tuple(found)

    async def client(self, number: int, steps: int) -> None:
        chance, door = random.Random(f"{self.seed} {number}"), self.doors[number % 2]
        for _ in range(steps):
            which = chance.randrange(len(self.names))
            name = self.names[which]
            # A hold is of one offer or of all; so a history falls apart where it can.
            offers = [self.offers[which % len(self.offers)]]
            if self.sold[0] != self.sold[-1]:
                offers = chance.sample(self.offers, chance.randint(1, len(self.offers)))
            verb = chance.choice(("hold",) * 5 + ("confirm", "release", "release", "free", "look"))
            action: tuple[Any, ...] = (verb, name)
            match verb:
                case "hold" if (
                    offers[0][1] == "seat" and len(offers) == 1 and chance.random() < 0.5
                ):
                    tier, count = offers[0][0], chance.randint(1, 3)
                    action = ("best", name, tier, count)
                    work = door.hold(units(tier, count), hold_id=name)
                case "hold":
                    claims = self.claims(chance, offers)
                    action += (needs(claims),)
                    work = door.hold(*claims, hold_id=name)
                case "confirm":
                    work = door.confirm(name)
                case "release":
                    work = door.release(name)
                    if chance.random() < 0.5:
                        self.names[which] = ids.new()
                case _:
                    action, work = self.read(chance, door, *chance.choice(self.offers), verb)
            asked = asyncio.create_task(self.recorder.record(action, work))
            if self.fault == "leaving" and chance.random() < 0.05:
                await asyncio.sleep(chance.random() / 100)
                asked.cancel()
            await asked

    def read(self, chance: random.Random, door: Scene, offer: UUID, unit: str, verb: str) -> Any:
        if unit == "seat":
            show, service = self.halls[offer], door.inventory
            match chance.choice(("taken", "left", "pick")):
                case "taken":
                    return ("taken", offer), service.seat_states(show.id)
                case "left":
                    return ("left", offer), service.free((offer,))
                case pick:
                    count = chance.randint(1, 2)
                    return (pick, offer, count), service.best_seats(offer, count)
        claim = self.claim(chance, offer, unit, 1)
        asked = ("free", offer, tuple(slots(claim)))
        if verb == "look" and claim.dates:
            return ("calendar", *asked[1:]), door.inventory.calendar(offer, claim.dates)
        return asked, door.inventory.free((offer,), claim.dates, claim.hours)

    async def seller(self, steps: int) -> None:
        chance = random.Random(f"{self.seed} seller")
        counted = [offer for offer, unit in self.offers if unit != "seat"]
        with self.scene.house.calling(self.scene.seller):
            for _ in range(steps if counted else 0):
                offer, there = chance.choice(counted), chance.randint(1, 7)
                work = self.scene.inventory.set_supply(offer, there)
                await self.recorder.record(("supply", offer, there), work)
                await asyncio.sleep(chance.random() / 50)

    @asynccontextmanager
    async def trouble(self) -> AsyncIterator[None]:
        """Within, connections die, or somebody else keeps rows longer than anybody waits."""
        work = {"kills": self._kill, "locks": self._lock}.get(self.fault)
        making = asyncio.create_task(work()) if work else None
        try:
            yield
        finally:
            if making:
                making.cancel()
                with suppress(asyncio.CancelledError):
                    await making

    async def _kill(self) -> None:
        async with raw_connection(self.scene.house.settings.database("inventory")) as connection:
            while True:
                await connection.execute(SQL_KILL)
                await asyncio.sleep(0.03)

    async def _lock(self) -> None:
        offers = [offer for offer, _ in self.offers]
        async with raw_connection(self.scene.house.settings.database("inventory")) as connection:
            while True:
                async with connection.transaction():
                    sql = "SELECT 1 FROM cells WHERE offer_id = ANY($1) LIMIT 2 FOR UPDATE"
                    await connection.execute(sql, offers)
                    await asyncio.sleep(0.15)
                await asyncio.sleep(0.05)

    async def live(self, steps: int) -> None:
        """All of it, in two halves; between them, holds run out."""
        for half in range(2):
            self.seed += half
            async with self.trouble():
                work = (self.client(number, steps // 2) for number in range(CLIENTS))
                await asyncio.gather(*work, self.seller(steps // 6))
            if not half:
                await asyncio.sleep(0.2)  # what was given up on has happened, or never will
                await self.recorder.record(("time",), self._pass())

    async def _pass(self) -> str:
        """Longer than a hold lives. The dead connections are dropped first."""
        for _ in range(20):
            with suppress(Unavailable):
                await self.scene.free(self.offers[0][0])
        await self.scene.expire()
        return "passed"


async def patiently(prepare: Callable[[], Awaitable[Any]]) -> Any:
    """What is prepared before a history is no part of it: this database waits for nobody for long."""
    for _ in range(50):
        with suppress(Unavailable):
            return await prepare()
    return await prepare()


@pytest.fixture
async def shaken(make_house: Any) -> Scene:
    """A scene whose database waits for nobody for long."""
    catalog = FakeCatalog()
    fakes = {"catalog": catalog, "identity": Nobody()}
    # Without the memory of what was sold out: it may be some milliseconds behind the other process.
    limits = {"lock_timeout_ms": 100, "statement_timeout_ms": 120, "sold_out_cache_ms": 0}
    return Scene(await make_house("inventory", fakes=fakes, **limits), catalog)


def story(part: list[Call], verdict: Verdict) -> str:
    """A part that cannot be explained, with short names; the calls that could not be next: `>`."""
    names: dict[str, str] = {}
    moment = min((call.begun for call in verdict.stuck), default=0)
    lines = [f"{verdict.linearizable} after {verdict.steps} steps"]
    for call in sorted(part, key=lambda call: call.begun):
        sign = ">" if call in verdict.stuck else " "
        asked = re.sub(
            r"UUID\('[^']+'\)",
            lambda found: names.setdefault(found[0], f"#{len(names)}"),
            repr(call.action),
        )
        span = f"{call.begun - moment:+.4f} {call.ended - moment:+.4f}"
        lines.append(f"{sign} {span} {asked} -> {call.answer}")
    return "\n".join(lines)


async def explained(crowd: Crowd, steps: int) -> tuple[int, int]:
    """A history of so many steps for each client is lived, then explained part by part.

    Answers how many parts there are, and how many are undecided.
    """
    start = await crowd.stage()
    await crowd.live(steps)
    history = crowd.recorder.calls
    unknown = sum(not call.known for call in history)
    print(f"{crowd.fault}: {len(history)} calls, {unknown} of them with an unknown outcome")
    found, undecided = parts(history, touched), 0
    for part in found:
        verdict = check(part, Promises(), start)
        assert verdict.linearizable is not False, story(part, verdict)
        undecided += verdict.linearizable is None
    return len(found), undecided


class TestHistories:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_they_are_linearizable(self, shaken: Scene, kind: str) -> None:
        for fault in ("nothing", random.Random(seed := seeds.fresh()).choice(FAULTS[1:])):
            _, undecided = await explained(Crowd(shaken, KINDS[kind], fault, seed), steps=20)
            assert undecided == 0

    @pytest.mark.nightly
    @pytest.mark.timeout(7200)
    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_hundred_long_ones_of_each_kind_are(
        self, shaken: Scene, kind: str, fault: str
    ) -> None:
        asked = [0, 0]
        for _ in range(25):
            crowd = Crowd(shaken, KINDS[kind], fault, seeds.fresh())
            found = await explained(crowd, steps=200)
            asked = [before + now for before, now in zip(asked, found, strict=True)]
        assert asked[1] * 100 <= asked[0]
