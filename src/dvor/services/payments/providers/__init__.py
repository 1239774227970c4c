"""The port to whoever moves real money: what we ask of a payment provider, and what it answers.

Every call carries a key: the same key, the same effect, the same answer. A call may end in
`OutcomeUnknown`; then `retrieve` says what is true. No call is made inside a transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """Where a payment stands at the provider."""

    OPEN = "open"
    """Nothing is authorised: never tried, or declined."""
    ACTION = "action"
    """The payer has to act: confirm it (3-D Secure), or pay on the provider's own page."""
    PROCESSING = "processing"
    """The bank has not decided yet."""
    AUTHORISED = "authorised"
    """Set aside; some of it may have been captured, and more may be."""
    CAPTURED = "captured"
    """Nothing is set aside any more; what was captured is ours."""
    VOIDED = "voided"
    """Nothing was taken and nothing is set aside."""


class DisputeState(StrEnum):
    """What became of the payer's objection at their bank."""

    NONE = ""
    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True)
class Charge:
    """What is to be authorised. `reference` is ours until the provider gives one."""

    reference: str
    amount: int
    currency: str
    expires_at: datetime
    description: str = ""
    paid_url: str = ""
    """Where a provider with a page of its own sends the payer who has paid."""
    back_url: str = ""
    """And the one who has not."""
    again: bool = False
    """More will be set aside on the same means of payment, without the payer."""


@dataclass(frozen=True)
class Standing:
    """A payment as the provider knows it now."""

    reference: str
    state: State
    amount: int
    currency: str
    captured: int = 0
    declines: int = 0
    card_ending: str = ""
    action_url: str = ""
    """Where the payer goes to pay or confirm; empty: to our hosted page."""
    disputed: int = 0
    dispute: DisputeState = DisputeState.NONE
    refunds: Mapping[str, bool] = field(default_factory=dict)
    """Key of a refund -> whether it went through; others are on their way."""


@dataclass(frozen=True)
class News:
    """A webhook that was really sent by the provider: which payment it is about."""

    id: str
    type: str
    references: tuple[str, ...]
    """Its names: the provider's, ours."""


class OutcomeUnknown(Exception):
    """No answer, or one that says nothing: it may have happened or not. Ask with `retrieve`."""


class Refused(Exception):
    """A definite no. Asking again would not help."""


class Forged(Exception):
    """A webhook that the provider did not send."""


class Provider(Protocol):
    """A payment provider."""

    name: str

    def readable(self, method: str) -> bool:
        """Whether `method` can be a means of payment at all; none where the provider asks for it."""
        ...

    async def authorise(self, charge: Charge, method: str, key: str) -> Standing:
        """Set the amount aside on `method` (a card). Declined: `declines` has grown.

        A provider that asks for the card on its own page answers ACTION and the address of it.
        Raises Refused when the payment is over, OutcomeUnknown.
        """
        ...

    async def set_aside(self, charge: Charge, like: str, key: str) -> Standing:
        """Set an amount aside on what paid `like` (opened with `again`), without the payer.

        AUTHORISED, or declined: OPEN. By the same key the same, however late it is asked again.
        Raises Refused where that is not possible, OutcomeUnknown.
        """
        ...

    async def capture(self, reference: str, amount: int, key: str, *, final: bool) -> Standing:
        """Take so much of what is set aside; `final` lets the rest go.

        Raises Refused, OutcomeUnknown.
        """
        ...

    async def void(self, reference: str, key: str) -> Standing:
        """Let go what is set aside; answers where the payment then stands, whatever that is.

        Raises OutcomeUnknown.
        """
        ...

    async def refund(self, reference: str, amount: int, key: str) -> None:
        """Give so much of what was captured back. Raises Refused, OutcomeUnknown."""
        ...

    async def retrieve(self, reference: str) -> Standing | None:
        """Where a payment stands; None: the provider has never heard of it. Raises OutcomeUnknown."""
        ...

    def read(self, headers: Mapping[str, str], body: bytes, now: datetime) -> News | None:
        """What a webhook says; None: nothing that concerns us. Raises Forged."""
        ...
