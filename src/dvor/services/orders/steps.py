"""The steps of an order, each repeatable: a crash between two of them loses nothing.

What is under way stands in `orders.pending_action`; a task finishes it wherever it stopped. Money
is authorised, then the hold is confirmed, then the money is taken: none moves without a booking.
"""

from uuid import UUID

from dvor.contracts.inventory import HoldEnded, Inventory
from dvor.contracts.orders import OrderCancelled, OrderPaid
from dvor.contracts.payments import (
    NotAuthorised,
    Payment,
    PaymentRequest,
    Payments,
    PaymentStatus,
)
from dvor.kernel import ids
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record
from dvor.kernel.errors import Conflict, Gone, Invalid, NotFound
from dvor.kernel.money import Money
from dvor.services.orders import queries, rules

REFUSED = (Conflict, Gone, Invalid, NotFound)
"""Definite refusals: trying again would not help."""


class Steps:
    """Moves orders on."""

    def __init__(
        self, db: Database, settings: Settings, inventory: Inventory, payments: Payments
    ) -> None:
        self.db = db
        self.settings = settings
        self.inventory = inventory
        self.payments = payments

    async def finish(self, order_id: UUID) -> None:
        """Do what is under way until nothing is. Raises Unavailable: then a task tries again."""
        while True:
            order = await queries.state(self.db, order_id)
            if order is None or order["pending_action"] is None:
                return
            match order["pending_action"]:
                case "pay":
                    await self._ask_for_money(order)
                case "settle":
                    await self._settle(order)
                case _:
                    await self._cancel(order)

    async def payment_of(self, order: Record) -> Payment:
        """The order's payment, asked for where it was not yet."""
        return await self.payments.request(
            PaymentRequest(
                order_id=order["id"],
                order_number=order["number"],
                payer_id=order["customer_id"],
                amount=Money(amount=order["total_amount"], currency=order["currency"]),
                return_path=f"/orders/{order['id']}",
                expires_at=order["pay_until"],
            )
        )

    async def _ask_for_money(self, order: Record) -> None:
        payment = await self.payment_of(order)
        async with self.db.tx() as tx:
            if await queries.payment_requested(tx, order["id"], payment.id, payment.pay_path):
                await queries.note(tx, order["id"], "payment_requested")

    async def _settle(self, order: Record) -> None:
        try:
            await self._book(order)
            await self.payments.capture(order["payment_id"])
        except REFUSED as refusal:
            reason = "unpaid" if isinstance(refusal, NotAuthorised) else "unavailable"
            async with self.db.tx() as tx:
                row = await queries.locked(tx, order["id"])
                if row and row["pending_action"] == "settle":
                    await queries.begin(tx, order["id"], "cancel", reason)
            return
        sellers = await queries.seller_ids(self.db, order["id"])
        async with self.db.tx() as tx:
            if await queries.paid(tx, order["id"]):
                await queries.note(tx, order["id"], "booked")
                await queries.note(tx, order["id"], "paid")
                tx.emit(
                    OrderPaid(
                        order_id=order["id"],
                        number=order["number"],
                        customer_id=order["customer_id"],
                        seller_ids=sellers,
                        total=Money(amount=order["total_amount"], currency=order["currency"]),
                    )
                )

    async def _book(self, order: Record) -> None:
        """Confirm the hold; one that ended while the bank answered is taken again if it can be."""
        try:
            await self.inventory.confirm(order["hold_id"])
        except HoldEnded:
            wishes = [line.wish() for line in await queries.line_wishes(self.db, order["id"])]
            await self.inventory.hold(order["hold_id"], rules.claims(wishes))
            await self.inventory.confirm(order["hold_id"])

    async def _cancel(self, order: Record) -> None:
        refunded = await self._let_money_go(order)
        await self.inventory.release(order["hold_id"])
        sellers = await queries.seller_ids(self.db, order["id"])
        async with self.db.tx() as tx:
            if not await queries.cancelled(tx, order["id"], refunded):
                return
            await queries.note(tx, order["id"], "cancelled", reason=order["cancel_reason"])
            if refunded:
                await queries.note(
                    tx, order["id"], "refunded", amount=str(refunded), currency=order["currency"]
                )
            tx.emit(
                OrderCancelled(
                    order_id=order["id"],
                    number=order["number"],
                    customer_id=order["customer_id"],
                    seller_ids=sellers,
                    reason=order["cancel_reason"],
                    refunded=Money(amount=refunded, currency=order["currency"]),
                )
            )

    async def _let_money_go(self, order: Record) -> int:
        """Close the payment, or give back what was taken; answers how much was given back."""
        payment = await self.payment_of(order)
        if not rules.refundable(payment.status):
            try:
                await self.payments.void(payment.id)
            except Conflict:  # taken a moment ago
                payment = (await self.payments.payment(payment.id)).payment
            else:
                return 0
        if payment.status is not PaymentStatus.REFUNDED and order["total_amount"]:
            key = ids.derived(order["id"], "refund")
            payment = await self.payments.refund(payment.id, order["total_amount"], key)
        return payment.refunded
