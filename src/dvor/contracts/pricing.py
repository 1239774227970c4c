"""What a price depends on, and how a price is explained. Messages of the catalogue."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from dvor.kernel.messages import Bool, Count, Int, Message, Minor
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


class Label(Message):
    """A short name in both languages; an empty one falls back to the other."""

    ru: Annotated[str, Field(max_length=60)] = ""
    en: Annotated[str, Field(max_length=60)] = ""

    def of(self, language: str) -> str:
        """The name in `language`, else in the other one."""
        return (self.ru or self.en) if language == "ru" else (self.en or self.ru)


class FeePer(StrEnum):
    """How often a fee is charged."""

    ORDER = "order"
    """Once, however many lines of its listing an order has."""
    ITEM = "item"
    """For each item, room or ticket."""
    UNIT = "unit"
    """For each day, night or hour of each item."""


class Fee(Message):
    """What a seller charges besides the price: cleaning, service, delivery."""

    name: Label
    price: Annotated[int, Field(strict=True, ge=1, le=10**10)]
    per: FeePer = FeePer.ORDER


Fees = Annotated[tuple[Fee, ...], Field(max_length=5)]


class Tax(Message):
    """A seller's tax on everything that they sell, fees included."""

    name: Label = Label()
    rate: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 0
    """In hundredths of a percent: 2000 is 20 %. 0: no tax."""
    included: Bool = True
    """Whether prices contain it already; else it is added to them."""


class PartKind(StrEnum):
    """Why a part of a price is what it is."""

    BASE = "base"
    WEEKDAY = "weekday"
    SEASON = "season"
    LENGTH_DISCOUNT = "length_discount"
    QUANTITY_DISCOUNT = "quantity_discount"
    PROMO = "promo"
    FEE = "fee"
    TAX = "tax"


class PricePart(Message):
    """A part of a line's total. The amounts of all its parts sum up to the total."""

    kind: PartKind
    units: Count = 0
    """Days, nights or hours at `price`; 1 for goods and tickets; how often a fee is charged; else 0."""
    price: Minor = 0
    """Of one unit of one item; of a fee each time; what a fixed promo code takes off the order; else
    0.
    """
    weekdays: tuple[Weekday, ...] = ()
    """The weekdays among the units, where they make the price."""
    least: Count = 0
    """From how many units the discount is given."""
    percent: Count = 0
    """Of what the parts before it come to; for a promo code, in all lines that it is for."""
    amount: Int
    """In minor units: units × price × the line's quantity; units × price for a fee; below 0 for a
    discount; 0 for a tax that is in the price.
    """
    name: Label = Label()
    """Of a fee or a tax."""
    rate: Count = 0
    """Of a tax, in hundredths of a percent of what the parts before it come to."""
    included: Minor = 0
    """How much tax the parts before it contain."""
    code: str = ""
    """Of a promo code."""
