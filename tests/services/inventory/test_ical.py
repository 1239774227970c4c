"""Texts of calendars into closures, and taken days into a text."""

from dataclasses import replace
from datetime import UTC, date, datetime
from time import process_time
from uuid import UUID

import pytest

from dvor.contracts.calendars import NotACalendar
from dvor.contracts.catalog import Kind
from dvor.services.inventory import ical
from dvor.services.inventory.slots import Offer, day_of, slot_of

ROOM = Offer(UUID(int=1), UUID(int=2), Kind.STAY, 3, "Europe/Moscow", open=True)
HALL = Offer(UUID(int=1), UUID(int=2), Kind.RENTAL, 3, "Europe/Moscow", open=True, by_hour=True)
FAR = range(10**6)
EVER = (date(2027, 1, 1), date(2028, 1, 1))
"""Days on which events that repeat are looked at."""


def calendar(*events: str) -> str:
    """A file with these events: their lines, without BEGIN and END."""
    body = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x//EN\n{body}END:VCALENDAR\n"


def days(*events: str, offer: Offer = ROOM) -> list[tuple[date | None, int]]:
    """First day and length of the closures that a calendar makes."""
    found, broken = ical.read(calendar(*events), EVER)
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
        found, _ = ical.read(
            calendar("UID:1\nDTSTART:20270601T103000Z\nDTEND:20270601T120500Z"), EVER
        )
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
            ("UID:1\nSUMMARY:Odd\nDTSTART:20270601T100000\nRRULE:FREQ=SECONDLY", "too_many"),
            ("UID:1\nSUMMARY:Odd\nDTSTART:20270601T100000\nRRULE:FREQ=HOURLY", "too_many"),
            ("UID:1\nSUMMARY:Odd\nDTSTART:20270601T100000\nRRULE:FREQ=NEVER", "unreadable"),
            (
                "UID:1\nSUMMARY:Odd\nDTSTART:20270601T100000\nRRULE:FREQ=DAILY;INTERVAL=0",
                "unreadable",
            ),
            ("UID:1\nSUMMARY:Odd\nDTSTART:20270601\nRRULE:FREQ=DAILY\nEXDATE:x", "unreadable"),
        ],
    )
    def test_broken_events_are_listed_with_a_reason(self, event: str, reason: str) -> None:
        good = "UID:2\nDTSTART;VALUE=DATE:20270601"
        found, broken = ical.read(calendar(event, good), EVER)
        assert len(found) == 1
        assert [(b.event, b.reason) for b in broken] == [("Odd", reason)]

    @pytest.mark.parametrize(
        "text",
        ["", "hello", "<html></html>", "BEGIN:VCALENDAR\nBEGIN:VEVENT", "BEGIN:VEVENT\nEND:VEVENT"],
    )
    def test_what_is_no_calendar_is_refused(self, text: str) -> None:
        with pytest.raises(NotACalendar):
            ical.read(text, EVER)


class TestClosuresOf:
    def test_one_uid_is_one_closure_wherever_it_moves(self) -> None:
        first, _ = ical.read(calendar("UID:1\nDTSTART;VALUE=DATE:20270601"), EVER)
        moved, _ = ical.read(calendar("UID:1\nDTSTART;VALUE=DATE:20270701"), EVER)
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
            ),
            EVER,
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
            ),
            EVER,
        )
        made, left = ical.closures_of(ROOM, UUID(int=9), events, FAR)
        assert len(made) == 2
        assert [(b.event, b.reason) for b in left] == [("E3", "too_many"), ("E4", "too_many")]


def starts(*events: str, offer: Offer = ROOM) -> list[str]:
    """First days of the closures that a calendar makes, as month and day."""
    return [f"{day:%m%d}" for day, _ in days(*events, offer=offer) if day]


WEEKLY = "UID:1\nDTSTART;VALUE=DATE:20270301\nDTEND;VALUE=DATE:20270303\nRRULE:FREQ=WEEKLY"


