"""Pages of requests that wait for a seller's answer, and of the customer who waits for it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from dvor.contracts.orders import NotApprovable, Order, OrderStatus
from dvor.kernel import clock
from dvor.kernel.caller import Role
from tests.web.browser import Browser
from tests.web.conftest import Web
from tests.web.fakes import order


def asked(customer_id: Any = None, **changes: Any) -> Order:
    """An order that waits for its seller."""
    values: dict[str, Any] = {
        "needs_approval": True,
        "approvable": True,
        "approve_until": clock.now() + timedelta(hours=5),
        "told": (
            ("payment_authorised", {}),
            ("approval_asked", {"until": clock.now().isoformat()}),
        ),
    }
    return order(customer_id or uuid4(), OrderStatus.PROCESSING, **values | changes)


async def selling(web: Web, *kept: Order) -> Browser:
    browser, _ = await web.signed_in("Sam", Role.SELLER)
    web.orders.kept = list(kept)
    return browser


class TestRequests:
    async def test_customers_have_none(self, web: Web):
        browser, _ = await web.signed_in()
        assert (await browser.open("/selling/approvals")).status == 403

    async def test_an_empty_page_says_what_will_be_here(self, web: Web):
        browser = await selling(web, order(uuid4(), OrderStatus.PAID))
        text = (await browser.open("/selling/approvals")).text
        assert "Nothing waits for your answer" in text and "charged only when you accept" in text
        assert "To approve" in (await browser.open("/selling")).text  # the way there
        assert "Answer the requests" not in (await browser.open("/selling")).text

    async def test_shows_what_for_whom_and_until_when(self, web: Web):
        _, buyer = await web.signed_in("Anna")
        browser = await selling(web, asked(buyer.id, title="Boat"), asked(approvable=False))
        page = await browser.open("/selling/approvals")
        assert "Boat" in page.text and "Customer: Anna" in page.text
        assert page.html.count("Answer until") == page.html.count("/approve") == 1
        today = (await browser.open("/selling")).text
        assert "Boat" in today and "Answer the requests" in today

    @pytest.mark.parametrize(
        ("after", "said"),
        [
            ({}, "Accepted: it is booked and charged."),
            ({"after_yes": OrderStatus.CANCELLED}, "could not be booked and charged any more"),
            ({"after_yes": OrderStatus.PROCESSING}, "booked once everybody has answered"),
            ({"refuse_act": NotApprovable()}, "not waiting for an answer any more"),
        ],
    )
    async def test_accepts_and_says_what_came_of_it(
        self, web: Web, after: dict[str, Any], said: str
    ):
        browser = await selling(web, asked())
        path = f"/selling/orders/{web.orders.kept[0].id}"
        page = await browser.open("/selling/approvals")
        for name, value in after.items():
            setattr(web.orders, name, value)
        page = await browser.submit(page, f"{path}/approve")
        assert page.path == path and said in page.text
        assert web.orders.did == [("approve", web.orders.kept[0].id)][: "refuse_act" not in after]

    async def test_declines_only_after_saying_what_happens(self, web: Web):
        browser = await selling(web, asked(title="Boat"))
        path = f"/selling/orders/{web.orders.kept[0].id}"
        page = await browser.open("/selling/approvals")
        assert f'action="{path}/decline"' not in page.html
        page = await browser.open(f"{path}/decline")
        assert "Boat" in page.text and "The customer is not charged and gets a mail" in page.text
        assert web.orders.did == []
        page = await browser.submit(page, f"{path}/decline")
        assert page.path == path and "Declined: it is free again" in page.text
        assert web.orders.did == [("decline", web.orders.kept[0].id)]

    async def test_what_was_answered_is_not_asked_again(self, web: Web):
        browser = await selling(web, asked(approvable=False))
        path = f"/selling/orders/{web.orders.kept[0].id}"
        page = await browser.open(f"{path}/decline")
        assert page.path == path and "not waiting for an answer any more" in page.text
        assert f"{path}/approve" not in page.html and "The request waits for an answer" in page.text

    async def test_the_order_itself_can_be_answered(self, web: Web):
        browser = await selling(web, asked())
        path = f"/selling/orders/{web.orders.kept[0].id}"
        page = await browser.open(path)
        assert f'href="{path}/decline"' in page.html
        page = await browser.submit(page, f"{path}/approve")
        assert "Accepted: it is booked and charged." in page.text


class TestWaitingCustomer:
    async def test_is_told_what_becomes_of_the_money(self, web: Web):
        browser, buyer = await web.signed_in()
        web.orders.kept = [asked(buyer.id, approvable=False)]
        page = await browser.open(f"/orders/{web.orders.kept[0].id}")
        assert "Your bank has set ₽25 aside" in page.text
        assert "Owner's answer" in page.text and "Awaiting payment" not in page.text
        assert "/approve" not in page.html and "/pay/" not in page.html
        page = await browser.open("/orders")
        assert page.html.count("Waits for the owner") == 1

    async def test_is_told_before_paying_that_the_owner_answers(self, web: Web):
        browser, buyer = await web.signed_in()
        web.orders.kept = [asked(buyer.id, approve_until=None, pay_path="/pay/secret")]
        page = await browser.open(f"/orders/{web.orders.kept[0].id}")
        assert "The owner answers once you have paid" in page.text

    async def test_cancels_only_what_is_still_free_of_charge(self, web: Web):
        browser, buyer = await web.signed_in()
        web.orders.kept = [asked(buyer.id)]
        path = f"/orders/{web.orders.kept[0].id}"
        page = await browser.open(f"{path}/cancel")
        assert "Nothing has been charged, and nothing will be." in page.text
        paid = web.orders.kept[0].model_copy(update={"status": OrderStatus.PAID})
        web.orders.kept = [paid]  # the owner was faster, and half of it would come back
        page = await browser.submit(page, f"{path}/cancel")
        assert page.path == f"{path}/cancel" and web.orders.did == []
        assert "Meanwhile another amount comes back." in page.text

    @pytest.mark.parametrize(
        ("reason", "said"),
        [
            ("declined", "The owner declined the request. Nothing was charged."),
            ("unanswered", "The owner did not answer in time"),
            ("uncharged", "The bank did not give the money that it had set aside"),
        ],
    )
    async def test_hears_why_nothing_came_of_it(self, web: Web, reason: str, said: str):
        browser, buyer = await web.signed_in()
        told = (("cancelled", {"reason": reason}),)
        web.orders.kept = [order(buyer.id, OrderStatus.CANCELLED, told=told)]
        assert said in (await browser.open(f"/orders/{web.orders.kept[0].id}")).text
