"""Feeds that others read, and calendars of others that close units."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from dvor.contracts.calendars import (
    BadCalendarAddress,
    CalendarImport,
    CalendarSource,
    NotACalendar,
    TooManyImports,
    UnknownFeed,
    UnknownImport,
)
from dvor.contracts.catalog import Kind
from dvor.contracts.closures import ClosedElsewhere
from dvor.contracts.inventory import NeedsDates
from dvor.kernel import clock, ids, outbound
from dvor.kernel.caller import ANONYMOUS, Caller, Role
from dvor.kernel.errors import Forbidden, Unauthenticated
from dvor.kernel.outbound import Fetched
from dvor.kernel.tasks import Runner
from dvor.services.inventory import calendars
from tests.services.inventory.conftest import Scene, nights, units
from tests.services.inventory.test_closures import free
from tests.services.inventory.test_ical import calendar


def event(uid: str, start: int, end: int, title: str = "Reserved") -> str:
    """An event of whole days, counted from today."""
    dates = nights(start, end)
    first, last = (f"{day:%Y%m%d}" for day in (dates.start, dates.end))
    return f"UID:{uid}\nSUMMARY:{title}\nDTSTART;VALUE=DATE:{first}\nDTEND;VALUE=DATE:{last}"


async def bring(
    scene: Scene, room: UUID, *events: str, into: UUID | None = None, **source: Any
) -> CalendarImport:
    given = CalendarSource(**({"name": "Elsewhere", "text": calendar(*events)} | source))
    with scene.house.calling(scene.seller):
        return await scene.inventory.import_calendar(room, given, into)


async def shown(scene: Scene, room: UUID) -> CalendarImport:
    with scene.house.calling(scene.seller):
        (found,) = (await scene.inventory.calendars(room)).imports
    return found


class Elsewhere:
    """What answers instead of the internet."""

    def __init__(self) -> None:
        self.text = ""
        self.problem: Exception | None = None
        self.status = 200
        self.asked = 0

    async def fetch(self, url: str, **_: Any) -> Fetched:
        self.asked += 1
        if self.problem:
            raise self.problem
        return Fetched(self.status, self.text.encode())


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    there = Elsewhere()
    monkeypatch.setattr(outbound, "fetch", there.fetch)
    return there


ADDRESS: dict[str, Any] = {"text": "", "url": "https://calendars.example/room.ics"}


class TestImport:
    async def test_each_event_closes_a_unit(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        found = await bring(scene, room, event("a", 0, 2), event("b", 1, 4))
        assert await free(scene, room) == [1, 0, 1, 1, 2, 2]
        assert (found.events, found.name, found.problem, found.broken) == (2, "Elsewhere", "", ())

    async def test_again_follows_what_moved_and_vanished(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        first = await bring(scene, room, event("a", 0, 2), event("b", 1, 4), event("c", 5, 6))
        again = await bring(scene, room, event("b", 4, 6), event("c", 5, 6), into=first.id)
        assert await free(scene, room) == [2, 2, 2, 2, 1, 0]
        assert (again.id, again.events) == (first.id, 2)
        await bring(scene, room, event("b", 4, 6), event("c", 5, 6), into=first.id)
        assert await free(scene, room) == [2, 2, 2, 2, 1, 0]

    async def test_reports_what_is_promised_day_by_day(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        await scene.confirm((await scene.hold(units(room, 1, nights(1, 3)))).id)
        found = await bring(scene, room, event("a", 0, 2))
        assert [(c.day, c.units) for c in found.conflicts] == [(nights(1, 2).start, 1)]
        assert await free(scene, room) == [0, 0, 0, 1, 1, 1]

    async def test_lists_what_it_cannot_understand(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 1)
        found = await bring(scene, room, "UID:x\nSUMMARY:Odd", event("a", 0, 1))
        assert [(b.event, b.reason) for b in found.broken] == [("Odd", "no_start")]
        assert found.events == 1

    async def test_a_new_text_that_is_no_calendar_changes_nothing(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        first = await bring(scene, room, event("a", 0, 2))
        with pytest.raises(NotACalendar):
            await bring(scene, room, into=first.id, text="<html>")
        assert await free(scene, room, 3) == [1, 1, 2]

    async def test_its_closures_are_not_reopened_by_hand(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        await bring(scene, room, event("a", 0, 2, "Guests of theirs"))
        with scene.house.calling(scene.seller):
            (closure,) = (await scene.inventory.closures(room, nights(0, 9))).items
            assert closure.note == "Guests of theirs"
            with pytest.raises(ClosedElsewhere):
                await scene.inventory.reopen(closure.id)

    async def test_refuses_goods_strangers_and_too_many(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(calendars, "IMPORTS_MAX", 1)
        goods, room = await scene.offer(), await scene.offer(Kind.STAY, 1)
        with pytest.raises(NeedsDates):
            await bring(scene, goods, event("a", 0, 1))
        with pytest.raises(UnknownImport):
            await bring(scene, room, event("a", 0, 1), into=ids.new())
        await bring(scene, room, event("a", 0, 1))
        with pytest.raises(TooManyImports):
            await bring(scene, room, event("a", 0, 1))
        other = Caller(user_id=ids.new(), roles=(Role.SELLER,))
        mine = await shown(scene, room)
        for caller, refusal, unknown in (
            (ANONYMOUS, Unauthenticated, Unauthenticated),
            (other, Forbidden, UnknownImport),
        ):
            with scene.house.calling(caller):
                with pytest.raises(refusal):
                    await scene.inventory.calendars(room)
                with pytest.raises(refusal):
                    await scene.inventory.set_feed(room, True)
                with pytest.raises(unknown):
                    await scene.inventory.remove_import(mine.id)

    async def test_removed_it_opens_what_it_closed(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        found = await bring(scene, room, event("a", 0, 2))
        with scene.house.calling(scene.seller):
            await scene.inventory.remove_import(found.id)
            assert (await scene.inventory.calendars(room)).imports == ()
        assert await free(scene, room, 3) == [2, 2, 2]


class TestFetch:
    @pytest_asyncio.fixture(autouse=True)
    async def noon(self, scene: Scene) -> None:
        """Half an hour later it is still the same day."""
        now = clock.now()
        noon = datetime.combine(now.date() + timedelta(days=1), time(12), UTC)
        await scene.house.clock.advance(seconds=(noon - now).total_seconds())

    async def test_looks_at_once_and_every_half_hour(
        self, scene: Scene, elsewhere: Elsewhere
    ) -> None:
        room = await scene.offer(Kind.STAY, 2)
        elsewhere.text = calendar(event("a", 0, 2))
        await bring(scene, room, **ADDRESS)
        await scene.house.settle()
        assert await free(scene, room, 3) == [1, 1, 2]
        assert (await shown(scene, room)).fetched_at is not None
        elsewhere.text = calendar(event("a", 2, 3))
        await self.later(scene, minutes=29)
        assert elsewhere.asked == 1
        await self.later(scene, minutes=2)
        assert elsewhere.asked == 2
        assert await free(scene, room, 3) == [2, 2, 1]

    async def later(self, scene: Scene, **amount: int) -> None:
        await scene.house.clock.advance(seconds=timedelta(**amount).total_seconds())
        runner: Runner = scene.house.process.runners["inventory"]
        await runner.run_timers_once()
        await scene.house.settle()

    @pytest.mark.parametrize(
        ("problem", "status", "text", "said"),
        [
            (ConnectionError(), 200, "", "unreachable"),
            (outbound.NotPublic(), 200, "", "not_public"),
            (outbound.TooLong(), 200, "", "too_large"),
            (TimeoutError(), 200, "", "slow"),
            (None, 404, "", "status_404"),
            (None, 200, "<html>", "not_a_calendar"),
        ],
    )
    async def test_a_look_that_fails_says_why_and_changes_nothing(
        self, scene: Scene, elsewhere: Elsewhere, problem: Any, status: int, text: str, said: str
    ) -> None:
        room = await scene.offer(Kind.STAY, 2)
        elsewhere.text = calendar(event("a", 0, 2))
        await bring(scene, room, **ADDRESS)
        await scene.house.settle()
        elsewhere.problem, elsewhere.status, elsewhere.text = problem, status, text
        await self.later(scene, minutes=31)
        assert (await shown(scene, room)).problem == said
        assert await free(scene, room, 3) == [1, 1, 2]

    @pytest.mark.parametrize(
        "url",
        ["http://calendars.example/x", "ftp://x", "https://127.0.0.1/x", "https://a:b@x.example/"],
    )
    async def test_refuses_addresses_that_are_none(self, scene: Scene, url: str) -> None:
        room = await scene.offer(Kind.STAY, 2)
        with pytest.raises(BadCalendarAddress):
            await bring(scene, room, url=url, text="")


class TestFeed:
    async def share(self, scene: Scene, room: UUID, *, shared: bool = True) -> str:
        with scene.house.calling(scene.seller):
            return (await scene.inventory.set_feed(room, shared)).token

    async def test_says_when_nothing_is_free(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        await scene.hold(units(room, 2, nights(1, 3)))
        await scene.hold(units(room, 1, nights(3, 4)))
        token = await self.share(scene, room)
        other = await scene.offer(Kind.STAY, 1)
        text = (await scene.inventory.calendar_file(token)).content.decode()
        await bring(scene, other, text=text)
        assert await free(scene, other) == [1, 0, 0, 1, 1, 1]

    async def test_a_new_address_ends_the_old_one(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        first = await self.share(scene, room)
        second = await self.share(scene, room)
        assert first != second
        with pytest.raises(UnknownFeed):
            await scene.inventory.calendar_file(first)
        assert await self.share(scene, room, shared=False) == ""
        for token in (second, "", "x"):
            with pytest.raises(UnknownFeed):
                await scene.inventory.calendar_file(token)

    async def test_is_served_with_a_tag_that_changes_with_the_days(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 2)
        path = f"/ical/{await self.share(scene, room)}.ics"
        answer = await scene.house.http.get(path)
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        tag = {"if-none-match": answer.headers["etag"]}
        await scene.house.clock.advance(seconds=1)
        assert (await scene.house.http.get(path, headers=tag)).status_code == 304
        await scene.hold(units(room, 2, nights(1, 3)))
        assert (await scene.house.http.get(path, headers=tag)).status_code == 200

    async def test_without_a_supply_everything_is_taken(self, scene: Scene) -> None:
        room = await scene.offer(Kind.STAY, 0)
        text = (await scene.inventory.calendar_file(await self.share(scene, room))).content.decode()
        assert text.count("BEGIN:VEVENT") == 1
        assert f"DTSTART;VALUE=DATE:{clock.now():%Y%m%d}" in text
