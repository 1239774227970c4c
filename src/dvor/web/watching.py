"""What is free, watched: one poller in a process asks for all that is on screens, twice a second."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from dvor.contracts.inventory import Inventory
from dvor.kernel.errors import Invalid, NotFound, Refusal
from dvor.kernel.periods import DateRange, HourRange
from dvor.web import live
from dvor.web.forms import attempt

POLL_SECONDS = 0.5
GAP_SECONDS = 0.05
"""Between two turns, even when somebody new looks."""
AT_ONCE = 8
"""Calls under way at a time."""
FREE_AT_ONCE = 500
"""Offers that one call of `free` asks for."""


@dataclass(frozen=True)
class Days:
    """Free units of an offer, day by day."""

    offer_id: UUID
    dates: DateRange


@dataclass(frozen=True)
class Hours:
    """Free units of an offer, hour by hour, from a day on."""

    offer_id: UUID
    day: date
    days: int


@dataclass(frozen=True)
class Units:
    """Free units of an offer during dates or hours, or now."""

    offer_id: UUID
    period: DateRange | HourRange | None


@dataclass(frozen=True)
class Seats:
    """Which seats of an event are taken."""

    listing_id: UUID


Question = Days | Hours | Units | Seats


@dataclass
class _Watched:
    answer: Any = None
    watchers: "set[Watch]" = field(default_factory=set)


class Watch:
    """What one stream looks at."""

    def __init__(self, questions: tuple[Question, ...], watched: dict[Question, _Watched]) -> None:
        self._questions = questions
        self._watched = watched
        self.changed = asyncio.Event()
        """Some answer is another one than before."""

    def answers(self) -> dict[Question, Any] | None:
        """Every answer, () where there is none; None while one was never given."""
        found = {question: self._watched[question].answer for question in self._questions}
        return None if None in found.values() else found

    async def change(self, seconds: float) -> bool:
        """Whether something changed within so many seconds; streams that should end: no."""
        waiting = asyncio.ensure_future(self.changed.wait())
        try:
            changed = await live.finished_within(waiting, seconds)
        finally:
            waiting.cancel()
        self.changed.clear()
        return changed


class Poller:
    """Asks each question once per turn, however many look; asks nothing while nobody does."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._watched: dict[Question, _Watched] = {}
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watching(self, questions: Iterable[Question]) -> AsyncIterator[Watch]:
        """Watch these until the end of the block."""
        asked = tuple(dict.fromkeys(questions))
        watch = Watch(asked, self._watched)
        for question in asked:
            self._watched.setdefault(question, _Watched()).watchers.add(watch)
        watch.changed.set()
        self._more.set()
        if self._task is None or self._task.done():
            # Of nobody's request: neither its caller nor its deadline is the poller's.
            self._task = asyncio.get_running_loop().create_task(self._poll(), context=Context())
        try:
            yield watch
        finally:
            for question in asked:
                self._watched[question].watchers.discard(watch)
                if not self._watched[question].watchers:
                    del self._watched[question]
            if not self._watched:
                self._more.set()

    async def _poll(self) -> None:
        while self._watched:
            self._more.clear()
            began = time.monotonic()
            await self._turn()
            await asyncio.sleep(GAP_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS - (time.monotonic() - began)):
                    await self._more.wait()

    async def _turn(self) -> None:
        """Ask everything once. What cannot be answered now keeps the answer it had."""
        places = asyncio.Semaphore(AT_ONCE)

        async def limited(work: Awaitable[None]) -> None:
            async with places:
                await work

        await asyncio.gather(*(limited(work) for work in self._calls()), return_exceptions=True)

    def _calls(self) -> list[Awaitable[None]]:
        units: dict[DateRange | HourRange | None, list[Units]] = defaultdict(list)
        calls: list[Awaitable[None]] = []
        for question in self._watched:
            if isinstance(question, Units):
                units[question.period].append(question)
            else:
                calls.append(self._one(question))
        for period, asked in units.items():
            starts = range(0, len(asked), FREE_AT_ONCE)
            calls += [self._units(period, asked[n : n + FREE_AT_ONCE]) for n in starts]
        return calls

    async def _one(self, question: Days | Hours | Seats) -> None:
        if isinstance(question, Seats):
            found = await attempt(self._inventory.seat_states(question.listing_id), NotFound)
        elif isinstance(question, Hours):
            work = self._inventory.hours(question.offer_id, question.day, question.days)
            found = await attempt(work, NotFound, Invalid)
        else:
            work = self._inventory.calendar(question.offer_id, question.dates)
            found = await attempt(work, NotFound, Invalid)
        self._answer(question, () if isinstance(found, Refusal) else found)

    async def _units(self, period: DateRange | HourRange | None, asked: list[Units]) -> None:
        ids = tuple(units.offer_id for units in asked)
        if isinstance(period, HourRange):
            found = await self._inventory.free(ids, hours=period)
        else:
            found = await self._inventory.free(ids, period)
        for item in found.items:
            self._answer(Units(item.offer_id, period), item.free)

    def _answer(self, question: Question, answer: Any) -> None:
        watched = self._watched.get(question)
        if watched is None or watched.answer == answer:
            return
        watched.answer = answer
        for watch in watched.watchers:
            watch.changed.set()


_pollers: WeakKeyDictionary[Any, Poller] = WeakKeyDictionary()


def poller(process: Any, inventory: Inventory) -> Poller:
    """The poller of a process."""
    if process not in _pollers:
        _pollers[process] = Poller(inventory)
    return _pollers[process]


def fingerprint(*parts: str) -> str:
    """A short name of a state: the same for the same texts only."""
    return sha256("\x1f".join(parts).encode()).hexdigest()[:20]
