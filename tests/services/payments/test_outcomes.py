"""What a bank may do to us, whichever it is: nothing is lost, nothing is doubled.

The simulator has a card for each; Stripe is a fake that speaks its API.
"""

import json
from typing import Any

import pytest

from dvor.contracts.payments import (
    CardDeclined,
    NotAuthorised,
    PaymentEnded,
    PaymentStatus,
    RefundFailed,
    RefundTooLarge,
)
from dvor.kernel.errors import Unavailable
from dvor.kernel.ids import new
from dvor.services.payments import rules
from dvor.services.payments.providers import OutcomeUnknown, Refused
from dvor.services.payments.rules import Verdict
from tests.services.payments.conftest import SIMULATED, Scene, asked, token


class TestOutcomes:
    async def test_success_is_told_again_by_the_webhook_and_changes_nothing(
        self, scene: Scene
    ) -> None:
        payment = await scene.tried(Verdict.APPROVED)
        assert payment.status is PaymentStatus.AUTHORISED
        await scene.settle()
        told = scene.told_by_bank(payment)
        assert [json.loads(body)["type"] for _, body, _ in told] == list(scene.tells)
        assert {status for *_, status in told} == {204}
        assert await scene.steps(payment) == ["requested", "authorised"]

    async def test_decline_leaves_the_payment_open(self, scene: Scene) -> None:
        payment = await scene.declined()
        await scene.settle()
        assert await scene.steps(payment) == ["requested", "declined"]
        assert not (await scene.seen(payment)).underway

    @SIMULATED
    @pytest.mark.parametrize("accepted", [True, False])
    async def test_three_steps_need_the_payer_s_yes(self, scene: Scene, *, accepted: bool) -> None:
        payment = await scene.tried(Verdict.THREE_STEP)
        assert payment.status is PaymentStatus.REQUESTED
        assert payment.action_path == f"{payment.pay_path}/confirm"
        if accepted:
            done = await scene.house.payments.confirm_card(token(payment), accepted)
            assert done.status is PaymentStatus.AUTHORISED
            assert await scene.steps(payment) == ["requested", "authorised"]
        else:
            with pytest.raises(CardDeclined):
                await scene.house.payments.confirm_card(token(payment), accepted)
            again = await scene.house.payments.submit_card(token(payment), rules.GOOD_CARD)
            assert again.status is PaymentStatus.AUTHORISED
            assert await scene.steps(payment) == ["requested", "declined", "authorised"]

    async def test_a_lost_answer_is_asked_for(self, scene: Scene) -> None:
        payment = await scene.tried(Verdict.TIMEOUT)
        assert payment.status is PaymentStatus.REQUESTED
        await scene.service.reconcile()  # too early to be suspicious
        assert (await scene.seen(payment)).status is PaymentStatus.REQUESTED
        await scene.silence()
        assert (await scene.seen(payment)).status is PaymentStatus.AUTHORISED
        assert scene.told_by_bank(payment) == []

    async def test_a_webhook_that_never_comes_is_not_needed(self, scene: Scene) -> None:
        payment = await scene.tried(Verdict.NEVER)
        await scene.settle()
        assert (await scene.seen(payment)).status is PaymentStatus.REQUESTED
        await scene.silence()
        assert await scene.steps(payment) == ["requested", "authorised"]
        assert scene.told_by_bank(payment) == []

    async def test_who_asks_for_the_money_is_told_what_the_bank_says_now(
        self, scene: Scene
    ) -> None:
        payment = await scene.tried(Verdict.NEVER)
        found = (await scene.orders.payment(payment.id)).payment
        assert found.status is PaymentStatus.AUTHORISED

    @SIMULATED
    async def test_a_webhook_three_times_at_once_has_one_effect(self, scene: Scene) -> None:
        payment = await scene.tried(Verdict.DUPLICATE)
        assert payment.underway
        await scene.house.settle()
        told = scene.told_by_bank(payment)
        assert [status for *_, status in told] == [204, 204, 204]
        assert len({headers["webhook-id"] for headers, *_ in told}) == 1
        assert await scene.steps(payment) == ["requested", "authorised"]

    @SIMULATED
    async def test_old_news_after_new_ones_change_nothing(self, scene: Scene) -> None:
        payment = await scene.tried(Verdict.OUT_OF_ORDER)
        await scene.house.settle()
        await scene.house.clock.advance(seconds=4)
        await scene.house.settle()
        told = [json.loads(body)["type"] for _, body, _ in scene.told_by_bank(payment)]
        assert told == ["payment.authorised", "payment.processing"]
        assert await scene.steps(payment) == ["requested", "authorised"]

    @SIMULATED
    async def test_late_money_on_a_closed_payment_is_let_go(self, scene: Scene) -> None:
        payment = await scene.tried(Verdict.LATE, minutes=1)
        assert payment.underway
        await scene.orders.void(payment.id)
        assert await scene.at_bank(payment) == "processing"
        await scene.house.clock.advance(minutes=3)
        await scene.house.settle()
        assert len(scene.told_by_bank(payment)) == 1
        assert await scene.at_bank(payment) == "voided"
        assert await scene.steps(payment) == ["requested", "voided"]

    @SIMULATED
    async def test_late_money_on_an_open_payment_counts(self, scene: Scene) -> None:
        payment = await scene.tried(Verdict.LATE, minutes=1)
        await scene.house.clock.advance(minutes=3)
        await scene.house.settle()
        assert (await scene.seen(payment)).status is PaymentStatus.AUTHORISED
        assert (await scene.orders.capture(payment.id)).captured == 100_00

    @SIMULATED
    async def test_half_of_the_money_is_no_sale_and_goes_back(self, scene: Scene) -> None:
        payment = await scene.tried(Verdict.PARTIAL, amount=101)
        for _ in range(2):
            with pytest.raises(NotAuthorised):
                await scene.orders.capture(payment.id)
        after = await scene.seen(payment)
        assert (after.captured, after.refunded, after.status) == (50, 50, PaymentStatus.REFUNDED)

    @SIMULATED
    async def test_a_chargeback_takes_the_money_and_is_lost_a_week_later(
        self, scene: Scene
    ) -> None:
        payment = await scene.captured(100, Verdict.CHARGEBACK)
        await scene.orders.refund(payment.id, 30, new())
        await scene.house.clock.advance(minutes=2)
        await scene.house.settle()
        assert (await scene.seen(payment)).disputed == 70
        with pytest.raises(RefundTooLarge):
            await scene.orders.refund(payment.id, 1, new())
        await scene.house.clock.advance(days=8)
        await scene.house.settle()
        assert (await scene.steps(payment))[3:] == ["refunded", "disputed", "dispute_lost"]

    async def test_a_chargeback_takes_what_was_not_given_back(self, scene: Scene) -> None:
        payment = await scene.captured(100)
        await scene.orders.refund(payment.id, 30, new())
        await scene.objects(payment)
        await scene.settle()
        assert (await scene.seen(payment)).disputed == 70
        with pytest.raises(RefundTooLarge):
            await scene.orders.refund(payment.id, 1, new())
        await scene.decides(payment, won=False)
        await scene.settle()
        assert (await scene.steps(payment))[3:] == ["refunded", "disputed", "dispute_lost"]

    async def test_a_chargeback_that_is_won_gives_the_money_back(self, scene: Scene) -> None:
        payment = await scene.captured(100, Verdict.CHARGEBACK)
        await scene.objects(payment)
        await scene.decides(payment, won=True)
        await scene.settle()
        after = await scene.seen(payment)
        assert (after.disputed, after.status) == (0, PaymentStatus.CAPTURED)
        assert (await scene.orders.refund(payment.id, 100, new())).refunded == 100

    async def test_a_second_card_while_the_bank_thinks_charges_nothing_twice(
        self, scene: Scene
    ) -> None:
        payment = await scene.tried(Verdict.TIMEOUT)
        again = await scene.house.payments.submit_card(token(payment), scene.card)
        assert again.status is PaymentStatus.AUTHORISED
        assert await scene.steps(payment) == ["requested", "authorised"]


