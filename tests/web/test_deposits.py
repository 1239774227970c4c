"""Deposits on the pages of customers and of those who lend."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from dvor.contracts.catalog import Text
from dvor.contracts.deposits import ClaimTooLarge, Deposit, DepositStatus, NotClaimable
from dvor.contracts.orders import Order, OrderStatus
from dvor.kernel import clock
from dvor.kernel.caller import Role
from tests.web.browser import Browser
from tests.web.conftest import Web
from tests.web.fakes import order, rub


def lent(customer_id: Any = None, **changes: Any) -> Order:
    """A paid order of something that is lent against a deposit of 50 roubles."""
    made = order(customer_id or uuid4(), OrderStatus.PAID, title="A boat", **changes)
    line = made.lines[0].model_copy(update={"deposit": rub(50_00)})
    return made.model_copy(update={"lines": (line,)})


def deposit(of: Order, **changes: Any) -> Deposit:
    """Its deposit: held, and to be claimed since yesterday."""
    now = clock.now()
    values: dict[str, Any] = {
        "id": uuid4(),
        "order_id": of.id,
        "order_number": of.number,
        "line_id": of.lines[0].id,
        "seller_id": uuid4(),
        "title": Text(en="A boat", ru="Лодка"),
        "amount": rub(50_00),
        "status": DepositStatus.HELD,
        "captured": 0,
        "released": 0,
        "claimed": 0,
        "reason": "",
        "evidence": "",
        "begins_at": now - timedelta(days=3),
        "ends_at": now - timedelta(days=1),
        "claim_until": now + timedelta(days=2),
        "refusals": 0,
        "claimable": True,
        "returnable": True,
    }
    return Deposit(**values | changes)


KEPT: dict[str, Any] = {
    "status": DepositStatus.CAPTURED,
    "claimed": 20_00,
    "captured": 20_00,
    "released": 30_00,
    "reason": "A hole in it",
    "evidence": "Pictures:\nhttps://example.org/hole.jpg",
    "claimable": False,
    "returnable": False,
}
CASES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "keeps ₽50 aside, nothing is charged", "you may keep what makes good for damage"),
    ({"released": 20_00}, "keeps ₽30 aside", "keeps ₽30 aside"),
    (
        {"status": DepositStatus.RESTING, "refusals": 1},
        "see that so much is free on the card",
        "refused to set it aside anew",
    ),
    (KEPT, "The seller kept ₽20 of ₽50", "You kept ₽20 of ₽50"),
    ({"status": DepositStatus.RELEASED, "released": 50_00}, "₽50 was let go", "₽50 was let go"),
    (
        {"status": DepositStatus.LOST, "claimed": 20_00, "released": 50_00},
        "wanted to keep ₽20",
        "You wanted to keep ₽20",
    ),
    ({"status": DepositStatus.CLAIMED, "claimed": 20_00}, "The seller keeps ₽20", "You keep ₽20"),
]


async def selling(web: Web, **changes: Any) -> tuple[Browser, str]:
    """A seller who has lent something, and the address of its order."""
    browser, seller = await web.signed_in("Sam", Role.SELLER)
    web.orders.kept = [lent()]
    web.payments.kept = [deposit(web.orders.kept[0], **{"seller_id": seller.id} | changes)]
    return browser, f"/selling/orders/{web.orders.kept[0].id}"


class TestOrderPage:
    @pytest.mark.parametrize(("changes", "to_customer", "to_seller"), CASES)
    async def test_says_what_it_is_doing(
        self, web: Web, changes: dict[str, Any], to_customer: str, to_seller: str
    ) -> None:
        browser, buyer = await web.signed_in()
        web.orders.kept = [lent(buyer.id)]
        web.payments.kept = [deposit(web.orders.kept[0], **changes)]
        page = await browser.open(f"/orders/{web.orders.kept[0].id}")
        assert to_customer in page.text
        assert "/deposits/" not in page.html  # only who lends decides
        seller, path = await selling(web, **changes)
        assert to_seller in (await seller.open(path)).text

    async def test_shows_the_reason_and_what_shows_it(self, web: Web) -> None:
        browser, buyer = await web.signed_in()
        web.orders.kept = [lent(buyer.id)]
        web.payments.kept = [deposit(web.orders.kept[0], **KEPT)]
        text = (await browser.open(f"/orders/{web.orders.kept[0].id}")).text
        assert "A hole in it" in text and "https://example.org/hole.jpg" in text

    async def test_stays_when_nobody_can_say(self, web: Web) -> None:
        browser, path = await selling(web)
        web.payments.down = True
        page = await browser.open(path)
        assert page.status == 200 and "cannot be shown just now" in page.text

    async def test_tells_its_history(self, web: Web) -> None:
        details = {
            "title_en": "A boat", "title_ru": "Лодка", "amount": "5000", "currency": "RUB",
            "kept": "2000", "reason": "A hole",
        }  # fmt: skip
        browser, buyer = await web.signed_in()
        web.orders.kept = [lent(buyer.id, told=(("deposit_captured", details),))]
        text = (await browser.open(f"/orders/{web.orders.kept[0].id}")).text
        assert "₽20 of ₽50 was kept" in text and "Reason: A hole" in text


class TestClaiming:
    async def test_asks_how_much_and_why_and_says_what_happens(self, web: Web) -> None:
        browser, path = await selling(web)
        at = f"{path}/deposits/{web.payments.kept[0].id}"
        page = await browser.open(path)
        assert f'href="{at}"' in page.html
        page = await browser.open(at)
        assert "cannot be undone" in page.text and web.payments.decided == []
        page = await browser.submit(page, at, amount="20", reason="A hole", evidence="See")
        assert page.path == path and "Kept. The rest is let go" in page.text
        ((did, claim),) = web.payments.decided
        assert claim is not None
        assert (did, claim.amount, claim.reason) == ("claim", 20_00, "A hole")
        assert claim.evidence == "See"

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ({"amount": "", "reason": "A hole"}, "A price looks like"),
            ({"amount": "0", "reason": "A hole"}, "How much do you keep?"),
            ({"amount": "5", "reason": ""}, "the customer reads it"),
            ({"amount": "5", "reason": "ab"}, "the customer reads it"),
        ],
    )
    async def test_keeps_what_was_typed_wrong(
        self, web: Web, typed: dict[str, str], said: str
    ) -> None:
        browser, path = await selling(web)
        at = f"{path}/deposits/{web.payments.kept[0].id}"
        page = await browser.submit(await browser.open(at), at, **typed)
        assert page.status == 422 and said in page.text and web.payments.decided == []

    async def test_never_beyond_what_is_set_aside(self, web: Web) -> None:
        browser, path = await selling(web)
        at = f"{path}/deposits/{web.payments.kept[0].id}"
        page = await browser.open(at)
        web.payments.refuse = ClaimTooLarge(most=50_00)
        page = await browser.submit(page, at, amount="51", reason="A hole")
        assert page.status == 422 and "No more than ₽50 is set aside." in page.text

    async def test_what_is_over_is_said(self, web: Web) -> None:
        browser, path = await selling(web)
        at = f"{path}/deposits/{web.payments.kept[0].id}"
        page = await browser.open(at)
        web.payments.refuse = NotClaimable()
        page = await browser.submit(page, at, amount="5", reason="A hole")
        assert page.path == path and "cannot be claimed now" in page.text

    async def test_too_early_there_is_no_such_form(self, web: Web) -> None:
        browser, path = await selling(web, claimable=False)
        at = f"{path}/deposits/{web.payments.kept[0].id}"
        assert f'href="{at}"' not in (await browser.open(path)).html
        assert (await browser.open(at)).path == path

    async def test_letting_go_takes_one_button(self, web: Web) -> None:
        browser, path = await selling(web)
        at = f"{path}/deposits/{web.payments.kept[0].id}"
        page = await browser.submit(await browser.open(path), f"{at}/return")
        assert page.path == path and "The deposit is let go" in page.text
        assert web.payments.decided == [("return", None)]

    async def test_of_others_there_is_none(self, web: Web) -> None:
        browser, path = await selling(web, seller_id=uuid4())
        at = f"{path}/deposits/{web.payments.kept[0].id}"
        assert (await browser.open(at)).status == 404
