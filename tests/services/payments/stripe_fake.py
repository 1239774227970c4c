"""A Stripe of our own: a small HTTP server that speaks the part of its API that Dvor uses.

Checkout sessions with their hosted page, PaymentIntents, refunds, disputes, signed events and
idempotency keys. It is strict: what Stripe would refuse (a missing or unknown parameter, a key used
for something else) is refused. What happens on the hosted page hangs on the means of payment.
"""

import asyncio
import hmac
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web

from dvor.kernel import clock
from tests.services.payments.stripe_cards import (
    ASKED,
    DECLINED,
    DISPUTED,
    ENDINGS,
    ONCE,
    VISA,
    Json,
    No,
    WithoutPayer,
)

__all__ = ["API_KEY", "ASKED", "DECLINED", "DISPUTED", "ENDINGS", "ONCE", "VISA", "No"]

API_KEY = "sk_test_dvor"
_SESSION_FIELDS = {
    "mode",
    "payment_method_types[0]",
    "client_reference_id",
    "line_items[0][quantity]",
    "line_items[0][price_data][currency]",
    "line_items[0][price_data][unit_amount]",
    "line_items[0][price_data][product_data][name]",
    "payment_intent_data[capture_method]",
    "payment_intent_data[description]",
    "payment_intent_data[metadata][payment]",
    "metadata[payment]",
    "success_url",
    "cancel_url",
    "expires_at",
}
_KEEPING = {"customer_creation": "always", "payment_intent_data[setup_future_usage]": "off_session"}
"""What a session says that keeps the card: both or none."""