class TestRepeated:
    def test_each_time_is_a_closure(self) -> None:
        assert starts(f"{WEEKLY};COUNT=3") == ["0301", "0308", "0315"]
        assert starts(f"{WEEKLY};UNTIL=20270315") == ["0301", "0308", "0315"]
        assert days(f"{WEEKLY};COUNT=1") == [(date(2027, 3, 1), 2)]

    def test_endless_ones_are_followed_as_far_as_anything_is_sold(self) -> None:
        found = starts(WEEKLY)
        assert (found[0], found[-1], len(found)) == ("0301", "1227", 44)
        long_ago = WEEKLY.replace("2027030", "1999030")
        assert starts(long_ago)[-1][:2] == "12" and len(starts(long_ago)) > 50

    def test_left_out_and_extra_times_count(self) -> None:
        more = "EXDATE;VALUE=DATE:20270308\nRDATE;VALUE=DATE:20270320"
        assert starts(f"{WEEKLY};COUNT=3\n{more}") == ["0301", "0315", "0320"]
        timed = "UID:2\nDTSTART;TZID=Europe/Moscow:20270301T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY"
        without = "EXDATE:20270302T070000Z"
        assert starts(f"{timed};COUNT=3\n{without}") == ["0301", "0303"]

    def test_a_changed_time_takes_the_place_of_the_usual_one(self) -> None:
        moved = "UID:1\nRECURRENCE-ID;VALUE=DATE:20270308\nDTSTART;VALUE=DATE:20270310"
        gone = "UID:1\nRECURRENCE-ID;VALUE=DATE:20270315\nDTSTART;VALUE=DATE:20270315\nSTATUS:CANCELLED"
        assert starts(f"{WEEKLY};COUNT=4", moved, gone) == ["0301", "0310", "0322"]
        assert starts(moved, gone, f"{WEEKLY};COUNT=4") == ["0301", "0310", "0322"]

    def test_ten_stays_ten_when_clocks_change(self) -> None:
        daily = "UID:1\nDTSTART;TZID=Europe/Berlin:20270327T100000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2"
        found, _ = ical.read(calendar(daily), EVER)
        instants = [
            event.start.astimezone(UTC) for event in found if isinstance(event.start, datetime)
        ]
        assert [at.hour for at in instants] == [9, 8]

    def test_each_time_keeps_its_closure_when_others_change(self) -> None:
        def ids(*events: str) -> dict[date | None, UUID]:
            found, _ = ical.read(calendar(*events), EVER)
            made, _ = ical.closures_of(ROOM, UUID(int=9), found, FAR)
            return {day_of(closure.slots.start): closure.id for closure in made}

        moved = "UID:1\nRECURRENCE-ID;VALUE=DATE:20270308\nDTSTART;VALUE=DATE:20270310"
        before, after = ids(f"{WEEKLY};COUNT=3"), ids(f"{WEEKLY};COUNT=3", moved)
        assert before[date(2027, 3, 15)] == after[date(2027, 3, 15)]
        assert before[date(2027, 3, 8)] == after[date(2027, 3, 10)]

    @pytest.mark.parametrize(
        "rule",
        [
            "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1",
            "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=40",
            "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        ],
    )
    def test_what_never_comes_is_found_out_at_once(self, rule: str) -> None:
        began = process_time()
        assert starts(f"UID:1\nDTSTART:20270301T100000Z\nRRULE:{rule}") == ["0301"]
        assert process_time() - began < 3

    def test_all_together_they_are_bounded(self) -> None:
        many = [
            f"UID:{n}\nSUMMARY:E{n}\nDTSTART;VALUE=DATE:20270101\nRRULE:FREQ=DAILY"
            for n in range(9)
        ]
        found, broken = ical.read(calendar(*many, "UID:x\nDTSTART;VALUE=DATE:20270601"), EVER)
        assert len(found) <= ical.TIMES_MAX + 1 and found[-1].key == "x\n"
        assert {b.reason for b in broken} == {"too_many"} and len(broken) == 4

    def test_hours_of_zones_with_half_hours_are_their_own(self) -> None:
        hall = replace(HALL, timezone="Asia/Kolkata")
        event = "UID:1\nDTSTART;TZID=Asia/Kolkata:20270601T100000\nDURATION:PT2H"
        found, _ = ical.read(calendar(event), EVER)
        (closure,), _ = ical.closures_of(hall, UUID(int=9), found, FAR)
        assert len(closure.slots) == 2
        text = ical.write(hall, [closure.slots], TestWrite.NOW).decode()
        assert "DTSTART:20270601T043000Z" in text and "DTEND:20270601T063000Z" in text


class TestWrite:
    NOW = datetime(2027, 1, 1, tzinfo=UTC)

    def test_what_we_write_we_can_read(self) -> None:
        first = slot_of(date(2027, 6, 1))
        stretches = ical.stretches([first, first + 1, first + 5])
        assert stretches == [range(first, first + 2), range(first + 5, first + 6)]
        events, broken = ical.read(ical.write(ROOM, stretches, self.NOW).decode(), EVER)
        made, _ = ical.closures_of(ROOM, UUID(int=9), events, FAR)
        assert ([closure.slots for closure in made], broken) == (stretches, [])

    def test_hours_are_written_in_utc(self) -> None:
        text = ical.write(HALL, [range(500_000, 500_002)], self.NOW).decode()
        assert "DTSTART:20270115T080000Z" in text
        assert "DTEND:20270115T100000Z" in text

    def test_a_stretch_keeps_its_uid_and_names_nobody(self) -> None:
        first = slot_of(date(2027, 6, 1))
        uids = [
            ical.read(ical.write(ROOM, [range(first, first + n)], self.NOW).decode(), EVER)[0][
                0
            ].key
            for n in (1, 4)
        ]
        assert uids[0] == uids[1]
        assert (
            "SUMMARY:Not available"
            in ical.write(ROOM, [range(first, first + 1)], self.NOW).decode()
        )
