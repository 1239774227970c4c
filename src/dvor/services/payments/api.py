"""Payments over REST, the provider's webhooks, and the hosted page of the simulated bank."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dvor.contracts.deposits import Deposit, DepositClaim, Deposits
from dvor.contracts.earnings import (
    Balances,
    Books,
    PayoutRun,
    Payouts,
    PayoutSearch,
    Statement,
    StatementSearch,
)
from dvor.contracts.payments import (
    CardDeclined,
    Payment,
    PaymentEnded,
    PaymentHistory,
    PaymentPage,
    Payments,
    PaymentSearch,
    PaymentStatus,
    ProviderDelivery,
    SentWebhook,
    SentWebhooks,
)
from dvor.kernel import clock
from dvor.kernel.caller import caller_key
from dvor.kernel.errors import InvalidFields, Unavailable
from dvor.kernel.http import api_router, contract, page_router
from dvor.kernel.http.front import TooLarge
from dvor.kernel.messages import PageRequest
from dvor.kernel.money import Money
from dvor.kernel.pages import Templates
from dvor.kernel.webhooks import BODY_BYTES_MAX
from dvor.services.payments import rules
from dvor.services.payments.providers.simulator import Simulator
from dvor.services.payments.rules import Verdict

router = api_router(prefix="/payments", tags=["payments"])
page = page_router()
templates = Templates(package="dvor.services.payments")

Asked = Annotated[Payments, contract(Payments)]

SIGNED_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature")
"""What a provider's signature is in, or about."""
HEADER_MAX = 2000


