"""What an order or an offer is about, line by line, in words of the language of `current()`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dvor.contracts.catalog import Kind
from dvor.contracts.orders import OrderedLine
from dvor.contracts.waiting import Waiting
from dvor.kernel.caller import current
from dvor.kernel.money import Money, shown
from dvor.kernel.pages import page, shown_datetime, shown_range
from dvor.kernel.periods import DateRange, HourRange
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import ngettext


@dataclass(frozen=True)
class Said:
    """A line in words."""

    what: str
    when: str = ""
    """Dates, hours, or when an event begins; with the seats."""
    price: str = ""


def of_order(lines: Iterable[OrderedLine]) -> tuple[Said, ...]:
    """The lines of an order."""
    language = current().language
    return tuple(
        Said(
            _what(line.title.of(language), line.name.of(language), line.quantity),
            _joined(
                _dates(line.dates, line.kind) if line.dates else "",
                hours(line.hours, line.timezone) if line.hours else "",
                shown_datetime(line.starts_at, line.timezone) if line.starts_at else "",
                _seats(line.seats),
            ),
            shown(line.total, language),
        )
        for line in lines
    )


def of_waiting(entry: Waiting, price: Money | None) -> tuple[Said, ...]:
    """What somebody waited for, and what it costs now."""
    language = current().language
    return (
        Said(
            _what(entry.title.of(language), entry.name.of(language), entry.quantity),
            _joined(
                shown_range(entry.dates) if entry.dates else "",
                hours(entry.hours, entry.timezone) if entry.hours else "",
                _seats(entry.seats),
            ),
            shown(price, language) if price else "",
        ),
    )


def total(lines: Iterable[OrderedLine]) -> Money | None:
    """Of lines in one currency."""
    amounts = [line.total for line in lines]
    if not amounts:
        return None
    return Money(amount=sum(each.amount for each in amounts), currency=amounts[0].currency)


def hours(during: HourRange, timezone: str) -> str:
    """From when to when where the place is; both days where it goes over midnight."""
    zone = ZoneInfo(timezone or page.get().time_zone)
    begins = shown_datetime(during.start, zone.key)
    last = during.end.astimezone(zone)
    same = during.start.astimezone(zone).date() == (last - timedelta(seconds=1)).date()
    ends = _clock(last) if same else shown_datetime(during.end, zone.key)
    length = ngettext("{n} hour", "{n} hours", during.length)
    return f"{begins} – {ends} ({length})"


def _clock(local: datetime) -> str:
    return local.strftime("%H:%M") if local.time() != datetime.min.time() else "24:00"


def _what(title: str, name: str, quantity: int) -> str:
    words = ", ".join(filter(None, (title, name)))
    return f"{words} × {quantity}" if quantity > 1 else words


def _dates(dates: DateRange, kind: Kind) -> str:
    n = dates.length
    length = (
        ngettext("{n} night", "{n} nights", n)
        if kind is Kind.STAY
        else ngettext("{n} day", "{n} days", n)
    )
    return f"{shown_range(dates)} ({length})"


def _seats(seats: tuple[str, ...]) -> str:
    return _("seats: {seats}", seats=", ".join(seats)) if seats else ""


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))
