"""Stripe: the payer pays on its page (Checkout); the intent behind it is captured by hand.

A card never comes near us: `authorise` opens one Checkout session for a payment and answers where
it is. From then on Stripe is asked about the session, and once it is paid about its PaymentIntent.
What a broken line or a 5xx means is unknown until it is asked again.
"""

import asyncio
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from dvor.kernel import outbound, telemetry
from dvor.kernel.config import BadConfiguration, Settings
from dvor.kernel.db import assert_no_transaction
from dvor.services.payments.providers import (
    Charge,
    DisputeState,
    Forged,
    News,
    OutcomeUnknown,
    Refused,
    Standing,
    State,
)

LOG = telemetry.log("payments")

VERSION = "2025-03-31.basil"
"""The version of the API that these words are of."""
TOLERANCE_SECONDS = 300
"""How far the timestamp of a webhook may lie from now, either way."""
SESSION_OUTLIVES = timedelta(minutes=31)
"""A session ends so long after the time to pay, if we do not end it: Stripe wants 30 at least."""
ANSWER_BYTES_MAX = 1_000_000
BUSY_PAUSES_SECONDS = (0.2, 0.6, 1.2)
"""Before asking again what is not decided only because the same is just being asked."""
SIGNATURES_MAX = 20
LIST_MAX = 100
"""Refunds of a payment that are looked at, newest first; Stripe gives no more at once."""

_STATES = {
    "requires_payment_method": State.OPEN,
    "requires_confirmation": State.OPEN,
    "requires_action": State.ACTION,
    "processing": State.PROCESSING,
    "requires_capture": State.AUTHORISED,
    "succeeded": State.CAPTURED,
    "canceled": State.VOIDED,
}
_DISPUTES = {
    "needs_response": DisputeState.OPEN,
    "under_review": DisputeState.OPEN,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
}
"""Others (`warning_…`, `prevented`) are questions of a bank: no money has moved."""
_HEARD = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.expired",
        "payment_intent.amount_capturable_updated",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "payment_intent.canceled",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
    }
)
"""Events that may be a reason to ask."""
_EXPAND = {"expand[]": "payment_intent.latest_charge"}


