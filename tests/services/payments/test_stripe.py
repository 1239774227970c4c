"""Payments with Stripe: its page, its webhooks, its answers that get lost, and what it refuses."""

import asyncio
import json
from typing import Any

import pytest

from dvor.contracts.payments import NotAuthorised, Payment, PaymentEnded, PaymentStatus
from dvor.kernel.caller import Caller
from dvor.kernel.errors import InvalidFields, Unavailable
from dvor.kernel.ids import new
from dvor.services.payments import queries, rules
from tests.services.payments.conftest import STRIPED, StripeScene, asked, token
from tests.services.payments.stripe_fake import ASKED, DECLINED, DISPUTED, VISA

pytestmark = STRIPED

AUTHORISED = ["requested", "authorised"]


def intent(scene: StripeScene, payment: Payment) -> dict[str, Any]:
    return scene.fake.of(payment.id)


async def heard(scene: StripeScene, payment: Payment) -> int:
    """How many events of this payment we have acted upon."""
    return await scene.db.fetchval(
        "SELECT count(*) FROM provider_events WHERE payment_id = $1", payment.id
    )


class TestPaying:
    async def test_leads_over_stripe_s_page_and_back(self, scene: StripeScene) -> None:
        payment, page = await scene.opened()
        assert page.startswith(f"{scene.fake.url}/c/pay/")
        status, back = await scene.fake.pay(page)
        site = scene.house.settings.site
        assert (status, back) == (303, f"{site}{payment.pay_path}/confirm")
        async with scene.house.client() as browser:
            answer = await browser.get(back.removeprefix(site))
        assert (answer.status_code, answer.headers["location"]) == (303, payment.return_path)
        assert (await scene.seen(payment)).status is PaymentStatus.AUTHORISED
        row = await queries.payment(scene.db, payment.id)
        assert row is not None
        assert (row["provider"], row["card_ending"]) == ("stripe", "4242")
        assert row["reference"] == intent(scene, payment)["id"]

    async def test_takes_nothing_before_it_is_captured(self, scene: StripeScene) -> None:
        payment = await scene.tried(rules.Verdict.APPROVED)
        assert intent(scene, payment)["amount_received"] == 0
        await scene.orders.capture(payment.id)
        assert intent(scene, payment)["amount_received"] == 100_00

    async def test_a_declined_card_then_a_good_one_on_the_same_page(
        self, scene: StripeScene
    ) -> None:
        payment, page = await scene.opened()
        assert (await scene.fake.pay(page, DECLINED))[0] == 402
        await scene.settle()
        assert (await scene.seen(payment)).declines == 1
        await scene.fake.pay(page, VISA)
        await scene.settle()
        assert await scene.steps(payment) == ["requested", "declined", "authorised"]
        assert len(scene.fake.sessions_of(payment.id)) == 1

    async def test_the_payer_s_bank_asks_them_at_stripe(self, scene: StripeScene) -> None:
        payment, page = await scene.opened()
        assert (await scene.fake.pay(page, ASKED))[1].startswith(f"{scene.fake.url}/c/3ds/")
        assert (await scene.came_back(payment)).status is PaymentStatus.REQUESTED
        assert (await scene.fake.confirm(page, accepted=False))[0] == 402
        await scene.settle()
        assert await scene.steps(payment) == ["requested", "declined"]
        await scene.fake.pay(page, ASKED)
        assert (await scene.fake.confirm(page, accepted=True))[0] == 303
        assert (await scene.came_back(payment)).status is PaymentStatus.AUTHORISED

    async def test_what_might_be_a_card_is_neither_taken_nor_passed_on(
        self, scene: StripeScene
    ) -> None:
        payment = await asked(scene.orders)
        before = len(scene.fake.calls)
        for number in (rules.GOOD_CARD, "pm_card_visa"):
            with pytest.raises(InvalidFields):
                await scene.house.payments.submit_card(token(payment), number)
        assert len(scene.fake.calls) == before

    async def test_of_nothing_asks_nobody(self, scene: StripeScene) -> None:
        before = len(scene.fake.calls)
        payment = await asked(scene.orders, 0)
        await scene.house.payments.submit_card(token(payment), "")
        assert (await scene.orders.capture(payment.id)).status is PaymentStatus.CAPTURED
        unpaid = await asked(scene.orders, 0)
        await scene.house.payments.submit_card(token(unpaid), "")
        assert (await scene.orders.void(unpaid.id)).status is PaymentStatus.VOIDED
        assert len(scene.fake.calls) == before

    @pytest.mark.parametrize(("field", "wrong"), [("amount", 99_99), ("currency", "usd")])
    async def test_other_money_than_was_asked_for_is_no_payment(
        self, scene: StripeScene, field: str, wrong: Any
    ) -> None:
        payment, page = await scene.opened()
        await scene.fake.pay(page)
        intent(scene, payment)[field] = wrong
        await scene.settle()
        assert (await scene.came_back(payment)).status is PaymentStatus.REQUESTED
        with pytest.raises(NotAuthorised):
            await scene.orders.capture(payment.id)
        await scene.orders.void(payment.id)
        assert await scene.at_bank(payment) == "voided"


