"""Deposits: money that is set aside while something is lent, and comes back. Messages of payments."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from dvor.contracts.catalog import Text
from dvor.kernel.errors import Conflict, NotFound
from dvor.kernel.messages import Bool, Count, Instant, Line, Message, Minor
from dvor.kernel.money import Money

DepositAmount = Annotated[int, Field(strict=True, ge=1, le=10**15)]
"""Minor units, at least one."""


class DepositStatus(StrEnum):
    """requested -> held <-> resting -> releasing -> released; held -> claimed -> captured | lost."""

    REQUESTED = "requested"
    DECLINED = "declined"
    """The bank did not set it aside: nothing was booked."""
    HELD = "held"
    RESTING = "resting"
    """Nothing is set aside now; it will be again shortly before it begins."""
    CLAIMED = "claimed"
    """The seller keeps some of it; the bank is being asked."""
    CAPTURED = "captured"
    """The seller has what they claimed; the rest was let go."""
    RELEASING = "releasing"
    RELEASED = "released"
    LOST = "lost"
    """The seller claimed some of it, but the bank had let it go."""


class DepositTerms(Message):
    """What is to be set aside for a line of an order, apart from its price."""

    line_id: UUID
    seller_id: UUID
    title: Text
    amount: DepositAmount
    begins_at: Instant
    ends_at: Instant
    """From then on the seller may claim it, for `DVOR_DEPOSIT_CLAIM_SECONDS`."""


Terms = Annotated[tuple[DepositTerms, ...], Field(max_length=50)]


class DepositPart(Message):
    """How much of a line's deposit is still needed, in minor units."""

    line_id: UUID
    needed: Minor


DepositParts = Annotated[tuple[DepositPart, ...], Field(max_length=50)]


class DepositClaim(Message):
    """What a seller keeps of a deposit, and why."""

    amount: DepositAmount
    reason: Annotated[str, Field(min_length=3, max_length=200)]
    evidence: Annotated[str, Field(max_length=4000)] = ""
    """What shows it: a description, addresses of pictures."""


class Deposit(Message):
    """A deposit as its customer, its seller and admins see it."""

    id: UUID
    order_id: UUID
    order_number: Line
    line_id: UUID
    seller_id: UUID
    title: Text
    amount: Money
    status: DepositStatus
    captured: Minor
    """What the seller has of it."""
    released: Minor
    """What nobody wants any more; with `captured` never more than the amount."""
    claimed: Minor
    reason: str
    evidence: str
    begins_at: Instant
    ends_at: Instant
    claim_until: Instant
    """Until then the seller may claim it; then it is let go by itself."""
    refusals: Count
    """How often the bank refused to set it aside anew since it last did; 0: all is well."""
    claimable: Bool
    """The viewer may claim it now."""
    returnable: Bool
    """The viewer may let all of it go now."""


class Deposits(Message):
    """The deposits of an order that the caller may see."""

    items: tuple[Deposit, ...]


class UnknownDeposit(NotFound):
    """There is no such deposit."""


class DepositDeclined(Conflict):
    """The bank did not set the deposit aside."""


class NotClaimable(Conflict):
    """This deposit cannot be claimed now: it is not over yet, too late, or decided."""


class ClaimTooLarge(Conflict):
    """A deposit cannot be claimed beyond what is set aside."""

    most: Minor
