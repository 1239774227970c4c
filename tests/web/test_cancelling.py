"""Cancelling on pages: what a policy says in words and dates, its form, and the way to cancel."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from dvor.contracts.cancellation import (
    ANYTIME,
    CancellationStep,
    FeeFor,
    Policy,
    Preset,
    Until,
    presets,
)
from dvor.contracts.catalog import Kind
from dvor.contracts.orders import OrderStatus
from dvor.kernel import clock
from dvor.kernel.caller import Caller, Role, asking
from dvor.web import cancelling
from tests.web.conftest import Web
from tests.web.fakes import order
from tests.web.test_offer_forms import let

FEE = Policy(steps=(CancellationStep(until=Until.HANDOVER, percent=90, fee=30_000),))


def speaking(language: str) -> Caller:
    return Caller(language=language)


class TestWords:
    @pytest.mark.parametrize(
        ("policy", "en", "ru"),
        [
            (
                presets(timed=True)[Preset.MODERATE],
                (
                    "Cancelling: free of charge until 18:00, 5 days before it begins, then 50% back "
                    "until 18:00, 1 day before it begins, then nothing back."
                ),
                (
                    "Отмена: бесплатно до 18:00 за 5 дней до начала, затем возврат 50 % до 18:00 за "
                    "1 день до начала, затем без возврата."
                ),
            ),
            (
                ANYTIME,
                "Cancelling: free of charge until it is handed over.",
                "Отмена: бесплатно до передачи.",
            ),
            (Policy(), "Cancelling: nothing back.", "Отмена: без возврата."),
            (
                presets(timed=False)[Preset.STRICT],
                "Cancelling: free of charge until 1 day after the purchase, then nothing back.",
                "Отмена: бесплатно в течение 1 дня после покупки, затем без возврата.",
            ),
            (
                FEE,
                "Cancelling: 90% less ₽300 back until it is handed over.",
                "Отмена: возврат 90 % за вычетом 300\u00a0₽ до передачи.",
            ),
        ],
    )
    def test_say_a_policy_whose_dates_nobody_knows(self, policy: Policy, en: str, ru: str):
        for language, words in (("en", en), ("ru", ru)):
            with asking(speaking(language)):
                assert cancelling.general(policy, "RUB") == words

    @pytest.mark.parametrize(
        ("days", "en", "ru"),
        [
            (
                30,
                "free of charge until {0}, 18:00, then 50% back until {1}, 18:00, then nothing back.",
                "бесплатно до {0}, 18:00, затем возврат 50 % до {1}, 18:00, затем без возврата.",
            ),
            (
                3,
                "50% back until {1}, 18:00, then nothing back.",
                "возврат 50 % до {1}, 18:00, затем без возврата.",
            ),
            (0, "nothing back.", "без возврата."),
        ],
    )
    def test_say_dates_and_leave_out_what_is_over(self, days: int, en: str, ru: str):
        policy, now = presets(timed=True)[Preset.MODERATE], clock.now()
        begins = now + timedelta(days=days)
        for language, words in (("en", f"Cancelling: {en}"), ("ru", f"Отмена: {ru}")):
            with asking(speaking(language)):
                dates = [cancelling.shown_date((begins - timedelta(days=n)).date()) for n in (5, 1)]
                found = cancelling.dated(policy, "RUB", "UTC", begins, now)
                assert found == words.format(*dates)

    def test_name_the_place_s_own_hours(self):
        begins = datetime(2127, 5, 13, 16, tzinfo=UTC)
        policy = Policy(steps=(CancellationStep(until=Until.HOURS_BEFORE, count=24),))
        with asking(speaking("en")):
            said = cancelling.dated(policy, "RUB", "Asia/Tokyo", begins, clock.now())
        assert "01:00" in said


class TestForm:
    async def test_writes_a_preset(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        await let(browser, Kind.STAY, cancel="strict")
        await let(browser, Kind.PRODUCT, cancel="none")
        policies = [draft.cancellation for draft in web.catalog.drafts]
        assert policies == [presets(timed=True)[Preset.STRICT], Policy()]

    async def test_begins_with_the_flexible_one(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        await let(browser, Kind.STAY)
        assert web.catalog.drafts[0].cancellation == presets(timed=True)[Preset.FLEXIBLE]

    async def test_writes_steps_of_one_s_own_and_shows_them_again(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await let(
            browser,
            Kind.STAY,
            cancel="own",
            cancel__0__percent="100",
            cancel__0__count="7",
            cancel__0__until="days_before",
            cancel__0__hour="12",
            cancel__1__percent="80",
            cancel__1__fee="150.50",
            cancel__1__count="48",
            cancel__1__until="hours_before",
            cancel__fee_for="order",
        )
        own = Policy(
            steps=(
                CancellationStep(until=Until.DAYS_BEFORE, count=7, hour=12),
                CancellationStep(until=Until.HOURS_BEFORE, count=48, percent=80, fee=15_050),
            ),
            fee_for=FeeFor.ORDER,
        )
        assert web.catalog.drafts[0].cancellation == own
        shown = dict(page.form(page.path).values)
        assert (shown["cancel"], shown["cancel-1-fee"]) == ("own", "150.50")
        assert "cancel-2-percent" in shown and "cancel-3-percent" not in shown

    @pytest.mark.parametrize(
        ("typed", "told"),
        [
            (
                {"cancel__0__percent": "50", "cancel__0__until": "days_before", "cancel__0__count": "9",
                 "cancel__1__percent": "60", "cancel__1__until": "days_before", "cancel__1__count": "2"},
                "A later step cannot give more",
            ),
            ({"cancel__0__percent": "101", "cancel__0__until": "handover"}, "A whole number from 0 to 100."),
            ({"cancel__0__percent": "50"}, "Choose until when."),
            (
                {"cancel__0__percent": "0", "cancel__0__fee": "5", "cancel__0__until": "handover"},
                "There is nothing to keep a fee of.",
            ),
        ],
    )  # fmt: skip
    async def test_refuses_steps_that_make_no_sense(
        self, web: Web, typed: dict[str, str], told: str
    ):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await let(browser, Kind.STAY, cancel="own", **typed)
        assert page.status == 422 and told in page.text
        assert web.catalog.drafts == []

    async def test_goods_have_nothing_before_a_beginning(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await let(
            browser, Kind.PRODUCT, cancel="own", cancel__0__percent="50",
            cancel__0__until="days_before", cancel__0__count="2",
        )  # fmt: skip
        assert page.status == 422 and web.catalog.drafts == []


class TestCancelling:
    async def test_tells_the_rule_and_confirms_exactly_that(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [order(me.id, OrderStatus.PAID, told=(("paid", {}),))]
        path = f"/orders/{web.orders.kept[0].id}"
        page = await browser.open(f"{path}/cancel")
        assert "rule 2: 50% back until 3 days before it begins" in page.text
        await browser.submit(page, f"{path}/cancel")
        assert web.orders.agreed == 1250
        assert [cut.line_id for cut in web.orders.cuts] == [web.orders.kept[0].lines[0].id]

    async def test_chooses_how_many_of_a_line(self, web: Web):
        browser, me = await web.signed_in()
        paid = order(me.id, OrderStatus.PAID, told=(("paid", {}),))
        line = paid.lines[0].model_copy(update={"quantity": 4, "cancelled": 1})
        web.orders.kept = [paid.model_copy(update={"lines": (line,)})]
        path = f"/orders/{paid.id}"
        page = await browser.open(f"{path}/cancel?chosen=1&line-{line.id}=0")
        assert "Nothing is chosen." in page.text and not page.offers(f"{path}/cancel")
        page = await browser.open(f"{path}/cancel?chosen=1&line-{line.id}=2")
        assert "You will get back ₽25" in page.text and "Yes, cancel this" in page.text
        await browser.submit(page, f"{path}/cancel")
        assert [cut.quantity for cut in web.orders.cuts] == [2]

    async def test_asks_again_when_the_amount_has_changed(self, web: Web):
        browser, me = await web.signed_in()
        web.orders.kept = [order(me.id, OrderStatus.PAID, told=(("paid", {}),))]
        path = f"/orders/{web.orders.kept[0].id}"
        page = await browser.open(f"{path}/cancel")
        page = await browser.submit(page, f"{path}/cancel", back="2500")
        assert page.path.startswith(f"{path}/cancel?") and web.orders.did == []
        assert "another amount comes back" in page.text
        assert "You will get back ₽12.50" in page.text

    async def test_the_story_of_an_order_explains_each_refund(self, web: Web):
        browser, me = await web.signed_in()
        details = {
            "line": str(uuid4()), "title_en": "Lamp", "title_ru": "Лампа", "quantity": "1", "in_full": "",
            "paid": "2500", "amount": "1250", "currency": "RUB", "rule": "2",
            "step": CancellationStep(until=Until.HANDOVER, percent=50).model_dump_json(),
        }  # fmt: skip
        told = (
            ("paid", {}),
            ("lines_cancelled", {"reason": "customer"}),
            ("line_cancelled", details),
        )
        paid = order(me.id, OrderStatus.PAID, told=told)
        line = paid.lines[0].model_copy(update={"quantity": 2, "cancelled": 1})
        web.orders.kept = [paid.model_copy(update={"lines": (line,)})]
        page = await browser.open(f"/orders/{paid.id}")
        for words in (
            "You cancelled some of the order.",
            "“Lamp” × 1: ₽12.50 of ₽25 comes back — rule 2: 50% back until it is handed over.",
            "Cancelled: 1 of 2",
        ):
            assert words in page.text
