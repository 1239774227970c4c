"""Orders with promo codes, fees and tax, from the quote to the books: nothing is lost on the way.

Catalogue, inventory, orders and payments with its bank are real.
"""

from dataclasses import dataclass
from uuid import UUID

import pytest

from dvor.contracts.cancellation import CancellationStep, Policy, Until
from dvor.contracts.catalog import Kind, ListingDraft, OfferDraft, Text
from dvor.contracts.earnings import StatementSearch
from dvor.contracts.order_changes import LineCut
from dvor.contracts.orders import Order, OrderStatus, Wish
from dvor.contracts.pricing import Fee, FeePer, Label, PartKind, Tax
from dvor.contracts.promos import Promo, PromoDraft
from dvor.kernel import ids
from dvor.kernel.caller import Caller, Role
from dvor.services.payments.rules import GOOD_CARD
from tests.conftest import House, MakeHouse

HALF = Policy(steps=(CancellationStep(until=Until.HANDOVER, percent=50),))
KINDS = [PartKind.BASE, PartKind.PROMO, PartKind.FEE, PartKind.TAX]


def seller() -> Caller:
    """Somebody who sells."""
    return Caller(user_id=ids.new(), roles=(Role.CUSTOMER, Role.SELLER))


@dataclass
class Market:
    """Two sellers who charge differently, a code of the platform's, and who buys."""

    house: House
    first: Caller
    second: Caller
    admin: Caller
    customer: Caller
    cups: UUID
    lamps: UUID
    code: Promo

    async def buy(self, promo: str = "") -> Order:
        """Three cups and two lamps, paid."""
        cups, lamps = Wish(offer_id=self.cups, quantity=3), Wish(offer_id=self.lamps, quantity=2)
        return await self.pay(promo, cups, lamps)

    async def pay(self, promo: str, *wishes: Wish) -> Order:
        """An order, paid."""
        with self.house.calling(self.customer):
            order = await self.house.orders.place(wishes, promo)
            secret = order.pay_path.rpartition("/")[2]
            await self.house.payments.submit_card(secret, GOOD_CARD)
        await self.house.clock.advance(minutes=3)  # no webhook comes: orders asks
        await self.house.settle()
        return await self.seen(order.id)

    async def seen(self, order_id: UUID) -> Order:
        with self.house.calling(self.customer):
            return await self.house.orders.order(order_id)

    async def cancel(self, order: Order, who: Caller, *cuts: LineCut) -> Order:
        with self.house.calling(who):
            await self.house.orders.cancel(order.id, cuts)
        return await self.seen(order.id)

    async def left(self) -> int:
        """Uses of the code that nobody has."""
        return (await self.house.inventory.supplies((self.code.id,))).items[0].free

    async def claimed(self, order: Order) -> tuple[str, dict[UUID, int]]:
        """How the order's hold stands, and what is in it."""
        hold_id = await self.house.db("orders").fetchval(
            "SELECT hold_id FROM orders WHERE id = $1", order.id
        )
        rows = await self.house.db("inventory").fetch(
            "SELECT status, offer_id, quantity FROM claims JOIN holds ON id = hold_id"
            " WHERE hold_id = $1",
            hold_id,
        )
        return rows[0]["status"], {row["offer_id"]: row["quantity"] for row in rows}

    async def earned(self, who: Caller) -> int:
        """What all entries of a seller's statement come to before commission."""
        with self.house.calling(who):
            page = await self.house.payments.statement(StatementSearch())
        return sum(entry.gross for entry in page.items)


@pytest.fixture
async def market(make_house: MakeHouse) -> Market:
    house = await make_house(
        "catalog", "inventory", "orders", "payments", call_timeout_seconds=60.0
    )
    first, second = seller(), seller()
    packing = Fee(name=Label(en="Packing"), price=101)
    gift = Fee(name=Label(en="Gift wrap"), price=33, per=FeePer.ITEM)
    with house.calling(second):
        await house.catalog.set_tax(Tax(name=Label(en="VAT"), rate=2000, included=False))
    with house.calling(first):
        await house.catalog.set_tax(Tax(name=Label(en="VAT"), rate=1000, included=True))
    admin = Caller(user_id=ids.new(), roles=(Role.ADMIN,))
    with house.calling(admin):
        code = await house.catalog.make_promo(
            PromoDraft(code="SPRING", amount=1000, uses=1, per_customer=1, platform=True)
        )
    cups = await _listed(house, first, 777, packing)
    lamps = await _listed(house, second, 1999, gift)
    await house.settle()
    customer = Caller(user_id=ids.new(), roles=(Role.CUSTOMER,))
    return Market(house, first, second, admin, customer, cups, lamps, code)


