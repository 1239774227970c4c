"""iCalendar (RFC 5545): texts of others into events, our taken days into a text. Pure.

The only door to the library.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component
from icalendar import Event as Entry

from dvor.contracts.calendars import BrokenEvent, NotACalendar
from dvor.contracts.inventory import Unit
from dvor.kernel import ids
from dvor.services.inventory import closure_rules, recurrences, slots
from dvor.services.inventory.closure_rules import StoredClosure
from dvor.services.inventory.slots import Offer

EVENTS_MAX = 400
"""Events of one calendar that close something; the feed writes as many stretches."""

TIMES_MAX = 2_000
"""Times of all events of one calendar that repeat."""

BROKEN_MAX = 50
"""Broken events that are listed."""

_DAYS_MAX = 366
"""A closure is not longer: longer events become several."""

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Event:
    """Something that takes place: all day long, or at times (without a zone: local ones)."""

    key: str
    """The same for the same event, also when it has moved."""
    title: str
    start: date | datetime
    end: date | datetime


def read(text: str, window: tuple[date, date]) -> tuple[list[Event], list[BrokenEvent]]:
    """The events of a calendar that take up time, and those that cannot be understood.

    Those that repeat are there once for each time on the days of `window` (half-open), where
    changed ones take the place of the usual ones. Cancelled ones and those that leave their time
    free are left out. Raises NotACalendar.
    """
    try:
        calendar = Calendar.from_ical(text)
    except ValueError:
        raise NotACalendar from None
    if not isinstance(calendar, Component) or calendar.name != "VCALENDAR":
        raise NotACalendar
    events: dict[str, Event] = {}
    broken: list[BrokenEvent] = []
    entries = calendar.walk("VEVENT")
    changed = _changed(entries)
    left = TIMES_MAX
    for entry in entries:
        if _is_free(entry):
            continue
        found = _events(entry, changed.get(str(entry.get("UID", "")), set()), window)
        if isinstance(found, str) or (len(found) > 1 and len(found) > left):
            reason = found if isinstance(found, str) else "too_many"
            broken.append(BrokenEvent(event=_title(entry), reason=reason))
            continue
        left -= len(found) if len(found) > 1 else 0
        events |= {event.key: event for event in found}
    return list(events.values()), broken


def _is_free(entry: Component) -> bool:
    return entry.get("STATUS") == "CANCELLED" or entry.get("TRANSP") == "TRANSPARENT"


def _changed(entries: Iterable[Component]) -> dict[str, set[str]]:
    """Which times of events that repeat have an entry of their own, by UID."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        with suppress(ValueError, AttributeError, OverflowError):
            own: Any = entry.get("RECURRENCE-ID")
            at = own.dt if own is not None else None
            if isinstance(at, date):
                found.setdefault(str(entry.get("UID", "")), set()).add(recurrences.stamp(at))
    return found


def _events(
    entry: Component, changed: Collection[str], window: tuple[date, date]
) -> list[Event] | str:
    """The event, each time that it takes place, or why it cannot be understood."""
    if entry.get("DTSTART") is None:
        return "no_start"
    try:
        start, end = entry.start, entry.end  # pyright: ignore[reportAttributeAccessIssue]
        if _moment(end) < _moment(start):
            return "backwards"
        uid, own = str(entry.get("UID", "")), entry.get("RECURRENCE-ID")
        if own is None and (entry.get("RRULE") is not None or entry.get("RDATE") is not None):
            return _repeated(entry, start, end, changed, window)
        key = f"{uid}\n" + ("" if own is None else recurrences.stamp(own.dt))
        if not uid:
            key = f"{start.isoformat()}\n{end.isoformat()}"
        return [Event(key, _title(entry), start, end)]
    except recurrences.TooMany:
        return "too_many"
    except (ValueError, TypeError, AttributeError, OverflowError):
        return "unreadable"


def _repeated(
    entry: Component, start: Any, end: Any, changed: Collection[str], window: tuple[date, date]
) -> list[Event]:
    """Each time of an event that repeats, but for those that have an entry of their own."""
    if isinstance(start, datetime) and start.tzinfo:
        end = end.astimezone(start.tzinfo)
    rules, extra, without = (
        _each(entry, "RRULE"), _days(entry, "RDATE"), _days(entry, "EXDATE"),
    )  # fmt: skip
    name = str(entry.get("UID", "")) or start.isoformat()
    stamped = (
        (at, recurrences.stamp(at))
        for at in recurrences.times(start, rules, extra, without, window)
    )
    return [
        Event(f"{name}\n{stamp}", _title(entry), at, at + (end - start))
        for at, stamp in stamped
        if stamp not in changed
    ]


