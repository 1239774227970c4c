"""Money asked for, authorised, captured, given back: what a payment provider does for us."""

from enum import StrEnum
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field

from dvor.contracts.catalog import Text
from dvor.contracts.deposits import Deposit, DepositClaim, DepositParts, Deposits, Terms
from dvor.contracts.earnings import (
    Balances,
    Books,
    PayoutRun,
    Payouts,
    PayoutSearch,
    Statement,
    StatementSearch,
)
from dvor.kernel.errors import Conflict, Gone, Invalid, NotFound
from dvor.kernel.events import Event
from dvor.kernel.messages import Bool, Count, Instant, Line, Message, Minor, PageRequest
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


class Share(Message):
    """What a seller has sold in an order: commission goes off it when the money is captured."""

    seller_id: UUID
    amount: Minor


Shares = Annotated[tuple[Share, ...], Field(max_length=50)]


class PaymentRequest(Message):
    """Money asked for an order. One payment per order, however often it is asked for."""

    order_id: UUID
    order_number: Line
    payer_id: UUID
    amount: Money
    return_path: Annotated[str, Field(pattern=r"^/[^/\\]", max_length=200)]
    """Where the payer's browser goes afterwards, on our own site."""
    expires_at: Instant
    shares: Shares = ()
    """Up to the amount in all; the platform keeps what nobody has a share in."""
    deposits: Terms = ()
    """Set aside on the same card by `secure_deposits`, in none of these sums."""


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
    """Given back, or on its way back."""
    declines: Count
    pay_path: str
    """The hosted page, on our own site; whoever knows it may pay. Shown to the payer and orders."""
    expires_at: Instant
    created_at: Instant
    return_path: str = ""
    """Where the payer's browser goes afterwards, on our own site."""
    underway: Bool = False
    """The provider was asked and has not said yet what came of it."""
    action_path: str = ""
    """Where the payer has to confirm the payment; empty: nowhere."""
    disputed: Minor = 0
    """What the payer's bank has taken back or is arguing about."""
    provider: Line = ""
    deposit: Minor = 0
    """Deposits of all lines together: set aside apart from the amount, and let go afterwards."""


class PaymentStep(Message):
    """One thing that happened to a payment."""

    at: Instant
    what: str
    """requested, declined, authorised, captured, voided, refunded, refund_failed, disputed,
    dispute_won, dispute_lost, deposit_held, deposit_declined, deposit_rested, deposit_claimed,
    deposit_captured, deposit_released, deposit_lost"""
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
    """The body of a webhook to whoever asked for the money: a hint that a payment changed."""

    type: str
    """`payment.authorised` or `payment.declined`: what nobody here did"""
    payment_id: UUID
    order_id: UUID


class ProviderDelivery(Message):
    """A webhook of the provider as it came in: headers (names in lower case) and the raw body."""

    headers: dict[str, str]
    body: Annotated[bytes, Field(max_length=65_536)]


class SentWebhook(Message):
    """A webhook that was sent, by the simulated bank to us or by us to whoever asked for money."""

    id: UUID
    sender: Line
    """`bank` or `dvor`"""
    type: Line
    order_number: Line
    attempts: Count
    last_answer: str
    """The HTTP status of the last try, or why there was none."""
    created_at: Instant
    delivered_at: Instant | None


class SentWebhooks(Message):
    """Some webhooks, newest first."""

    items: tuple[SentWebhook, ...]
    next_cursor: str | None = None


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


class RefundFailed(Conflict):
    """The bank did not take the money back. Nothing has moved."""


class UnknownWebhook(NotFound):
    """There is no such webhook."""


class ForgedWebhook(Invalid):
    """The signature of this webhook is wrong."""

    http_status = 401
    grpc_status = "UNAUTHENTICATED"


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


class PaymentDisputed(Event):
    """The payer's bank took money back. `outcome`: open, won (it came back to us), lost."""

    aggregate = "order_id"
    order_id: UUID
    payment_id: UUID
    amount: Money
    outcome: str


class DepositCaptured(Event):
    """A seller has a part of a deposit, or all of it; the rest is let go."""

    aggregate = "order_id"
    order_id: UUID
    order_number: str
    deposit_id: UUID
    payer_id: UUID
    seller_id: UUID
    title: Text
    amount: Money
    captured: Money
    reason: str
    evidence: str


class DepositReleased(Event):
    """Nothing of a deposit is set aside any more, nothing was taken."""

    aggregate = "order_id"
    order_id: UUID
    order_number: str
    deposit_id: UUID
    payer_id: UUID
    seller_id: UUID
    title: Text
    amount: Money
    why: str
    """over (its time is), returned (by the seller), cancelled (what it was for)"""


