"""How much there is of everything, and who holds it: the promise never to sell a unit twice."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field

from dvor.kernel.errors import Conflict, Gone, Invalid, NotFound
from dvor.kernel.events import Event
from dvor.kernel.messages import Bool, Count, Instant, Message
from dvor.kernel.periods import DateRange

OfferIds = Annotated[tuple[UUID, ...], Field(max_length=500)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=1000)]


class HoldStatus(StrEnum):
    """held -> confirmed | released | expired; confirmed -> released (a cancelled order)."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"


class Claim(Message):
    """A quantity of an offer, for all of `dates` where it is rented or let by the day."""

    offer_id: UUID
    quantity: Quantity
    dates: DateRange | None = None


Claims = Annotated[tuple[Claim, ...], Field(min_length=1, max_length=50)]


class Hold(Message):
    """A set of claims, all or nothing, until a deadline."""

    id: UUID
    status: HoldStatus
    claims: tuple[Claim, ...]
    expires_at: Instant


class Supply(Message):
    """How many units of an offer exist, and how many are free of a timeless offer."""

    offer_id: UUID
    quantity: Count
    """Units on hand, identical things, rooms of the type, tickets."""
    free: Count
    """Free now (goods, tickets); equals `quantity` for what is let by dates."""
    open: Bool
    """Whether it is on sale."""


class Supplies(Message):
    """Supplies of the offers that have one."""

    items: tuple[Supply, ...]


class Day(Message):
    """One day of an offer let by dates."""

    day: date
    free: Count


class Calendar(Message):
    """Free units day by day."""

    offer_id: UUID
    days: tuple[Day, ...]


class Free(Message):
    """How many units are free during all of the dates asked for."""

    offer_id: UUID
    free: Count


class FreeList(Message):
    """Free units of each offer that was asked for; 0 for unknown ones."""

    items: tuple[Free, ...]


class SoldOut(Conflict):
    """Not enough is left."""

    offer_id: UUID
    left: Count
    """What is left (on the scarcest day)."""
    day: date | None = None
    """The scarcest day, for what is let by dates."""


class Closed(Conflict):
    """This is not on sale now."""

    offer_id: UUID


class InThePast(Invalid):
    """These dates have passed."""

    offer_id: UUID


class TooFarAhead(Invalid):
    """These dates are too far ahead."""

    offer_id: UUID


class NeedsDates(Invalid):
    """Rentals and rooms need dates, goods and tickets have none."""

    offer_id: UUID


class UnknownSupply(NotFound):
    """This is not on offer."""

    offer_id: UUID


class UnknownHold(NotFound):
    """There is no such hold."""


class HoldEnded(Gone):
    """The time to pay has run out, and what was held is free again."""


class BelowPromised(Conflict):
    """{promised} are already promised to customers: there cannot be fewer."""

    offer_id: UUID
    promised: Count
    day: date | None = None


class SupplyChanged(Event):
    """A seller set how many units there are."""

    aggregate = "offer_id"
    offer_id: UUID
    quantity: Count


class HoldExpired(Event):
    """A hold ran past its deadline and its units are free again."""

    aggregate = "hold_id"
    hold_id: UUID


class Inventory(Protocol):
    """Units, holds, availability."""

    async def set_supply(self, offer_id: UUID, quantity: Count) -> Supply:
        """Say how many units there are. The offer's seller and admins. Raises BelowPromised."""
        ...

    async def supplies(self, offer_ids: OfferIds) -> Supplies:
        """How many units offers have."""
        ...

    async def calendar(self, offer_id: UUID, dates: DateRange) -> Calendar:
        """Free units of each day. Raises UnknownSupply, NeedsDates."""
        ...

    async def free(self, offer_ids: OfferIds, dates: DateRange | None = None) -> FreeList:
        """Free units during all of `dates`, or now."""
        ...

    async def hold(self, hold_id: UUID, claims: Claims) -> Hold:
        """Make the hold `hold_id` consist of exactly these claims, with a fresh deadline.

        All or nothing: on a refusal the hold stays as it was. Repeating the call is harmless. A
        hold that expired is taken anew. Services only. Raises SoldOut, Closed, InThePast,
        NeedsDates, UnknownSupply; HoldEnded for a released one, Conflict for a confirmed one.
        """
        ...

    async def get_hold(self, hold_id: UUID) -> Hold:
        """A hold. Services only. Raises UnknownHold."""
        ...

    async def confirm(self, hold_id: UUID) -> Hold:
        """Turn held units into sold ones; harmless when repeated. Services only.

        Raises HoldEnded when the deadline has passed, UnknownHold.
        """
        ...

    async def release(self, hold_id: UUID) -> Hold:
        """Free the units of a hold, also a confirmed one; harmless when repeated. Services only."""
        ...
