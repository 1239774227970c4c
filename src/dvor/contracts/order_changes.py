"""What can be changed of an order that is paid: lines cancelled, in part or whole. Messages of orders."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from dvor.contracts.cancellation import CancellationStep
from dvor.contracts.catalog import Text
from dvor.kernel.errors import Conflict
from dvor.kernel.messages import Bool, Count, Message, Minor
from dvor.kernel.money import Money


class LineCut(Message):
    """A line, or some of its quantity, to be cancelled."""

    line_id: UUID
    quantity: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    """None: all that is left of it, or as many as `seats`."""
    seats: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=60)], ...], Field(max_length=50)
    ] = ()
    """Which of its seats; empty: the last ones."""


Cuts = Annotated[tuple[LineCut, ...], Field(max_length=50)]
"""None: everything that is left of the order."""


class LineRefund(Message):
    """What comes back for what is cancelled of a line, and why."""

    line_id: UUID
    seller_id: UUID
    title: Text
    name: Text
    quantity: Count
    paid: Money
    """What was paid for this quantity."""
    back: Money
    rule: Count = 0
    """Number of the step of its policy that counts, from 1; 0 where none does."""
    step: CancellationStep | None = None
    in_full: Bool = False
    """Who sells it cancels, or Dvor: everything comes back, whatever the policy says."""


class Cancellation(Message):
    """What a cancellation would do now."""

    lines: tuple[LineRefund, ...]
    back: Money
    """To the customer, in all."""
    whole: Bool
    """Nothing of the order would be left."""
    charged: Bool
    """Whether anything was paid."""


class RefundChanged(Conflict):
    """Meanwhile another amount would come back. Look at it and confirm again."""

    back: Minor


class CutsTooMuch(Conflict):
    """There is not as much left of this to cancel."""
