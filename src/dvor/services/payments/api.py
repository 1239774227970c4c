"""Payments over REST, and the hosted page of the simulated bank."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dvor.contracts.payments import (
    CardDeclined,
    Payment,
    PaymentEnded,
    PaymentHistory,
    PaymentPage,
    Payments,
    PaymentSearch,
    PaymentStatus,
)
from dvor.kernel import clock
from dvor.kernel.errors import InvalidFields
from dvor.kernel.http import api_router, contract, page_router
from dvor.kernel.pages import Templates
from dvor.services.payments import rules
from dvor.services.payments.rules import Verdict

router = api_router(prefix="/payments", tags=["payments"])
page = page_router()
templates = Templates(package="dvor.services.payments")

Asked = Annotated[Payments, contract(Payments)]


@router.get("")
async def list_payments(
    payments: Asked,
    everybody: Annotated[bool, Query(description="Everybody's: admins only.")] = False,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> PaymentPage:
    """Your payments, newest first."""
    return await payments.payments(PaymentSearch(everybody=everybody, cursor=cursor, limit=limit))


@router.get("/{payment_id}")
async def show_payment(payment_id: UUID, payments: Asked) -> PaymentHistory:
    """A payment and everything that happened to it."""
    return await payments.payment(payment_id)


@page.get("/pay/{pay_token}")
async def show_page(pay_token: str, payments: Asked, said: str = "") -> Response:
    """The bank's page. `said`: what the bank answered to the try before."""
    payment = await payments.open_page(pay_token)
    if payment.status in (PaymentStatus.REQUESTED, PaymentStatus.VOIDED):
        return _drawn(payment, said)
    return RedirectResponse(payment.return_path, 303)


@page.post("/pay/{pay_token}")
async def submit_page(
    pay_token: str,
    payments: Asked,
    card_number: Annotated[str, Form(max_length=40)] = "",
    action: Annotated[str, Form(max_length=20)] = "pay",
) -> Response:
    """Try the card, or have the bank decline. The number is never shown again."""
    number = rules.BAD_CARD if action == "decline" else card_number
    said = await _answer(payments, pay_token, number)
    path = f"/pay/{pay_token}?said={said}" if said else ""
    return RedirectResponse(path or (await payments.open_page(pay_token)).return_path, 303)


async def _answer(payments: Payments, pay_token: str, number: str) -> str:
    """What the bank says to a card; nothing where it is content."""
    try:
        await payments.submit_card(pay_token, number)
    except (CardDeclined, InvalidFields):
        return rules.verdict(number)
    except PaymentEnded:
        return "ended"
    return ""


def _drawn(payment: Payment, said: str) -> HTMLResponse:
    now = clock.now()
    ended = payment.status is PaymentStatus.VOIDED or payment.expires_at <= now
    html = templates.render(
        "ended.html" if ended else "pay.html",
        payment=payment,
        said=said if said in {*Verdict} and payment.declines + (said == "mistyped") else "",
        minutes_left=_minutes_left(payment.expires_at, now),
        good_card=_spaced(rules.GOOD_CARD),
        bad_card=_spaced(rules.BAD_CARD),
    )
    return HTMLResponse(html, 410 if ended else 200)


def _minutes_left(until: datetime, now: datetime) -> int:
    """Begun minutes: the last one counts whole."""
    return max(0, -(-int((until - now).total_seconds()) // 60))


def _spaced(number: str) -> str:
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))
