"""What hotel the recorded bookings need: its rooms, its prices, its days. Pure decisions."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median

from dvor.replay.hotel_file import Booking

NO_SUCH_ROOM = "nobody ever stayed in such a room"

_MONTHS_MAX = 60
"""As many seasons as an offer may have."""


@dataclass(frozen=True)
class MonthPrice:
    """What a night costs in one month, in cents."""

    first: date
    last: date
    price: int


@dataclass(frozen=True)
class RoomType:
    """A room type as the hotel will offer it."""

    name: str
    rooms: int
    price: int
    """Cents for a night outside the months below."""
    months: tuple[MonthPrice, ...]


@dataclass(frozen=True)
class Day:
    """What happens on one day, in this order; each group in the order of the file."""

    date: date
    cancelled: tuple[Booking, ...]
    """In the morning: bookings of earlier days."""
    booked: tuple[Booking, ...]
    """At noon."""
    taken_back: tuple[Booking, ...]
    """In the evening: bookings of this very day."""


def room_types(bookings: Sequence[Booking]) -> tuple[RoomType, ...]:
    """The types that somebody ever stayed in, with their rooms and prices."""
    counts = room_counts(bookings)
    return tuple(
        _priced(name, counts[name], [b for b in bookings if b.room_type == name])
        for name in sorted(counts)
    )


def room_counts(bookings: Iterable[Booking]) -> Mapping[str, int]:
    """Rooms of each type: the most bookings of it that guests really used in one night.

    Types are those that were *reserved*, because that is what is sold: on that night the hotel
    did keep so many promises of this type. (Counted by the room assigned at check-in, type A
    would have 56 rooms instead of 98: the hotel sold more A than it had and moved guests up.)
    Cancelled bookings and no-shows used no room. So demand by those who cancelled later is
    refused at the peaks, as is now and then a guest who really came.
    """
    used: defaultdict[str, Counter[date]] = defaultdict(Counter)
    for booking in bookings:
        if booking.came:
            used[booking.room_type].update(booking.days())
    return {name: max(nights.values()) for name, nights in used.items()}


def _priced(name: str, rooms: int, bookings: Sequence[Booking]) -> RoomType:
    """Prices: the median of what a night cost, by month of arrival, leaving out what was free."""
    rates: defaultdict[date, list[Decimal]] = defaultdict(list)
    for booking in bookings:
        if booking.rate > 0:
            rates[booking.arrival.replace(day=1)].append(booking.rate)
    every = [rate for month in rates.values() for rate in month]
    months = tuple(
        MonthPrice(first, _last_day(first), _cents(median(rates[first])))
        for first in sorted(rates)[-_MONTHS_MAX:]
    )
    return RoomType(name, rooms, _cents(median(every)) if every else 0, months)


def _cents(euros: Decimal) -> int:
    return int((euros * 100).quantize(Decimal(1), ROUND_HALF_UP))


def _last_day(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def days(bookings: Iterable[Booking]) -> tuple[Day, ...]:
    """The days on which anything happens, oldest first."""
    booked: defaultdict[date, list[Booking]] = defaultdict(list)
    cancelled: defaultdict[date, list[Booking]] = defaultdict(list)
    for booking in bookings:
        booked[booking.made].append(booking)
        if booking.cancelled is not None:
            cancelled[booking.cancelled].append(booking)
    return tuple(
        Day(
            date=day,
            cancelled=tuple(b for b in cancelled[day] if b.made < day),
            booked=tuple(booked[day]),
            taken_back=tuple(b for b in cancelled[day] if b.made == day),
        )
        for day in sorted(booked.keys() | cancelled.keys())
    )


def by_type(bookings: Iterable[Booking]) -> Mapping[str, list[Booking]]:
    """Bookings of each room type, in their order: within a type first come is first served."""
    found: defaultdict[str, list[Booking]] = defaultdict(list)
    for booking in bookings:
        found[booking.room_type].append(booking)
    return found
