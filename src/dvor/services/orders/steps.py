"""The steps of an order, each repeatable: a crash between two of them loses nothing.

What is under way stands in `orders.pending_action`; `saga.py` says who does it and when. Money is
authorised, then the hold is confirmed, then the money is taken: none moves without a booking.

A step gets the order as its owner read it and answers the order as it goes on, or None where
nothing is under way any more or somebody else owns it. It asks other services first, by keys that
follow from the order, and writes last, in one transaction that begins with the row of the order.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from dvor.contracts.inventory import Hold, HoldEnded, Inventory
from dvor.contracts.orders import (
    ApprovalAsked,
    LatePaymentReturned,
    OrderCancelled,
    OrderPaid,
    OrderStatus,
)
from dvor.contracts.payments import (
    NotAuthorised,
    Payment,
    PaymentRequest,
    Payments,
    PaymentStatus,
)
from dvor.kernel import clock, ids
from dvor.kernel.batch import Batcher, GroupCommit
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record, Tx
from dvor.kernel.errors import Conflict, Gone, Invalid, NotFound
from dvor.kernel.money import Money
from dvor.services.orders import queries, rules, saga_queries, views
from dvor.services.orders.changes import Changes, explained

REFUSED = (Conflict, Gone, Invalid, NotFound)
"""Definite refusals: trying again would not help."""


MOVES_MAX = 5000
"""So many orders may wait to be moved on."""

Step = Callable[[Record], Awaitable[Record | None]]
"""From an order that is ours to how it goes on."""
Whole = Batcher[Sequence[UUID], Mapping[UUID, Record]]
"""Reads orders with their lines."""


class Steps:
    """Moves orders on."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        inventory: Inventory,
        payments: Payments,
        whole: Whole,
    ) -> None:
        self.db = db
        self.whole = whole
        self._requested = GroupCommit(db, "orders.payment_requested", queue_max=MOVES_MAX)
        self._asked = GroupCommit(db, "orders.sellers_asked", queue_max=MOVES_MAX)
        self._paid = GroupCommit(db, "orders.paid", queue_max=MOVES_MAX)
        self.settings = settings
        self.inventory = inventory
        self.payments = payments
        self.changes = Changes(db, inventory, payments)
        self._steps: Mapping[str | None, Step] = {
            "pay": self._ask_for_money,
            "secure": self._secure,
            "ask": self._ask_sellers,
            "settle": self._settle,
            "cancel": self._cancel,
            "change": self.changes.cut,
            None: self._look,
        }

    async def do(self, order: Record) -> Record | None:
        """The next step of an order that is ours. Raises Unavailable: then it is done again."""
        return await self._steps[order["pending_action"]](order)

    async def close(self) -> None:
        """Take no more; what was begun is written first."""
        await self._requested.close()
        await self._asked.close()
        await self._paid.close()

    async def payment_of(self, order: Record) -> Payment:
        """The order's payment, asked for where it was not yet."""
        whole = await self.whole.ask([order["id"]])
        return await self.payments.request(
            PaymentRequest(
                order_id=order["id"],
                order_number=order["number"],
                payer_id=order["customer_id"],
                amount=Money(amount=order["total_amount"], currency=order["currency"]),
                return_path=f"/orders/{order['id']}",
                expires_at=order["pay_until"],
                shares=views.shares(whole[order["id"]]),
                deposits=views.deposit_terms(whole[order["id"]]) if order["deposit"] else (),
            )
        )

    async def _ask_for_money(self, order: Record) -> None:
        payment = await self.payment_of(order)

        async def write(tx: Tx) -> bool:
            return await saga_queries.payment_requested(tx, order, payment.id, payment.pay_path)

        await self._requested.run(write)

    async def _look(self, order: Record) -> Record | None:
        """Ask for what no webhook told; when the time to pay is over, settle or cancel."""
        if order["status"] != OrderStatus.PROCESSING:
            await saga_queries.look_later(self.db, order)
            return None
        payment = (await self.payments.payment(order["payment_id"])).payment
        asked = order["approval"] == "asked"
        if payment.status in rules.SECURED and not asked:
            async with self.db.tx("orders.look_settles") as tx:
                return await self.begin_settling(tx, order)
        if order["over"]:
            async with self.db.tx("orders.look_cancels") as tx:
                reason = "unanswered" if asked else "unpaid"
                return await saga_queries.begin(tx, order, "cancel", reason)
        await saga_queries.look_later(self.db, order)
        return None

    async def begin_settling(self, tx: Tx, order: Record) -> Record | None:
        """The bank has said yes: from now on the order is booked, then the money taken.

        Deposits are set aside first. Where sellers have a say they are asked then; who is being
        asked is not asked again.
        """
        if order["approval"] == "asked":
            return None
        action = (
            "secure" if order["deposit"] == "needed" else rules.after_deposits(order["approval"])
        )
        return await saga_queries.begin(tx, order, action, noting=("payment_authorised",))

    async def _secure(self, order: Record) -> Record | None:
        """Set deposits aside, on the same card. A bank that says no ends it: nothing is charged."""
        try:
            await self.payments.secure_deposits(order["payment_id"])
        except REFUSED as refusal:
            reason = "uncharged" if isinstance(refusal, NotAuthorised) else "deposit_declined"
            async with self.db.tx("orders.deposit_refused") as tx:
                return await saga_queries.begin(tx, order, "cancel", reason)
        async with self.db.tx("orders.deposits_secured") as tx:
            return await saga_queries.secured(tx, order, rules.after_deposits(order["approval"]))

    async def _ask_sellers(self, order: Record) -> Record | None:
        """Hold everything as long as an answer may take, then ask.

        The hold outlives the answer by the margin, so that a yes at the last moment can be booked.
        """
        margin = self.settings.payment_margin_seconds
        whole = (await self.whole.ask([order["id"]]))[order["id"]]
        seconds = rules.answer_seconds(
            views.too_late(whole), clock.now(), self.settings.approval_seconds
        )
        try:
            hold = await self._extended(order, seconds + margin)
        except REFUSED:
            async with self.db.tx("orders.ask_refused") as tx:
                return await saga_queries.begin(tx, order, "cancel", "unavailable")
        until = rules.pay_by(hold.expires_at, margin)

        async def write(tx: Tx) -> None:
            if await saga_queries.approval_asked(tx, order, until):
                tx.emit(
                    ApprovalAsked(
                        order_id=order["id"],
                        number=order["number"],
                        customer_id=order["customer_id"],
                        seller_ids=views.asked(whole),
                        total=Money(amount=order["total_amount"], currency=order["currency"]),
                        until=until,
                        lines=views.told(whole),
                    )
                )

        return await self._asked.run(write)

    async def _extended(self, order: Record, seconds: int) -> Hold:
        """The hold with a longer life; one that ended while the bank answered is taken again."""
        try:
            return await self.inventory.extend(order["hold_id"], seconds)
        except HoldEnded:
            await self._hold_again(order)
            return await self.inventory.extend(order["hold_id"], seconds)

    async def _hold_again(self, order: Record) -> None:
        wishes = [line.wish() for line in await queries.line_wishes(self.db, order["id"])]
        claims = rules.claims(wishes, order["promo_id"])
        await self.inventory.hold(order["hold_id"], claims, order["customer_id"])

    async def _settle(self, order: Record) -> Record | None:
        try:
            await self._book(order)
            await self.payments.capture(order["payment_id"])
        except REFUSED as refusal:
            reason = "uncharged" if isinstance(refusal, NotAuthorised) else "unavailable"
            async with self.db.tx("orders.settle_refused") as tx:
                return await saga_queries.begin(tx, order, "cancel", reason)
        whole = (await self.whole.ask([order["id"]]))[order["id"]]

        async def write(tx: Tx) -> None:
            if await saga_queries.paid(tx, order):
                tx.emit(
                    OrderPaid(
                        order_id=order["id"],
                        number=order["number"],
                        customer_id=order["customer_id"],
                        seller_ids=views.seller_ids(whole),
                        total=Money(amount=order["total_amount"], currency=order["currency"]),
                        lines=views.told(whole),
                    )
                )

        return await self._paid.run(write)

    async def _book(self, order: Record) -> None:
        """Confirm the hold; one that ended while the bank answered is taken again if it can be."""
        try:
            await self.inventory.confirm(order["hold_id"])
        except HoldEnded:
            await self._hold_again(order)
            await self.inventory.confirm(order["hold_id"])

    async def _cancel(self, order: Record) -> None:
        change = await self.changes.asked(order["change_id"]) if order["change_id"] else None
        refunded = await self._let_money_go(order, change)
        if order["deposit"]:
            payment_id = order["payment_id"] or (await self.payment_of(order)).id
            await self.payments.release_deposits(payment_id)
        await self.inventory.release(order["hold_id"])
        given_back = Money(amount=refunded, currency=order["currency"])
        async with self.db.tx("orders.cancelled") as tx:
            if not await saga_queries.cancelled(tx, order, refunded):
                return
            if order["status"] == OrderStatus.CANCELLED:  # money came when all was over
                await queries.note(tx, order["id"], "late_payment_returned")
                tx.emit(
                    LatePaymentReturned(
                        order_id=order["id"],
                        number=order["number"],
                        customer_id=order["customer_id"],
                        refunded=given_back,
                    )
                )
                return
            await queries.note(tx, order["id"], "cancelled", reason=order["cancel_reason"])
            if change:
                await self.changes.mark(tx, order, change)
            if refunded:
                await queries.note(
                    tx, order["id"], "refunded", amount=str(refunded), currency=order["currency"]
                )
            row = await queries.order(tx, order["id"])
            tx.emit(
                OrderCancelled(
                    order_id=order["id"],
                    number=order["number"],
                    customer_id=order["customer_id"],
                    seller_ids=views.seller_ids(row),
                    reason=order["cancel_reason"],
                    refunded=given_back,
                    lines=views.told(row),
                    refunds=explained(change) if change else (),
                    declined_by=order["declined_by"],
                )
            )

    async def _let_money_go(self, order: Record, change: Record | None) -> int:
        """Close the payment, or give back what was taken; answers how much was given back in all."""
        if change:  # cancelled when it was paid: what comes back is settled
            return order["refunded_amount"] + await self.changes.give_back(order, change)
        payment_id = order["payment_id"] or (await self.payment_of(order)).id
        try:
            await self.payments.void(payment_id)
        except Conflict:  # taken
            payment = (await self.payments.payment(payment_id)).payment
        else:
            return 0
        if payment.status is not PaymentStatus.REFUNDED and order["total_amount"]:
            key = ids.derived(order["id"], "refund")
            reason = order["cancel_reason"] or ""
            payment = await self.changes.refund(
                order, payment.id, order["total_amount"], key, reason=reason
            )
        return payment.refunded
