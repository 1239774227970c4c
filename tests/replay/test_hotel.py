"""The excerpt, replayed against a real house: what comes out is what the rules say."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from dvor.kernel import clock
from dvor.kernel.config import Settings
from dvor.kernel.db import raw_connection
from dvor.replay import hotel, hotel_plan
from dvor.replay.hotel import Outcome, Recording

ROWS = 80


def expected(recording: Recording) -> tuple[set[int], int]:
    """Which lines get a room and how many of them are kept, worked out without Dvor."""
    rooms = {room.name: room.rooms for room in hotel_plan.room_types(recording.bookings)}
    taken: Counter[Any] = Counter()
    won: dict[int, list[Any]] = {}
    for day in hotel_plan.days(recording.bookings):
        for booking in day.cancelled:
            taken.subtract(won.get(booking.line, ()))
        for booking in day.booked:
            cells = [(booking.room_type, night) for night in booking.days()]
            if all(taken[cell] < rooms.get(booking.room_type, 0) for cell in cells):
                won[booking.line] = cells
                taken.update(cells)
        for booking in day.taken_back:
            taken.subtract(won.get(booking.line, ()))
    kept = sum(b.line in won and b.cancelled is None for b in recording.bookings)
    return set(won), kept


def part(recording: Recording, rows: int) -> Recording:
    """The last rows of a recording."""
    first = min(b.line for b in recording.bookings[-rows:])
    refused = tuple(r for r in recording.refused if r.line >= first)
    return Recording("a part", recording.bookings[-(rows - len(refused)) :], refused)


@pytest.fixture
async def settings(postgres: str) -> AsyncIterator[Settings]:
    made = Settings(
        database_url=postgres,
        database_prefix="replayed_",
        secret=b"r" * 32,
        run=hotel.PARTS,
        log_level="error",
    )
    yield made
    clock.follow(timedelta())
    async with raw_connection(postgres) as admin:
        for name in ("broker", *hotel.PARTS):
            await admin.execute(f'DROP DATABASE IF EXISTS "replayed_{name}" WITH (FORCE)')


class TestReplay:
    async def test_every_row_is_accounted_for_and_every_promise_kept(
        self, settings: Settings
    ) -> None:
        recording = part(hotel.sample(), ROWS)
        steps: list[tuple[int, int]] = []
        outcome = await hotel.replay_on(settings, recording, lambda *step: steps.append(step))
        won, kept = expected(recording)
        assert outcome.clean, (outcome.wrong, outcome.report.to_json())
        assert outcome.requested == ROWS == outcome.booked + sum(outcome.refused.values())
        assert (outcome.booked, outcome.booked - outcome.cancelled) == (len(won), kept)
        assert steps[-1] == (ROWS, ROWS)
        self.check_sums(recording, won, outcome)
        self.check_table(outcome)

    def check_sums(self, recording: Recording, won: set[int], outcome: Outcome) -> None:
        stays = [b for b in recording.bookings if b.line in won and b.cancelled is None]
        assert sum(month.nights_sold for month in outcome.months) == sum(b.nights for b in stays)
        rooms = {room.name: room for room in outcome.rooms}
        revenue = sum(
            next(
                (m.price for m in rooms[stay.room_type].months if m.first <= night <= m.last),
                rooms[stay.room_type].price,
            )
            for stay in stays
            for night in stay.days()
        )
        assert sum(month.captured - month.refunded for month in outcome.months) == revenue

    def check_table(self, outcome: Outcome) -> None:
        console = Console(width=120, record=True, file=StringIO())
        console.print(outcome.as_table())
        shown = console.export_text()
        for word in ("requested", "refused", "occupancy", "revenue", "rows/s", "Clean"):
            assert word in shown

    async def test_without_rows_nothing_is_wrong(self, settings: Settings) -> None:
        outcome = await hotel.replay_on(settings, Recording("nothing", (), ()), lambda *_: None)
        assert (outcome.requested, outcome.booked, outcome.clean) == (0, 0, True)

    async def test_databases_in_use_are_left_alone(self, settings: Settings) -> None:
        recording = part(hotel.sample(), 1)
        await hotel.replay_on(settings, recording, lambda *_: None)
        with pytest.raises(hotel.NotEmpty):
            await hotel.replay_on(settings, recording, lambda *_: None)
