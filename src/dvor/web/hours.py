"""Rentals by the hour on a page: which hours can be chosen, and hours in words."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import get_timezone_location

from dvor.contracts.catalog import Offer
from dvor.contracts.hours import Hour
from dvor.contracts.inventory import Inventory, Rules
from dvor.kernel import caller, clock, pages
from dvor.kernel.errors import Conflict, Invalid, NotFound, Refusal, Unavailable
from dvor.kernel.periods import HourRange
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import ngettext
from dvor.kernel.texts import refusal as said
from dvor.web.forms import Form, attempt
from dvor.web.words import day_month

Options = tuple[tuple[str, str], ...]
"""Values and words of a select box."""

_TROUBLE = (Conflict, Invalid, NotFound, Unavailable)
_HOUR = timedelta(hours=1)
NO_RULES = Rules()
YEARS_AHEAD = 3
DAYS_MAX = 31
"""After its first day, on which a rental may end: 744 hours."""


@dataclass(frozen=True)
class Picker:
    """The choice of a day, of an hour to begin and of one to end."""

    day: date | None
    starts: Options = ()
    ends: Options = ()
    start: str = ""
    end: str = ""
    hours: HourRange | None = None
    """What is chosen, where it can be had as far as the clock goes."""
    last_day: date | None = None
    """The day on which it ends."""

    @property
    def latest(self) -> date | None:
        """The last day on which it may end."""
        return self.day and self.day + timedelta(days=DAYS_MAX)


def sight(form: Form, zone: ZoneInfo, today: date) -> tuple[date, int] | None:
    """The day from which on the page shows hours, and how many days it looks at; None before."""
    asked = Form(dict(form.values))
    day = asked.day("day") if asked["day"] else None
    if day is None or day < today:
        return None
    last = last_day(day, asked, zone)
    return day, watched_days(day, last if (last - day).days <= DAYS_MAX else day)


async def picker(
    offers: Sequence[Offer], form: Form, zone: ZoneInfo, today: date, inventory: Inventory
) -> Picker:
    """What can be chosen on the day in the address; what is wrong goes into the form."""
    day = form.day("day") if form["day"] else None
    if day is None:
        return Picker(None)
    if day < today:
        form.refuse("day", _("These dates have passed. Choose later ones."))
        return Picker(day)
    last = last_day(day, form, zone)
    if (last - day).days > DAYS_MAX:
        form.refuse("to_day", _("Whole hours, please, and up to a month."))
        last = day
    days = await _days(offers, day, watched_days(day, last), form, inventory)
    if days is None:
        return Picker(day)
    return chosen(day, last, days, form, zone)


def last_day(day: date, form: Form, zone: ZoneInfo) -> date:
    """The day on which the hours in the address end: the same one, until another is chosen.

    Whoever moves to another day begins anew.
    """
    start = moment(form["from_hour"])
    if not form["to_day"] or start is None or start.astimezone(zone).date() != day:
        return day
    return max(form.day("to_day") or day, day)


def watched_days(day: date, last: date) -> int:
    """How many days there are to look at: also the next, for what goes over midnight."""
    return (last - day).days + 2


def whole_days(form: Form, zone: ZoneInfo, today: date) -> Picker:
    """The same choice where everything can be chosen: of hours that are taken, to wait for."""
    day = form.day("day") if form["day"] else None
    if day is None:
        return Picker(None)
    last = last_day(day, form, zone)
    if day < today:
        form.refuse("day", _("These dates have passed. Choose later ones."))
        return Picker(day)
    if (last - day).days > DAYS_MAX or day.year > today.year + YEARS_AHEAD:
        form.refuse("day", _("These dates are too far ahead."))
        return Picker(day)
    start, end = (
        datetime.combine(each, datetime.min.time(), zone).astimezone(UTC)
        for each in (day, last + timedelta(days=2))
    )
    begun = clock.now() - _HOUR
    hours = (start + n * _HOUR for n in range((end - start) // _HOUR))
    every = tuple(Hour(start=hour, free=1) for hour in hours if hour > begun)
    return chosen(day, last, [(every, NO_RULES)], form, zone)


def chosen(
    day: date,
    last: date,
    days: Sequence[tuple[tuple[Hour, ...], Rules]],
    form: Form,
    zone: ZoneInfo,
) -> Picker:
    """The hours in the address among those that can be chosen; what is wrong goes into the form."""
    free = {hour.start for hours, _rules in days for hour in hours if hour.free}
    starts = sorted(start for start in free if start.astimezone(zone).date() == day)
    if not starts:
        form.refuse("day", _("Nothing is free on this day. Choose another."))
        return Picker(day)
    start = moment(form["from_hour"])
    if start is not None and start not in starts:
        if start.astimezone(zone).date() == day:
            form.refuse("from_hour", _("This hour is not free. Choose another."))
        start = None
    if start is None:
        ends = [begin + _HOUR for begin in starts]
        return Picker(day, _options(starts, zone), _options(ends, zone), last_day=day)
    every = sorted({moment for hours, rules in days for moment in _ends(hours, start, rules)})
    if not every:
        form.refuse("from_hour", _("Too little is free from this hour on. Choose another."))
        return Picker(day, _options(starts, zone), start=value(start), last_day=day)
    if last == day and all(_ends_on(end, zone) > day for end in every):
        last = _ends_on(every[0], zone)
    ends = [end for end in every if _ends_on(end, zone) == last]
    shown = day, _options(starts, zone), _options(ends, zone), value(start)
    end = _end(form, ends, last, zone)
    if end is None:
        words = _("Not everything until then can be had. Choose another end.")
        form.refuse("to_hour" if ends else "to_day", words)
        return Picker(*shown, last_day=last)
    return Picker(*shown, value(end), HourRange(start=start, end=end), last)


def _end(form: Form, ends: Sequence[datetime], last: date, zone: ZoneInfo) -> datetime | None:
    """The end in the address; None where it cannot be had."""
    end, start = moment(form["to_hour"]), moment(form["from_hour"])
    if not ends or (
        end and start and end > start and end not in ends and _ends_on(end, zone) == last
    ):
        return None
    if end is None or end in ends:
        # The shortest, until an end is chosen: its price is on the page at once.
        return end or ends[0]
    at_the_same = (e for e in ends if e.astimezone(zone).time() == end.astimezone(zone).time())
    return next(at_the_same, ends[0])


def _ends_on(end: datetime, zone: ZoneInfo) -> date:
    """The day that an end belongs to: midnight to the day before."""
    return (end - timedelta(seconds=1)).astimezone(zone).date()


async def _days(
    offers: Sequence[Offer], day: date, days: int, form: Form, inventory: Inventory
) -> list[tuple[tuple[Hour, ...], Rules]] | None:
    """Hours and rules of each offer; None where they are not known, which the form then says."""
    found = await asyncio.gather(
        *(attempt(inventory.hours(offer.id, day, days), *_TROUBLE) for offer in offers)
    )
    refused = [answer for answer in found if isinstance(answer, Refusal)]
    if len(refused) == len(found):
        form.refuse("day", said(refused[0]) if refused else _("Nothing is free on this day."))
        return None
    asked = await attempt(inventory.rules(tuple(offer.id for offer in offers)), Unavailable)
    rules = {} if isinstance(asked, Refusal) else {n.offer_id: n.rules for n in asked.items}
    return [
        (answer.hours, rules.get(answer.offer_id, NO_RULES))
        for answer in found
        if not isinstance(answer, Refusal)
    ]


def _ends(hours: Sequence[Hour], start: datetime, rules: Rules) -> Iterable[datetime]:
    """When a rental from `start` on may end: as long as all hours of it are free.

    The pause after it must be free, too, as far as these days tell.
    """
    free = {hour.start: hour.free for hour in hours}
    end, length = start, 0
    while free.get(end) and (not rules.length_max or length < rules.length_max):
        end, length = end + _HOUR, length + 1
        pause = (free.get(end + n * _HOUR, 1) for n in range(rules.buffer))
        if length >= rules.length_min and all(pause):
            yield end


def moment(text: str) -> datetime | None:
    """The instant that an address or a form names."""
    try:
        found = datetime.strptime(text, "%Y-%m-%dT%H:%MZ")  # noqa: DTZ007 - UTC, below
    except ValueError:
        return None
    return found.replace(tzinfo=UTC)


def value(instant: datetime) -> str:
    """An instant as addresses and forms name it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def asked_hours(form: Form) -> HourRange | None:
    """The hours that a form names; what is wrong with them goes into it."""
    if not form["from_hour"] and not form["to_hour"]:
        return None
    start, end = moment(form["from_hour"]), moment(form["to_hour"])
    if start is None or end is None:
        form.refuse("from_hour", _("Choose from when to when."))
    elif end <= start:
        form.refuse("to_hour", _("The end must be after the start."))
    elif (end - start) % _HOUR or end - start > 744 * _HOUR:
        form.refuse("to_hour", _("Whole hours, please, and up to a month."))
    else:
        return HourRange(start=start, end=end)
    return None


