"""Promo codes: what they take off, from what, for whom. Messages of the catalogue.

Their uses are units of inventory: the code's id is an offer there, with its limits.
"""

from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from dvor.kernel.errors import Conflict, NotFound
from dvor.kernel.messages import Bool, Count, Flag, Instant, Message, Minor, PageRequest
from dvor.kernel.money import Currency, Money

KindName = Annotated[str, Field(pattern="^(product|rental|stay|event)$")]
"""A kind of listings by its name; `catalog.Kind` itself stands in a module that imports this one."""


class PromoDraft(Message):
    """A promo code as a seller or an admin writes it. It never changes; it can be stopped."""

    code: Annotated[str, Field(pattern=r"^[\w-]{3,30}$")]
    """What customers type; capital or small letters are the same."""
    percent: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    """Off, or `amount` is."""
    amount: Minor = 0
    """Minor units off all lines together; never more than they cost."""
    currency: Currency = "RUB"
    """Of `amount` and `minimum`."""
    minimum: Minor = 0
    """What the lines that it is for must come to, after the sellers' own discounts."""
    kinds: Annotated[tuple[KindName, ...], Field(max_length=4)] = ()
    """Only for these kinds of listings; empty: for all."""
    listing_ids: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()
    """Only for these listings; empty: for all."""
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    uses: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    """By all customers together."""
    per_customer: Annotated[int, Field(strict=True, ge=0, le=1000)] = 1
    """By one customer; 0: no limit of its own."""
    platform: Bool = False
    """For what all sellers sell; admins only. Else for the seller's own lines."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> "PromoDraft":
        if (self.percent > 0) == (self.amount > 0):
            raise ValueError("either percent or amount")
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("valid_until is not after valid_from")
        return self


class Promo(Message):
    """A promo code. Its uses so far: `Inventory.supplies` of its id, `quantity - free`."""

    id: UUID
    code: str
    seller_id: UUID | None
    """None: the platform's."""
    percent: Count
    amount: Minor
    currency: Currency
    minimum: Minor
    kinds: tuple[KindName, ...]
    listing_ids: tuple[UUID, ...]
    valid_from: Instant | None
    valid_until: Instant | None
    uses: Count
    per_customer: Count
    active: Bool
    created_at: Instant


class PromoPage(Message):
    """Some promo codes, newest first."""

    items: tuple[Promo, ...]
    next_cursor: str | None = None


class PromoSearch(PageRequest):
    """Which codes: one's own, or the platform's (admins)."""

    platform: Flag = False


class PromoUse(Message):
    """A code that takes something off a quote."""

    id: UUID
    code: str
    discount: Money
    """Off all lines together; the sum of their parts."""


class UnknownPromo(NotFound):
    """There is no such promo code."""


class PromoEnded(Conflict):
    """This promo code is no longer valid."""


class PromoNotYet(Conflict):
    """This promo code is not valid yet."""

    valid_from: Instant


class PromoElsewhere(Conflict):
    """This promo code is for other things than these."""


class PromoNeedsMore(Conflict):
    """This promo code is for larger orders."""

    minimum: Money


class PromoUsedUp(Conflict):
    """This promo code has been used as often as it can be."""


class PromoLimit(Conflict):
    """You have used this promo code as often as one customer can."""


class PromoTaken(Conflict):
    """There is already such a promo code."""
