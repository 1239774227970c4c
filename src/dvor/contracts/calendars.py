"""Calendars of other places (iCalendar, RFC 5545): ours for them, theirs for us."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from dvor.contracts.closures import Shortfall
from dvor.kernel.errors import Conflict, Invalid, NotFound
from dvor.kernel.messages import Count, Instant, Line, Message

CALENDAR_CHARACTERS_MAX = 300_000


class Feed(Message):
    """Where others read when nothing of an offer is free: `/ical/{token}.ics`."""

    offer_id: UUID
    token: Line = ""
    """A secret; empty: nobody can read it."""


class CalendarFile(Message):
    """A calendar as a file."""

    content: bytes
    version: Line
    """Differs when something else is taken."""


class CalendarSource(Message):
    """A calendar to import: the text of its file, or an https address to be looked at regularly."""

    name: Line = ""
    url: Annotated[str, Field(max_length=2000)] = ""
    text: Annotated[str, Field(max_length=CALENDAR_CHARACTERS_MAX)] = ""


class BrokenEvent(Message):
    """An event that could not be understood."""

    event: Line
    """Its title, or its UID."""
    reason: Line
    """no_start, backwards, unreadable or too_many."""


class CalendarImport(Message):
    """An imported calendar: each of its events closes one unit."""

    id: UUID
    offer_id: UUID
    name: Line
    url: str
    """Empty: its file was brought by hand."""
    fetched_at: Instant | None
    problem: Line
    """Why the last look brought nothing new: unreachable, not_public, too_large, slow,
    status_<number>, not_a_calendar; empty: all is well."""
    events: Count
    """Closures made of it that have not ended."""
    broken: tuple[BrokenEvent, ...]
    conflicts: tuple[Shortfall, ...]


class OfferCalendars(Message):
    """The feed and the imported calendars of an offer."""

    feed: Feed
    imports: tuple[CalendarImport, ...]


class UnknownFeed(NotFound):
    """There is no calendar at this address."""


class UnknownImport(NotFound):
    """There is no such import."""


class NotACalendar(Invalid):
    """This is no calendar: a file in iCalendar format begins with BEGIN:VCALENDAR."""


class BadCalendarAddress(Invalid):
    """The address of a calendar begins with https:// and a name."""


class TooManyImports(Conflict):
    """An offer can have up to {most} imported calendars."""

    most: Count
