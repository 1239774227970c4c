"""What a price depends on, and how a price is explained. Messages of the catalogue."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from dvor.kernel.messages import Count, Int, Message, Minor
from dvor.kernel.periods import Weekday


class WeekdayPrice(Message):
    """Another price of days, nights or hours that begin on `weekday`, where the place is."""

    weekday: Weekday
    price: Minor


class Discount(Message):
    """`percent` less from `least` units on."""

    least: Annotated[int, Field(strict=True, ge=2, le=1000)]
    percent: Annotated[int, Field(strict=True, ge=1, le=100)]


Discounts = Annotated[tuple[Discount, ...], Field(max_length=10)]
"""Of several the one with the greatest `least` that is reached counts; more units, more percent."""


class Pricing(Message):
    """What an offer's price depends on besides its base price and its seasons."""

    weekdays: Annotated[tuple[WeekdayPrice, ...], Field(max_length=7)] = ()
    """Rentals and stays only. A season's price goes before a weekday's."""
    length_discounts: Discounts = ()
    """From so many days, nights or hours. Rentals and stays only."""
    quantity_discounts: Discounts = ()
    """From so many items, rooms or tickets in one line."""
    deposit: Minor = 0
    """For each item or room, returned afterwards. Shown, and no part of any total. Rentals and
    stays only."""


class PartKind(StrEnum):
    """Why a part of a price is what it is."""

    BASE = "base"
    WEEKDAY = "weekday"
    SEASON = "season"
    LENGTH_DISCOUNT = "length_discount"
    QUANTITY_DISCOUNT = "quantity_discount"


class PricePart(Message):
    """A part of a line's total. The amounts of all its parts sum up to the total."""

    kind: PartKind
    units: Count = 0
    """Days, nights or hours at `price`; 1 for goods and tickets; 0 for a discount."""
    price: Minor = 0
    """Of one unit of one item; 0 for a discount."""
    weekdays: tuple[Weekday, ...] = ()
    """The weekdays among the units, where they make the price."""
    least: Count = 0
    """From how many units the discount is given."""
    percent: Count = 0
    """Of what the parts before it come to."""
    amount: Int
    """In minor units: units × price × the line's quantity; below 0 for a discount."""
