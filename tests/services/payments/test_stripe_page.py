"""Our side of Stripe's page: says what is paid, sends the payer there, and takes no card."""

import re
from typing import Any

import pytest

from dvor.contracts.payments import PaymentStatus
from tests.services.payments.conftest import STRIPED, StripeScene, asked
from tests.services.payments.stripe_fake import DECLINED

pytestmark = STRIPED

SAME = {"sec-fetch-site": "same-origin"}


async def shown(browser: Any, path: str, language: str = "en") -> str:
    answer = await browser.get(path, headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.text


async def sent(browser: Any, path: str, **typed: str) -> Any:
    html = await shown(browser, path)
    hidden = dict(re.findall(r'name="(_csrf|_key)" value="([^"]+)"', html))
    return await browser.post(path, data=hidden | typed, headers=SAME)


@pytest.fixture
async def browser(scene: StripeScene) -> Any:
    async with scene.house.client() as browser:
        yield browser


class TestPage:
    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("en", ("₽12,345.60", "order D-42", "15 minutes", "page of Stripe", "Pay ₽")),
            ("ru", ("12 345,60", "заказ D-42", "15 минут", "на странице Stripe", "Заплатить")),
        ],
    )
    async def test_says_what_is_paid_and_asks_for_no_card(
        self, scene: StripeScene, browser: Any, language: str, words: tuple[str, ...]
    ) -> None:
        payment = await asked(scene.orders, 12_345_60)
        html = (await shown(browser, payment.pay_path, language)).replace("\u00a0", " ")
        for said in words:
            assert said in html
        assert "card_number" not in html
        for said in ("test bank", "simulation", "тестов", "4242 4242", "42424242"):
            assert said not in html.lower()

    async def test_leads_to_stripe_without_a_form_that_leaves_our_site(
        self, scene: StripeScene, browser: Any
    ) -> None:
        payment = await asked(scene.orders)
        answer = await sent(browser, payment.pay_path, action="away")
        assert (answer.status_code, answer.headers["location"]) == (303, payment.pay_path)
        answer = await browser.get(payment.pay_path)
        (page,) = (session["url"] for session in scene.fake.sessions_of(payment.id))
        assert answer.headers["refresh"] == f"0; url={page}"
        assert f'href="{page}"' in answer.text

    async def test_a_declined_payer_finds_the_way_back_to_the_same_page(
        self, scene: StripeScene, browser: Any
    ) -> None:
        payment, page = await scene.opened()
        await scene.fake.pay(page, DECLINED)
        await scene.settle()
        assert page in await shown(browser, payment.pay_path)

    async def test_says_when_stripe_does_not_answer_and_lets_one_try_again(
        self, scene: StripeScene, browser: Any
    ) -> None:
        payment = await asked(scene.orders)
        scene.fake.fail["POST /sessions"] = [503]
        answer = await sent(browser, payment.pay_path, action="away")
        html = await shown(browser, answer.headers["location"])
        assert "did not open" in html
        assert "Nothing was charged" in html
        answer = await sent(browser, payment.pay_path, action="away")
        assert answer.headers["location"] == payment.pay_path

    async def test_a_card_that_is_sent_all_the_same_goes_nowhere(
        self, scene: StripeScene, browser: Any
    ) -> None:
        payment = await asked(scene.orders)
        before = len(scene.fake.calls)
        for typed in ({"card_number": "4242424242424242"}, {"outcome": "approved"}):
            answer = await sent(browser, payment.pay_path, **typed)
            assert answer.status_code == 303
        assert len(scene.fake.calls) == before
        assert (await scene.seen(payment)).status is PaymentStatus.REQUESTED
        for table in ("payments", "payment_steps", "tasks", "outbox"):
            rows = await scene.db.fetch(f"SELECT t::text AS all FROM {table} t")
            assert not any("42424242" in row["all"] for row in rows)

    async def test_the_simulator_s_question_is_not_asked(
        self, scene: StripeScene, browser: Any
    ) -> None:
        payment, _page = await scene.opened()
        answer = await browser.get(f"{payment.pay_path}/confirm")
        assert (answer.status_code, answer.headers["location"]) == (303, payment.return_path)
        assert (await scene.seen(payment)).status is PaymentStatus.REQUESTED

    async def test_nobody_is_sent_to_stripe_after_the_end(
        self, scene: StripeScene, browser: Any
    ) -> None:
        payment, page = await scene.opened(minutes=1)
        await scene.house.clock.advance(minutes=1)
        answer = await browser.get(payment.pay_path)
        assert (answer.status_code, answer.headers.get("refresh")) == (410, None)
        assert page not in answer.text
        await scene.orders.void(payment.id)
        assert (await browser.get(payment.pay_path)).status_code == 410
