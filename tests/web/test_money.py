"""The pages of money: what a seller has earned, an admin's books, payouts and webhooks."""

from uuid import uuid4

import pytest

from dvor.contracts.earnings import Entry
from dvor.contracts.payments import SentWebhook
from dvor.kernel import clock
from dvor.kernel.caller import Role
from tests.web.conftest import Web


def entry(what: str = "captured", number: str = "K7PQ2MNX") -> Entry:
    return Entry(
        id=uuid4(),
        at=clock.now(),
        what=what,
        order_id=uuid4(),
        order_number=number,
        currency="RUB",
        gross=1000_50,
        commission=100_05,
        amount=900_45,
    )


def sent() -> SentWebhook:
    return SentWebhook(
        id=uuid4(),
        sender="bank",
        type="payment.authorised",
        order_number="K7PQ2MNX",
        attempts=2,
        last_answer="503",
        created_at=clock.now(),
        delivered_at=None,
    )


class TestSellersMoney:
    async def test_shows_the_balance_and_what_moved_it(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        web.payments.entries = (entry(),)
        text = (await browser.open("/selling/money")).text
        for words in ("−₽5.50", "₽900", "Sale", "K7PQ2MNX", "+₽1,000.50", "−₽100.05", "+₽900.45"):
            assert words in text

    async def test_speaks_russian(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER, language="ru")
        web.payments.entries = (entry("refund_asked"),)
        text = (await browser.open("/selling/money")).text
        assert "Возврат" in text and "+900,45 ₽" in text

    async def test_says_what_will_be_here(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        assert "No money yet" in (await browser.open("/selling/money")).text

    async def test_as_csv_has_plain_numbers_and_no_formulas(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        web.payments.entries = (entry(number="=1+1"),)
        answer = await browser.http.get("/selling/money.csv")
        lines = answer.text.removeprefix("\ufeff").splitlines()
        assert lines[0] == "When,What,Order,Gross,Commission,Net,Currency"
        assert lines[1].endswith(",Sale,'=1+1,1000.50,100.05,900.45,RUB")

    async def test_is_no_customer_s(self, web: Web):
        browser, _ = await web.signed_in("Anna")
        for path in ("/selling/money", "/selling/money.csv", "/admin/money", "/admin/webhooks"):
            assert (await browser.open(path)).status == 403


class TestAdminsMoney:
    async def test_shows_the_books_and_pays_out_once_a_form(self, web: Web):
        browser, _ = await web.signed_in("Olga", Role.ADMIN)
        page = await browser.open("/admin/money")
        assert "Owed to sellers" in page.text and "−₽900" in page.text
        done = await browser.submit(page, "/admin/payouts")
        await browser.submit(page, "/admin/payouts")
        assert "Payouts made: 3." in done.text
        assert len(set(web.payments.runs)) == 1


class TestWebhooks:
    @pytest.mark.parametrize("language", ["en", "ru"])
    async def test_are_listed_and_sent_again(self, web: Web, language: str):
        browser, _ = await web.signed_in("Olga", Role.ADMIN, language=language)
        web.payments.sent = (sent(),)
        page = await browser.open("/admin/webhooks")
        assert "payment.authorised" in page.text and "503" in page.text
        await browser.submit(page, f"/admin/webhooks/{web.payments.sent[0].id}/replay")
        assert web.payments.replayed == [web.payments.sent[0].id]
