"""The adapter alone: which signatures count, what an error means, and how it is configured."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from dvor.cli.problems import told_in_one_line
from dvor.kernel import clock
from dvor.kernel.config import BadConfiguration, Settings
from dvor.services.payments.providers import Charge, Forged, News, OutcomeUnknown, Refused, State
from dvor.services.payments.providers import stripe as stripe_module
from dvor.services.payments.providers.stripe import Stripe
from tests.services.payments.stripe_fake import API_KEY, FakeStripe, serving

SECRETS = "whsec_now, whsec_before"


def settings(**more: Any) -> Settings:
    usual: dict[str, Any] = {
        "payment_provider": "stripe",
        "stripe_secret_key": API_KEY,
        "stripe_webhook_secrets": SECRETS,
        "provider_timeout_seconds": 60.0,
    }
    return Settings(**(usual | more))


@pytest.fixture
async def fake() -> AsyncIterator[FakeStripe]:
    fake = FakeStripe()
    app = fake.app()
    app.router.add_route("*", "/odd/v1/{path:.*}", odd)
    runner = await serving(fake, app)
    yield fake
    await runner.cleanup()


async def odd(_request: web.Request) -> web.Response:
    """Something that stands in between and is no Stripe."""
    return web.Response(text="<html>Welcome to the hotel's network</html>")


@pytest.fixture
def stripe(fake: FakeStripe) -> Stripe:
    return Stripe(settings(stripe_url=fake.url))


def charge(**more: Any) -> Charge:
    usual: dict[str, Any] = {
        "reference": "01a21c93-df39-71ba-8bf3-ccae961b563d",
        "amount": 100,
        "currency": "RUB",
        "expires_at": clock.now() + timedelta(minutes=15),
        "description": "D-1",
        "paid_url": "https://shop.example/pay/x/confirm",
        "back_url": "https://shop.example/orders/1",
    }
    return Charge(**(usual | more))


async def captured(fake: FakeStripe, stripe: Stripe) -> str:
    """The name of an intent of which 100 were taken."""
    standing = await stripe.authorise(charge(), "", "a try")
    await fake.pay(standing.action_url)
    found = await stripe.retrieve(standing.reference)
    assert found is not None
    await stripe.capture(found.reference, 100, "capture", final=True)
    return found.reference


class TestSignature:
    NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
    EVENT: Mapping[str, Any] = {
        "id": "evt_1",
        "type": "payment_intent.succeeded",
        "data": {
            "object": {"object": "payment_intent", "id": "pi_1", "metadata": {"payment": "ours"}}
        },
    }

    def read(self, headers: dict[str, str], body: bytes, late: int = 0) -> News | None:
        now = self.NOW + timedelta(seconds=late)
        return Stripe(settings()).read(headers, body, now)

    def signed(self, *secrets: str, at: int = 0) -> tuple[dict[str, str], bytes]:
        sender = FakeStripe(secrets=list(secrets))
        return sender.signed(dict(self.EVENT), at=int(self.NOW.timestamp()) + at)

    @pytest.mark.parametrize(
        "secrets",
        [
            ("whsec_now",),
            ("whsec_before",),
            ("whsec_now", "whsec_before"),
            ("whsec_next", "whsec_now"),
        ],
    )
    def test_by_any_of_our_secrets_counts(self, secrets: tuple[str, ...]) -> None:
        assert self.read(*self.signed(*secrets)) == News(
            "evt_1", "payment_intent.succeeded", ("pi_1", "ours")
        )

    @pytest.mark.parametrize("late", [-300, 0, 300])
    def test_within_five_minutes_counts(self, late: int) -> None:
        assert self.read(*self.signed("whsec_now"), late=late)

    @pytest.mark.parametrize("late", [-301, 301, 86_400])
    def test_older_or_newer_does_not(self, late: int) -> None:
        with pytest.raises(Forged):
            self.read(*self.signed("whsec_now"), late=late)

    @pytest.mark.parametrize("secrets", [("whsec_retired",), ("",), ()])
    def test_by_another_does_not(self, secrets: tuple[str, ...]) -> None:
        with pytest.raises(Forged):
            self.read(*self.signed(*secrets))

    def test_of_another_body_does_not(self) -> None:
        headers, body = self.signed("whsec_now")
        for other in (body + b" ", body.replace(b"pi_1", b"pi_2"), b"", b"{}"):
            with pytest.raises(Forged):
                self.read(headers, other)

    def test_that_was_tampered_with_does_not(self) -> None:
        headers, body = self.signed("whsec_now")
        made = headers["stripe-signature"]
        stamp = int(self.NOW.timestamp())
        for header in (
            "",
            "t=,v1=",
            made[:-30],
            made.replace("v1=", "v0="),
            made.replace(f"t={stamp}", f"t={stamp + 1}"),
            made.replace(f"t={stamp}", f"t={stamp}.0"),
            made.replace(f"t={stamp}", "t=٣"),
            made.replace(f"t={stamp},", ""),
            f"t={stamp},{made}",
            made.replace("v1=", "v1=é"),
            ",".join([f"t={stamp}", *["v1=0"] * 30, made.partition(",")[2]]),
        ):
            with pytest.raises(Forged):
                self.read({"stripe-signature": header}, body)
        with pytest.raises(Forged):
            self.read({}, body)

    @pytest.mark.parametrize("event", [[], {}, {"type": "charge.dispute.created"}, "x"])
    def test_of_what_is_no_event_tells_nothing(self, event: Any) -> None:
        sender = FakeStripe(secrets=["whsec_now"])
        with pytest.raises(Forged):
            self.read(*sender.signed(event, at=int(self.NOW.timestamp())))


class TestErrors:
    @pytest.mark.parametrize("status", [301, 401, 403, 500, 502, 503])
    async def test_that_decide_nothing_are_unknown(
        self, fake: FakeStripe, stripe: Stripe, status: int
    ) -> None:
        fake.fail["POST /sessions"] = [status]
        with pytest.raises(OutcomeUnknown):
            await stripe.authorise(charge(), "", "a try")
        assert (await stripe.authorise(charge(), "", "another")).action_url

    @pytest.mark.parametrize("status", [409, 429])
    async def test_of_somebody_busy_are_waited_for_but_not_for_ever(
        self, fake: FakeStripe, stripe: Stripe, monkeypatch: pytest.MonkeyPatch, status: int
    ) -> None:
        monkeypatch.setattr(stripe_module, "BUSY_PAUSES_SECONDS", (0.01,) * 3)
        fake.fail["POST /sessions"] = [status] * 4
        with pytest.raises(OutcomeUnknown):
            await stripe.authorise(charge(), "", "a try")
        assert len(fake.calls) == 4
        assert (await stripe.authorise(charge(), "", "a try")).action_url

    async def test_of_what_can_never_be_are_a_no(self, fake: FakeStripe, stripe: Stripe) -> None:
        with pytest.raises(Refused):
            await stripe.authorise(charge(amount=10**9), "", "a try")
        for call in (
            stripe.capture("pi_none", 1, "k", final=True),
            stripe.refund("pi_none", 1, "k"),
            stripe.void("cs_none", "k"),
            stripe.void("pi_none", "k"),
        ):
            with pytest.raises(Refused):
                await call

    async def test_of_a_page_that_cannot_be_closed_just_now_leave_it_open(
        self, fake: FakeStripe, stripe: Stripe
    ) -> None:
        opened = await stripe.authorise(charge(), "", "a try")
        fake.fail["POST /expire"] = [400]
        with pytest.raises(OutcomeUnknown):
            await stripe.void(opened.reference, "k")
        assert (await stripe.void(opened.reference, "k")).state is State.VOIDED

    async def test_where_nothing_is_known_there_is_nothing(self, stripe: Stripe) -> None:
        for name in ("cs_none", "pi_none", charge().reference):
            assert await stripe.retrieve(name) is None

    async def test_of_a_key_used_for_something_else_say_nothing_of_the_first(
        self, fake: FakeStripe, stripe: Stripe
    ) -> None:
        standing = await stripe.authorise(charge(), "", "a try")
        with pytest.raises(OutcomeUnknown):
            await stripe.authorise(charge(amount=200), "", "a try")
        await fake.pay(standing.action_url)
        found = await stripe.retrieve(standing.reference)
        assert found is not None
        await stripe.capture(found.reference, 50, "k", final=False)
        with pytest.raises(OutcomeUnknown):
            await stripe.capture(found.reference, 20, "k", final=False)
        again = await stripe.capture(found.reference, 50, "k", final=False)
        assert again.captured == 50

    async def test_a_refund_with_one_key_is_one_refund(
        self, fake: FakeStripe, stripe: Stripe
    ) -> None:
        reference = await captured(fake, stripe)
        for forget in (False, True, False):
            await stripe.refund(reference, 60, "one")
            if forget:
                fake.keys.clear()
        assert [refund["amount"] for refund in fake.refunds] == [60]
        with pytest.raises(Refused):
            await stripe.refund(reference, 60, "two")

    async def test_a_refund_that_stripe_could_not_make_is_a_no(
        self, fake: FakeStripe, stripe: Stripe
    ) -> None:
        reference = await captured(fake, stripe)
        await stripe.refund(reference, 60, "one")
        fake.refunds[0]["status"] = "failed"
        with pytest.raises(Refused):
            await stripe.refund(reference, 60, "one")
        found = await stripe.retrieve(reference)
        assert found is not None
        assert found.refunds == {"one": False}

    async def test_who_does_not_answer_in_time_has_not_answered(self, fake: FakeStripe) -> None:
        fake.slow_seconds = 1.0
        hasty = Stripe(settings(stripe_url=fake.url, provider_timeout_seconds=0.1))
        with pytest.raises(OutcomeUnknown):
            await hasty.retrieve("cs_none")

    async def test_nobody_and_somebody_else_are_no_answer(self, fake: FakeStripe) -> None:
        for url in ("http://127.0.0.1:9", f"{fake.url}/odd"):
            with pytest.raises(OutcomeUnknown):
                await Stripe(settings(stripe_url=url)).retrieve("cs_none")

    async def test_never_show_the_key(
        self, fake: FakeStripe, stripe: Stripe, caplog: pytest.LogCaptureFixture
    ) -> None:
        said = []
        fake.fail["POST /sessions"] = [401, 500]
        with caplog.at_level(logging.DEBUG):
            for url in (fake.url, fake.url, f"{fake.url}/odd", "http://127.0.0.1:9"):
                with pytest.raises(OutcomeUnknown) as caught:
                    await Stripe(settings(stripe_url=url)).authorise(charge(), "", "k")
                problem: BaseException | None = caught.value
                while problem is not None:
                    said.append(f"{problem} {problem!r}")
                    problem = problem.__cause__
        assert said
        assert API_KEY not in caplog.text + "".join(said)


class TestConfiguration:
    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"stripe_secret_key": ""}, "DVOR_STRIPE_SECRET_KEY"),
            ({"stripe_secret_key": "pk_live_public"}, "DVOR_STRIPE_SECRET_KEY"),
            ({"stripe_webhook_secrets": ""}, "DVOR_STRIPE_WEBHOOK_SECRETS"),
            ({"stripe_webhook_secrets": "whsec_a,sk_b"}, "DVOR_STRIPE_WEBHOOK_SECRETS"),
            ({"stripe_url": "http://api.stripe.com"}, "DVOR_STRIPE_URL"),
            ({"stripe_url": "api.stripe.com"}, "DVOR_STRIPE_URL"),
        ],
    )
    def test_that_cannot_work_is_refused_by_name_without_showing_a_key(
        self, wrong: dict[str, str], named: str
    ) -> None:
        with pytest.raises(BadConfiguration, match=named) as caught:
            Stripe(settings(**wrong))
        assert not any(value and value in str(caught.value) for value in wrong.values())
        assert API_KEY not in str(caught.value)

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"payment_provider": "stripe"}, "DVOR_STRIPE_SECRET_KEY"),
            ({"payment_provider": "paypal"}, "DVOR_PAYMENT_PROVIDER"),
        ],
    )
    async def test_without_it_nothing_starts(
        self, make_house: Any, capsys: pytest.CaptureFixture[str], wrong: Any, named: str
    ) -> None:
        with pytest.raises(SystemExit), told_in_one_line():
            await make_house("payments", fakes={"identity": object()}, **wrong)
        (line,) = capsys.readouterr().err.splitlines()
        assert named in line

    def test_keys_are_not_shown_with_the_other_settings(self) -> None:
        shown = repr(settings(secret=b"s" * 32, secret_before=b"b" * 32))
        for secret in (API_KEY, "whsec_now", "ssss", "bbbb"):
            assert secret not in shown
        assert "payment_provider='stripe'" in shown

    def test_the_simulator_is_the_usual_one(self) -> None:
        assert Settings().payment_provider == "simulator"
        read = Settings.from_environment({"DVOR_PAYMENT_PROVIDER": "stripe"})
        assert read.payment_provider == "stripe"


def test_the_fake_shows_only_what_is_asked_for() -> None:
    """A fake that answers more than Stripe would let the adapter forget to ask."""
    fake = FakeStripe()
    intent = {"object": "payment_intent", "latest_charge": {"id": "ch_1"}}
    assert fake._shown(intent, set())["latest_charge"] == "ch_1"
    assert json.dumps(fake._shown(intent, {"latest_charge"})["latest_charge"]) == '{"id": "ch_1"}'
