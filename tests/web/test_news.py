"""News of a listing: what others take and give back comes to whoever looks, once."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from dvor.contracts.inventory import Calendar, FreeList, OfferRulesList
from dvor.contracts.seating import SeatStates
from dvor.kernel.errors import Unavailable
from dvor.kernel.periods import DateRange, HourRange
from dvor.web import hours, live, watching
from tests.web.court import (
    COURT,
    HOTEL,
    JAZZ,
    MUG,
    FakeCatalog,
    FakeIdentity,
    FakeInventory,
    Silent,
)


class Counting(FakeInventory):
    """Counts what it is asked, and can be down."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[object] = []
        self.down = False
        self.taken_seats: tuple[str, ...] = ()

    async def free(
        self,
        offer_ids: tuple[UUID, ...],
        dates: DateRange | None = None,
        hours: HourRange | None = None,
    ) -> FreeList:
        self.asked.append((offer_ids, dates))
        if self.down:
            raise Unavailable
        return await super().free(offer_ids, dates, hours)

    async def calendar(self, offer_id: UUID, dates: DateRange) -> Calendar:
        self.asked.append((offer_id, dates))
        return await super().calendar(offer_id, dates)

    async def rules(self, offer_ids: tuple[UUID, ...]) -> OfferRulesList:
        return OfferRulesList(items=())

    async def seat_states(self, listing_id: UUID) -> SeatStates:
        return SeatStates(listing_id=listing_id, version=1, taken=self.taken_seats)


class Stream:
    """What a browser reads of a stream."""

    def __init__(self) -> None:
        self.status = 0
        self.text = ""
        self.grown = asyncio.Event()

    async def until(self, wanted: Callable[[list[tuple[str, str, str]]], bool]) -> Any:
        """Read on until the events are as wanted."""
        async with asyncio.timeout(30):
            while not wanted(self.events()):
                self.grown.clear()
                await self.grown.wait()
        return self.events()

    def events(self) -> list[tuple[str, str, str]]:
        """(name, id, data) of each event."""
        found = []
        for block in self.text.split("\n\n")[:-1]:
            lines = [line.partition(": ") for line in block.split("\n")]
            data = "\n".join(value for name, _, value in lines if name == "data")
            fields = {name: value for name, _, value in lines}
            if "event" in fields:
                found.append((fields["event"], fields.get("id", ""), data))
        return found


class Court:
    """The pages, and browsers that follow a listing."""

    def __init__(self, house: Any, inventory: Counting) -> None:
        self.house = house
        self.inventory = inventory

    @asynccontextmanager
    async def following(
        self, path: str, headers: dict[str, str] | None = None
    ) -> AsyncIterator[Stream]:
        """A stream, ended when its browser leaves at the end of the block."""
        stream, leave = Stream(), asyncio.Event()
        address, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": "GET", "scheme": "http", "path": address, "raw_path": address.encode(),
            "query_string": query.encode(), "root_path": "", "client": ("192.0.2.7", 1),
            "server": ("test", 80), "headers": [
                (name.encode(), value.encode()) for name, value in
                {"host": "test", "accept-language": "en"}.items() | (headers or {}).items()
            ],
        }  # fmt: skip
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await leave.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                stream.status = message["status"]
            else:
                stream.text += message.get("body", b"").decode()
            stream.grown.set()

        task = asyncio.create_task(self.house.process.app()(scope, receive, send))
        try:
            yield stream
        finally:
            leave.set()
            await task


@pytest.fixture
async def court(make_house: Callable[..., Awaitable[Any]]) -> AsyncIterator[Court]:
    inventory = Counting()
    fakes = {
        "identity": FakeIdentity(), "catalog": FakeCatalog(), "inventory": inventory,
        "payments": Silent(), "orders": Silent(), "notifications": Silent(),
    }  # fmt: skip
    yield Court(await make_house(fakes=fakes), inventory)
    assert live.streams_open() == 0


def soon(days: int) -> date:
    return date.today() + timedelta(days=days)


def named(name: str, least: int = 1) -> Callable[[list[tuple[str, str, str]]], bool]:
    return lambda events: sum(event[0] == name for event in events) >= least


