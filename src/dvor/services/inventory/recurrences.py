"""Events of calendars that repeat (RFC 5545: RRULE, RDATE, EXDATE), one by one. Pure.

The only door to dateutil, which knows the rules. It looks for the next date until the year 9999,
however long that takes: so rules are worked out in the last years that have the same calendar, and
one that never comes true costs milliseconds. Times are those of the clock on the wall, as the
standard says: 10:00 stays 10:00 when clocks change.
"""

import calendar
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from math import prod
from typing import Any

from dateutil.rrule import rrulestr

TIMES_MAX = 800
"""Times of one event that are looked at in all that is sold."""
STEPS_MAX = 20_000
"""Times of one event that are counted from its first on: 54 years of every day."""
_FIRST_YEAR, _LAST_YEAR = 1950, 9998
_OFTEN = ("SECONDLY", "MINUTELY")
_DAY = timedelta(days=1)


class TooMany(ValueError):
    """It repeats too often to be followed."""


class Unclear(ValueError):
    """It cannot be understood."""


def times(
    start: date | datetime,
    rules: Iterable[Mapping[str, Sequence[Any]]],
    extra: Iterable[date | datetime],
    without: Iterable[date | datetime],
    window: tuple[date, date],
) -> list[date | datetime]:
    """When an event takes place that begins on days of `window` (half-open), in order.

    `rules` as the library of calendars reads them. Raises TooMany, ValueError.
    """
    first = _wall(start, start)
    found = {first, *(_wall(each, start) for each in extra)}
    for rule in rules:
        found.update(_followed(rule, start, first, window))
    found -= {_wall(each, start) for each in without}
    # A day of slack: the window is of the place, these are days wherever the event is.
    near = sorted(at for at in found if window[0] - _DAY <= at.date() < window[1] + _DAY)
    if len(near) > TIMES_MAX:
        raise TooMany
    return [_as(at, start) for at in near]


def _followed(
    rule: Mapping[str, Sequence[Any]],
    start: date | datetime,
    first: datetime,
    window: tuple[date, date],
) -> Iterator[datetime]:
    parts = {name.upper(): list(values) for name, values in rule.items()}
    if len(parts.get("FREQ", ())) != 1 or any(int(n) < 1 for n in parts.get("INTERVAL", ())):
        raise Unclear
    often = prod(len(parts.get(part, "1")) for part in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    if parts["FREQ"][0] in _OFTEN or often > 24:
        raise TooMany
    until = datetime.combine(window[1] + _DAY, time())
    for end in parts.pop("UNTIL", ()):
        whole = not isinstance(end, datetime) and isinstance(start, datetime)
        until = min(until, datetime.combine(end, time.max) if whole else _wall(end, start))
    if first.year < _FIRST_YEAR:
        raise Unclear
    if until < first:
        return
    years = _shift(first.year, until.year)
    text = ";".join(f"{name}={','.join(map(str, values))}" for name, values in parts.items())
    last = _moved(until, years)
    for number, at in enumerate(rrulestr(text, dtstart=_moved(first, years))):
        if at > last:
            return
        if number >= STEPS_MAX:
            raise TooMany
        yield _moved(at, -years)


@lru_cache(maxsize=100)
def _shift(first: int, last: int) -> int:
    """By how many years these years can be moved on at most and keep all their weekdays."""
    years = range(first - 1, last + 2)
    for shift in range(_LAST_YEAR - years[-1], 0, -1):
        if all(_looks(year) == _looks(year + shift) for year in years):
            return shift
    return 0


def _looks(year: int) -> tuple[bool, int]:
    return calendar.isleap(year), calendar.weekday(year, 1, 1)


def _moved(at: datetime, years: int) -> datetime:
    return at.replace(year=at.year + years)


def _wall(at: date | datetime, start: date | datetime) -> datetime:
    """A moment as the clock shows it where the event begins; of days their midnights."""
    if not isinstance(start, datetime):
        return datetime.combine(at, time())
    if not isinstance(at, datetime):
        return datetime.combine(at, start.time())
    if at.tzinfo is not None and start.tzinfo is not None:
        at = at.astimezone(start.tzinfo)
    return at.replace(tzinfo=None)


def _as(at: datetime, start: date | datetime) -> date | datetime:
    """The other way round."""
    return at.replace(tzinfo=start.tzinfo) if isinstance(start, datetime) else at.date()


def stamp(at: date | datetime) -> str:
    """One name for a moment, in whatever zone it is said."""
    if isinstance(at, datetime) and at.tzinfo is not None:
        return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return at.strftime("%Y%m%dT%H%M%S" if isinstance(at, datetime) else "%Y%m%d")