async def _listed(house: House, who: Caller, price: int, *fees: Fee) -> UUID:
    with house.calling(who):
        made = await house.catalog.create(
            ListingDraft(
                kind=Kind.PRODUCT,
                category="kitchen",
                title=Text(en="A thing"),
                offers=(OfferDraft(price=price),),
                fees=fees,
                cancellation=HALF,
            )
        )
        await house.inventory.set_supply(made.offers[0].id, 100)
        await house.catalog.publish(made.id)
    return made.offers[0].id


class TestMoney:
    async def test_is_split_by_what_lines_come_to_with_everything(self, market: Market) -> None:
        order = await market.buy("SPRING")
        assert order.status is OrderStatus.PAID
        cups, lamps = order.lines
        for line in order.lines:
            assert [part.kind for part in line.parts] == KINDS
            assert line.total.amount == sum(part.amount for part in line.parts)
        # 1000 off 2331 + 3998, divided by them; then fees, then tax: contained, or a fifth on top.
        assert [part.amount for part in cups.parts] == [2331, -368, 101, 0]
        assert cups.parts[-1].included == 188
        assert [part.amount for part in lamps.parts] == [3998, -632, 66, 686]
        assert order.total.amount == cups.total.amount + lamps.total.amount == 2064 + 4118
        assert await market.earned(market.first) == cups.total.amount
        assert await market.earned(market.second) == lamps.total.amount
        sql = "SELECT sum(amount)::bigint FROM payment_shares"
        assert await market.house.db("payments").fetchval(sql) == order.total.amount

    async def test_comes_back_by_policy_of_what_was_paid_for_a_piece(self, market: Market) -> None:
        """Discount, fee and tax go with each piece; three times a third is the whole."""
        order = await market.buy("SPRING")
        cups, lamps = order.lines
        paid = []
        for left in (2, 1, 0):
            with market.house.calling(market.customer):
                cut = (LineCut(line_id=cups.id, quantity=1),)
                preview = await market.house.orders.preview_cancellation(order.id, cut)
            (line,) = preview.lines
            assert line.back.amount == (line.paid.amount + 1) // 2
            paid.append(line.paid.amount)
            order = await market.cancel(order, market.customer, *cut)
            assert order.lines[0].cancelled == 3 - left
        assert paid == [688, 688, 688]
        assert order.refunded.amount == 3 * 344
        assert await market.earned(market.first) == cups.total.amount - 3 * 344
        assert await market.earned(market.second) == lamps.total.amount
        order = await market.cancel(order, market.admin)
        assert (order.status, order.refunded.amount) == (OrderStatus.CANCELLED, 1032 + 4118)
        assert await market.earned(market.second) == 0


class TestCode:
    async def test_stays_with_an_order_until_all_of_it_is_cancelled(self, market: Market) -> None:
        order = await market.buy("SPRING")
        cups, lamps = order.lines
        use = {market.code.id: 1}
        for cut, left in (
            (LineCut(line_id=lamps.id, quantity=1), {market.cups: 3, market.lamps: 1}),
            (LineCut(line_id=cups.id), {market.lamps: 1}),
        ):
            order = await market.cancel(order, market.customer, cut)
            assert order.status is OrderStatus.PAID
            assert await market.claimed(order) == ("confirmed", left | use)
            assert await market.left() == 0
        order = await market.cancel(order, market.customer, LineCut(line_id=lamps.id))
        assert order.status is OrderStatus.CANCELLED
        assert (await market.claimed(order))[0] == "released"
        assert await market.left() == 1
        assert (await market.buy("SPRING")).promo_code == "SPRING"

    async def test_that_takes_everything_off_is_an_order_for_nothing(self, market: Market) -> None:
        plain = await _listed(market.house, market.first, 777)
        with market.house.calling(market.first):
            await market.house.catalog.make_promo(PromoDraft(code="GIFT", percent=100, uses=1))
        await market.house.settle()
        order = await market.pay("GIFT", Wish(offer_id=plain))
        assert [part.amount for part in order.lines[0].parts] == [777, -777, 0]
        assert (order.total.amount, order.status) == (0, OrderStatus.PAID)
        order = await market.cancel(order, market.customer)
        assert (order.refunded.amount, order.status) == (0, OrderStatus.CANCELLED)