class Stripe:
    """Implements `providers.Provider`."""

    name = "stripe"

    def __init__(self, settings: Settings) -> None:
        check(settings)
        self._base = settings.stripe_url.rstrip("/")
        self._secret = settings.stripe_secret_key
        self._webhook_secrets = _listed(settings.stripe_webhook_secrets)
        self._timeout = settings.provider_timeout_seconds

    def readable(self, method: str) -> bool:
        """Only nothing at all: what might be a card is not taken, let alone passed on."""
        return not method

    async def authorise(self, charge: Charge, method: str, key: str) -> Standing:
        """Open the payment's one session, or see how it stands.

        The payment itself is the key, not the try: of two open pages both could be paid.
        """
        if charge.amount == 0:
            return Standing(charge.reference, State.AUTHORISED, 0, charge.currency)
        if _is_stripes(charge.reference):
            standing = await self.retrieve(charge.reference)
            if standing is None or standing.state is State.VOIDED:
                raise Refused(charge.reference)
            return standing
        fields = _opening(charge)
        opened = await self._call(
            "POST", "/v1/checkout/sessions", fields, f"{charge.reference} open"
        )
        return _of_session(opened)

    async def set_aside(self, charge: Charge, like: str, key: str) -> Standing:
        """A second intent on the card of the first one, confirmed off session.

        Stripe forgets keys after a day, so the customer's intents are looked at first.
        """
        if not _is_stripes(like):  # nothing was paid: there is no card
            raise Refused(like)
        paid = await self._call("GET", _intent_path(like))
        customer, method = paid.get("customer"), paid.get("payment_method")
        if not customer or not method:
            raise Refused(f"{like}: its card was not kept")
        query = urlencode({"customer": customer, "limit": LIST_MAX})
        for known in (await self._call("GET", f"/v1/payment_intents?{query}"))["data"]:
            if (known.get("metadata") or {}).get("deposit") == charge.reference:
                return _standing(known, [], [])
        fields = _depositing(charge, customer, method)
        return _standing(await self._call("POST", "/v1/payment_intents", fields, key), [], [])

    async def capture(self, reference: str, amount: int, key: str, *, final: bool) -> Standing:
        """Take so much of what is set aside."""
        if amount == 0:
            return Standing(reference, State.CAPTURED, 0, "")
        fields = {"amount_to_capture": str(amount), "expand[]": "latest_charge"}
        if not final:
            fields["final_capture"] = "false"
        return await self._of_intent(
            await self._call("POST", f"{_intent_path(reference)}/capture", fields, key)
        )

    async def void(self, reference: str, key: str) -> Standing:
        """Close the page; where it was paid meanwhile, let the money go."""
        if not _is_stripes(reference):
            # Nobody was ever told the address of its page: it cannot be paid.
            return Standing(reference, State.VOIDED, 0, "")
        if reference.startswith("cs_"):
            standing = await self._expired(reference)
            if standing.state is not State.AUTHORISED:
                return standing
            reference = standing.reference
        try:
            return await self._of_intent(
                await self._call("POST", f"{_intent_path(reference)}/cancel", {}, f"{key} cancel")
            )
        except Refused:
            return await self._known(reference)

    async def _expired(self, session: str) -> Standing:
        """Close a page. No key: it closes once anyway, and a refusal may hold only for now."""
        try:
            path = f"/v1/checkout/sessions/{quote(session, safe='')}/expire"
            return _of_session(await self._call("POST", path, _EXPAND))
        except Refused:
            standing = await self._known(session)
            if standing.state in (State.OPEN, State.ACTION):
                raise OutcomeUnknown(f"{session} is neither closed nor paid") from None
            return standing

    async def refund(self, reference: str, amount: int, key: str) -> None:
        """Give so much back. Stripe forgets keys after a day, so its refunds are looked at first."""
        known = _by_key(await self._refunds(reference)).get(key)
        if known is None:
            fields = {"payment_intent": reference, "amount": str(amount), "metadata[key]": key}
            known = _went_through(await self._call("POST", "/v1/refunds", fields, key))
        if not known:
            raise Refused(reference)

    async def retrieve(self, reference: str) -> Standing | None:
        """How a payment stands. One whose session we never heard of was never shown to anybody."""
        if not _is_stripes(reference):
            return None
        try:
            if reference.startswith("cs_"):
                path = f"/v1/checkout/sessions/{quote(reference, safe='')}?{urlencode(_EXPAND)}"
                session = await self._call("GET", path)
                if session.get("status") != "complete":
                    return _of_session(session)
                intent = session["payment_intent"]
            else:
                path = f"{_intent_path(reference)}?{urlencode({'expand[]': 'latest_charge'})}"
                intent = await self._call("GET", path)
        except _Missing:
            return None
        return await self._of_intent(intent)

    async def _known(self, reference: str) -> Standing:
        standing = await self.retrieve(reference)
        if standing is None:
            raise Refused(reference)
        return standing

    async def _of_intent(self, intent: dict[str, Any]) -> Standing:
        """An intent with its refunds and its dispute, where it has any."""
        charge = _charge_of(intent)
        refunds = await self._refunds(intent["id"]) if charge.get("amount_refunded") else []
        disputes = []
        if charge.get("disputed"):
            path = f"/v1/disputes?{urlencode({'payment_intent': intent['id'], 'limit': LIST_MAX})}"
            disputes = (await self._call("GET", path))["data"]
        return _standing(intent, refunds, disputes)

    async def _refunds(self, intent: str) -> list[dict[str, Any]]:
        query = urlencode({"payment_intent": intent, "limit": LIST_MAX})
        return (await self._call("GET", f"/v1/refunds?{query}"))["data"]

    async def _call(
        self, method: str, path: str, fields: Mapping[str, str] | None = None, key: str = ""
    ) -> dict[str, Any]:
        """One call, repeated while its twin is under way. Raises Refused, OutcomeUnknown."""
        for pause in BUSY_PAUSES_SECONDS:
            try:
                return await self._once(method, path, fields, key)
            except _Busy:
                await asyncio.sleep(pause)
        return await self._once(method, path, fields, key)

    async def _once(
        self, method: str, path: str, fields: Mapping[str, str] | None, key: str
    ) -> dict[str, Any]:
        assert_no_transaction(f"a call to {self.name}")
        headers = {"Authorization": f"Bearer {self._secret}", "Stripe-Version": VERSION}
        if key:
            headers["Idempotency-Key"] = key
        content = None
        if fields is not None:
            content = urlencode(fields).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        what = f"{method} {path.partition('?')[0]}"
        try:
            answer = await outbound.call(
                method,
                self._base + path,
                content,
                headers,
                timeout_seconds=self._timeout,
                bytes_max=ANSWER_BYTES_MAX,
            )
            said = json.loads(answer.body)
        except (ConnectionError, TimeoutError, ValueError) as problem:
            raise OutcomeUnknown(f"{what}: {type(problem).__name__}") from problem
        if not isinstance(said, dict):
            raise OutcomeUnknown(f"{what}: no object")
        if 200 <= answer.status < 300:
            return said
        raise _problem(what, answer.status, said.get("error"))

    def read(self, headers: Mapping[str, str], body: bytes, now: datetime) -> News | None:
        """An event. `Stripe-Signature` is over the raw bytes, by any of the secrets."""
        self._verify(headers.get("stripe-signature", ""), body, int(now.timestamp()))
        try:
            event = json.loads(body)
            if event["type"] not in _HEARD:
                return None
            about = event["data"]["object"]
            ours = (about.get("metadata") or {}).get("payment")
            if not ours and about["object"] != "dispute":
                return None  # of somebody else who uses the same account
            own = about["id"] if about["object"] != "dispute" else None
            names = (own, about.get("payment_intent"), ours)
            return News(str(event["id"]), str(event["type"]), tuple(str(n) for n in names if n))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Forged from None

    def _verify(self, header: str, body: bytes, now: int) -> None:
        parts = [part.partition("=") for part in header.split(",")[:SIGNATURES_MAX]]
        stamps = [value for name, _, value in parts if name == "t"]
        given = [value.encode() for name, _, value in parts if name == "v1"]
        if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdecimal()):
            raise Forged
        if len(stamps[0]) > 12 or abs(int(stamps[0]) - now) > TOLERANCE_SECONDS:
            raise Forged
        signed = stamps[0].encode() + b"." + body
        expected = [
            hmac.new(secret.encode(), signed, "sha256").hexdigest().encode()
            for secret in self._webhook_secrets
        ]
        # Every pair is compared: the time taken says nothing of which one fits.
        pairs = [hmac.compare_digest(a, b) for a in expected for b in given]
        if not any(pairs):
            raise Forged