class TestOncePerKey:
    """Answers get lost, calls come twice: Stripe does it once."""

    async def test_twenty_at_once_open_one_page(self, scene: StripeScene) -> None:
        payment = await asked(scene.orders)
        scene.fake.slow_seconds = 0.05
        try:
            tried = await asyncio.gather(
                *(scene.house.payments.submit_card(token(payment), "") for _ in range(20))
            )
        finally:
            scene.fake.slow_seconds = 0
        assert len({one.action_path for one in tried}) == 1
        assert tried[0].action_path
        assert len(scene.fake.sessions_of(payment.id)) == 1

    async def test_a_lost_answer_to_the_opening_opens_no_second_page(
        self, scene: StripeScene
    ) -> None:
        payment = await asked(scene.orders)
        scene.fake.lose["POST /sessions"] = 1
        lost = await scene.house.payments.submit_card(token(payment), "")
        assert (lost.underway, lost.action_path) == (True, "")
        again = await scene.house.payments.submit_card(token(payment), "")
        await scene.fake.pay(again.action_path)
        assert (await scene.came_back(payment)).status is PaymentStatus.AUTHORISED
        assert len(scene.fake.sessions_of(payment.id)) == 1

    async def test_a_page_that_was_opened_before_is_shown_again(self, scene: StripeScene) -> None:
        payment, page = await scene.opened()
        scene.fake.keys.clear()  # Stripe forgets them after a day
        again = await scene.house.payments.submit_card(token(payment), "")
        assert again.action_path == page

    async def test_a_lost_answer_to_a_capture_takes_the_money_once(
        self, scene: StripeScene
    ) -> None:
        payment = await scene.tried(rules.Verdict.APPROVED)
        scene.fake.lose["POST /capture"] = 1
        assert (await scene.orders.capture(payment.id)).captured == 100_00
        assert intent(scene, payment)["amount_received"] == 100_00

    async def test_a_capture_that_failed_is_asked_for_again_with_its_key(
        self, scene: StripeScene
    ) -> None:
        payment = await scene.tried(rules.Verdict.APPROVED)
        scene.fake.fail["POST /capture"] = [500]
        with pytest.raises(Unavailable):
            await scene.orders.capture(payment.id)
        assert (await scene.orders.capture(payment.id)).captured == 100_00
        keys = {key for _, path, key in scene.fake.calls if path.endswith(_capture(scene, payment))}
        assert keys == {f"{payment.id} capture"}

    async def test_a_refund_is_given_once_a_key(self, scene: StripeScene) -> None:
        payment, key = await scene.captured(100), new()
        scene.fake.lose["POST /refunds"] = 1
        scene.fake.fail[f"GET /{intent(scene, payment)['id']}"] = [503]
        with pytest.raises(Unavailable):
            await scene.orders.refund(payment.id, 60, key)
        scene.fake.keys.clear()  # Stripe forgets them after a day
        for _ in range(3):
            assert (await scene.orders.refund(payment.id, 60, key)).refunded == 60
        assert await scene.refunded_at_bank(payment) == 60

    async def test_stripe_s_own_refusal_of_a_refund_undoes_ours(self, scene: StripeScene) -> None:
        payment = await scene.captured(100)
        charge = intent(scene, payment)["latest_charge"]
        charge["amount_refunded"] = 90  # by hand, at Stripe
        with pytest.raises(Exception, match="did not take the money back"):
            await scene.orders.refund(payment.id, 60, new())
        assert (await scene.seen(payment)).refunded == 0

    async def test_too_many_requests_are_asked_again(self, scene: StripeScene) -> None:
        payment = await scene.tried(rules.Verdict.APPROVED)
        scene.fake.fail["POST /capture"] = [429, 409]
        assert (await scene.orders.capture(payment.id)).captured == 100_00


