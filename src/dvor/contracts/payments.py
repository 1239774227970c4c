"""Money asked for, authorised, captured, given back; with a simulated provider's page."""

from enum import StrEnum
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field

from dvor.kernel.errors import Conflict, Gone, NotFound
from dvor.kernel.events import Event
from dvor.kernel.messages import Count, Instant, Line, Message, Minor, PageRequest
from dvor.kernel.money import Money

Charge = Annotated[int, Field(strict=True, ge=1, le=10**15)]
"""Minor units, at least one."""


class PaymentStatus(StrEnum):
    """requested -> authorised -> captured -> refunded; requested | authorised -> voided."""

    REQUESTED = "requested"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    REFUNDED = "refunded"
    VOIDED = "voided"


class PaymentRequest(Message):
    """Money asked for an order. One payment per order, however often it is asked for."""

    order_id: UUID
    order_number: Line
    payer_id: UUID
    amount: Money
    return_path: Annotated[str, Field(pattern=r"^/[^/\\]", max_length=200)]
    """Where the payer's browser goes afterwards, on our own site."""
    expires_at: Instant


class Payment(Message):
    """A payment. `declines` counts the tries that failed."""

    id: UUID
    order_id: UUID
    order_number: str
    payer_id: UUID
    amount: Money
    status: PaymentStatus
    captured: Minor
    refunded: Minor
    declines: Count
    pay_path: str
    """The hosted page, on our own site; whoever knows it may pay. Shown to the payer and orders."""
    expires_at: Instant
    created_at: Instant
    return_path: str = ""
    """Where the payer's browser goes afterwards, on our own site."""


class PaymentStep(Message):
    """One thing that happened to a payment."""

    at: Instant
    what: str
    """requested, declined, authorised, captured, voided, refunded"""
    amount: Money


class PaymentHistory(Message):
    """A payment and everything that happened to it."""

    payment: Payment
    steps: tuple[PaymentStep, ...]


class PaymentPage(Message):
    """Some payments, newest first."""

    items: tuple[Payment, ...]
    next_cursor: str | None = None


class PaymentSearch(PageRequest):
    """Which payments: one's own, or everybody's for admins who ask for `everybody`."""

    everybody: Annotated[bool, Field(strict=True)] = False


class Webhook(Message):
    """The body of a webhook: a hint that a payment changed."""

    type: str
    """`payment.authorised`, `payment.declined`, `payment.captured`, `payment.voided`, `payment.refunded`"""
    payment_id: UUID
    order_id: UUID


class UnknownPayment(NotFound):
    """There is no such payment."""


class PaymentEnded(Gone):
    """This payment is no longer open."""


class CardDeclined(Conflict):
    """The bank declined the payment. Nothing was charged; try another card."""


class NotAuthorised(Conflict):
    """The money has not been authorised."""


class RefundTooLarge(Conflict):
    """More than was paid cannot be given back."""


class PaymentCaptured(Event):
    """Money moved from the customer."""

    aggregate = "order_id"
    order_id: UUID
    payment_id: UUID
    amount: Money


class PaymentRefunded(Event):
    """Money moved back to the customer."""

    aggregate = "order_id"
    order_id: UUID
    payment_id: UUID
    amount: Money


class Payments(Protocol):
    """Payment requests, their history, and the simulated provider."""

    async def request(self, request: PaymentRequest) -> Payment:
        """Ask for money for an order; the same order gets the same payment. Services only."""
        ...

    async def payment(self, payment_id: UUID) -> PaymentHistory:
        """A payment. Its payer, admins and services. Raises UnknownPayment."""
        ...

    async def payments(self, search: PaymentSearch) -> PaymentPage:
        """Payments, newest first."""
        ...

    async def open_page(self, pay_token: Line) -> Payment:
        """The payment of a hosted page. Raises UnknownPayment."""
        ...

    async def submit_card(self, pay_token: Line, card_number: Line) -> Payment:
        """Pay on the hosted page: authorises the amount. Raises CardDeclined, PaymentEnded."""
        ...

    async def capture(self, payment_id: UUID) -> Payment:
        """Take the authorised money; harmless when repeated. Services only. Raises NotAuthorised."""
        ...

    async def void(self, payment_id: UUID) -> Payment:
        """Close a payment that was not captured; harmless when repeated. Services only.

        Raises Conflict when it was captured: refund it.
        """
        ...

    async def refund(self, payment_id: UUID, amount: Charge, key: UUID) -> Payment:
        """Give back `amount` minor units; one `key`, one refund. Services only.

        Raises RefundTooLarge.
        """
        ...
