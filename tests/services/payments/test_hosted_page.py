"""The bank's page: works without scripts, in both languages, and gives nothing away."""

import re
from typing import Any

import pytest

from dvor.contracts.payments import Payment, PaymentStatus
from dvor.kernel.caller import Caller

SAME = {"sec-fetch-site": "same-origin"}


def fields(html: str) -> dict[str, str]:
    """Hidden fields of the payment's form, and the card number it is filled with."""
    form = html.partition('<form class="panel')[2].partition("</form>")[0]
    found = re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', form)
    assert {name for name, _ in found} == {"_csrf", "_key", "card_number"}
    return dict(found)


@pytest.fixture
async def payment(ask: Any) -> Payment:
    return await ask(amount=12_345_60)


@pytest.fixture
async def browser(house: Any) -> Any:
    async with house.client() as browser:
        yield browser


async def opened(browser: Any, payment: Payment, language: str = "en") -> str:
    answer = await browser.get(payment.pay_path, headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.text


async def sent(browser: Any, payment: Payment, html: str, **typed: str) -> Any:
    return await browser.post(payment.pay_path, data=fields(html) | typed, headers=SAME)


async def status(house: Any, payment: Payment) -> PaymentStatus:
    return (await house.payments.open_page(payment.pay_path.removeprefix("/pay/"))).status


class TestPage:
    async def test_says_what_how_much_and_how_long(self, browser: Any, payment: Payment) -> None:
        html = await opened(browser, payment)
        for words in ("₽12,345.60", "order D-42", "15 minutes", "4242 4242 4242 4242", "Back to"):
            assert words in html
        assert 'lang="en"' in html

    async def test_speaks_russian(self, browser: Any, payment: Payment) -> None:
        html = await opened(browser, payment, "ru")
        for words in ("12 345,60", "заказ D-42", "15 минут", "Заплатить", "Отклонить платёж"):
            assert words.replace(" ", "\u00a0") in html or words in html
        assert 'lang="ru"' in html

    @pytest.mark.parametrize(
        ("minutes", "words"), [(1, "1 минута"), (2, "2 минуты"), (5, "5 минут"), (21, "21 минута")]
    )
    async def test_counts_minutes_as_russian_does(
        self, browser: Any, ask: Any, minutes: int, words: str
    ) -> None:
        assert f"{words}," in await opened(browser, await ask(minutes=minutes), "ru")

    async def test_is_kept_by_no_cache_and_no_search_engine(
        self, browser: Any, payment: Payment
    ) -> None:
        answer = await browser.get(payment.pay_path)
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["referrer-policy"] == "same-origin"
        assert 'content="noindex"' in answer.text

    async def test_has_no_style_or_script_without_a_nonce(
        self, browser: Any, payment: Payment
    ) -> None:
        html = await opened(browser, payment)
        assert not re.search(r"<(style|script)(?![^>]*nonce=)", html)
        assert not re.search(r"\son\w+=|\sstyle=", html)

    async def test_a_made_up_address_is_no_page(self, browser: Any) -> None:
        assert (await browser.get("/pay/" + "x" * 43)).status_code == 404
        assert (await browser.get("/pay/" + "x" * 500)).status_code == 422

    async def test_after_its_time_says_so(self, house: Any, browser: Any, payment: Payment) -> None:
        await house.clock.advance(minutes=15)
        answer = await browser.get(payment.pay_path)
        assert answer.status_code == 410
        assert "has ended" in answer.text
        assert payment.return_path in answer.text


class TestForm:
    async def test_pays_and_leads_back(self, house: Any, browser: Any, payment: Payment) -> None:
        answer = await sent(browser, payment, await opened(browser, payment), action="pay")
        assert (answer.status_code, answer.headers["location"]) == (303, "/orders/42")
        assert await status(house, payment) is PaymentStatus.AUTHORISED

    async def test_sent_again_leads_back_again(
        self, house: Any, browser: Any, payment: Payment
    ) -> None:
        html = await opened(browser, payment)
        for _ in range(3):
            answer = await sent(browser, payment, html, action="pay")
            assert (answer.status_code, answer.headers["location"]) == (303, "/orders/42")
        answer = await browser.get(payment.pay_path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/orders/42")

    async def test_decline_comes_back_to_the_page_with_the_reason(
        self, house: Any, browser: Any, payment: Payment
    ) -> None:
        html = await opened(browser, payment)
        answer = await sent(browser, payment, html, action="decline")
        assert answer.status_code == 303
        assert "declined the payment" in (await browser.get(answer.headers["location"])).text
        assert await status(house, payment) is PaymentStatus.REQUESTED

    async def test_a_double_click_on_decline_counts_once(
        self, house: Any, browser: Any, payment: Payment
    ) -> None:
        html = await opened(browser, payment)
        for _ in range(3):
            await sent(browser, payment, html, action="decline")
        page = await house.payments.open_page(payment.pay_path.removeprefix("/pay/"))
        assert page.declines == 1

    async def test_another_card_is_declined_with_the_list_of_test_cards(
        self, browser: Any, payment: Payment
    ) -> None:
        html = await opened(browser, payment)
        answer = await sent(browser, payment, html, card_number="5555 5555 5555 4444")
        html = (await browser.get(answer.headers["location"])).text
        assert "knows only the cards" in html
        assert "4000 0000 0000 0002" in html
        assert "5555" not in html + answer.headers["location"]

    @pytest.mark.parametrize("number", ["4242 4242 4242 4243", "", "<script>", "9" * 40])
    async def test_a_mistyped_number_is_said_at_the_field(
        self, house: Any, browser: Any, payment: Payment, number: str
    ) -> None:
        html = await opened(browser, payment)
        answer = await sent(browser, payment, html, card_number=number)
        html = (await browser.get(answer.headers["location"])).text
        assert 'aria-invalid="true"' in html
        assert fields(html)["card_number"] == ""
        assert "check the digits" in html
        assert "<script>" not in html

    async def test_too_late_says_so(self, house: Any, browser: Any, payment: Payment) -> None:
        html = await opened(browser, payment)
        await house.clock.advance(minutes=15)
        answer = await sent(browser, payment, html, action="pay")
        assert (await browser.get(answer.headers["location"])).status_code == 410
        assert await status(house, payment) is PaymentStatus.REQUESTED

    async def test_words_in_the_address_alone_accuse_nobody(
        self, browser: Any, payment: Payment
    ) -> None:
        for said in ("declined", "unknown", "approved", "<b>"):
            html = (await browser.get(f"{payment.pay_path}?said={said}")).text
            assert 'role="alert"' not in html

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "https://evil.example"},
            {},
        ],
    )
    async def test_from_another_site_is_refused(
        self, house: Any, browser: Any, payment: Payment, headers: dict[str, str]
    ) -> None:
        html = await opened(browser, payment)
        answer = await browser.post(payment.pay_path, data=fields(html), headers=headers)
        assert answer.status_code == 403
        assert await status(house, payment) is PaymentStatus.REQUESTED

    async def test_without_its_token_or_with_another_browsers_is_refused(
        self, house: Any, browser: Any, payment: Payment
    ) -> None:
        html = await opened(browser, payment)
        stolen = fields(html)
        await house.client().get(payment.pay_path)
        for data in (stolen | {"_csrf": ""}, stolen | {"_csrf": "a.b"}):
            answer = await browser.post(payment.pay_path, data=data, headers=SAME)
            assert answer.status_code == 403
        answer = await house.client().post(payment.pay_path, data=stolen, headers=SAME)
        assert answer.status_code == 403
        assert await status(house, payment) is PaymentStatus.REQUESTED


class TestRest:
    async def test_shows_the_payer_their_payments(
        self, house: Any, identity: Any, payment: Payment
    ) -> None:
        identity.callers["mine"] = Caller(user_id=payment.payer_id)
        identity.callers["other"] = Caller(user_id=payment.id)
        mine, other = ({"authorization": f"Bearer {name}"} for name in ("mine", "other"))
        found = (await house.http.get("/api/v1/payments", headers=mine)).json()
        assert [p["id"] for p in found["items"]] == [str(payment.id)]
        path = f"/api/v1/payments/{payment.id}"
        history = (await house.http.get(path, headers=mine)).json()
        assert [step["what"] for step in history["steps"]] == ["requested"]
        assert (await house.http.get(path, headers=other)).status_code == 404
        everybody = await house.http.get("/api/v1/payments?everybody=true", headers=mine)
        assert everybody.status_code == 403
        assert (await house.http.get("/api/v1/payments")).status_code == 401
