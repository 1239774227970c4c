"""Finding what is free: which offers during these dates, and what instead of a refused claim."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from dvor.contracts.catalog import Kind
from dvor.contracts.seating import SeatName
from dvor.kernel.messages import Bool, Count, Message, PageRequest
from dvor.kernel.periods import DateRange, HourRange


class AvailabilitySearch(PageRequest):
    """Which offers can be had: of a kind, during all of `dates` or `hours`, or now."""

    kind: Kind
    quantity: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    dates: DateRange | None = None
    hours: HourRange | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "AvailabilitySearch":
        given = (self.dates is not None) + (self.hours is not None)
        if given != (self.kind in (Kind.RENTAL, Kind.STAY)):
            raise ValueError("rentals and rooms need dates or hours, goods and tickets have none")
        if self.hours is not None and self.kind is not Kind.RENTAL:
            raise ValueError("only rentals are let by the hour")
        return self


class AvailableOffer(Message):
    """An offer that can be had."""

    offer_id: UUID
    listing_id: UUID
    free: Count
    """Units free during all of the period."""


class AvailableOffers(Message):
    """Offers in the order of their identifiers.

    A page may hold fewer than asked for, even none, while `next_cursor` says that there are more
    to look at: one call looks at a bounded number of offers.
    """

    items: tuple[AvailableOffer, ...]
    next_cursor: str | None = None


class Alternative(Message):
    """Something near that can be had now: a claim like the one that was refused."""

    offer_id: UUID
    quantity: Count
    dates: DateRange | None = None
    hours: HourRange | None = None
    seats: tuple[SeatName, ...] = ()


class Explanation(Message):
    """Whether a claim can be had now; else why not, and what is nearest to it."""

    possible: Bool
    code: str = ""
    """The refusal's, such as `inventory.sold_out`."""
    detail: str = ""
    """What the refusal says, in the caller's language."""
    details: dict[str, str] = {}
    """The refusal's details as JSON texts."""
    alternatives: tuple[Alternative, ...] = ()
    """The same length later and earlier, other offers of the listing, fewer units, other seats."""
