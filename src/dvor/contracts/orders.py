"""Carts and orders: from "I want this" to "paid and booked", or cancelled and free again."""

from enum import StrEnum
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field, model_validator

from dvor.contracts.cancellation import ANYTIME, Policy
from dvor.contracts.catalog import Kind, Text
from dvor.contracts.order_changes import Cancellation, Cuts, LineRefund
from dvor.contracts.pricing import PricePart
from dvor.kernel.errors import Conflict, Invalid, NotFound
from dvor.kernel.events import Event
from dvor.kernel.messages import Bool, Count, Flag, Instant, Int, Line, Message, Minor, PageRequest
from dvor.kernel.money import Money
from dvor.kernel.periods import DateRange, HourRange

Quantity = Annotated[int, Field(strict=True, ge=1, le=1000)]
LineQuantity = Annotated[int, Field(strict=True, ge=0, le=1000)]
"""0 removes the line."""


Seats = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=60)], ...], Field(max_length=50)
]
"""Names of chosen seats."""


class OrderStatus(StrEnum):
    """created -> processing -> paid -> delivered; created | processing | paid -> cancelled."""

    CREATED = "created"
    PROCESSING = "processing"
    PAID = "paid"
    CANCELLED = "cancelled"
    DELIVERED = "delivered"


class Wish(Message):
    """What a customer wants: a quantity of an offer, for `dates` or `hours`, or chosen `seats`."""

    offer_id: UUID
    quantity: Quantity = 1
    dates: DateRange | None = None
    hours: HourRange | None = None
    seats: Seats = ()
    """Where places have numbers: chosen ones. For what `quantity` asks beyond them the best
    together are taken.
    """

    @model_validator(mode="after")
    def _has_no_more_seats_than_asked(self) -> "Wish":
        if len(set(self.seats)) != len(self.seats) or len(self.seats) > self.quantity:
            raise ValueError("different seats, up to as many as the quantity")
        return self


class CartLine(Message):
    """A line of the cart. `problem` says, in the caller's language, why it cannot be bought."""

    id: UUID
    offer_id: UUID
    listing_id: UUID
    kind: Kind
    title: Text
    name: Text
    picture: str
    quantity: Count
    dates: DateRange | None
    units: Count
    unit_price: Money
    total: Money
    problem: str = ""
    starts_at: Instant | None = None
    timezone: str = ""
    """Of the place: what `starts_at` and `hours` are shown in."""
    hours: HourRange | None = None
    seats: Seats = ()
    parts: tuple[PricePart, ...] = ()
    """The total explained; as in `PricedLine`."""
    deposit: Money | None = None
    cancellation: Policy = ANYTIME
    """What would come back of it."""
    approval: Bool = False
    """Its seller answers before it is booked and charged."""


class CartPromo(Message):
    """A promo code that was typed into a cart. Its use is held with the order, not before."""

    code: str
    discount: Money | None = None
    """Off all lines together; it is in their totals. None: nothing now, see `problem`."""
    problem: str = ""
    """Why it takes nothing off, in the caller's language."""
    minimum: Money | None = None
    """What the lines that it is for must come to, where they do not."""


class Cart(Message):
    """Everything a person is about to buy, held for them until `held_until`."""

    id: UUID
    lines: tuple[CartLine, ...]
    total: Money | None
    """None while the cart is empty or a line has a problem."""
    held_until: Instant | None
    """None: nothing is held (an empty cart, or the hold has ended)."""
    version: Count
    promo: CartPromo | None = None


class OrderLine(Message):
    """What was bought, at the price of that moment."""

    id: UUID
    offer_id: UUID
    listing_id: UUID
    seller_id: UUID
    kind: Kind
    title: Text
    name: Text
    picture: str
    quantity: Count
    dates: DateRange | None
    starts_at: Instant | None = None
    units: Count
    unit_price: Money
    total: Money
    timezone: str = ""
    """Of the place: what `starts_at` and `hours` are shown in."""
    hours: HourRange | None = None
    seats: Seats = ()
    parts: tuple[PricePart, ...] = ()
    """The total explained, as it was then."""
    deposit: Money | None = None
    """Set aside when it is paid for and let go afterwards (`Payments.deposits`); in no total."""
    cancellation: Policy = ANYTIME
    """What comes back of it, as it was agreed then."""
    cancelled: Count = 0
    """Of the quantity."""
    refunded: Money | None = None
    """Given back for it; None: nothing."""
    cancelled_seats: Seats = ()


class TimelineEntry(Message):
    """Something that happened to an order. `what` is a stable name; pages put it in words."""

    at: Instant
    what: str
    status: OrderStatus
    details: dict[str, str] = {}


