"""Mails say what an order or an offer is about: what, when, how many, which seats, how much."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind, Text
from dvor.contracts.orders import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderedLine,
    OrderPaid,
    PaymentFailed,
)
from dvor.kernel.ids import new
from dvor.kernel.messages import PageRequest
from dvor.kernel.money import Money
from dvor.kernel.periods import DateRange, HourRange
from tests.services.notifications.test_waiting import entry, offered

NOON = datetime(2031, 3, 8, 9, tzinfo=UTC)
"""In Moscow, in a year that is not this one."""


def rub(amount: int) -> Money:
    return Money(amount=amount, currency="RUB")


def line(seller: UUID, title: str, total: int, **more: Any) -> OrderedLine:
    usual: dict[str, Any] = {
        "seller_id": seller,
        "kind": Kind.PRODUCT,
        "title": Text(en=title, ru=f"{title} по-русски"),
        "name": Text(),
        "quantity": 1,
        "timezone": "Europe/Moscow",
        "total": rub(total),
    }
    return OrderedLine(**usual | more)


def cart(one: UUID, other: UUID) -> tuple[OrderedLine, ...]:
    """One of each kind, of two sellers."""
    nights = DateRange(start=date(2031, 3, 8), end=date(2031, 3, 10))
    late = HourRange(start=NOON + timedelta(hours=10), end=NOON + timedelta(hours=14))
    early = HourRange(start=NOON, end=NOON + timedelta(hours=3))
    return (
        line(one, "Mug <b>", 65_000, quantity=2),
        line(one, "Hotel", 980_000, kind=Kind.STAY, name=Text(en="Suite", ru="Люкс"), dates=nights),
        line(other, "Court", 270_000, kind=Kind.RENTAL, hours=early),
        line(other, "Boat", 400_000, kind=Kind.RENTAL, hours=late),
        line(
            other, "Jazz", 300_000, kind=Kind.EVENT, quantity=2, seats=("Stalls 1-4", "Stalls 1-5"),
            starts_at=NOON,
        ),
    )  # fmt: skip


ALL = 65_000 + 980_000 + 270_000 + 400_000 + 300_000


async def mail_to(house: Any, address: str) -> Any:
    """The last mail."""
    mailbox = house.proxy("notifications", "web")
    return (await mailbox.mailbox(PageRequest(), address)).items[0]


class TestOrders:
    @pytest.fixture
    def people(self, identity: Any) -> tuple[UUID, UUID, UUID]:
        """A customer and two sellers, of whom one speaks Russian."""
        return (
            identity.meet("Anna", "anna@x.example"),
            identity.meet("Boris", "boris@x.example"),
            identity.meet("Вера", "vera@x.example", "ru"),
        )

    async def test_customers_read_what_when_how_many_and_the_sum(
        self, house: Any, happened: Any, people: tuple[UUID, UUID, UUID]
    ) -> None:
        anna, boris, vera = people
        usual: dict[str, Any] = {
            "order_id": new(), "number": "D-7", "customer_id": anna, "lines": cart(boris, vera),
        }  # fmt: skip
        sold: dict[str, Any] = {"seller_ids": (boris, vera)}
        for event in (
            OrderCreated(**usual, **sold, total=rub(ALL)),
            PaymentFailed(**usual),
            OrderPaid(**usual, **sold, total=rub(ALL)),
            OrderDelivered(**usual, **sold),
            OrderCancelled(**usual, **sold, reason="customer", refunded=rub(ALL)),
        ):
            await happened(house, event)
            mail = await mail_to(house, "anna@x.example")
            text = " ".join(mail.text.split())
            for words in (
                "— Mug <b> × 2 ₽650",
                "— Hotel, Suite Mar 8, 2031 – Mar 10, 2031 (2 nights) ₽9,800",
                "— Court March 8, 2031, 12:00 – 15:00 (3 hours) ₽2,700",
                "— Boat March 8, 2031, 22:00 – March 9, 2031, 02:00 (4 hours) ₽4,000",
                "— Jazz × 2 March 8, 2031, 12:00; seats: Stalls 1-4, Stalls 1-5 ₽3,000",
                "Total: ₽20,150",
            ):
                assert words in text, (type(event), words, text)
            assert "Mug &lt;b&gt; × 2" in mail.html and "₽20,150" in mail.html
            assert "Stalls 1-4, Stalls 1-5" in mail.html

    async def test_sellers_read_their_own_lines_only(
        self, house: Any, happened: Any, people: tuple[UUID, UUID, UUID]
    ) -> None:
        anna, boris, vera = people
        usual: dict[str, Any] = {
            "order_id": new(), "number": "D-7", "customer_id": anna, "seller_ids": (boris, vera),
            "lines": cart(boris, vera),
        }  # fmt: skip
        for event in (
            OrderPaid(**usual, total=rub(ALL)),
            OrderCancelled(**usual, reason="customer", refunded=rub(ALL)),
        ):
            await happened(house, event)
            his, hers = (
                await mail_to(house, "boris@x.example"),
                await mail_to(house, "vera@x.example"),
            )
            assert "Hotel, Suite" in his.text and "Jazz" not in his.text
            assert "Total: ₽10,450" in his.text
            text = " ".join(hers.text.split())
            assert "Hotel" not in text and "Mug" not in hers.html
            assert "— Court по-русски 8 марта 2031 г., 12:00 – 15:00 (3 часа) 2 700 ₽" in text
            assert "места: Stalls 1-4, Stalls 1-5" in text and "Итого: 9 700 ₽" in text

    async def test_news_without_lines_still_make_mails(
        self, house: Any, happened: Any, people: tuple[UUID, UUID, UUID]
    ) -> None:
        event = OrderPaid(
            order_id=new(), number="D-1", customer_id=people[0], seller_ids=(), total=rub(500)
        )
        await happened(house, event)
        mail = await mail_to(house, "anna@x.example")
        assert "We received ₽5" in mail.text and "Total" not in mail.text


class TestOffers:
    async def test_say_what_it_costs_now_and_which_seats(
        self, house: Any, identity: Any, catalog: Any, happened: Any
    ) -> None:
        person = identity.meet("Anna", "anna@x.example")
        catalog.price = rub(360_000)
        await happened(house, offered(person, entry(dates=None, seats=("A 1-1", "A 1-2"))))
        text = " ".join((await mail_to(house, "anna@x.example")).text.split())
        assert "— Hotel, Suite × 2 seats: A 1-1, A 1-2 ₽3,600" in text

    async def test_where_nobody_can_say_the_price_they_go_without(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        person = identity.meet("Anna", "anna@x.example")
        await happened(house, offered(person, entry()))
        text = (await mail_to(house, "anna@x.example")).text
        assert "— Hotel, Suite × 2" in text and "₽" not in text
