"""Orders: every way one can go, and who may see and do what."""

import asyncio
import json
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from dvor.contracts.inventory import HoldStatus, SoldOut
from dvor.contracts.orders import (
    BadSignature,
    CartChanged,
    EmptyCart,
    NotCancellable,
    NotDeliverable,
    Order,
    OrderSearch,
    OrderStatus,
    UnknownOrder,
    Viewpoint,
    WebhookDelivery,
    Wish,
)
from dvor.contracts.payments import PaymentStatus
from dvor.kernel import clock, webhooks
from dvor.kernel.caller import Caller
from dvor.kernel.errors import Forbidden, Unauthenticated, Unavailable
from tests.services.orders.conftest import DEPOSIT, PRICE, Scene, explained


@dataclass
class Moves:
    """What tests do again and again."""

    scene: Scene

    async def place(self, who: Caller | None = None, offers: int = 1) -> Order:
        """Place an order of new offers."""
        seller = self.scene.seller.user_id
        assert seller is not None
        wishes = tuple(Wish(offer_id=self.scene.catalog.offer(seller)) for _ in range(offers))
        with self.scene.house.calling(who or self.scene.customer):
            return await self.scene.house.orders.place(wishes)

    async def webhook(self, order: Order, kind: str, identifier: str = "") -> None:
        """The provider tells that a payment changed."""
        payment = self.scene.payment_of(order.id)
        body = json.dumps(
            {"type": kind, "payment_id": str(payment.id), "order_id": str(order.id)}
        ).encode()
        secret = webhooks.secrets_of("payments", self.scene.house.settings.secret)[0]
        headers = webhooks.sign(secret, identifier or uuid4().hex, clock.now(), body)
        await self.scene.house.orders.receive_webhook(
            WebhookDelivery(
                webhook_id=headers["webhook-id"],
                timestamp=headers["webhook-timestamp"],
                signature=headers["webhook-signature"],
                body=body,
            )
        )

    async def authorise(self, order: Order) -> None:
        """The customer pays."""
        self.scene.payments.become(self.scene.payment_of(order.id).id, PaymentStatus.AUTHORISED)
        await self.webhook(order, "payment.authorised")

    async def paid(self) -> Order:
        """A paid order."""
        order = await self.place()
        await self.authorise(order)
        await self.scene.house.settle()
        return await self.seen(order.id)

    async def seen(self, order_id: UUID, who: Caller | None = None) -> Order:
        """An order as somebody sees it."""
        with self.scene.house.calling(who or self.scene.customer):
            return await self.scene.house.orders.order(order_id)

    async def cancel(self, order_id: UUID, who: Caller | None = None) -> Order:
        """Cancel it."""
        with self.scene.house.calling(who or self.scene.customer):
            return await self.scene.house.orders.cancel(order_id)

    def hold_status(self) -> HoldStatus:
        """The status of the only hold."""
        (hold,) = self.scene.inventory.holds.values()
        return hold.status


@pytest.fixture
def moves(scene: Scene) -> Moves:
    """Moves in the scene."""
    return Moves(scene)


def told(order: Order) -> list[str]:
    """What happened to an order."""
    return [entry.what for entry in order.timeline]


class TestPlace:
    async def test_holds_then_asks_for_money(self, moves: Moves) -> None:
        order = await moves.place(offers=2)
        assert order.status is OrderStatus.PROCESSING
        assert order.total.amount == 2 * PRICE
        assert order.pay_path == "/pay/x"
        assert moves.hold_status() is HoldStatus.HELD
        assert told(order) == ["created", "hold_taken", "payment_requested"]

    async def test_keeps_how_the_price_came_about_and_leaves_the_deposit_out(
        self, moves: Moves
    ) -> None:
        moves.scene.catalog.lends = True
        line = (await moves.place()).lines[0]
        assert line.parts == explained(1)
        assert line.total.amount == PRICE
        assert line.deposit is not None and line.deposit.amount == DEPOSIT

    async def test_strangers_must_sign_in(self, moves: Moves) -> None:
        with pytest.raises(Unauthenticated):
            await moves.place(Caller())

    async def test_a_sold_out_line_leaves_no_order(self, scene: Scene) -> None:
        assert scene.seller.user_id
        good, bad = (scene.catalog.offer(scene.seller.user_id) for _ in "12")
        scene.inventory.sold_out.add(bad)
        with scene.house.calling(scene.customer):
            with pytest.raises(SoldOut):
                await scene.house.orders.place((Wish(offer_id=good), Wish(offer_id=bad)))
            assert (await scene.house.orders.orders(OrderSearch())).items == ()

    async def test_one_key_makes_one_order(self, scene: Scene) -> None:
        assert scene.seller.user_id
        wishes = (Wish(offer_id=scene.catalog.offer(scene.seller.user_id)),)
        keyed = scene.customer.model_copy(update={"key": uuid4()})
        with scene.house.calling(keyed):
            made = await asyncio.gather(*(scene.house.orders.place(wishes) for _ in range(5)))
        assert len({order.id for order in made}) == 1
        assert len(scene.payments.payments) == 1

    async def test_while_payments_are_down_the_order_waits_and_then_goes_on(
        self, moves: Moves, scene: Scene
    ) -> None:
        scene.payments.down = True
        with pytest.raises(Unavailable):
            await moves.place()
        scene.payments.down = False
        await scene.house.clock.advance(seconds=10)
        await scene.house.settle()
        with scene.house.calling(scene.customer):
            (card,) = (await scene.house.orders.orders(OrderSearch())).items
        assert card.status is OrderStatus.PROCESSING