class Order(Message):
    """An order as its customer, its sellers and admins see it (sellers: their own lines only)."""

    id: UUID
    number: str
    customer_id: UUID
    status: OrderStatus
    lines: tuple[OrderLine, ...]
    total: Money
    refunded: Money
    pay_path: str = ""
    """Where to pay while it can be paid; empty otherwise."""
    pay_until: Instant | None = None
    cancellable: Bool
    timeline: tuple[TimelineEntry, ...]
    version: Count
    created_at: Instant
    promo_code: str = ""
    """What was taken off for it is among the parts of the lines."""
    needs_approval: Bool = False
    """Some of its sellers answer before it is booked and charged."""
    approve_until: Instant | None = None
    """The money is set aside and the sellers have until then to answer; None: nobody is asked now."""
    approvable: Bool = False
    """The viewer is a seller who has to answer."""


class OrderCard(Message):
    """An order in a list."""

    id: UUID
    number: str
    customer_id: UUID
    status: OrderStatus
    kinds: tuple[Kind, ...]
    title: Text
    """Of its first line."""
    line_count: Count
    total: Money
    created_at: Instant
    approve_until: Instant | None = None


class OrderPage(Message):
    """Some orders, newest first."""

    items: tuple[OrderCard, ...]
    next_cursor: str | None = None


HoldIds = Annotated[tuple[UUID, ...], Field(max_length=1000)]


class Sale(Message):
    """Whose order a hold of inventory belongs to."""

    hold_id: UUID
    order_id: UUID
    number: str
    customer_id: UUID


class Sales(Message):
    """The orders that were found."""

    items: tuple[Sale, ...]


class Viewpoint(StrEnum):
    """As whom to look: one's purchases, one's sales, or everything (admins)."""

    CUSTOMER = "customer"
    SELLER = "seller"
    ADMIN = "admin"


class OrderSearch(PageRequest):
    """Which orders."""

    viewpoint: Viewpoint = Viewpoint.CUSTOMER
    status: OrderStatus | None = None
    text: Line = ""
    """Part of an order number."""
    refund_refused: Flag = False
    """Only those whose money the bank does not give back yet."""
    to_approve: Bool = False
    """Only what waits for the caller's answer as a seller; the most urgent first, no pages."""


class WebhookDelivery(Message):
    """A webhook as it came in (Standard Webhooks): headers and the raw body."""

    webhook_id: Line
    timestamp: Line
    signature: Annotated[str, Field(max_length=2000)]
    body: Annotated[bytes, Field(max_length=65_536)]


class UnknownOrder(NotFound):
    """There is no such order."""


class UnknownLine(NotFound):
    """This is no longer in the cart."""


class EmptyCart(Invalid):
    """The cart is empty."""


class CartChanged(Conflict):
    """The cart has changed since you looked at it. Check it and confirm again."""


class CartFull(Conflict):
    """A cart holds up to 50 lines."""


class NotCancellable(Conflict):
    """This order can no longer be cancelled."""


class NotApprovable(Conflict):
    """This request is not waiting for an answer any more."""


class NotDeliverable(Conflict):
    """Only a paid order can be handed over."""


class BadSignature(Invalid):
    """The signature of this webhook is wrong."""

    http_status = 401
    grpc_status = "UNAUTHENTICATED"


class OrderedLine(Message):
    """A line of an order, as news about it name it."""

    seller_id: UUID
    kind: Kind
    title: Text
    name: Text
    quantity: Count
    dates: DateRange | None = None
    hours: HourRange | None = None
    seats: Seats = ()
    starts_at: Instant | None = None
    timezone: str = ""
    """Of the place."""
    total: Money


OrderedLines = tuple[OrderedLine, ...]


class OrderCreated(Event):
    """A customer placed an order; its lines are held."""

    aggregate = "order_id"
    order_id: UUID
    number: str
    customer_id: UUID
    seller_ids: tuple[UUID, ...]
    total: Money
    lines: OrderedLines = ()
    charges: tuple[PricePart, ...] = ()
    """What was taken off for a promo code, fees and taxes, each summed over all lines."""


class OrderPaid(Event):
    """The money was taken and every line is booked."""

    aggregate = "order_id"
    order_id: UUID
    number: str
    customer_id: UUID
    seller_ids: tuple[UUID, ...]
    total: Money
    lines: OrderedLines = ()


class ApprovalAsked(Event):
    """The money is set aside; these sellers have `until` to answer, else all of it is let go."""

    aggregate = "order_id"
    order_id: UUID
    number: str
    customer_id: UUID
    seller_ids: tuple[UUID, ...]
    total: Money
    until: Instant
    lines: OrderedLines = ()


class PaymentFailed(Event):
    """The bank declined; the customer may try again until the hold ends."""

    aggregate = "order_id"
    order_id: UUID
    number: str
    customer_id: UUID
    lines: OrderedLines = ()


class OrderCancelled(Event):
    """Nothing of the order is booked any more. `reason`: customer, seller, admin, unpaid, unavailable,
    declined, unanswered, uncharged (the bank did not give what it had set aside), deposit_declined
    (it did not set a deposit aside).
    """

    aggregate = "order_id"
    order_id: UUID
    number: str
    customer_id: UUID
    seller_ids: tuple[UUID, ...]
    reason: str
    refunded: Money
    lines: OrderedLines = ()
    refunds: tuple[LineRefund, ...] = ()
    """What came back for each line of a paid order, and why."""
    declined_by: UUID | None = None
    """The seller who said no to the request."""