def _capture(scene: StripeScene, payment: Payment) -> str:
    return f"{intent(scene, payment)['id']}/capture"


class TestClosing:
    async def test_closes_the_page(self, scene: StripeScene) -> None:
        payment, page = await scene.opened()
        await scene.orders.void(payment.id)
        assert (await scene.fake.pay(page))[0] == 410
        with pytest.raises(PaymentEnded):
            await scene.house.payments.submit_card(token(payment), "")

    async def test_lets_money_go_of_which_no_webhook_told(self, scene: StripeScene) -> None:
        payment = await scene.tried(rules.Verdict.NEVER)
        assert (await scene.orders.void(payment.id)).status is PaymentStatus.VOIDED
        assert await scene.at_bank(payment) == "voided"

    async def test_is_not_believed_without_an_answer(self, scene: StripeScene) -> None:
        payment, _page = await scene.opened()
        scene.fake.lose["POST /expire"] = 1
        with pytest.raises(Unavailable):
            await scene.orders.void(payment.id)
        assert (await scene.orders.void(payment.id)).status is PaymentStatus.VOIDED

    async def test_races_the_payer_and_nothing_stays_set_aside(self, scene: StripeScene) -> None:
        for _ in range(15):
            payment, page = await scene.opened()
            (status, _), _ = await asyncio.gather(
                scene.fake.pay(page), scene.orders.void(payment.id)
            )
            await scene.settle()
            assert (await scene.seen(payment)).status is PaymentStatus.VOIDED
            if status == 303:
                assert await scene.at_bank(payment) == "voided"

    async def test_a_page_that_stripe_closed_ends_the_payment(self, scene: StripeScene) -> None:
        payment, _page = await scene.opened()
        scene.fake._expired(scene.fake.sessions_of(payment.id)[0])
        await scene.settle()
        assert (await scene.seen(payment)).status is PaymentStatus.VOIDED

    async def test_orders_hears_of_a_payment_before_it_lets_it_go(self, scene: StripeScene) -> None:
        payment = await scene.tried(rules.Verdict.NEVER)
        found = (await scene.orders.payment(payment.id)).payment
        assert found.status is PaymentStatus.AUTHORISED


class TestMoney:
    async def test_a_part_that_somebody_took_at_stripe_is_no_sale_and_goes_back(
        self, scene: StripeScene
    ) -> None:
        payment = await scene.tried(rules.Verdict.APPROVED, amount=101)
        scene.fake._captured(intent(scene, payment), {"amount_to_capture": "50"})
        for _ in range(2):
            with pytest.raises(NotAuthorised):
                await scene.orders.capture(payment.id)
        after = await scene.seen(payment)
        assert (after.captured, after.refunded, after.status) == (50, 50, PaymentStatus.REFUNDED)
        assert await scene.refunded_at_bank(payment) == 50

    async def test_can_be_taken_in_parts(self, scene: StripeScene) -> None:
        provider = scene.service.provider
        payment = await scene.tried(rules.Verdict.APPROVED, amount=100)
        reference = intent(scene, payment)["id"]
        part = await provider.capture(reference, 40, "one", final=False)
        assert (part.state, part.captured) == ("authorised", 40)
        rest = await provider.capture(reference, 25, "two", final=True)
        assert (rest.state, rest.captured) == ("captured", 65)

    @pytest.mark.parametrize("won", [True, False])
    async def test_a_dispute_is_followed_to_its_end(self, scene: StripeScene, *, won: bool) -> None:
        payment, page = await scene.opened(amount=100)
        await scene.fake.pay(page, DISPUTED)
        await scene.came_back(payment)
        await scene.orders.capture(payment.id)
        await scene.settle()
        assert (await scene.seen(payment)).disputed == 100
        await scene.decides(payment, won=won)
        await scene.settle()
        what = "dispute_won" if won else "dispute_lost"
        assert (await scene.steps(payment))[3:] == ["disputed", what]
        assert (await scene.seen(payment)).disputed == (0 if won else 100)

    async def test_a_bank_s_question_moves_no_money(self, scene: StripeScene) -> None:
        payment = await scene.captured(100)
        scene.fake.object_to(intent(scene, payment)["id"], status="warning_needs_response")
        await scene.settle()
        assert (await scene.seen(payment)).disputed == 0


