"""Months of free days, ready to be drawn: pure."""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from babel.dates import format_date, format_skeleton, get_day_names

from dvor.contracts.catalog import Offer
from dvor.kernel.money import Money
from dvor.kernel.periods import DateRange

MONTHS = 2


@dataclass(frozen=True)
class Cell:
    """A day: how many are free and from which price; `open` when it can be chosen."""

    day: date
    free: int
    price: Money | None
    open: bool


@dataclass(frozen=True)
class Month:
    """A month by weeks from Monday; None for days of the months beside it."""

    first: date
    title: str
    weeks: tuple[tuple[Cell | None, ...], ...]


def month_of(text: str, today: date) -> date:
    """The first of the month written as 2027-06; this month for anything else or past."""
    this = today.replace(day=1)
    try:
        asked = date.fromisoformat(f"{text}-01")
    except ValueError:
        return this
    return max(min(asked, _later(this, 24)), this)


def span(first: date) -> DateRange:
    """The days that the months from `first` on show."""
    return DateRange(start=first, end=_later(first, MONTHS))


def _later(first: date, months: int) -> date:
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, 1)


def neighbours(first: date, today: date) -> tuple[str, str]:
    """The months before and after as 2027-06; no month before this one."""
    before = "" if first <= today.replace(day=1) else _later(first, -1).strftime("%Y-%m")
    return before, _later(first, 1).strftime("%Y-%m")


def months(
    first: date, today: date, free: Mapping[Offer, Mapping[date, int]] | Sequence[tuple[Offer, Mapping[date, int]]],
    quantity: int, language: str,
) -> tuple[Month, ...]:  # fmt: skip
    """Two months; a day is open when some offer has `quantity` free on it."""
    pairs = list(free.items()) if isinstance(free, Mapping) else list(free)
    return tuple(_month(_later(first, n), today, pairs, quantity, language) for n in range(MONTHS))


def _month(
    first: date,
    today: date,
    pairs: Sequence[tuple[Offer, Mapping[date, int]]],
    quantity: int,
    language: str,
) -> Month:
    weeks = tuple(
        tuple(
            _cell(day, today, pairs, quantity) if day.month == first.month else None for day in week
        )
        for week in calendar.Calendar().monthdatescalendar(first.year, first.month)
    )
    title = format_skeleton("yMMMM", first, locale=language)
    return Month(first, title[0].upper() + title[1:], weeks)


def _cell(
    day: date, today: date, pairs: Sequence[tuple[Offer, Mapping[date, int]]], quantity: int
) -> Cell:
    able = [(offer, days[day]) for offer, days in pairs if days.get(day, 0) >= quantity]
    if not able or day < today:
        return Cell(day, 0, None, False)
    cheapest = min(offer.price_on(day) for offer, _ in able)
    return Cell(
        day,
        sum(n for _, n in able),
        Money(amount=cheapest, currency=able[0][0].price.currency),
        True,
    )


def weekdays(language: str) -> list[tuple[str, str]]:
    """Short and whole names, from Monday."""
    short, whole = get_day_names("short", locale=language), get_day_names("wide", locale=language)
    return [(short[n], whole[n]) for n in range(7)]


def spoken(day: date, language: str) -> str:
    """A day as it is read aloud: Wednesday, 2 December 2026."""
    return format_date(day, "full", locale=language)


def weekend(today: date) -> DateRange:
    """The nights from the coming Friday to Sunday."""
    friday = today + timedelta(days=(4 - today.weekday()) % 7 or 7)
    return DateRange(start=friday, end=friday + timedelta(days=2))