class OrderLinesCancelled(Event):
    """Some of a paid order is cancelled; the rest stays as it was. `reason`: customer, seller, admin."""

    aggregate = "order_id"
    order_id: UUID
    change_id: UUID
    number: str
    customer_id: UUID
    reason: str
    refunded: Money
    refunds: tuple[LineRefund, ...]


class LatePaymentReturned(Event):
    """Money came when the order was cancelled already; it was let go, or given back."""

    aggregate = "order_id"
    order_id: UUID
    number: str
    customer_id: UUID
    refunded: Money
    """What had been taken; nothing where the bank had only reserved it."""


class OrderDelivered(Event):
    """The seller handed everything over."""

    aggregate = "order_id"
    order_id: UUID
    number: str
    customer_id: UUID
    seller_ids: tuple[UUID, ...]
    lines: OrderedLines = ()


class Orders(Protocol):
    """Carts and orders. A guest's cart is named by `guest`, a secret of their browser."""

    async def cart(self, guest: Line = "") -> Cart:
        """The caller's cart; an empty one where there is none."""
        ...

    async def add_to_cart(self, wish: Wish, guest: Line = "") -> Cart:
        """Add a line and hold the whole cart afresh; equal lines are joined.

        Raises what Catalog.quote and Inventory.hold raise, and CartFull; the cart then stays as
        it was.
        """
        ...

    async def change_line(self, line_id: UUID, quantity: LineQuantity, guest: Line = "") -> Cart:
        """Change a line's quantity; 0 removes it. Raises UnknownLine, SoldOut."""
        ...

    async def set_promo(self, code: Line, guest: Line = "") -> Cart:
        """Put a promo code into the cart; an empty one takes it out.

        Raises EmptyCart, what `Catalog.quote` raises, PromoUsedUp: the cart then stays as it was.
        """
        ...

    async def hold_cart(self, guest: Line = "") -> Cart:
        """Hold the whole cart again after its hold ended. Raises SoldOut and the like."""
        ...

    async def take_waiting(self, waiting_id: UUID) -> Cart:
        """Put what the caller waited for, and is offered now, into their cart.

        The cart's hold takes its units over at once: nobody comes in between. Repeating the call
        is harmless. Raises UnknownWaiting, OfferOver, and what `add_to_cart` raises.
        """
        ...

    async def claim_cart(self, guest: Line) -> Cart:
        """Join a guest's cart into the signed-in caller's one: at sign-in."""
        ...

    async def check_out(self, cart_version: Int) -> Order:
        """Turn the caller's cart into an order to be paid.

        A promo code is held with it. Raises EmptyCart, CartChanged, SoldOut, what `Catalog.quote`
        raises for a code, PromoUsedUp, PromoLimit.
        """
        ...

    async def place(
        self,
        wishes: Annotated[tuple[Wish, ...], Field(min_length=1, max_length=50)],
        promo: Line = "",
    ) -> Order:
        """Order without a cart: hold all lines, then ask for payment. Same refusals as the cart."""
        ...

    async def order(self, order_id: UUID) -> Order:
        """An order. Its customer, its sellers, admins. Raises UnknownOrder."""
        ...

    async def wait(self, order_id: UUID, after_version: Int) -> Order:
        """The order as soon as its version is greater, or unchanged after 20 seconds."""
        ...

    async def orders(self, search: OrderSearch) -> OrderPage:
        """Orders, newest first."""
        ...

    async def sales(self, hold_ids: HoldIds) -> Sales:
        """The orders of these holds in which the caller sold something; admins: all."""
        ...

    async def preview_cancellation(self, order_id: UUID, cuts: Cuts = ()) -> Cancellation:
        """What `cancel` would do now. Raises what it raises, except RefundChanged."""
        ...

    async def cancel(self, order_id: UUID, cuts: Cuts = (), back: Minor | None = None) -> Order:
        """Cancel lines, or all that is left: free them, give back what each line's policy says.

        Who sells it and admins give everything back. Customer, admins, its only seller; a seller
        among others cancels their own lines. `back`: what the caller was told would come back, in
        minor units; nothing happens where it would be another amount by now.

        Raises NotCancellable, RefundChanged, UnknownLine, CutsTooMuch.
        """
        ...

    async def approve(self, order_id: UUID) -> Order:
        """Say yes to a request; when all who were asked have, it is booked and charged.

        Sellers who were asked. Harmless when repeated. Raises UnknownOrder, NotApprovable.
        """
        ...

    async def decline(self, order_id: UUID) -> Order:
        """Say no: everything becomes free, the money is let go. As `approve`."""
        ...

    async def deliver(self, order_id: UUID) -> Order:
        """Mark as handed over. Its only seller and admins. Raises NotDeliverable."""
        ...

    async def receive_webhook(self, delivery: WebhookDelivery) -> None:
        """Take a payment's webhook. Raises BadSignature; UnknownOrder makes the sender try again."""
        ...


LONG_POLLS = frozenset({"wait"})
"""Methods that may wait `Settings.wait_seconds` before they answer."""