@router.get("")
async def list_payments(
    payments: Asked,
    everybody: Annotated[bool, Query(description="Everybody's: admins only.")] = False,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> PaymentPage:
    """Your payments, newest first."""
    return await payments.payments(PaymentSearch(everybody=everybody, cursor=cursor, limit=limit))


@router.get("/balances")
async def show_balances(payments: Asked) -> Balances:
    """What you have earned and not been paid, by currency: sellers only."""
    return await payments.balances()


@router.get("/statement")
async def show_statement(search: Annotated[StatementSearch, Query()], payments: Asked) -> Statement:
    """What moved a balance, newest first: a seller's own; any seller's for admins."""
    return await payments.statement(search)


@router.get("/payouts")
async def list_payouts(search: Annotated[PayoutSearch, Query()], payments: Asked) -> Payouts:
    """Payouts, newest first: a seller's own; everybody's for admins who ask for them."""
    return await payments.payouts(search)


@router.post("/payout-runs")
async def run_payouts(payments: Asked) -> PayoutRun:
    """Pay out all positive balances; one idempotency key, one run. Admins only."""
    return await payments.run_payouts(caller_key("payouts"))


@router.get("/books")
async def show_books(payments: Asked) -> Books:
    """The balance of each account of the ledger: admins only."""
    return await payments.books()


@router.get("/deposits")
async def list_deposits(order_id: UUID, payments: Asked) -> Deposits:
    """The deposits of an order: its customer's, a seller's own, all for admins."""
    return await payments.deposits(order_id)


@router.post("/deposits/{deposit_id}/claim")
async def claim_deposit(deposit_id: UUID, claim: DepositClaim, payments: Asked) -> Deposit:
    """Keep a part of a deposit, or all of it, after the end and in time."""
    return await payments.claim_deposit(deposit_id, claim)


@router.post("/deposits/{deposit_id}/return")
async def return_deposit(deposit_id: UUID, payments: Asked) -> Deposit:
    """Let all of a deposit go."""
    return await payments.return_deposit(deposit_id)


@router.get("/webhooks")
async def list_webhooks(search: Annotated[PageRequest, Query()], payments: Asked) -> SentWebhooks:
    """Webhooks that the simulated bank and we have sent, newest first: admins only."""
    return await payments.webhooks(search)


@router.post("/webhooks/{webhook_id}/replay", status_code=202)
async def replay_webhook(webhook_id: UUID, payments: Asked) -> SentWebhook:
    """Send a webhook once more."""
    return await payments.replay_webhook(webhook_id)


# A webhook's own id makes it single-use; providers send no Idempotency-Key.
@router.post("/provider-webhooks", status_code=204, openapi_extra={"x-idempotency": "none"})
async def provider_webhook(request: Request, payments: Asked) -> None:
    """A signed message of the payment provider: exactly the bytes that came are checked."""
    body = await request.body()
    if len(body) > BODY_BYTES_MAX:
        raise TooLarge
    headers = {name: request.headers.get(name, "")[:HEADER_MAX] for name in SIGNED_HEADERS}
    await payments.receive_webhook(ProviderDelivery(headers=headers, body=body))


@router.get("/{payment_id}")
async def show_payment(payment_id: UUID, payments: Asked) -> PaymentHistory:
    """A payment and everything that happened to it."""
    return await payments.payment(payment_id)


@page.get("/pay/{pay_token}")
async def show_page(pay_token: str, payments: Asked, said: str = "") -> Response:
    """The bank's page, or the way to the provider's own. `said`: the answer to the try before."""
    payment = await payments.open_page(pay_token)
    if payment.status not in (PaymentStatus.REQUESTED, PaymentStatus.VOIDED):
        return RedirectResponse(payment.return_path, 303)
    if payment.provider != Simulator.name:
        return _drawn(payment, said)
    if payment.action_path and payment.status is PaymentStatus.REQUESTED:
        return RedirectResponse(payment.action_path, 303)
    return _drawn(payment, said)


@page.post("/pay/{pay_token}")
async def submit_page(
    pay_token: str,
    payments: Asked,
    card_number: Annotated[str, Form(max_length=40)] = "",
    outcome: Annotated[str, Form(max_length=20)] = "",
    action: Annotated[str, Form(max_length=20)] = "pay",
) -> Response:
    """Try the card, or the one of an outcome. The number is never shown again.

    `action` away: to the provider's own page, where one has it.
    """
    if action == "away":
        return await _sent_away(pay_token, payments)
    chosen = Verdict.DECLINED if action == "decline" else _chosen(outcome)
    number = rules.CARDS[chosen] if chosen else card_number
    try:
        payment = await payments.submit_card(pay_token, number)
    except (CardDeclined, InvalidFields):
        return RedirectResponse(f"/pay/{pay_token}?said={rules.verdict(number)}", 303)
    except PaymentEnded:
        return RedirectResponse(f"/pay/{pay_token}?said=ended", 303)
    return RedirectResponse(payment.action_path or payment.return_path, 303)


async def _sent_away(pay_token: str, payments: Payments) -> Response:
    """Back to our page, which has the provider's address: a form may not lead to another site."""
    try:
        payment = await payments.submit_card(pay_token, "")
    except (InvalidFields, PaymentEnded):
        return RedirectResponse(f"/pay/{pay_token}?said=ended", 303)
    if payment.status is not PaymentStatus.REQUESTED:  # there is nothing to pay
        return RedirectResponse(payment.return_path, 303)
    said = "" if payment.action_path else "?said=unknown"
    return RedirectResponse(f"/pay/{pay_token}{said}", 303)


@page.get("/pay/{pay_token}/confirm")
async def show_confirmation(pay_token: str, payments: Asked) -> Response:
    """The bank asks whether it was really the payer: the third step of three.

    From a provider's own page the payer comes back here; we ask what became of it.
    """
    payment = await payments.open_page(pay_token)
    if payment.provider != Simulator.name:
        with suppress(PaymentEnded, Unavailable):  # the order's page says what became of it
            await payments.confirm_card(pay_token, True)
        return RedirectResponse(payment.return_path, 303)
    if not payment.action_path or payment.status is not PaymentStatus.REQUESTED:
        return RedirectResponse(f"/pay/{pay_token}", 303)
    return HTMLResponse(templates.render("confirm.html", payment=payment, simulated=True))


@page.post("/pay/{pay_token}/confirm")
async def submit_confirmation(
    pay_token: str, payments: Asked, answer: Annotated[str, Form(max_length=20)] = ""
) -> Response:
    """Say yes or no."""
    try:
        payment = await payments.confirm_card(pay_token, answer == "yes")
    except CardDeclined:
        return RedirectResponse(f"/pay/{pay_token}?said=declined", 303)
    except PaymentEnded:
        return RedirectResponse(f"/pay/{pay_token}?said=ended", 303)
    return RedirectResponse(payment.return_path, 303)


def _chosen(outcome: str) -> Verdict | None:
    return next((verdict for verdict in rules.CARDS if verdict == outcome), None)


def _drawn(payment: Payment, said: str) -> HTMLResponse:
    now = clock.now()
    ended = payment.status is PaymentStatus.VOIDED or payment.expires_at <= now
    simulated = payment.provider == Simulator.name
    open_ = ("underway.html" if payment.underway else "pay.html") if simulated else "away.html"
    name = "ended.html" if ended else open_
    html = templates.render(
        name,
        payment=payment,
        simulated=simulated,
        said=_believed(payment, said) if simulated else said,
        deposit=Money(amount=payment.deposit, currency=payment.amount.currency)
        if payment.deposit
        else None,
        minutes_left=_minutes_left(payment.expires_at, now),
        cards={verdict: _spaced(number) for verdict, number in rules.CARDS.items()},
    )
    # Of itself, as a form of ours may not lead to another site, not even by a redirect.
    leaving = payment.action_path if name == "away.html" else ""
    headers = {"refresh": f"0; url={leaving}"} if leaving else {}
    return HTMLResponse(html, 410 if ended else 200, headers)


def _believed(payment: Payment, said: str) -> str:
    """Words in the address alone accuse nobody."""
    return said if said in {*Verdict} and payment.declines + (said == "mistyped") else ""


def _minutes_left(until: datetime, now: datetime) -> int:
    """Begun minutes: the last one counts whole."""
    return max(0, -(-int((until - now).total_seconds()) // 60))


def _spaced(number: str) -> str:
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))
