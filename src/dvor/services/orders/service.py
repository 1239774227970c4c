"""Orders: from wishes to paid and booked, or cancelled and free again."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from uuid import UUID

from pydantic import ValidationError

from dvor.contracts.catalog import Catalog
from dvor.contracts.inventory import Inventory
from dvor.contracts.order_changes import Cancellation, Cuts
from dvor.contracts.orders import (
    BadSignature,
    Cart,
    CartChanged,
    EmptyCart,
    NotApprovable,
    NotDeliverable,
    Order,
    OrderCreated,
    OrderDelivered,
    OrderPage,
    OrderSearch,
    OrderStatus,
    PaymentFailed,
    Sale,
    Sales,
    UnknownOrder,
    Viewpoint,
    WebhookDelivery,
    Wish,
)
from dvor.contracts.payments import Payment, Payments, Webhook
from dvor.kernel import clock, ids, webhooks
from dvor.kernel.batch import GroupCommit, reader
from dvor.kernel.caller import Role, caller_key, current, require_role, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record, Tx
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.tasks import hinted
from dvor.services.orders import change_queries, changes, queries, rules, saga_queries, views
from dvor.services.orders.carts import Carts, StoredCart
from dvor.services.orders.saga import Saga
from dvor.services.orders.steps import Steps

READERS_MAX = 5000
"""So many may wait for their order to be read."""


class OrdersService:
    """Implements contracts.orders.Orders."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        catalog: Catalog,
        inventory: Inventory,
        payments: Payments,
    ) -> None:
        self.db = db
        self.settings = settings
        self.catalog = catalog
        self.payments = payments
        self.carts = Carts(db, settings, catalog, inventory)
        self._closing = False
        self._whole = reader(partial(queries.whole, db), queue_max=READERS_MAX)
        self._known = reader(partial(queries.known, db), queue_max=READERS_MAX)
        self._placed = GroupCommit(db, "orders.placed", queue_max=READERS_MAX)
        self._heard = GroupCommit(db, "orders.webhook_taken", queue_max=READERS_MAX)
        self.steps = Steps(db, settings, inventory, payments, self._whole)
        self.saga = Saga(db, settings, self.steps)
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)

    async def cart(self, guest: str = "") -> Cart:
        """The caller's cart."""
        found = await self.carts.stored(guest)
        if found is None:
            return Cart(id=ids.new(), lines=(), total=None, held_until=None, version=0)
        return await self.carts.shown(found)

    async def add_to_cart(self, wish: Wish, guest: str = "") -> Cart:
        """Add a line and hold the whole cart afresh."""
        return await self.carts.add([wish], guest)

    async def take_waiting(self, waiting_id: UUID) -> Cart:
        """Put what the caller waited for into their cart."""
        return await self.carts.take_waiting(waiting_id)

    async def change_line(self, line_id: UUID, quantity: int, guest: str = "") -> Cart:
        """Change a line's quantity; 0 removes it."""
        return await self.carts.change(line_id, quantity, guest)

    async def set_promo(self, code: str, guest: str = "") -> Cart:
        """Put a promo code into the cart, or take it out."""
        return await self.carts.set_promo(code, guest)

    async def hold_cart(self, guest: str = "") -> Cart:
        """Hold the whole cart again."""
        return await self.carts.hold_again(guest)

    async def claim_cart(self, guest: str) -> Cart:
        """Join a guest's cart into the caller's."""
        return await self.carts.claim(guest)

    async def check_out(self, cart_version: int) -> Order:
        """Turn the caller's cart into an order."""
        require_user()
        order_id = caller_key("order")
        if current().key and await self._exists(order_id):
            await self.saga.finish(order_id)
            return await self.order(order_id)
        cart = await self.carts.stored("")
        if cart is None or not cart.lines:
            raise EmptyCart
        if cart.version != cart_version:
            raise CartChanged
        wishes = [line.wish() for line in cart.lines]
        return await self._create(order_id, cart.hold_id, wishes, cart, cart.promo)

    async def place(self, wishes: tuple[Wish, ...], promo: str = "") -> Order:
        """Order without a cart."""
        require_user()
        order_id = caller_key("order")
        hold_id = ids.derived(order_id, "hold")
        return await self._create(order_id, hold_id, list(wishes), None, promo)

    async def _create(
        self,
        order_id: UUID,
        hold_id: UUID,
        wishes: list[Wish],
        cart: StoredCart | None,
        promo: str,
    ) -> Order:
        created = None
        if not await self._exists(order_id):
            quote = await self.catalog.quote(rules.quote_lines(wishes), promo)
            promo_id = quote.promo.id if quote.promo else None
            hold = await self.carts.hold(hold_id, wishes, promo_id=promo_id)
            pay_until = rules.pay_by(hold.expires_at, self.settings.payment_margin_seconds)
            number = ids.spoken(order_id)
            seats = rules.seats_held(wishes, hold.claims)

            async def write(tx: Tx) -> Record | Refusal | None:
                # The order takes the cart's hold over; the cart starts anew.
                if cart and not await queries.write_cart(tx, cart.id, cart.version, ids.new()):
                    return CartChanged()
                made = await queries.insert_order(
                    tx, order_id, number, require_user(), hold, pay_until, quote, seats
                )
                if made:
                    tx.emit(
                        OrderCreated(
                            order_id=order_id,
                            number=number,
                            customer_id=require_user(),
                            seller_ids=rules.sellers(quote),
                            total=quote.total,
                            lines=rules.told(quote, seats),
                            charges=rules.charges(quote),
                        )
                    )
                return made

            created = await self._placed.run(write)
        if created:
            await self.saga.move(created)
        else:
            await self.saga.finish(order_id)
        return await self.order(order_id)

    async def _exists(self, order_id: UUID) -> bool:
        return order_id in await self._known.ask([order_id])

    async def order(self, order_id: UUID) -> Order:
        """An order, for its customer, its sellers and admins."""
        row, viewer = await self._seen(order_id)
        return views.order(row, viewer, clock.now())

    async def _seen(self, order_id: UUID) -> tuple[Record, views.Viewer]:
        row = (await self._whole.ask([order_id])).get(order_id)
        viewer = views.viewer(row, current()) if row else None
        if row is None or viewer is None:
            raise UnknownOrder
        return row, viewer

    async def wait(self, order_id: UUID, after_version: int) -> Order:
        """The order as soon as it is newer than `after_version`."""
        news = asyncio.Event()
        self._waiting[order_id].add(news)
        try:
            row, viewer = await self._seen(order_id)
            if row["version"] != after_version or self._closing:
                return views.order(row, viewer, clock.now())
            await hinted(news, self.settings.wait_seconds)
        finally:
            self._waiting[order_id].discard(news)
            if not self._waiting[order_id]:
                del self._waiting[order_id]
        return await self.order(order_id)

    def notice(self, payload: str) -> None:
        """Some process changed an order: wake who waits for it here."""
        for news in self._waiting.get(UUID(payload), ()):
            news.set()

    def wind_down(self) -> None:
        """The process closes: whoever waits gets the order as it is."""
        self._closing = True
        for waiting in self._waiting.values():
            for news in waiting:
                news.set()

    async def orders(self, search: OrderSearch) -> OrderPage:
        """Orders, newest first."""
        user = require_user()
        if search.viewpoint is Viewpoint.ADMIN:
            require_role(Role.ADMIN)
        if search.to_approve:
            rows = await queries.to_approve(self.db, user, search.limit)
            return views.page(rows, search.limit)
        after = views.cursor(search.cursor)
        rows = await queries.cards(self.db, search, user, after)
        return views.page(rows, search.limit)

    async def sales(self, hold_ids: tuple[UUID, ...]) -> Sales:
        """The orders of these holds in which the caller sold something."""
        seller = None if current().is_admin() else require_user()
        rows = await queries.sales(self.db, hold_ids, seller)
        return Sales(items=tuple(Sale(**row) for row in rows))

    async def preview_cancellation(self, order_id: UUID, cuts: Cuts = ()) -> Cancellation:
        """What `cancel` would do now."""
        row = await queries.state(self.db, order_id)
        rows = await change_queries.lines(self.db, order_id)
        row, who = _acting_on(row, rows, cuts)
        planned = changes.plan(rows, cuts, who, clock.now())
        rules.check_cancellable(row["status"], row["pending_action"], whole=planned.whole)
        return planned.shown(charged=row["status"] == OrderStatus.PAID)

    async def cancel(self, order_id: UUID, cuts: Cuts = (), back: int | None = None) -> Order:
        """Free lines, give back what their policies say."""
        change_id = caller_key("change", order_id)
        row = await queries.state(self.db, order_id)
        rows = await change_queries.lines(self.db, order_id)
        _acting_on(row, rows, cuts)
        await self.saga.finish(order_id)
        begun = None
        async with self.db.tx("orders.cancel_begun") as tx:
            row = await queries.locked(tx, order_id)
            rows = await change_queries.lines(tx, order_id)
            row, who = _acting_on(row, rows, cuts)
            done = await change_queries.change(tx, change_id) is not None
            if row["status"] != OrderStatus.CANCELLED and not done:
                planned = changes.plan(rows, cuts, who, clock.now())
                rules.check_cancellable(row["status"], row["pending_action"], whole=planned.whole)
                if row["status"] == OrderStatus.PAID:
                    await self.steps.changes.begin(tx, row, change_id, who, planned, back)
                whole = planned.whole
                action = "cancel" if whole else "change"
                begun = await saga_queries.begin(tx, row, action, who if whole else None)
        if begun:
            # It is cancelled whatever the bank says: the order tells, and it is tried again.
            with suppress(*changes.REFUSED_REFUNDS):
                await self.saga.move(begun)
        return await self.order(order_id)

    async def approve(self, order_id: UUID) -> Order:
        """Say yes to a request; when all who were asked have, it is booked and charged."""
        return await self._answer(order_id, yes=True)

    async def decline(self, order_id: UUID) -> Order:
        """Say no to a request."""
        return await self._answer(order_id, yes=False)

    async def _answer(self, order_id: UUID, *, yes: bool) -> Order:
        """Customer, seller and deadline may come at once: the row of the order says who was first."""
        seller = require_user()
        whole = (await self._whole.ask([order_id])).get(order_id)
        if whole is None or seller not in views.asked(whole):
            raise UnknownOrder
        await self.saga.finish(order_id)
        begun = None
        async with self.db.tx("orders.answered") as tx:
            row = await queries.locked(tx, order_id)
            assert row is not None
            waits = not row["pending_action"] and not row["over"]
            known = row["status"], row["approval"], row["cancel_reason"]
            if not rules.answerable(*known, waits=waits, yes=yes):
                raise NotApprovable
            if row["status"] == OrderStatus.PROCESSING and row["approval"] == "asked":
                if not yes:
                    begun = await saga_queries.approval_declined(tx, row, seller)
                elif await queries.approve(tx, order_id, seller):
                    begun = await self._approved(tx, row)
        # The answer counts, whoever is out of reach just now: it is tried again.
        with suppress(Unavailable, TimeoutError, *changes.REFUSED_REFUNDS):
            await (self.saga.move(begun) if begun else self.saga.finish(order_id))
        return await self.order(order_id)

    async def _approved(self, tx: Tx, order: Record) -> Record | None:
        """One more has said yes: when all have, the order goes on."""
        if await queries.all_approved(tx, order["id"]):
            return await saga_queries.approval_given(tx, order)
        await queries.note(tx, order["id"], "approved_partly")
        await queries.touch(tx, order["id"])
        return None

    async def deliver(self, order_id: UUID) -> Order:
        """Mark as handed over."""
        row = await queries.state(self.db, order_id)
        _, who = _acting_on(row, await change_queries.lines(self.db, order_id))
        if who == "customer":
            raise UnknownOrder
        async with self.db.tx("orders.delivered") as tx:
            row = await queries.locked(tx, order_id)
            assert row is not None
            # Handed over is handed over: whoever did not hear the answer may say it again.
            if row["status"] != OrderStatus.DELIVERED:
                if not await queries.delivered(tx, order_id):
                    raise NotDeliverable
                await queries.note(tx, order_id, "delivered")
                whole = await queries.order(tx, order_id)
                tx.emit(
                    OrderDelivered(
                        order_id=order_id,
                        number=row["number"],
                        customer_id=row["customer_id"],
                        seller_ids=views.seller_ids(whole),
                        lines=views.told(whole),
                    )
                )
        return await self.order(order_id)

    async def receive_webhook(self, delivery: WebhookDelivery) -> None:
        """Take a payment's webhook: a hint, after which the payment itself is asked."""
        hint = self._verified(delivery)
        payment = (await self.payments.payment(hint.payment_id)).payment

        async def hear(tx: Tx) -> Record | Refusal | None:
            row = await queries.locked(tx, hint.order_id)
            if row is None or row["payment_id"] not in (None, payment.id):
                return UnknownOrder()
            if row["status"] == OrderStatus.CREATED:  # before we wrote down that we asked
                return UnknownOrder()
            if not await queries.receive_webhook(tx, delivery.webhook_id):
                return None
            return await self._act_upon(tx, row, payment, hint)

        begun = await self._heard.run(hear)
        if begun:
            self.saga.hand_over(begun)

    async def _act_upon(
        self, tx: Tx, order: Record, payment: Payment, hint: Webhook
    ) -> Record | None:
        """What news of a payment begin; None where that is nothing."""
        if order["pending_action"]:
            return None
        secured = payment.status in rules.SECURED
        if order["status"] == OrderStatus.CANCELLED and secured:
            return await saga_queries.begin(tx, order, "cancel")
        if order["status"] == OrderStatus.PROCESSING and secured:
            return await self.steps.begin_settling(tx, order)
        if order["status"] == OrderStatus.PROCESSING and hint.type == "payment.declined":
            await queries.note(tx, order["id"], "payment_declined")
            await queries.touch(tx, order["id"])
            tx.emit(
                PaymentFailed(
                    order_id=order["id"],
                    number=order["number"],
                    customer_id=order["customer_id"],
                    lines=views.told(await queries.order(tx, order["id"])),
                )
            )
        return None

    def _verified(self, delivery: WebhookDelivery) -> Webhook:
        headers = {
            "webhook-id": delivery.webhook_id,
            "webhook-timestamp": delivery.timestamp,
            "webhook-signature": delivery.signature,
        }
        secrets = webhooks.secrets_of("payments", *self.settings.secrets)
        try:
            webhooks.verify(secrets, headers, delivery.body, clock.now())
            return Webhook.model_validate_json(delivery.body)
        except (ValueError, ValidationError):
            raise BadSignature from None

    async def run(self) -> None:
        """Move orders on until cancelled."""
        await self.saga.run()

    async def stop(self) -> None:
        """Answer those whose order is being read or moved on."""
        await self.carts.close()
        await self._placed.close()
        await self._heard.close()
        await self.steps.close()
        await self._whole.close()
        await self._known.close()

    async def measure(self) -> None:
        """Say how many orders make no progress."""
        await self.saga.count_stuck()

    async def busy(self) -> bool:
        """Whether an order is under way here, or due. For tests and replays."""
        return await self.saga.busy()

    async def forget_cart_keys(self) -> None:
        """Drop old keys of carts. For the timer."""
        await queries.forget_keys(self.db)


def _acting_on(
    order: Record | None, lines: Sequence[Record], cuts: Cuts = ()
) -> tuple[Record, str]:
    """The order, and as what the caller may act on it: customer, admin, its only seller.

    With `cuts` also a seller of all of these lines. Raises UnknownOrder.
    """
    user = require_user()
    if order is not None:
        if order["customer_id"] == user:
            return order, "customer"
        if current().is_admin():
            return order, "admin"
        named = {cut.line_id for cut in cuts}
        of_others = {line["id"] for line in lines if line["seller_id"] != user}
        all_mine = not of_others or (named and not named & of_others)
        if all_mine and len(of_others) < len(lines):
            return order, "seller"
    raise UnknownOrder