class DepositRefused(Event):
    """The bank does not set a deposit aside anew, for the first time since it last did."""

    aggregate = "order_id"
    order_id: UUID
    order_number: str
    deposit_id: UUID
    payer_id: UUID
    seller_id: UUID
    title: Text
    amount: Money
    begins_at: Instant


class DepositLost(Event):
    """A seller claimed some of a deposit, but the bank had let it go: nothing was taken."""

    aggregate = "order_id"
    order_id: UUID
    order_number: str
    deposit_id: UUID
    payer_id: UUID
    seller_id: UUID
    title: Text
    claimed: Money
    reason: str


class Payments(Protocol):
    """Payment requests, their history, and what the provider says."""

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
        """Pay on the hosted page: authorises the amount. Raises CardDeclined, PaymentEnded.

        `underway`, still requested: the bank has not answered. `action_path`: the payer has to
        confirm there.
        """
        ...

    async def confirm_card(self, pay_token: Line, accepted: Bool) -> Payment:
        """Say yes or no to what the simulated bank asks the payer. Raises CardDeclined, PaymentEnded."""
        ...

    async def receive_webhook(self, delivery: ProviderDelivery) -> None:
        """Take a webhook of the provider: a hint, after which the provider itself is asked.

        Raises ForgedWebhook; UnknownPayment makes the sender try again.
        """
        ...

    async def webhooks(self, page: PageRequest) -> SentWebhooks:
        """What was sent, by the simulated bank and by us, newest first. Admins."""
        ...

    async def replay_webhook(self, webhook_id: UUID) -> SentWebhook:
        """Send a webhook once more, as the same message. Admins. Raises UnknownWebhook."""
        ...

    async def capture(self, payment_id: UUID) -> Payment:
        """Take the authorised money; harmless when repeated. Services only.

        Raises NotAuthorised, also when the bank gave less than was asked: that much goes back.
        Unavailable: the bank has not answered; ask again.
        """
        ...

    async def void(self, payment_id: UUID) -> Payment:
        """Close a payment that was not captured; harmless when repeated. Services only.

        Raises Conflict when it was captured: refund it.
        """
        ...

    async def refund(
        self,
        payment_id: UUID,
        amount: Charge,
        key: UUID,
        reason: Line = "",
        shares: Shares = (),
    ) -> Payment:
        """Give back `amount` minor units; one `key`, one refund. Services only.

        `shares`: whose sales it is taken from; empty: from all, as they have part in the payment.
        Raises RefundTooLarge, RefundFailed. Unavailable: the bank has not answered; ask again with
        the same key.
        """
        ...

    async def secure_deposits(self, payment_id: UUID) -> Deposits:
        """Set all deposits of an authorised payment aside, on the same card; harmless when repeated.

        Services only. Raises NotAuthorised, DepositDeclined (also when one is let go already).
        Unavailable: the bank has not answered; ask again.
        """
        ...

    async def release_deposits(self, payment_id: UUID, parts: DepositParts = ()) -> Deposits:
        """Let deposits go as far as they are not needed; none named: all. Services only.

        What was claimed stays claimed. Done sooner or later, even if the bank is out of reach now.
        """
        ...

    async def deposits(self, order_id: UUID) -> Deposits:
        """The deposits of an order: its customer's, a seller's own, all for admins and services."""
        ...

    async def claim_deposit(self, deposit_id: UUID, claim: DepositClaim) -> Deposit:
        """Keep a part of a deposit, or all, after the end and in time. Its seller, admins.

        Once: the rest is let go. The same claim may be repeated. Raises UnknownDeposit,
        NotClaimable, ClaimTooLarge.
        """
        ...

    async def return_deposit(self, deposit_id: UUID) -> Deposit:
        """Let all of a deposit go before its time is over. Its seller, admins.

        Harmless when repeated. Raises UnknownDeposit, NotClaimable.
        """
        ...

    async def balances(self) -> Balances:
        """What the caller has earned and not been paid. Sellers."""
        ...

    async def statement(self, search: StatementSearch) -> Statement:
        """What moved a seller's balance, newest first. That seller, admins."""
        ...

    async def payouts(self, search: PayoutSearch) -> Payouts:
        """Payouts, newest first. The seller's own; everybody's for admins."""
        ...

    async def run_payouts(self, key: UUID) -> PayoutRun:
        """Pay out all positive balances; one `key`, one run. Admins, and every day by itself."""
        ...

    async def books(self) -> Books:
        """The balance of each account of the ledger. Admins."""
        ...