def _options(moments: Iterable[datetime], zone: ZoneInfo) -> Options:
    return tuple((value(instant), o_clock(instant, zone)) for instant in moments)


def o_clock(instant: datetime, zone: ZoneInfo) -> str:
    """A time of day, with its offset where the clock shows it twice that night."""
    local = instant.astimezone(zone)
    words = local.strftime("%H:%M")
    return f"{words} ({_offset(local)})" if _is_doubled(local) else words


def _is_doubled(local: datetime) -> bool:
    """Whether clocks show this time twice; an hour that clocks skip cannot be shown at all."""
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _offset(local: datetime) -> str:
    minutes = round((local.utcoffset() or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "−" if minutes < 0 else "+"
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")


def shown(hours: HourRange, timezone: str) -> str:
    """Hours as people say them where the place is: December 3, 10:00–13:00 (3 hours)."""
    zone = ZoneInfo(timezone or pages.page.get().time_zone)
    start, end = hours.start.astimezone(zone), hours.end.astimezone(zone)
    length = ngettext("{n} hour", "{n} hours", hours.length)
    words = f"{_day(start, zone)}, {o_clock(hours.start, zone)}"
    last_day = (hours.end - timedelta(seconds=1)).astimezone(zone).date()
    if last_day == start.date():
        ends = o_clock(hours.end, zone) if end.date() == start.date() else "24:00"
        words = f"{words}–{ends}"
    else:
        words = f"{words} – {_day(end, zone)}, {o_clock(hours.end, zone)}"
    words = f"{words} ({length})"
    where = zone_words(zone, hours.start)
    return f"{words}, {where}" if where else words


def _day(local: datetime, zone: ZoneInfo) -> str:
    if local.year == clock.now().astimezone(zone).year:
        return day_month(local.date())
    return pages.shown_date(local.date(), "long")


def zone_words(zone: ZoneInfo, instant: datetime) -> str:
    """Whose clock it is, where it differs from the site's; empty where it does not."""
    home = ZoneInfo(pages.page.get().time_zone)
    if instant.astimezone(zone).utcoffset() == instant.astimezone(home).utcoffset():
        return ""
    language = caller.current().language
    return _(
        "local time: {city}",
        city=get_timezone_location(zone.key, locale=language, return_city=True),
    )