class _Busy(OutcomeUnknown):
    """The same is being asked just now, or too much is: ask again in a moment."""


class _Missing(Refused):
    """There is nothing of this name."""


def check(settings: Settings) -> None:
    """Whether these settings can work. Raises BadConfiguration; it never shows a key."""
    if not settings.stripe_secret_key.startswith(("sk_", "rk_")):
        raise BadConfiguration(
            "DVOR_PAYMENT_PROVIDER=stripe needs DVOR_STRIPE_SECRET_KEY: sk_… or rk_…"
        )
    secrets = _listed(settings.stripe_webhook_secrets)
    if not secrets or not all(secret.startswith("whsec_") for secret in secrets):
        raise BadConfiguration(
            "DVOR_PAYMENT_PROVIDER=stripe needs DVOR_STRIPE_WEBHOOK_SECRETS: whsec_…, by comma"
        )
    address = urlsplit(settings.stripe_url)
    here = address.hostname in ("localhost", "127.0.0.1", "::1")
    if not address.hostname or (
        address.scheme != "https" and not (address.scheme == "http" and here)
    ):
        raise BadConfiguration(
            "DVOR_STRIPE_URL must begin with https:// (http:// is for this machine only)"
        )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _opening(charge: Charge) -> dict[str, str]:
    """What a session is asked for with. All of it follows from the payment: a key fits only its own."""
    return _kept_card(charge) | {
        "mode": "payment",
        "payment_method_types[0]": "card",
        "client_reference_id": charge.reference,
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": charge.currency.lower(),
        "line_items[0][price_data][unit_amount]": str(charge.amount),
        "line_items[0][price_data][product_data][name]": charge.description,
        "payment_intent_data[capture_method]": "manual",
        "payment_intent_data[description]": charge.description,
        "payment_intent_data[metadata][payment]": charge.reference,
        "metadata[payment]": charge.reference,
        "success_url": charge.paid_url,
        "cancel_url": charge.back_url,
        "expires_at": str(int((charge.expires_at + SESSION_OUTLIVES).timestamp())),
    }