@dataclass
class FakeStripe(WithoutPayer):
    """One account. `lose` and `fail` say what goes wrong with which call."""

    url: str = ""
    webhook_url: str = ""
    secrets: list[str] = field(default_factory=lambda: ["whsec_now"])
    """What events are signed with: each makes one v1."""
    refunds: list[Json] = field(default_factory=list)
    disputes: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    """Those that nobody has been told."""
    keys: dict[str, tuple[Any, int, Json]] = field(default_factory=dict)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and key of everything that was asked."""
    lose: dict[str, int] = field(default_factory=dict)
    """Method and end of a path -> so often it is done and the line breaks before the answer."""
    fail: dict[str, list[int]] = field(default_factory=dict)
    """Method and end of a path -> statuses that are answered instead of doing it."""
    slow_seconds: float = 0.0
    """How long each call takes."""
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _busy: set[str] = field(default_factory=set)

    def app(self) -> web.Application:
        """The server."""
        app = web.Application()
        add = app.router.add_route
        add("*", "/v1/{path:.*}", self._api)
        add("GET", "/c/pay/{session}", self._page)
        add("POST", "/c/pay/{session}", self._pay)
        add("POST", "/c/3ds/{session}", self._confirm)
        return app

    # What tests do with it.

    async def pay(self, page_url: str, method: str = VISA) -> tuple[int, str]:
        """A payer on the hosted page: status, and where they are sent."""
        return await self._browser(page_url, {"payment_method": method})

    async def confirm(self, page_url: str, *, accepted: bool) -> tuple[int, str]:
        """What the payer says when their bank asks them."""
        return await self._browser(page_url.replace("/c/pay/", "/c/3ds/"), {"ok": str(accepted)})

    async def _browser(self, url: str, form: dict[str, str]) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as browser,
            browser.post(url, data=form, allow_redirects=False) as answer,
        ):
            return answer.status, answer.headers.get("location", "")

    async def deliver(self, send: Callable[[dict[str, str], bytes], Awaitable[int]]) -> list[int]:
        """Tell everything that nobody was told yet, in order; the answers."""
        told, self.events = self.events, []
        return [await send(*self.signed(event)) for event in told]

    def signed(self, event: Json, *, at: int | None = None) -> tuple[dict[str, str], bytes]:
        """The headers and the body of an event."""
        body = json.dumps(event).encode()
        stamp = int(clock.now().timestamp()) if at is None else at
        signatures = (
            hmac.new(secret.encode(), b"%d.%s" % (stamp, body), "sha256").hexdigest()
            for secret in self.secrets
        )
        made = ",".join([f"t={stamp}", *(f"v1={one}" for one in signatures), "v0=ignored"])
        return {"stripe-signature": made, "content-type": "application/json"}, body

    def object_to(
        self, intent: str, amount: int | None = None, status: str = "needs_response"
    ) -> None:
        """The payer wants their money back."""
        charge = self.intents[intent]["latest_charge"]
        charge["disputed"] = True
        dispute = {
            "id": self._name("du"),
            "object": "dispute",
            "amount": charge["amount_captured"] if amount is None else amount,
            "currency": charge["currency"],
            "payment_intent": intent,
            "charge": charge["id"],
            "status": status,
            "metadata": {},
        }
        self.disputes.insert(0, dispute)
        self._tell("charge.dispute.created", dispute)

    def decide(self, intent: str, status: str) -> None:
        """The bank says who was right: won (we) or lost."""
        dispute = next(one for one in self.disputes if one["payment_intent"] == intent)
        dispute["status"] = status
        self._tell("charge.dispute.closed", dispute)

    def of(self, payment_id: Any) -> Json:
        """The intent of one of our payments."""
        ours = str(payment_id)
        return next(i for i in self.intents.values() if i["metadata"].get("payment") == ours)

    # The API.

    async def _api(self, request: web.Request) -> web.Response:
        key = request.headers.get("idempotency-key", "")
        fields = {k: v[0] for k, v in parse_qs(await request.text(), True).items()}
        self.calls.append((request.method, request.path, key))
        try:
            status, body, replayed = await self._kept(request, key, fields)
        except No as no:
            status, body, replayed = no.status, no.body, False
        if self._take(self.lose, request):
            assert request.transport is not None
            request.transport.close()
        headers = {"Idempotent-Replayed": "true"} if replayed else {}
        return web.json_response(body, status=status, headers=headers)

    async def _kept(self, request: web.Request, key: str, fields: dict[str, str]) -> Any:
        """What was answered to this key before; else it is done now."""
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            raise No(401, "invalid_request_error", "")
        if not request.headers.get("stripe-version"):
            raise No(400, "invalid_request_error", "parameter_missing")
        fingerprint = (request.method, request.path, sorted(fields.items()))
        if known := self.keys.get(key):
            if known[0] != fingerprint:
                raise No(400, "idempotency_error", "")
            return known[1], known[2], True
        if key and key in self._busy:
            raise No(409, "idempotency_error", "idempotency_key_in_use")
        self._busy.add(key)
        try:
            await asyncio.sleep(self.slow_seconds)
            if instead := self._take(self.fail, request):
                raise No(instead, "api_error", "")
            status, body = self._done(request, fields)
        finally:
            self._busy.discard(key)
        body = _copy(body)  # as it is now
        if key:
            self.keys[key] = (fingerprint, status, body)
        return status, body, False

    def _take(self, what: dict[str, Any], request: web.Request) -> Any:
        for which, left in what.items():
            method, _, end = which.partition(" ")
            if left and method == request.method and request.path.endswith(end):
                if isinstance(left, list):
                    return left.pop(0)
                what[which] = left - 1
                return True
        return None

    def _done(self, request: web.Request, fields: dict[str, str]) -> tuple[int, Json]:
        steps = request.path.removeprefix("/v1/").split("/")
        query = {key: value for key, value in request.query.items() if key != "expand[]"}
        expand = {request.query.get("expand[]", ""), fields.pop("expand[]", "")} - {""}
        match request.method, *steps:
            case "POST", "checkout", "sessions":
                return 200, self._shown(self._opened(fields), expand)
            case "GET", "checkout", "sessions", id:
                return 200, self._shown(self._found(self.sessions, id), expand)
            case "POST", "checkout", "sessions", id, "expire":
                return 200, self._shown(self._expired(self._found(self.sessions, id)), expand)
            case "POST", "payment_intents":
                return 200, self._shown(self._without_payer(fields), expand)
            case "GET", "payment_intents":
                theirs = [i for i in self.intents.values() if i["customer"] == query["customer"]]
                shown = [self._shown(i, expand) for i in theirs[::-1][: int(query["limit"])]]
                return 200, {"object": "list", "data": shown, "has_more": False}
            case "GET", "payment_intents", id:
                return 200, self._shown(self._found(self.intents, id), expand)
            case "POST", "payment_intents", id, "capture":
                intent = self._captured(self._found(self.intents, id), fields)
                return 200, self._shown(intent, expand)
            case "POST", "payment_intents", id, "cancel":
                return 200, self._shown(self._canceled(self._found(self.intents, id)), expand)
            case "POST", "refunds":
                return 200, self._refunded(fields)
            case "GET", ("refunds" | "disputes") as what:
                known = self.refunds if what == "refunds" else self.disputes
                about = [one for one in known if one["payment_intent"] == query["payment_intent"]]
                limit = int(query.get("limit", 10))
                listed = {"object": "list", "data": about[:limit], "has_more": about[limit:] != []}
                return 200, listed
            case _:
                raise No(404, "invalid_request_error", "url_invalid")

    @staticmethod
    def _found(known: dict[str, Json], id: str) -> Json:
        if id not in known:
            raise No(404, "invalid_request_error", "resource_missing", param="id")
        return known[id]

    def _shown(self, thing: Json, expand: set[str]) -> Json:
        """What is not asked for whole is shown by its id."""
        shown = dict(thing)
        if thing["object"] == "checkout.session" and thing["payment_intent"]:
            if "payment_intent.latest_charge" in expand:
                return shown | {"payment_intent": dict(self.intents[thing["payment_intent"]])}
            return shown
        charge = thing.get("latest_charge")
        if charge and "latest_charge" not in expand:
            shown["latest_charge"] = charge["id"]
        return shown

    def _opened(self, fields: dict[str, str]) -> Json:
        if missing := _SESSION_FIELDS - fields.keys():
            raise No(400, "invalid_request_error", "parameter_missing", param=min(missing))
        kept = {name: fields.pop(name) for name in _KEEPING if name in fields}
        if kept not in ({}, _KEEPING):
            raise No(400, "invalid_request_error", "parameter_missing", param=min(_KEEPING))
        if unknown := fields.keys() - _SESSION_FIELDS:
            raise No(400, "invalid_request_error", "parameter_unknown", param=min(unknown))
        amount = int(fields["line_items[0][price_data][unit_amount]"])
        ahead = int(fields["expires_at"]) - clock.now().timestamp()
        if not 0 < amount <= 99_999_999 or not 30 * 60 <= ahead <= 24 * 3600:
            raise No(400, "invalid_request_error", "parameter_invalid_integer")
        id = self._name("cs_test")
        self.sessions[id] = {
            "id": id,
            "object": "checkout.session",
            "status": "open",
            "payment_status": "unpaid",
            "amount_total": amount,
            "currency": fields["line_items[0][price_data][currency]"],
            "client_reference_id": fields["client_reference_id"],
            "metadata": {"payment": fields["metadata[payment]"]},
            "payment_intent": None,
            "url": f"{self.url}/c/pay/{id}",
            "success_url": fields["success_url"],
            "cancel_url": fields["cancel_url"],
            "_manual": fields["payment_intent_data[capture_method]"] == "manual",
            "_payment": fields["payment_intent_data[metadata][payment]"],
            "customer": self._name("cus") if kept else None,
        }
        return self.sessions[id]

    def _expired(self, session: Json) -> Json:
        if session["status"] != "open":
            raise No(400, "invalid_request_error", "")
        session |= {"status": "expired", "url": None}
        if session["payment_intent"]:
            self.intents[session["payment_intent"]]["status"] = "canceled"
        self._tell("checkout.session.expired", session)
        return session

    def _captured(self, intent: Json, fields: dict[str, str]) -> Json:
        amount = int(fields.get("amount_to_capture") or intent["amount_capturable"])
        if intent["status"] != "requires_capture":
            raise No(400, "invalid_request_error", "payment_intent_unexpected_state")
        if not 0 < amount <= intent["amount_capturable"]:
            raise No(400, "invalid_request_error", "amount_too_large")
        intent["amount_received"] += amount
        intent["latest_charge"]["amount_captured"] += amount
        left = intent["amount_capturable"] - amount
        final = fields.get("final_capture", "true") == "true" or not left
        intent |= {"amount_capturable": 0 if final else left}
        if final:
            intent["status"] = "succeeded"
            self._tell("payment_intent.succeeded", intent)
            if intent["payment_method"] == DISPUTED:
                self.object_to(intent["id"])
        return intent

    def _canceled(self, intent: Json) -> Json:
        if intent["status"] != "requires_capture":  # else its session is to be expired
            raise No(400, "invalid_request_error", "payment_intent_unexpected_state")
        intent |= {"status": "canceled", "amount_capturable": 0}
        self._tell("payment_intent.canceled", intent)
        return intent

    def _refunded(self, fields: dict[str, str]) -> Json:
        intent = self._found(self.intents, fields["payment_intent"])
        charge = intent["latest_charge"]
        amount = int(fields["amount"])
        theirs = [one for one in self.disputes if one["charge"] == charge["id"]]
        if any(one["status"] in ("needs_response", "lost") for one in theirs):
            raise No(400, "invalid_request_error", "charge_disputed")
        if not 0 < amount <= charge["amount_captured"] - charge["amount_refunded"]:
            raise No(400, "invalid_request_error", "charge_already_refunded")
        charge["amount_refunded"] += amount
        refund = {
            "id": self._name("re"),
            "object": "refund",
            "amount": amount,
            "payment_intent": intent["id"],
            "status": "succeeded",
            "metadata": {"key": fields["metadata[key]"]},
        }
        self.refunds.insert(0, refund)
        self._tell("charge.refunded", charge)
        return refund

    # The hosted page.

    async def _page(self, request: web.Request) -> web.Response:
        session = self.sessions[request.match_info["session"]]
        if session["status"] != "open":
            return web.Response(status=410, text="This page is over.")
        options = "".join(f"<option>{method}</option>" for method in ENDINGS)
        form = f'<form method="post"><select name="payment_method">{options}</select>'
        text = f"<h1>Fake Stripe: {session['amount_total']} {session['currency']}</h1>{form}"
        return web.Response(text=f"{text}<button>Pay</button></form>", content_type="text/html")

    async def _pay(self, request: web.Request) -> web.Response:
        session = self.sessions[request.match_info["session"]]
        if session["status"] != "open":
            return web.Response(status=410, text="This page is over.")
        method = str((await request.post())["payment_method"])
        intent = self._intent_of(session, method)
        if method == DECLINED:
            return self._refused_by_bank(intent)
        if method == ASKED:
            intent["status"] = "requires_action"
            raise web.HTTPSeeOther(f"{self.url}/c/3ds/{session['id']}")
        return self._authorised(session, intent)

    async def _confirm(self, request: web.Request) -> web.Response:
        session = self.sessions[request.match_info["session"]]
        intent = self.intents[session["payment_intent"]]
        if intent["status"] != "requires_action":
            return web.Response(status=410, text="This page is over.")
        if (await request.post())["ok"] != "True":
            return self._refused_by_bank(intent)
        return self._authorised(session, intent)

    def _intent_of(self, session: Json, method: str) -> Json:
        """Made when somebody pays, not when the page is opened."""
        id = session["payment_intent"] or self._name("pi")
        session["payment_intent"] = id
        ours = {"payment": session["_payment"]}
        self.intents[id] = {
            "id": id,
            "object": "payment_intent",
            "status": "requires_confirmation",
            "amount": session["amount_total"],
            "amount_capturable": 0,
            "amount_received": 0,
            "currency": session["currency"],
            "capture_method": "manual" if session["_manual"] else "automatic_async",
            "payment_method": method,
            "customer": session["customer"],
            "metadata": ours,
            "last_payment_error": None,
            "latest_charge": {
                "id": self._name("ch"),
                "object": "charge",
                "amount_captured": 0,
                "amount_refunded": 0,
                "currency": session["currency"],
                "payment_intent": id,
                "disputed": False,
                "metadata": ours,
                "payment_method_details": {"card": {"last4": ENDINGS[method]}},
            },
        }
        return self.intents[id]

    def _refused_by_bank(self, intent: Json) -> web.Response:
        error = {"type": "card_error", "code": "card_declined"}
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
        self._tell("payment_intent.payment_failed", intent)
        return web.Response(status=402, text="Your card was declined.")

    def _authorised(self, session: Json, intent: Json) -> web.Response:
        assert session["_manual"], "money would be taken before anything is booked"
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        session |= {"status": "complete", "url": None}
        self._tell("payment_intent.amount_capturable_updated", intent)
        self._tell("checkout.session.completed", session)
        raise web.HTTPSeeOther(session["success_url"])

    def _tell(self, type: str, about: Json) -> None:
        event = {
            "id": self._name("evt"),
            "object": "event",
            "type": type,
            "data": {"object": _copy(about)},
        }
        self.events.append(event)

    def _name(self, kind: str) -> str:
        return f"{kind}_{next(self._numbers)}"


def _copy(thing: Json) -> Json:
    """As it is now, without what Stripe keeps to itself."""
    return json.loads(json.dumps({k: v for k, v in thing.items() if not k.startswith("_")}))


async def serving(fake: FakeStripe, app: web.Application) -> web.AppRunner:
    """Start it on a free port; the caller cleans up."""
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner
