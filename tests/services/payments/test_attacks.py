"""Who wants more back than there is, and who pretends to be the bank: WB-15 and FT-4."""

import asyncio
import json
from datetime import timedelta

import pytest

from dvor.contracts.payments import Payment, PaymentStatus, RefundTooLarge
from dvor.kernel import clock, webhooks
from dvor.kernel.ids import new
from dvor.services.payments.rules import Verdict
from tests.services.payments.conftest import BEFORE, NOW, SIMULATED, Scene

RETIRED = b"r" * 32


class TestWB15:
    """Refunds: at once, negative, during a capture, of a refund."""

    async def test_of_fifty_at_once_of_60_on_100_one_succeeds(self, scene: Scene) -> None:
        payment = await scene.captured(100)
        answers = await asyncio.gather(
            *(scene.orders.refund(payment.id, 60, new()) for _ in range(50)),
            return_exceptions=True,
        )
        kinds = sorted(type(answer).__name__ for answer in answers)
        assert kinds == ["Payment"] + ["RefundTooLarge"] * 49
        assert await scene.refunded_at_bank(payment) == 60

    async def test_during_a_capture_takes_nothing_that_was_not_taken(self, scene: Scene) -> None:
        for _ in range(5):
            payment = await scene.tried(Verdict.APPROVED, amount=100)
            await asyncio.gather(
                scene.orders.capture(payment.id),
                *(scene.orders.refund(payment.id, 60, new()) for _ in range(5)),
                return_exceptions=True,
            )
            after = await scene.seen(payment)
            assert after.captured == 100
            assert after.refunded in (0, 60)

    async def test_of_a_refund_is_refused(self, scene: Scene) -> None:
        payment = await scene.captured(100)
        await scene.orders.refund(payment.id, 100, new())
        with pytest.raises(RefundTooLarge):
            await scene.orders.refund(payment.id, 1, new())

    @pytest.mark.parametrize("amount", [0, -60, 2**63])
    async def test_of_no_amount_is_refused_by_the_database_too(
        self, scene: Scene, amount: int
    ) -> None:
        payment = await scene.captured(100)
        with pytest.raises(Exception, match=r"refund_positive|out of range|value out"):
            await scene.db.execute(
                "INSERT INTO refunds (key, payment_id, amount) VALUES ($1, $2, $3)",
                new(),
                payment.id,
                amount,
            )


@SIMULATED
class TestFT4:
    """Forged webhooks of the bank: refused, or of no effect."""

    @pytest.fixture
    async def payment(self, scene: Scene) -> Payment:
        return await scene.tried(Verdict.NEVER)

    @staticmethod
    def signed(
        payment: Payment,
        secret: bytes = NOW,
        sender: str = "bank",
        late: int = 0,
        id: str = "",
    ) -> tuple[dict[str, str], bytes]:
        body = json.dumps({"type": "payment.authorised", "reference": str(payment.id)}).encode()
        key = webhooks.secrets_of(sender, secret)[0]
        at = clock.now() + timedelta(seconds=late)
        return webhooks.sign(key, id or str(new()), at, body), body

    async def refused(self, scene: Scene, headers: dict[str, str], body: bytes) -> None:
        assert await scene.line.send(headers, body) == 401

    async def test_a_real_one_is_taken(self, scene: Scene, payment: Payment) -> None:
        assert await scene.line.send(*self.signed(payment)) == 204
        assert (await scene.seen(payment)).status is PaymentStatus.AUTHORISED

    async def test_one_signed_before_the_key_changed_is_taken(
        self, scene: Scene, payment: Payment
    ) -> None:
        assert await scene.line.send(*self.signed(payment, BEFORE)) == 204

    async def test_others_are_refused(self, scene: Scene, payment: Payment) -> None:
        headers, body = self.signed(payment)
        signature = headers["webhook-signature"]
        forged = [
            ({}, body),
            ({**headers, "webhook-signature": ""}, body),
            ({**headers, "webhook-signature": "v1,AAAA"}, body),
            ({**headers, "webhook-signature": signature[:-4]}, body),
            ({**headers, "webhook-signature": signature.replace("v1,", "v2,")}, body),
            ({**headers, "webhook-id": str(new())}, body),
            ({**headers, "webhook-id": "a.b"}, body),
            (headers, json.dumps(json.loads(body), separators=(",", ":")).encode()),
            (headers, body + b" "),
            self.signed(payment, RETIRED),
            self.signed(payment, sender="payments"),
            self.signed(payment, late=400),
            self.signed(payment, late=-301),
        ]
        for headers_, body_ in forged:
            await self.refused(scene, headers_, body_)
        assert (await scene.seen(payment)).underway

    async def test_a_repeated_one_has_no_second_effect(
        self, scene: Scene, payment: Payment
    ) -> None:
        headers, body = self.signed(payment)
        answers = await asyncio.gather(*(scene.line.send(headers, body) for _ in range(8)))
        assert set(answers) == {204}
        assert await scene.steps(payment) == ["requested", "authorised"]

    async def test_one_that_says_what_is_not_so_has_no_effect(self, scene: Scene) -> None:
        payment = await scene.tried(Verdict.LATE, minutes=1)
        assert await scene.line.send(*self.signed(payment)) == 204
        assert (await scene.seen(payment)).underway

    async def test_one_of_no_payment_is_not_acknowledged(
        self, scene: Scene, payment: Payment
    ) -> None:
        stranger = payment.model_copy(update={"id": new()})
        assert await scene.line.send(*self.signed(stranger)) == 404

    async def test_too_long_is_too_long(self, scene: Scene, payment: Payment) -> None:
        headers, _ = self.signed(payment)
        assert await scene.line.send(headers, b"x" * 65_537) == 413