def _kept_card(charge: Charge) -> dict[str, str]:
    """What lets a card be used again without the payer, where that will be needed."""
    if not charge.again:
        return {}
    kept = {"payment_intent_data[setup_future_usage]": "off_session"}
    return kept | {"customer_creation": "always"}


def _depositing(charge: Charge, customer: str, method: str) -> dict[str, str]:
    """What a deposit is asked for with. Its metadata do not say `payment`: its news are not ours."""
    return {
        "amount": str(charge.amount),
        "currency": charge.currency.lower(),
        "customer": customer,
        "payment_method": method,
        "off_session": "true",
        "confirm": "true",
        "capture_method": "manual",
        "description": charge.description,
        "metadata[deposit]": charge.reference,
    }


def _problem(what: str, status: int, error: Any) -> Exception:
    """What an error means: decided or not. The key of the API being wrong decides nothing."""
    error = error if isinstance(error, dict) else {}
    LOG.warning("stripe said no", call=what, status=status, code=error.get("code", ""))
    said = f"{what}: {status} {error.get('code') or error.get('type') or ''}"
    if status in (409, 429):
        return _Busy(said)
    # Of a key with other parameters only the first request counts, whatever became of it.
    if status in (400, 402, 404) and error.get("type") not in (None, "idempotency_error"):
        return _Missing(said) if error.get("code") == "resource_missing" else Refused(said)
    return OutcomeUnknown(said)


def _is_stripes(reference: str) -> bool:
    """Whether Stripe gave this name; else it is still ours."""
    return reference.startswith(("cs_", "pi_"))


def _intent_path(reference: str) -> str:
    return f"/v1/payment_intents/{quote(reference, safe='')}"


def _charge_of(intent: dict[str, Any]) -> dict[str, Any]:
    charge = intent.get("latest_charge")
    return charge if isinstance(charge, dict) else {}


def _of_session(session: dict[str, Any]) -> Standing:
    """A page that is not paid. Cards that it declined are not the payment's end."""
    intent = session.get("payment_intent")
    failed = isinstance(intent, dict) and intent.get("last_payment_error")
    open_ = session.get("status") == "open"
    return Standing(
        reference=session["id"],
        state=State.ACTION if open_ else State.VOIDED,
        amount=session["amount_total"],
        currency=session["currency"].upper(),
        declines=1 if failed else 0,
        action_url=session.get("url") or "" if open_ else "",
    )


def _standing(
    intent: dict[str, Any], refunds: list[dict[str, Any]], disputes: list[dict[str, Any]]
) -> Standing:
    charge = _charge_of(intent)
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    state, disputed = _contested(disputes)
    # A bank may ask for all of it, also for what was given back before.
    left = (intent.get("amount_received") or 0) - (charge.get("amount_refunded") or 0)
    return Standing(
        reference=intent["id"],
        state=_STATES.get(intent["status"], State.PROCESSING),
        amount=intent["amount"],
        currency=intent["currency"].upper(),
        captured=intent.get("amount_received") or 0,
        declines=1 if intent.get("last_payment_error") else 0,
        card_ending=card.get("last4") or "",
        disputed=min(disputed, left),
        dispute=state,
        refunds=_by_key(refunds),
    )


def _contested(disputes: list[dict[str, Any]]) -> tuple[DisputeState, int]:
    """How the newest dispute stands that is one, and what it took."""
    for dispute in disputes:
        if state := _DISPUTES.get(dispute["status"]):
            return state, 0 if state is DisputeState.WON else dispute["amount"]
    return DisputeState.NONE, 0


def _by_key(refunds: list[dict[str, Any]]) -> dict[str, bool]:
    """Our key of a refund -> whether it went through, or is on its way to."""
    keyed = [
        ((refund.get("metadata") or {}).get("key"), _went_through(refund)) for refund in refunds
    ]
    return {key: through for key, through in keyed if key}


def _went_through(refund: dict[str, Any]) -> bool:
    return refund.get("status") not in ("failed", "canceled")