class TestStock:
    async def test_the_state_comes_at_once_and_then_each_change(self, court: Court) -> None:
        async with court.following(f"/listings/{MUG.id}/live") as stream:
            ((name, _, html),) = await stream.until(named("stock"))
            assert name == "stock" and "only 3 left" in html
            assert f'data-stock="{MUG.offers[0].id}" data-most="3"' in html
            court.inventory.left = 2
            events = await stream.until(named("stock", 2))
            assert "only 2 left" in events[-1][2] and events[-1][1] != events[0][1]

    async def test_a_state_that_is_known_is_not_sent_again(self, court: Court) -> None:
        path = f"/listings/{MUG.id}/live"
        async with court.following(path) as stream:
            ((_, known, _),) = await stream.until(named("stock"))
        for again, headers in ((path, {"last-event-id": known}), (f"{path}?after={known}", {})):
            async with court.following(again, headers) as stream:
                before = len(court.inventory.asked)
                async with asyncio.timeout(30):
                    while len(court.inventory.asked) < before + 3:
                        await asyncio.sleep(0.01)
                assert stream.events() == []
                court.inventory.left -= 1
                assert (await stream.until(named("stock")))[0][1] != known
                court.inventory.left += 1

    async def test_whoever_missed_something_gets_the_state(self, court: Court) -> None:
        path = f"/listings/{MUG.id}/live"
        async with court.following(path, {"last-event-id": "of yesterday"}) as stream:
            assert "only 3 left" in (await stream.until(named("stock")))[0][2]

    async def test_while_nobody_can_answer_the_page_stays(self, court: Court) -> None:
        async with court.following(f"/listings/{MUG.id}/live") as stream:
            await stream.until(named("stock"))
            court.inventory.down, court.inventory.left = True, 1
            before = len(court.inventory.asked)
            async with asyncio.timeout(30):
                while len(court.inventory.asked) < before + 2:
                    await asyncio.sleep(0.01)
            assert len(stream.events()) == 1
            court.inventory.down = False
            assert "only 1 left" in (await stream.until(named("stock", 2)))[-1][2]


class TestMonths:
    async def test_days_change_and_other_parts_are_not_sent(self, court: Court) -> None:
        dates = f"start={soon(40)}&end={soon(42)}"
        path = f"/listings/{HOTEL.id}/live?month={soon(0):%Y-%m}&{dates}"
        async with court.following(path) as stream:
            events = await stream.until(named("stock"))
            assert [event[0] for event in events] == ["months", "stock"]
            assert [bool(event[1]) for event in events] == [False, True]
            assert re.search(rf'data-day="{soon(1)}" data-free="\d', events[0][2])
            court.inventory.taken = {soon(1)}
            events = await stream.until(named("months", 2))
            assert len(events) == 3 and events[-1][0] == "months" and events[-1][1]
            assert f'data-day="{soon(1)}" data-free' not in events[-1][2]


class TestHours:
    async def test_before_a_day_is_chosen_there_is_nothing_to_tell(self, court: Court) -> None:
        async with court.following(f"/listings/{COURT.id}/live") as stream:
            while not stream.status:
                await stream.grown.wait()
            assert stream.status == 204

    async def test_an_hour_that_is_taken_leaves_the_choice(self, court: Court) -> None:
        day = soon(2)
        nine, noon, six = (
            datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo("Europe/Berlin"))
            for hour in (9, 12, 18)
        )
        asked = f"day={day}&from_hour={hours.value(nine)}&to_hour={hours.value(noon)}"
        async with court.following(f"/listings/{COURT.id}/live?{asked}") as stream:
            events = await stream.until(named("stock"))
            assert [event[0] for event in events] == ["hours", "stock"]
            assert f'<option value="{hours.value(noon)}" selected' in events[0][2]
            assert f'<option value="{hours.value(six)}">18:00' in events[0][2]
            court.inventory.taken_hours = {six}
            news = (await stream.until(named("hours", 2)))[-1][2]
            ends = news[news.index('name="to_hour"') :]
            assert f'"{hours.value(six)}"' in ends  # it may still end then
            assert f'"{hours.value(six + timedelta(hours=1))}"' not in ends
            assert f'"{hours.value(six)}"' not in news[: news.index('name="to_hour"')]


class TestSeats:
    async def test_a_taken_seat_is_news(self, court: Court) -> None:
        async with court.following(f"/listings/{JAZZ.id}/live") as stream:
            await stream.until(named("seats"))
            court.inventory.taken_seats = ("Stalls 1-1",)
            events = await stream.until(named("seats", 2))
            assert [event[0] for event in events].count("stock") == 1


class TestPoller:
    async def test_many_readers_are_one_question_and_nobody_is_none(self, court: Court) -> None:
        path = f"/listings/{MUG.id}/live"
        async with court.following(path) as one, court.following(path) as other:
            await one.until(named("stock"))
            await other.until(named("stock"))
            court.inventory.asked.clear()
            await asyncio.sleep(watching.POLL_SECONDS * 2.5)
            assert 1 <= len(court.inventory.asked) <= 4
        await asyncio.sleep(watching.POLL_SECONDS)
        court.inventory.asked.clear()
        await asyncio.sleep(watching.POLL_SECONDS * 3)
        assert court.inventory.asked == []

    async def test_one_address_has_a_bounded_number(
        self, court: Court, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "STREAMS_PER_ADDRESS", 1)
        path = f"/listings/{MUG.id}/live"
        async with court.following(path) as one:
            await one.until(named("stock"))
            async with court.following(path) as other:
                async with asyncio.timeout(30):
                    while not other.status:
                        await asyncio.sleep(0.01)
                assert other.status == 429
        async with court.following(path) as again:
            await again.until(named("stock"))

    async def test_streams_end_when_the_process_closes(self, court: Court) -> None:
        async with court.following(f"/listings/{MUG.id}/live") as stream:
            await stream.until(named("stock"))
            with live.streams_ended():
                async with asyncio.timeout(30):
                    while live.streams_open():
                        await asyncio.sleep(0.01)
