"""The recorded bookings of a hotel: one row of the file, one booking, or why it is none.

The columns are those of Antonio, de Almeida and Nunes, *Hotel booking demand datasets* (2019). A
booking was made `lead_time` days before its arrival; a cancelled one ended on its
`reservation_status_date`. Lines that begin with # are remarks.
"""

import calendar
import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path

from dvor.kernel.errors import Invalid

GUESTS_MAX = 8
"""More people than this do not sleep in one room; the file has groups booked as one."""
NIGHTS_MAX = 366

COLUMNS = (
    "lead_time",
    "arrival_date_year",
    "arrival_date_month",
    "arrival_date_day_of_month",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "adults",
    "children",
    "babies",
    "reserved_room_type",
    "adr",
    "reservation_status",
    "reservation_status_date",
)
_MONTHS = {name: number for number, name in enumerate(calendar.month_name) if name}
_STATUSES = ("Canceled", "Check-Out", "No-Show")


class WrongFile(Invalid):
    """This is not a file of hotel bookings: {what}."""

    what: str


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as it was made."""

    line: int
    made: date
    arrival: date
    nights: int
    room_type: str
    rate: Decimal
    """Euros for a night; 0 where nothing was charged."""
    cancelled: date | None
    came: bool
    """Whether the guests stayed. Neither cancelled nor came: they did not show up."""

    @property
    def departure(self) -> date:
        """The day after the last night."""
        return self.arrival + timedelta(days=self.nights)

    def days(self) -> Iterable[date]:
        """Each night, by the day on which it begins."""
        return (self.arrival + timedelta(days=n) for n in range(self.nights))


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be booked, and why."""

    line: int
    why: str


@dataclass(frozen=True)
class Recording:
    """Every row of a file: as a booking, or as refused. Bookings stand in the file's order."""

    name: str
    bookings: tuple[Booking, ...]
    refused: tuple[Refused, ...]

    @property
    def rows(self) -> int:
        """How many rows the file has."""
        return len(self.bookings) + len(self.refused)


class _Impossible(ValueError):
    """Why a row cannot be booked."""


def read(path: Path) -> Recording:
    """Read a file. Raises WrongFile."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path.name, file)
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise WrongFile(what=str(problem)) from problem


def sample() -> Recording:
    """The excerpt that comes with Dvor."""
    text = (files("dvor.replay") / "samples" / "hotel_bookings.csv").read_text(encoding="utf-8")
    return _read("the excerpt that comes with Dvor", text.splitlines(keepends=True))


def _read(name: str, lines: Iterable[str]) -> Recording:
    numbers: list[int] = []
    rows = csv.DictReader(_without_remarks(lines, numbers))
    missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        raise WrongFile(what=f"it has no column {missing[0]}")
    bookings, refused = list[Booking](), list[Refused]()
    for row in rows:
        line = numbers[rows.line_num - 1]
        try:
            bookings.append(_booking(line, row))
        except _Impossible as impossible:
            refused.append(Refused(line, str(impossible)))
    return Recording(name, tuple(bookings), tuple(refused))


def _without_remarks(lines: Iterable[str], numbers: list[int]) -> Iterable[str]:
    for number, line in enumerate(lines, start=1):
        if not line.startswith("#"):
            numbers.append(number)
            yield line


def _booking(line: int, row: Mapping[str, str | None]) -> Booking:
    try:
        arrival = date(
            int(row["arrival_date_year"] or ""),
            _MONTHS[row["arrival_date_month"] or ""],
            int(row["arrival_date_day_of_month"] or ""),
        )
        made = arrival - timedelta(days=int(row["lead_time"] or ""))
        nights = _sum(row, "stays_in_weekend_nights", "stays_in_week_nights")
        guests = _sum(row, "adults", "children", "babies")
        rate = Decimal(row["adr"] or "")
        ended = datetime.strptime(row["reservation_status_date"] or "", "%m/%d/%Y").date()  # noqa: DTZ007
    except (ValueError, KeyError, InvalidOperation, OverflowError):
        raise _Impossible("a number or a date cannot be read") from None
    status = row["reservation_status"]
    if status not in _STATUSES:
        raise _Impossible("neither cancelled nor stayed nor missed")
    booking = Booking(
        line=line,
        made=made,
        arrival=arrival,
        nights=nights,
        room_type=(row["reserved_room_type"] or "").strip(),
        rate=rate,
        cancelled=ended if status == "Canceled" else None,
        came=status == "Check-Out",
    )
    _check(booking, guests)
    return booking


def _sum(row: Mapping[str, str | None], *columns: str) -> int:
    numbers = [int(row[column] or "") for column in columns]
    if min(numbers) < 0:
        raise ValueError
    return sum(numbers)


def _check(booking: Booking, guests: int) -> None:
    problems = (
        (not booking.room_type, "no type of room"),
        (booking.nights == 0, "no nights"),
        (booking.nights > NIGHTS_MAX, f"more than {NIGHTS_MAX} nights"),
        (guests == 0, "no guests"),
        (guests > GUESTS_MAX, f"more than {GUESTS_MAX} guests in one room"),
        (not booking.rate.is_finite() or booking.rate < 0, "a rate that is none"),
        (booking.made > booking.arrival, "made after the arrival"),
        (_ended_outside(booking), "cancelled before it was made or after the stay began"),
    )
    for wrong, why in problems:
        if wrong:
            raise _Impossible(why)


def _ended_outside(booking: Booking) -> bool:
    return booking.cancelled is not None and not (
        booking.made <= booking.cancelled <= booking.arrival
    )
