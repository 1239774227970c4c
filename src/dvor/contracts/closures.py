"""Closures: units that are not to be had for some days, and what stood in the way."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from dvor.kernel.errors import Conflict, NotFound
from dvor.kernel.messages import Bool, Count, Line, Message
from dvor.kernel.periods import DateRange

Units = Annotated[int, Field(strict=True, ge=1, le=1000)]


class Shortfall(Message):
    """A day on which customers were promised more than is left open."""

    day: date
    units: Count
    """How many units are promised that should be closed."""


class Closure(Message):
    """So many units are closed on all of `dates`: under repair, let elsewhere."""

    id: UUID
    offer_id: UUID
    dates: DateRange
    """Local days of the place; for what is rented by the hour the days that it touches."""
    units: Count
    source: Line
    """Who closed: `owner`, `ical:<id of an import>` or `room:<id of a room>`."""
    note: Line
    conflicts: tuple[Shortfall, ...] = ()
    """Days on which it could not take everything. It takes the rest when that becomes free."""


class Closures(Message):
    """Closures by their first day."""

    items: tuple[Closure, ...]


class Occupancy(Message):
    """What becomes of the units of one day (by the hour: of its fullest hour)."""

    day: date
    quantity: Count
    """How many there are."""
    closed: Count
    """Asked to be closed; may be more than there are."""
    held: Count
    sold: Count
    free: Count


class Occupancies(Message):
    """Day by day."""

    offer_id: UUID
    days: tuple[Occupancy, ...]


class Booking(Message):
    """A quantity that a hold has of an offer on some dates."""

    hold_id: UUID
    dates: DateRange
    quantity: Count
    confirmed: Bool
    """False: held until it is paid, or runs out."""


class Bookings(Message):
    """Bookings by their first day."""

    items: tuple[Booking, ...]


class UnknownClosure(NotFound):
    """There is no such closure."""


class TooManyClosures(Conflict):
    """An offer can have up to {most} closures ahead. Join some of them."""

    most: Count


class ClosedElsewhere(Conflict):
    """This comes from an imported calendar: change it there, or remove the import."""