def _each(entry: Component, name: str) -> list[Any]:
    """The values of a property that may stand there several times."""
    found = entry.get(name)
    return [] if found is None else found if isinstance(found, list) else [found]


def _days(entry: Component, name: str) -> list[date | datetime]:
    """The moments of a property; of periods their beginnings."""
    values = [value.dt for each in _each(entry, name) for value in each.dts]
    return [value[0] if isinstance(value, tuple) else value for value in values]


def _moment(when: date | datetime, zone: str = "UTC") -> datetime:
    """When it is; days and times without a zone are those of `zone`."""
    if not isinstance(when, datetime):
        when = datetime.combine(when, time())
    return when if when.tzinfo else when.replace(tzinfo=ZoneInfo(zone))


def _title(entry: Component) -> str:
    text = str(entry.get("SUMMARY") or entry.get("UID") or "").replace("\x00", "")
    return " ".join(text.split())[:200]


def slots_of(offer: Offer, event: Event) -> range:
    """The slots that an event touches: whole local days, or the hours where hours are let."""
    start, end = _moment(event.start, offer.timezone), _moment(event.end, offer.timezone)
    end = max(end, start + timedelta(seconds=1))
    if offer.unit is Unit.HOUR:
        epoch = slots.hour_of(0, offer.timezone)
        return range((start - epoch) // _HOUR, -((epoch - end) // _HOUR))
    zone = ZoneInfo(offer.timezone)
    last = (end - timedelta(microseconds=1)).astimezone(zone).date()
    return range(slots.slot_of(start.astimezone(zone).date()), slots.slot_of(last) + 1)


def closures_of(
    offer: Offer, import_id: UUID, events: Iterable[Event], horizon: range
) -> tuple[list[StoredClosure], list[BrokenEvent]]:
    """A closure of one unit for each event that touches `horizon`, and those that are too many."""
    made: list[StoredClosure] = []
    left: list[BrokenEvent] = []
    for event in sorted(events, key=lambda event: _moment(event.start, offer.timezone)):
        slots = slots_of(offer, event)
        pieces = list(_pieces(range(slots.start, min(slots.stop, horizon.stop)), offer))
        if not pieces or slots.stop <= horizon.start:
            continue
        if len(made) + len(pieces) > EVENTS_MAX:
            if event.title not in {other.event for other in left}:
                left.append(BrokenEvent(event=event.title, reason="too_many"))
            continue
        for number, piece in enumerate(pieces):
            closure_id = ids.derived(import_id, event.key, number)
            source = f"ical:{import_id}"
            made.append(StoredClosure(closure_id, offer.id, piece, 1, source, event.title))
    return made, left


def _pieces(slots: range, offer: Offer) -> Iterator[range]:
    most = _DAYS_MAX * (24 if offer.unit is Unit.HOUR else 1)
    for start in range(slots.start, slots.stop, most):
        yield range(start, min(start + most, slots.stop))


def stretches(taken: Sequence[int]) -> list[range]:
    """Growing slots joined where they follow each other."""
    found: list[range] = []
    for slot in taken:
        if found and found[-1].stop == slot:
            found[-1] = range(found[-1].start, slot + 1)
        else:
            found.append(range(slot, slot + 1))
    return found


def write(offer: Offer, taken: Iterable[range], now: datetime) -> bytes:
    """A calendar with an event for each stretch of taken slots. It names nobody."""
    calendar = Calendar()
    calendar.add("prodid", "-//Dvor//Dvor//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for stretch in taken:
        entry = Entry()
        entry.add("uid", f"{ids.derived('taken', offer.id, stretch.start)}@dvor")
        entry.add("dtstamp", now.replace(microsecond=0))
        start, end = _bounds(offer, stretch)
        entry.add("dtstart", start)
        entry.add("dtend", end)
        entry.add("summary", "Not available")
        calendar.add_component(entry)
    return calendar.to_ical()


def _bounds(offer: Offer, stretch: range) -> tuple[date, date]:
    if offer.unit is Unit.HOUR:
        zone = offer.timezone
        return slots.hour_of(stretch.start, zone), slots.hour_of(stretch.stop, zone)
    return closure_rules.day_at(offer, stretch.start), closure_rules.day_at(offer, stretch.stop)