class TestPayment:
    async def test_authorised_money_is_taken_after_the_booking(
        self, moves: Moves, scene: Scene
    ) -> None:
        order = await moves.paid()
        assert order.status is OrderStatus.PAID
        assert moves.hold_status() is HoldStatus.CONFIRMED
        assert scene.payment_of(order.id).captured == PRICE
        assert told(order)[-3:] == ["payment_authorised", "booked", "paid"]

    async def test_eight_copies_of_a_webhook_pay_once(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        scene.payments.become(scene.payment_of(order.id).id, PaymentStatus.AUTHORISED)
        await asyncio.gather(
            *(moves.webhook(order, "payment.authorised", "the-same") for _ in range(8))
        )
        await scene.house.settle()
        await moves.webhook(order, "payment.captured")
        assert told(await moves.seen(order.id)).count("paid") == 1

    async def test_a_decline_leaves_the_order_open(self, moves: Moves) -> None:
        order = await moves.place()
        await moves.webhook(order, "payment.declined")
        seen = await moves.seen(order.id)
        assert seen.status is OrderStatus.PROCESSING
        assert seen.pay_path
        assert told(seen)[-1] == "payment_declined"

    async def test_a_webhook_may_not_lie(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        await moves.webhook(order, "payment.authorised")  # the payment itself says: requested
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PROCESSING

    async def test_a_forged_webhook_is_refused(self, scene: Scene) -> None:
        with pytest.raises(BadSignature):
            await scene.house.orders.receive_webhook(
                WebhookDelivery(webhook_id="a", timestamp="1", signature="v1,eA==", body=b"{}")
            )

    async def test_a_hold_that_ended_is_taken_again(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        await scene.house.clock.advance(minutes=16)
        await moves.authorise(order)
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PAID
        assert moves.hold_status() is HoldStatus.CONFIRMED

    async def test_money_without_a_booking_is_let_go(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        scene.payments.become(scene.payment_of(order.id).id, PaymentStatus.AUTHORISED)
        scene.inventory.sold_out.add(order.lines[0].offer_id)
        await scene.house.clock.advance(minutes=16)
        await scene.house.settle()
        seen = await moves.seen(order.id)
        assert seen.status is OrderStatus.CANCELLED
        assert seen.timeline[-1].details == {"reason": "unavailable"}
        assert scene.payment_of(order.id).status is PaymentStatus.VOIDED

    async def test_a_broken_inventory_is_waited_for(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        scene.inventory.down = True
        await moves.authorise(order)
        await asyncio.sleep(0.2)
        assert (await moves.seen(order.id)).status is OrderStatus.PROCESSING
        scene.inventory.down = False
        await scene.house.clock.advance(minutes=2)
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PAID


class TestExpiry:
    async def test_an_unpaid_order_is_cancelled_when_its_hold_ends(
        self, moves: Moves, scene: Scene
    ) -> None:
        order = await moves.place()
        await scene.house.clock.advance(minutes=15, seconds=1)
        await scene.house.settle()
        seen = await moves.seen(order.id)
        assert seen.status is OrderStatus.CANCELLED
        assert seen.timeline[-1].details == {"reason": "unpaid"}
        assert moves.hold_status() is HoldStatus.RELEASED

    async def test_what_was_paid_at_the_last_moment_is_settled(
        self, moves: Moves, scene: Scene
    ) -> None:
        order = await moves.place()
        scene.payments.become(scene.payment_of(order.id).id, PaymentStatus.AUTHORISED)
        await scene.house.clock.advance(minutes=15, seconds=1)  # its webhook never came
        await scene.house.settle()
        assert (await moves.seen(order.id)).status is OrderStatus.PAID


class TestCancel:
    async def test_an_unpaid_order_is_freed(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        cancelled = await moves.cancel(order.id)
        assert cancelled.status is OrderStatus.CANCELLED
        assert moves.hold_status() is HoldStatus.RELEASED
        assert scene.payment_of(order.id).status is PaymentStatus.VOIDED
        assert not cancelled.cancellable

    async def test_a_paid_order_gets_its_money_back_once(self, moves: Moves, scene: Scene) -> None:
        order = await moves.paid()
        await asyncio.gather(*(moves.cancel(order.id) for _ in range(4)), return_exceptions=True)
        await scene.house.settle()
        seen = await moves.seen(order.id)
        assert seen.refunded.amount == PRICE
        assert list(scene.payments.refunds.values()) == [PRICE]
        assert told(seen)[-3:] == ["cancelled", "line_cancelled", "refunded"]

    async def test_a_delivered_order_stays(self, moves: Moves, scene: Scene) -> None:
        order = await moves.paid()
        with scene.house.calling(scene.seller):
            await scene.house.orders.deliver(order.id)
        with pytest.raises(NotCancellable):
            await moves.cancel(order.id)

    async def test_who_may(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        with pytest.raises(UnknownOrder):
            await moves.cancel(order.id, scene.stranger)
        with pytest.raises(Unauthenticated):
            await moves.cancel(order.id, Caller())
        assert (await moves.cancel(order.id, scene.seller)).status is OrderStatus.CANCELLED
        other = await moves.place()
        assert (await moves.cancel(other.id, scene.admin)).status is OrderStatus.CANCELLED


class TestDeliver:
    async def test_only_what_is_paid(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        with scene.house.calling(scene.seller), pytest.raises(NotDeliverable):
            await scene.house.orders.deliver(order.id)

    async def test_not_by_the_customer(self, moves: Moves, scene: Scene) -> None:
        order = await moves.paid()
        with scene.house.calling(scene.customer), pytest.raises(UnknownOrder):
            await scene.house.orders.deliver(order.id)


class TestLook:
    async def test_a_stranger_sees_nothing(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        with pytest.raises(UnknownOrder):
            await moves.seen(order.id, scene.stranger)
        with pytest.raises(UnknownOrder):
            await moves.seen(uuid4())

    async def test_a_seller_sees_their_own_lines_only(self, scene: Scene) -> None:
        assert scene.seller.user_id
        assert scene.stranger.user_id
        wishes = tuple(
            Wish(offer_id=scene.catalog.offer(user))
            for user in (scene.seller.user_id, scene.stranger.user_id)
        )
        with scene.house.calling(scene.customer):
            order = await scene.house.orders.place(wishes)
        with scene.house.calling(scene.seller):
            seen = await scene.house.orders.order(order.id)
            (card,) = (
                await scene.house.orders.orders(OrderSearch(viewpoint=Viewpoint.SELLER))
            ).items
        assert [line.seller_id for line in seen.lines] == [scene.seller.user_id]
        assert seen.total.amount == card.total.amount == PRICE
        assert seen.pay_path == ""
        assert not seen.cancellable  # not the only seller

    async def test_everything_is_for_admins(self, scene: Scene) -> None:
        with scene.house.calling(scene.seller), pytest.raises(Forbidden):
            await scene.house.orders.orders(OrderSearch(viewpoint=Viewpoint.ADMIN))

    async def test_pages_follow_each_other_without_gap_or_overlap(
        self, moves: Moves, scene: Scene
    ) -> None:
        made = [(await moves.place()).id for _ in range(5)]
        seen, cursor = list[UUID](), None
        with scene.house.calling(scene.customer):
            while True:
                page = await scene.house.orders.orders(OrderSearch(limit=2, cursor=cursor))
                seen += [card.id for card in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
        assert seen == made[::-1]


class TestWait:
    async def test_wakes_when_the_order_changes(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        with scene.house.calling(scene.customer):
            waiting = asyncio.create_task(scene.house.orders.wait(order.id, order.version))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            await moves.webhook(order, "payment.declined")
            news = await waiting
        assert news.version > order.version

    async def test_answers_unchanged_when_nothing_happens(self, moves: Moves, scene: Scene) -> None:
        order = await moves.place()
        with scene.house.calling(scene.customer):
            assert (await scene.house.orders.wait(order.id, order.version)) == order


class TestCart:
    async def test_equal_lines_join_and_everything_is_held(self, scene: Scene) -> None:
        assert scene.seller.user_id
        offer = scene.catalog.offer(scene.seller.user_id)
        with scene.house.calling(scene.customer):
            await scene.house.orders.add_to_cart(Wish(offer_id=offer))
            cart = await scene.house.orders.add_to_cart(Wish(offer_id=offer, quantity=2))
        (line,) = cart.lines
        assert line.quantity == 3
        assert cart.held_until is not None
        (hold,) = scene.inventory.holds.values()
        assert hold.claims[0].quantity == 3

    async def test_a_double_click_adds_once(self, scene: Scene) -> None:
        assert scene.seller.user_id
        wish = Wish(offer_id=scene.catalog.offer(scene.seller.user_id))
        with scene.house.calling(scene.customer.model_copy(update={"key": uuid4()})):
            await scene.house.orders.add_to_cart(wish)
            cart = await scene.house.orders.add_to_cart(wish)
        assert cart.lines[0].quantity == 1

    async def test_changes_at_once_are_all_kept(self, scene: Scene) -> None:
        assert scene.seller.user_id
        wishes = [Wish(offer_id=scene.catalog.offer(scene.seller.user_id)) for _ in range(4)]
        with scene.house.calling(scene.customer):
            await asyncio.gather(*(scene.house.orders.add_to_cart(wish) for wish in wishes))
            cart = await scene.house.orders.cart()
        assert {line.offer_id for line in cart.lines} == {wish.offer_id for wish in wishes}

    async def test_a_refused_line_leaves_the_cart_as_it_was(self, scene: Scene) -> None:
        assert scene.seller.user_id
        good, bad = (scene.catalog.offer(scene.seller.user_id) for _ in "12")
        scene.inventory.sold_out.add(bad)
        with scene.house.calling(scene.customer):
            await scene.house.orders.add_to_cart(Wish(offer_id=good))
            with pytest.raises(SoldOut):
                await scene.house.orders.add_to_cart(Wish(offer_id=bad))
            assert len((await scene.house.orders.cart()).lines) == 1

    async def test_an_ended_hold_shows_and_can_be_renewed(self, scene: Scene) -> None:
        assert scene.seller.user_id
        with scene.house.calling(scene.customer):
            await scene.house.orders.add_to_cart(
                Wish(offer_id=scene.catalog.offer(scene.seller.user_id))
            )
            await scene.house.clock.advance(minutes=16)
            assert (await scene.house.orders.cart()).held_until is None
            assert (await scene.house.orders.hold_cart()).held_until is not None

    async def test_what_left_the_sale_says_so(self, scene: Scene) -> None:
        assert scene.seller.user_id
        offer = scene.catalog.offer(scene.seller.user_id)
        with scene.house.calling(scene.customer):
            await scene.house.orders.add_to_cart(Wish(offer_id=offer))
            scene.catalog.withdrawn.add(offer)
            cart = await scene.house.orders.cart()
        assert cart.lines[0].problem
        assert cart.total is None

    async def test_a_guests_cart_follows_them_in(self, scene: Scene) -> None:
        assert scene.seller.user_id
        offer = scene.catalog.offer(scene.seller.user_id)
        with scene.house.calling(Caller()):
            await scene.house.orders.add_to_cart(Wish(offer_id=offer), guest="a secret")
        with scene.house.calling(scene.customer):
            cart = await scene.house.orders.claim_cart("a secret")
        assert [line.offer_id for line in cart.lines] == [offer]
        with scene.house.calling(Caller()):
            assert (await scene.house.orders.cart(guest="a secret")).lines == ()


class TestCheckOut:
    async def test_takes_the_carts_hold_over(self, scene: Scene) -> None:
        assert scene.seller.user_id
        with scene.house.calling(scene.customer):
            cart = await scene.house.orders.add_to_cart(
                Wish(offer_id=scene.catalog.offer(scene.seller.user_id))
            )
            order = await scene.house.orders.check_out(cart.version)
            assert (await scene.house.orders.cart()).lines == ()
        assert order.status is OrderStatus.PROCESSING
        assert len(scene.inventory.holds) == 1

    async def test_an_empty_or_a_changed_cart_is_refused(self, scene: Scene) -> None:
        assert scene.seller.user_id
        offer = scene.catalog.offer(scene.seller.user_id)
        with scene.house.calling(scene.customer):
            with pytest.raises(EmptyCart):
                await scene.house.orders.check_out(0)
            cart = await scene.house.orders.add_to_cart(Wish(offer_id=offer))
            await scene.house.orders.change_line(cart.lines[0].id, 2)
            with pytest.raises(CartChanged):
                await scene.house.orders.check_out(cart.version)

    async def test_two_windows_make_one_order(self, scene: Scene) -> None:
        assert scene.seller.user_id
        with scene.house.calling(scene.customer):
            cart = await scene.house.orders.add_to_cart(
                Wish(offer_id=scene.catalog.offer(scene.seller.user_id))
            )
            ended = await asyncio.gather(
                *(scene.house.orders.check_out(cart.version) for _ in range(3)),
                return_exceptions=True,
            )
        assert sum(isinstance(one, Order) for one in ended) == 1
        assert all(isinstance(one, Order | CartChanged | EmptyCart) for one in ended)
