"""Notifications: who is told what, once, in which words."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.identity import UserRegistered
from dvor.contracts.notifications import Notification
from dvor.contracts.orders import (
    ApprovalAsked,
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderPaid,
    PaymentFailed,
)
from dvor.kernel import clock
from dvor.kernel.caller import Caller
from dvor.kernel.errors import InvalidFields, Unauthenticated
from dvor.kernel.ids import new
from dvor.kernel.messages import PageRequest
from dvor.kernel.money import Money

TOTAL = Money(amount=1_234_50, currency="RUB")
NOTHING = Money(amount=0, currency="RUB")


def order(customer: UUID, *sellers: UUID) -> dict[str, Any]:
    return {"order_id": new(), "number": "D-7", "customer_id": customer, "seller_ids": sellers}


def cancelled(facts: dict[str, Any], reason: str, refunded: Money = NOTHING) -> OrderCancelled:
    return OrderCancelled(**facts, reason=reason, refunded=refunded)


async def seen(house: Any, person: UUID, language: str = "en") -> list[Notification]:
    with house.calling(Caller(user_id=person, language=language)):
        return list((await house.notifications.notifications(PageRequest())).items)


async def topics(house: Any, person: UUID) -> list[str]:
    return [n.topic for n in await seen(house, person)]


class TestTelling:
    async def test_a_story_that_ends_well(self, house: Any, identity: Any, happened: Any) -> None:
        customer, seller = identity.meet(), identity.meet()
        facts = order(customer, seller)
        failed = {k: v for k, v in facts.items() if k != "seller_ids"}
        await happened(
            house,
            UserRegistered(user_id=customer, name="Anna", language="en"),
            OrderCreated(**facts, total=TOTAL),
            PaymentFailed(**failed),
            OrderPaid(**facts, total=TOTAL),
            OrderDelivered(**facts),
        )
        assert sorted(await topics(house, customer)) == sorted(
            ["welcome", "order_created", "payment_failed", "order_paid", "order_delivered"]
        )
        assert await topics(house, seller) == ["sale_paid"]

    async def test_a_paid_order_cancelled_is_told_to_customer_and_sellers(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        customer, one, other = (identity.meet() for _ in range(3))
        facts = order(customer, one, other)
        await happened(house, OrderPaid(**facts, total=TOTAL), cancelled(facts, "customer", TOTAL))
        for seller in (one, other):
            assert set(await topics(house, seller)) == {"sale_paid", "sale_cancelled"}
        assert set(await topics(house, customer)) == {"order_paid", "order_cancelled"}

    async def test_sellers_hear_nothing_of_what_was_never_sold(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        customer, seller = identity.meet(), identity.meet()
        facts = order(customer, seller)
        await happened(house, OrderCreated(**facts, total=TOTAL), cancelled(facts, "unpaid"))
        assert await topics(house, seller) == []

    @pytest.mark.parametrize(
        ("reason", "declined_by", "told"),
        [
            ("declined", 0, {"accepted"}),
            ("unanswered", None, {"accepted", "silent"}),
            ("customer", None, {"accepted", "silent"}),
            ("uncharged", None, {"accepted", "silent"}),
        ],
    )
    async def test_who_was_asked_hears_that_nothing_comes_of_it(
        self,
        house: Any,
        identity: Any,
        happened: Any,
        reason: str,
        declined_by: int | None,
        told: set[str],
    ) -> None:
        customer, silent, accepted, unasked = (identity.meet() for _ in range(4))
        facts = order(customer, silent, accepted, unasked)
        asked: dict[str, Any] = facts | {"seller_ids": (silent, accepted)}
        who = silent if declined_by is not None else None
        await happened(
            house,
            ApprovalAsked(**asked, total=TOTAL, until=clock.now()),
            cancelled(facts, reason).model_copy(update={"declined_by": who}),
        )
        assert set(await topics(house, customer)) == {"approval_waited", "order_cancelled"}
        assert await topics(house, unasked) == []
        for name, seller in (("silent", silent), ("accepted", accepted)):
            after = {"sale_cancelled"} if name in told else set()
            assert set(await topics(house, seller)) == {"approval_asked"} | after
        (ask,) = [n for n in await seen(house, accepted) if n.topic == "approval_asked"]
        assert ask.path == f"/orders/{facts['order_id']}"
        assert "1,234" not in ask.body and "to accept or to decline" in ask.body

    async def test_the_same_event_again_tells_nothing_again(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        customer, seller = identity.meet(), identity.meet()
        paid = OrderPaid(**order(customer, seller), total=TOTAL)
        await happened(house, paid, paid)
        await asyncio.gather(*(happened(house, paid) for _ in range(8)))
        assert await topics(house, customer) == ["order_paid"]
        assert await topics(house, seller) == ["sale_paid"]
        assert await house.db("notifications").fetchval("SELECT count(*) FROM mails") == 2

    async def test_only_the_first_decline_of_an_order_is_told(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        customer = identity.meet()
        failed = PaymentFailed(order_id=new(), number="D-7", customer_id=customer)
        await happened(house, failed, failed.model_copy())
        assert await topics(house, customer) == ["payment_failed"]

    async def test_who_buys_from_themself_is_told_both(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        person = identity.meet()
        await happened(house, OrderPaid(**order(person, person), total=TOTAL))
        assert set(await topics(house, person)) == {"order_paid", "sale_paid"}


class TestWords:
    async def test_follow_the_reader(self, house: Any, identity: Any, happened: Any) -> None:
        customer = identity.meet()
        facts = order(customer)
        await happened(house, OrderPaid(**facts, total=TOTAL))
        (english,) = await seen(house, customer)
        (russian,) = await seen(house, customer, "ru")
        assert english.title == "Order D-7 is paid"
        assert "₽1,234.50" in english.body
        assert russian.title == "Заказ D-7 оплачен"
        assert "1 234,50 ₽" in russian.body.replace("\u00a0", " ")
        assert english.path == f"/orders/{facts['order_id']}"

    @pytest.mark.parametrize(
        ("reason", "refunded", "english", "russian"),
        [
            ("customer", TOTAL, "You cancelled it.", "Вы его отменили."),
            ("seller", TOTAL, "The seller cancelled it.", "Его отменил продавец."),
            ("admin", TOTAL, "The administrators", "администрация"),
            ("unpaid", NOTHING, "not paid in time. Nothing was charged.", "Деньги не списаны."),
            ("unavailable", NOTHING, "had been taken", "заняли раньше"),
            ("declined", NOTHING, "declined the request. Nothing", "отклонил запрос. Деньги не"),
            ("unanswered", NOTHING, "did not answer in time. Nothing", "не ответил вовремя."),
            ("uncharged", NOTHING, "did not give the money", "не отдал отложенные деньги."),
            ("something new", NOTHING, "Nothing was charged.", "Деньги не списаны."),
        ],
    )
    async def test_say_why_an_order_was_cancelled_and_what_happens_to_the_money(
        self,
        house: Any,
        identity: Any,
        happened: Any,
        reason: str,
        refunded: Money,
        english: str,
        russian: str,
    ) -> None:
        customer = identity.meet()
        await happened(house, cancelled(order(customer), reason, refunded))
        assert english in (await seen(house, customer))[0].body
        assert russian in (await seen(house, customer, "ru"))[0].body

    async def test_never_tell_a_seller_what_others_earned(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        customer, seller = identity.meet(), identity.meet()
        facts = order(customer, seller)
        await happened(house, OrderPaid(**facts, total=TOTAL), cancelled(facts, "admin", TOTAL))
        assert "1,234" not in str(await seen(house, seller))


class TestReading:
    async def test_counts_down_what_is_unread(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        person = identity.meet()
        await happened(house, *(OrderPaid(**order(person), total=TOTAL) for _ in range(3)))
        with house.calling(Caller(user_id=person)):
            assert (await house.notifications.unread()).count == 3
            page = await house.notifications.notifications(PageRequest(limit=2))
            assert (len(page.items), page.unread) == (2, 3)
            rest = await house.notifications.notifications(PageRequest(cursor=page.next_cursor))
            assert (len(rest.items), rest.next_cursor) == (1, None)
            left = await house.notifications.mark_read((page.items[0].id,))
            assert left.count == 2
            assert (await house.notifications.mark_read(())).count == 0

    async def test_of_others_is_not_possible(
        self, house: Any, identity: Any, happened: Any
    ) -> None:
        person, stranger = identity.meet(), identity.meet()
        await happened(house, OrderPaid(**order(person), total=TOTAL))
        (mine,) = await seen(house, person)
        with house.calling(Caller(user_id=stranger)):
            await house.notifications.mark_read((mine.id,))
            await house.notifications.mark_read(())
        assert await seen(house, stranger) == []
        (still,) = await seen(house, person)
        assert still.read_at is None

    async def test_needs_a_person(self, house: Any) -> None:
        for asked in (
            house.notifications.notifications(PageRequest()),
            house.notifications.unread(),
            house.notifications.mark_read(()),
        ):
            with pytest.raises(Unauthenticated):
                await asked

    async def test_a_made_up_cursor_is_refused(self, house: Any) -> None:
        with house.calling(Caller(user_id=new())), pytest.raises(InvalidFields):
            await house.notifications.notifications(PageRequest(cursor="1; DROP TABLE mails"))


class TestRest:
    async def test_lists_counts_and_marks(self, house: Any, identity: Any, happened: Any) -> None:
        person = identity.meet()
        identity.callers["t"] = Caller(user_id=person)
        headers = {"authorization": "Bearer t", "accept-language": "ru"}
        await happened(house, *(OrderPaid(**order(person), total=TOTAL) for _ in range(2)))
        path = "/api/v1/notifications"
        page = (await house.http.get(path, headers=headers)).json()
        assert page["unread"] == 2
        assert page["items"][0]["title"] == "Заказ D-7 оплачен"
        unread = await house.http.get(f"{path}/unread", headers=headers)
        assert unread.json() == {"count": 2}
        body = {"notification_ids": [page["items"][0]["id"]]}
        bare = await house.http.post(f"{path}/read", headers=headers, json=body)
        assert bare.status_code == 400  # no Idempotency-Key
        keyed = headers | {"idempotency-key": str(new())}
        for _ in range(2):
            marked = await house.http.post(f"{path}/read", headers=keyed, json=body)
            assert marked.json() == {"count": 1}
        assert (await house.http.get(path)).status_code == 401