class TestWebhooks:
    async def test_the_same_eight_times_at_once_has_one_effect(self, scene: StripeScene) -> None:
        payment = await scene.tried(rules.Verdict.LATE)  # nobody comes back
        signed = scene.fake.signed(scene.fake.events.pop())
        answers = await asyncio.gather(*(scene.line.send(*signed) for _ in range(8)))
        assert set(answers) == {204}
        assert await scene.steps(payment) == AUTHORISED
        assert await heard(scene, payment) == 1
        before = len(scene.fake.calls)
        assert await scene.line.send(*signed) == 204
        assert len(scene.fake.calls) == before  # known already

    async def test_in_any_order_they_end_alike(self, scene: StripeScene) -> None:
        payment, page = await scene.opened()
        await scene.fake.pay(page, DECLINED)
        await scene.fake.pay(page, VISA)
        scene.fake.events.reverse()
        await scene.settle()
        await scene.orders.capture(payment.id)
        scene.fake.events.clear()
        assert await scene.steps(payment) == [*AUTHORISED, "captured"]

    async def test_old_ones_after_the_capture_change_nothing(self, scene: StripeScene) -> None:
        payment = await scene.captured(100)
        assert len(scene.fake.events) >= 3
        await scene.settle()
        assert await scene.steps(payment) == [*AUTHORISED, "captured"]

    async def test_what_they_say_is_only_a_hint(self, scene: StripeScene) -> None:
        payment, page = await scene.opened()
        await scene.fake.pay(page, DECLINED)
        event = scene.fake.events.pop()
        event["type"] = "payment_intent.succeeded"
        event["data"]["object"] |= {"status": "succeeded", "amount_received": 100_00}
        assert await scene.line.send(*scene.fake.signed(event)) == 204
        assert (await scene.seen(payment)).status is PaymentStatus.REQUESTED

    async def test_of_others_on_the_same_account_are_acknowledged(self, scene: StripeScene) -> None:
        await scene.tried(rules.Verdict.LATE)
        event = scene.fake.events.pop()
        scene.fake.events.clear()
        ours = json.dumps(event)
        event["data"]["object"] |= {"id": "cs_x", "payment_intent": "pi_x", "metadata": {}}
        assert await scene.line.send(*scene.fake.signed(event)) == 204
        kind = json.loads(ours) | {"type": "customer.created"}
        assert await scene.line.send(*scene.fake.signed(kind)) == 204
        lost = json.loads(ours)
        lost["data"]["object"] |= {"id": "cs_x", "payment_intent": "pi_x"}
        lost["data"]["object"]["metadata"] = {"payment": str(new())}
        assert await scene.line.send(*scene.fake.signed(lost)) == 404

    async def test_of_the_simulator_tell_nothing_of_a_payment_at_stripe(
        self, scene: StripeScene
    ) -> None:
        payment = await scene.tried(rules.Verdict.LATE)
        scene.fake.events.clear()
        body = json.dumps({"type": "payment.authorised", "reference": str(payment.id)}).encode()
        headers = scene.service.bank.sign(str(new()), body)
        assert await scene.line.send(headers, body) == 404
        assert await heard(scene, payment) == 0


class TestTwoProviders:
    """Who was there first goes on with the payment, whoever is configured since."""

    async def test_what_began_with_the_simulator_ends_with_it(self, scene: StripeScene) -> None:
        payment = await asked(scene.orders)
        await scene.db.execute(
            "UPDATE payments SET provider = 'simulator' WHERE id = $1", payment.id
        )
        before = len(scene.fake.calls)
        with scene.house.calling(Caller(key=new())):
            await scene.house.payments.submit_card(token(payment), rules.GOOD_CARD)
        await scene.orders.capture(payment.id)
        assert (await scene.orders.refund(payment.id, 100_00, new())).refunded == 100_00
        assert len(scene.fake.calls) == before

    async def test_one_that_is_not_configured_any_more_is_waited_for(
        self, scene: StripeScene
    ) -> None:
        payment = await scene.tried(rules.Verdict.APPROVED)
        providers = scene.service.providers
        stripe = providers.pop("stripe")
        try:
            with pytest.raises(Unavailable):
                await scene.orders.capture(payment.id)
            headers, body = scene.fake.signed(scene.fake.events.pop())
            assert await scene.line.send(headers, body) == 401
        finally:
            providers["stripe"] = stripe
        assert (await scene.orders.capture(payment.id)).status is PaymentStatus.CAPTURED