class TestUnknownOutcome:
    """The provider's answer gets lost in each of our calls."""

    async def test_of_a_capture_that_happened_is_found_by_asking(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = await scene.tried(Verdict.APPROVED)
        _lose_answers(scene, monkeypatch, "capture")
        assert (await scene.orders.capture(payment.id)).status is PaymentStatus.CAPTURED

    async def test_of_a_capture_that_did_not_happen_is_not_guessed(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = await scene.tried(Verdict.APPROVED)
        with monkeypatch.context() as patch:
            _fail(scene, patch, "capture", OutcomeUnknown)
            with pytest.raises(Unavailable):
                await scene.orders.capture(payment.id)
        assert (await scene.orders.capture(payment.id)).status is PaymentStatus.CAPTURED
        assert (await scene.steps(payment)).count("captured") == 1

    async def test_of_a_refund_leaves_it_under_way_until_a_task_asks(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = await scene.captured(100)
        with monkeypatch.context() as patch:
            _fail(scene, patch, "refund", OutcomeUnknown)
            with pytest.raises(Unavailable):
                await scene.orders.refund(payment.id, 60, new())
        assert (await scene.seen(payment)).refunded == 60  # set aside meanwhile
        with pytest.raises(RefundTooLarge):
            await scene.orders.refund(payment.id, 60, new())
        await scene.house.clock.advance(seconds=15)
        await scene.house.settle()
        assert (await scene.steps(payment))[-1] == "refunded"
        assert (await scene.seen(payment)).refunded == 60

    async def test_of_a_refund_that_happened_is_found_by_asking(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = await scene.captured(100)
        _lose_answers(scene, monkeypatch, "refund")
        assert (await scene.orders.refund(payment.id, 100, new())).status is PaymentStatus.REFUNDED

    async def test_of_a_void_is_asked_again(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = await scene.tried(Verdict.APPROVED)
        with monkeypatch.context() as patch:
            _fail(scene, patch, "void", OutcomeUnknown)
            with pytest.raises(Unavailable):
                await scene.orders.void(payment.id)
        assert (await scene.seen(payment)).status is PaymentStatus.AUTHORISED
        assert (await scene.orders.void(payment.id)).status is PaymentStatus.VOIDED


class TestRefusal:
    async def test_a_refused_refund_is_undone_and_stays_failed(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment, key = await scene.captured(100), new()
        with monkeypatch.context() as patch:
            _fail(scene, patch, "refund", Refused)
            with pytest.raises(RefundFailed):
                await scene.orders.refund(payment.id, 100, key)
        assert (await scene.seen(payment)).refunded == 0
        assert (await scene.steps(payment))[-1] == "refund_failed"
        with pytest.raises(RefundFailed):  # the key stands for what became of it
            await scene.orders.refund(payment.id, 100, key)
        assert (await scene.orders.refund(payment.id, 100, new())).refunded == 100

    async def test_no_call_to_the_provider_is_made_in_a_transaction(self, scene: Scene) -> None:
        payment = await scene.tried(Verdict.APPROVED)
        async with scene.db.tx():
            with pytest.raises(AssertionError, match="inside an open transaction"):
                await scene.service.provider.refund(str(payment.id), 1, "k")


class TestEnd:
    async def test_nothing_can_be_paid_after_the_end(self, scene: Scene) -> None:
        payment = await asked(scene.orders, minutes=1)
        await scene.house.clock.advance(minutes=1)
        with pytest.raises(PaymentEnded):
            await scene.house.payments.submit_card(token(payment), scene.card)


def _fail(scene: Scene, patch: pytest.MonkeyPatch, call: str, problem: type[Exception]) -> None:
    """The provider does not do what it is asked."""

    async def failing(*_: Any, **__: Any) -> Any:
        raise problem("in a test")

    patch.setattr(scene.service.provider, call, failing)


def _lose_answers(scene: Scene, patch: pytest.MonkeyPatch, call: str) -> None:
    """The provider does it, and nobody hears of it."""
    really = getattr(scene.service.provider, call)

    async def losing(*args: Any, **more: Any) -> Any:
        await really(*args, **more)
        raise OutcomeUnknown("in a test")

    patch.setattr(scene.service.provider, call, losing)
