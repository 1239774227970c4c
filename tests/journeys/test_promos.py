"""WB-14: a promo code is inventory. Whoever crowds, abandons or cancels: uses never pass the limit.

Catalogue, inventory and orders are real; of payments only what they say is played.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind, ListingDraft, OfferDraft, Text
from dvor.contracts.inventory import Claim, UnknownSupply
from dvor.contracts.orders import EmptyCart, Order, OrderStatus, Wish
from dvor.contracts.pricing import PartKind
from dvor.contracts.promos import Promo, PromoDraft, PromoLimit, PromoNeedsMore, PromoUsedUp
from dvor.kernel import ids
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import Refusal
from tests.conftest import House, MakeHouse
from tests.services.orders.conftest import FakeCatalog, FakeInventory, FakePayments, Scene
from tests.services.orders.test_orders import Moves

PRICE = 1000
SELLER = Caller(user_id=ids.new(), roles=(Role.CUSTOMER, Role.SELLER))


def person() -> Caller:
    """A new customer, whose request is their own."""
    return Caller(user_id=ids.new(), roles=(Role.CUSTOMER,))


@dataclass
class Shop:
    """A seller with a thing that never runs out, and codes for it."""

    house: House
    payments: FakePayments
    offer_id: UUID

    async def code(self, name: str, uses: int, **more: Any) -> Promo:
        """A code that inventory has heard of."""
        with self.house.calling(SELLER):
            terms = {"code": name, "percent": 25, "uses": uses, "per_customer": 0} | more
            made = await self.house.catalog.make_promo(PromoDraft(**terms))
        await self.house.settle()
        return made

    async def left(self, code: Promo) -> int:
        """Uses that nobody has."""
        return (await self.house.inventory.supplies((code.id,))).items[0].free

    async def place(self, code: str, who: Caller) -> Order:
        with self.house.calling(who):
            return await self.house.orders.place((Wish(offer_id=self.offer_id),), code)

    async def pay(self, order: Order) -> None:
        """The bank sets the money aside and says so."""
        scene = Scene(self.house, FakeCatalog(), FakeInventory(), self.payments, *[SELLER] * 4)
        await Moves(scene).authorise(order)

    async def crowd(self, code: str, people: int) -> tuple[list[Order], Counter[type]]:
        """So many place an order with the code at once; the orders, and why others got none."""
        answers = await asyncio.gather(
            *(self.place(code, person()) for _ in range(people)), return_exceptions=True
        )
        placed = [answer for answer in answers if isinstance(answer, Order)]
        return placed, Counter(type(a) for a in answers if not isinstance(a, Order))

    async def used(self, code: Promo) -> int:
        """Paid orders that have the code."""
        sql = "SELECT count(*) FROM orders WHERE promo_id = $1 AND status = 'paid'"
        return await self.house.db("orders").fetchval(sql, code.id)


@pytest.fixture
async def shop(make_house: MakeHouse) -> Shop:
    payments = FakePayments()
    house = await make_house(
        "catalog",
        "inventory",
        "orders",
        fakes={"payments": payments},
        call_timeout_seconds=60.0,  # what is refused is refused for a reason
    )
    with house.calling(SELLER):
        made = await house.catalog.create(
            ListingDraft(
                kind=Kind.PRODUCT,
                category="kitchen",
                title=Text(en="A cup"),
                offers=(OfferDraft(price=PRICE),),
            )
        )
        await house.inventory.set_supply(made.offers[0].id, 100_000)
        await house.catalog.publish(made.id)
    await house.settle()
    return Shop(house, payments, made.offers[0].id)


async def rush(shop: Shop, name: str, uses: int, people: int) -> None:
    """Many want the code, half of those who get it walk away, and many want what came back."""
    code = await shop.code(name, uses)
    placed, refused = await shop.crowd(name, people)
    assert len(placed) == uses, refused
    assert refused == {PromoUsedUp: people - uses}
    assert {order.total.amount for order in placed} == {PRICE * 3 // 4}
    assert await shop.left(code) == 0
    stay = placed[: uses // 2]
    for order in stay:
        await shop.pay(order)
    await shop.house.settle()
    await shop.house.clock.advance(minutes=16)
    await shop.house.settle()
    assert await shop.used(code) == len(stay)
    assert await shop.left(code) == uses - len(stay)
    again, refused = await shop.crowd(name, people)
    assert len(again) == uses - len(stay), refused
    for order in again:
        await shop.pay(order)
    await shop.house.settle()
    assert (await shop.used(code), await shop.left(code)) == (uses, 0)
    assert (await shop.crowd(name, 3))[1] == {PromoUsedUp: 3}


class TestLimit:
    async def test_a_crowd_uses_a_code_exactly_as_often_as_it_can_be_used(self, shop: Shop) -> None:
        await rush(shop, "ONCE", 1, 40)
        await rush(shop, "TEN-TIMES", 10, 60)

    @pytest.mark.nightly
    async def test_five_hundred_at_once(self, shop: Shop) -> None:
        await rush(shop, "ONCE", 1, 500)
        await rush(shop, "HUNDRED", 100, 500)

    async def test_of_one_customer_counts_all_their_orders_and_comes_back_when_cancelled(
        self, shop: Shop
    ) -> None:
        code, who = await shop.code("MINE", 50, per_customer=1), person()
        answers = await asyncio.gather(
            *(shop.place("MINE", who) for _ in range(8)), return_exceptions=True
        )
        (order,) = [answer for answer in answers if isinstance(answer, Order)]
        assert sum(isinstance(answer, PromoLimit) for answer in answers) == 7
        await shop.pay(order)
        await shop.house.settle()
        with pytest.raises(PromoLimit):
            await shop.place("MINE", who)
        with shop.house.calling(who):
            await shop.house.orders.cancel(order.id)
        assert await shop.left(code) == 50
        assert (await shop.place("MINE", who)).promo_code == "MINE"

    async def test_nobody_takes_uses_except_with_an_order(self, shop: Shop) -> None:
        code = await shop.code("HIDDEN", 1)
        with shop.house.calling(person().model_copy(update={"key": ids.new()})):
            with pytest.raises(UnknownSupply):
                await shop.house.inventory.reserve((Claim(offer_id=code.id, quantity=1),))
            for call in (
                shop.house.orders.place((Wish(offer_id=code.id),)),
                shop.house.inventory.wait(Claim(offer_id=code.id, quantity=1)),
                shop.house.inventory.set_supply(code.id, 5),
            ):
                with pytest.raises(Refusal):
                    await call
        assert await shop.left(code) == 1


class TestCart:
    async def test_shows_the_discount_and_becomes_an_order_with_it(self, shop: Shop) -> None:
        code, who = await shop.code("CART", 1, minimum=2 * PRICE), person()
        orders = shop.house.orders
        with shop.house.calling(who):
            with pytest.raises(EmptyCart):
                await orders.set_promo("CART")
            await orders.add_to_cart(Wish(offer_id=shop.offer_id))
            with pytest.raises(PromoNeedsMore):
                await orders.set_promo("CART")
            await orders.add_to_cart(Wish(offer_id=shop.offer_id))
            cart = await orders.set_promo("cart")
            assert cart.promo and cart.promo.discount and cart.total
            assert (cart.promo.code, cart.promo.discount.amount) == ("CART", 500)
            assert cart.total.amount == 1500
            assert cart.lines[0].parts[-1].kind is PartKind.PROMO
            assert await shop.left(code) == 1  # held with the order, not before
            fewer = await orders.change_line(cart.lines[0].id, 1)
            assert fewer.promo and fewer.promo.discount is None and fewer.promo.problem
            assert fewer.promo.minimum and fewer.promo.minimum.amount == 2 * PRICE
            with pytest.raises(PromoNeedsMore):
                await orders.check_out(fewer.version)
            more = await orders.change_line(cart.lines[0].id, 2)
            order = await orders.check_out(more.version)
            assert (order.total.amount, order.promo_code) == (1500, "CART")
            assert (await orders.cart()).promo is None
            await orders.add_to_cart(Wish(offer_id=shop.offer_id, quantity=2))
            with pytest.raises(PromoUsedUp):
                await orders.set_promo("CART")
            await orders.cancel(order.id)
            assert await shop.left(code) == 1
            assert (await orders.set_promo("CART")).promo
            assert (await orders.set_promo("")).promo is None

    async def test_what_is_used_up_meanwhile_is_refused_and_the_cart_stays(
        self, shop: Shop
    ) -> None:
        await shop.code("LAST", 1)
        slow, fast = person(), person()
        with shop.house.calling(slow):
            await shop.house.orders.add_to_cart(Wish(offer_id=shop.offer_id))
            cart = await shop.house.orders.set_promo("LAST")
        await shop.place("LAST", fast)
        with shop.house.calling(slow):
            with pytest.raises(PromoUsedUp):
                await shop.house.orders.check_out(cart.version)
            without = await shop.house.orders.set_promo("")
            order = await shop.house.orders.check_out(without.version)
        assert (order.total.amount, order.promo_code) == (PRICE, "")

    async def test_comes_along_when_a_guest_signs_in(self, shop: Shop) -> None:
        await shop.code("GUEST", 1)
        with shop.house.calling(Caller()):
            await shop.house.orders.add_to_cart(Wish(offer_id=shop.offer_id), guest="secret")
            await shop.house.orders.set_promo("GUEST", guest="secret")
        with shop.house.calling(person()):
            cart = await shop.house.orders.claim_cart("secret")
        assert cart.promo and cart.promo.code == "GUEST"

    async def test_late_money_takes_the_code_again_or_comes_back(self, shop: Shop) -> None:
        """Nobody pays the lower price without a use of the code."""
        await shop.code("LATE", 1)
        late = await shop.place("LATE", person())
        await shop.house.db("inventory").execute(
            "UPDATE holds SET expires_at = dvor_now() - interval '1 second'"
        )
        await shop.house.process.implementation("inventory").expire_due()
        await shop.place("LATE", person())
        await shop.pay(late)
        await shop.house.settle()
        with shop.house.calling(Caller(user_id=late.customer_id)):
            assert (await shop.house.orders.order(late.id)).status is OrderStatus.CANCELLED
