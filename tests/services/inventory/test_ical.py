"""Texts of calendars into closures, and taken days into a text."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from dvor.contracts.calendars import NotACalendar
from dvor.contracts.catalog import Kind
from dvor.services.inventory import ical
from dvor.services.inventory.slots import Offer, day_of, slot_of

ROOM = Offer(UUID(int=1), UUID(int=2), Kind.STAY, 3, "Europe/Moscow", open=True)
HALL = Offer(UUID(int=1), UUID(int=2), Kind.RENTAL, 3, "Europe/Moscow", open=True, by_hour=True)
FAR = range(10**6)


def calendar(*events: str) -> str:
    """A file with these events: their lines, without BEGIN and END."""
    body = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x//EN\n{body}END:VCALENDAR\n"


def days(*events: str, offer: Offer = ROOM) -> list[tuple[date | None, int]]:
    """First day and length of the closures that a calendar makes."""
    found, broken = ical.read(calendar(*events))
    assert broken == []
    closures, _ = ical.closures_of(offer, UUID(int=9), found, FAR)
    return [(day_of(c.slots.start), len(c.slots)) for c in closures]


class TestRead:
    def test_an_event_of_whole_days_covers_them(self) -> None:
        event = "UID:1\nDTSTART;VALUE=DATE:20270601\nDTEND;VALUE=DATE:20270604"
        assert days(event) == [(date(2027, 6, 1), 3)]

    def test_a_day_without_an_end_is_one_day(self) -> None:
        assert days("UID:1\nDTSTART;VALUE=DATE:20270601") == [(date(2027, 6, 1), 1)]

    def test_times_of_other_zones_cover_the_local_days_they_touch(self) -> None:
        evening = "UID:1\nDTSTART;TZID=America/New_York:20270601T160000\nDURATION:PT3H"
        assert days(evening) == [(date(2027, 6, 1), 2)]  # 23:00 to 02:00 in Moscow
        assert days("UID:1\nDTSTART:20270601T210000Z\nDTEND:20270602T090000Z") == [
            (date(2027, 6, 2), 1)
        ]

    def test_times_without_a_zone_are_local(self) -> None:
        assert days("UID:1\nDTSTART:20270601T230000\nDTEND:20270602T000000") == [
            (date(2027, 6, 1), 1)
        ]

    def test_where_hours_are_let_an_event_covers_the_hours_it_touches(self) -> None:
        found, _ = ical.read(calendar("UID:1\nDTSTART:20270601T103000Z\nDTEND:20270601T120500Z"))
        (closure,), _ = ical.closures_of(HALL, UUID(int=9), found, FAR)
        assert closure.slots == range(slot_of(date(2027, 6, 1)) * 24 + 10, closure.slots.start + 3)

    def test_free_and_cancelled_events_close_nothing(self) -> None:
        when = "DTSTART;VALUE=DATE:20270601"
        assert days(f"UID:1\n{when}\nSTATUS:CANCELLED", f"UID:2\n{when}\nTRANSP:TRANSPARENT") == []

    @pytest.mark.parametrize(
        ("event", "reason"),
        [
            ("UID:1\nSUMMARY:Odd", "no_start"),
            ("UID:1\nSUMMARY:Odd\nDTSTART:2027-06-01", "unreadable"),
            ("UID:1\nSUMMARY:Odd\nDTSTART:20270601T100000\nDTEND:20270601T090000", "backwards"),
            (
                "UID:1\nSUMMARY:Odd\nDTSTART;VALUE=DATE:20270601\nDTEND:20270601T090000",
                "unreadable",
            ),
            ("UID:1\nSUMMARY:Odd\nDTSTART;VALUE=DATE:20270601\nRRULE:FREQ=DAILY", "repeats"),
        ],
    )
    def test_broken_events_are_listed_with_a_reason(self, event: str, reason: str) -> None:
        good = "UID:2\nDTSTART;VALUE=DATE:20270601"
        found, broken = ical.read(calendar(event, good))
        assert len(found) == 1
        assert [(b.event, b.reason) for b in broken] == [("Odd", reason)]

    @pytest.mark.parametrize(
        "text",
        ["", "hello", "<html></html>", "BEGIN:VCALENDAR\nBEGIN:VEVENT", "BEGIN:VEVENT\nEND:VEVENT"],
    )
    def test_what_is_no_calendar_is_refused(self, text: str) -> None:
        with pytest.raises(NotACalendar):
            ical.read(text)


class TestClosuresOf:
    def test_one_uid_is_one_closure_wherever_it_moves(self) -> None:
        first, _ = ical.read(calendar("UID:1\nDTSTART;VALUE=DATE:20270601"))
        moved, _ = ical.read(calendar("UID:1\nDTSTART;VALUE=DATE:20270701"))
        (before,), _ = ical.closures_of(ROOM, UUID(int=9), first, FAR)
        (after,), _ = ical.closures_of(ROOM, UUID(int=9), moved, FAR)
        (other,), _ = ical.closures_of(ROOM, UUID(int=8), moved, FAR)
        assert before.id == after.id != other.id
        assert before.slots != after.slots

    def test_what_has_passed_or_is_too_far_ahead_is_left_out(self) -> None:
        events, _ = ical.read(
            calendar(
                "UID:1\nDTSTART;VALUE=DATE:20270601",
                "UID:2\nDTSTART;VALUE=DATE:20270630\nDTEND;VALUE=DATE:20270703",
                "UID:3\nDTSTART;VALUE=DATE:20270801",
            )
        )
        horizon = range(slot_of(date(2027, 6, 5)), slot_of(date(2027, 7, 2)))
        (closure,), left = ical.closures_of(ROOM, UUID(int=9), events, horizon)
        assert (closure.slots.stop, left) == (horizon.stop, [])

    def test_long_events_become_several(self) -> None:
        event = "UID:1\nDTSTART;VALUE=DATE:20270601\nDTEND;VALUE=DATE:20290601"
        assert [length for _, length in days(event)] == [366, 365]

    def test_too_many_are_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ical, "EVENTS_MAX", 2)
        events, _ = ical.read(
            calendar(
                *(f"UID:{n}\nSUMMARY:E{n}\nDTSTART;VALUE=DATE:2027060{n}" for n in range(1, 5))
            )
        )
        made, left = ical.closures_of(ROOM, UUID(int=9), events, FAR)
        assert len(made) == 2
        assert [(b.event, b.reason) for b in left] == [("E3", "too_many"), ("E4", "too_many")]


class TestWrite:
    NOW = datetime(2027, 1, 1, tzinfo=UTC)

    def test_what_we_write_we_can_read(self) -> None:
        first = slot_of(date(2027, 6, 1))
        stretches = ical.stretches([first, first + 1, first + 5])
        assert stretches == [range(first, first + 2), range(first + 5, first + 6)]
        events, broken = ical.read(ical.write(ROOM, stretches, self.NOW).decode())
        made, _ = ical.closures_of(ROOM, UUID(int=9), events, FAR)
        assert ([closure.slots for closure in made], broken) == (stretches, [])

    def test_hours_are_written_in_utc(self) -> None:
        text = ical.write(HALL, [range(500_000, 500_002)], self.NOW).decode()
        assert "DTSTART:20270115T080000Z" in text
        assert "DTEND:20270115T100000Z" in text

    def test_a_stretch_keeps_its_uid_and_names_nobody(self) -> None:
        first = slot_of(date(2027, 6, 1))
        uids = [
            ical.read(ical.write(ROOM, [range(first, first + n)], self.NOW).decode())[0][0].key
            for n in (1, 4)
        ]
        assert uids[0] == uids[1]
        assert (
            "SUMMARY:Not available"
            in ical.write(ROOM, [range(first, first + 1)], self.NOW).decode()
        )
