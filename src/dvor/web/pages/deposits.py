"""For people who lend: keeping some of a deposit, or letting it go at once."""

from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.deposits import (
    ClaimTooLarge,
    Deposit,
    DepositClaim,
    DepositStatus,
    NotClaimable,
    UnknownDeposit,
)
from dvor.contracts.payments import Payments
from dvor.kernel import caller
from dvor.kernel.caller import Role
from dvor.kernel.errors import Refusal
from dvor.kernel.http import contract
from dvor.kernel.money import Money, shown
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import keeping, notices
from dvor.web.context import Visiting, members_router
from dvor.web.forms import Form, attempt, typed

router = members_router("/selling/orders/{order_id}/deposits/{deposit_id}")

PaymentsHere = Annotated[Payments, contract(Payments)]


@router.get("")
async def ask_for_claim(
    order_id: UUID, deposit_id: UUID, request: Request, visit: Visiting, payments: PaymentsHere
) -> Response:
    """What of a deposit is kept, and why."""
    caller.require_role(Role.SELLER)
    deposit = await _found(payments, order_id, deposit_id)
    if not deposit.claimable:
        return _told(request, order_id, notices.Notice("refused", said(NotClaimable())))
    return await _page(visit, deposit, Form())


@router.post("")
async def claim(
    order_id: UUID, deposit_id: UUID, request: Request, visit: Visiting, payments: PaymentsHere
) -> Response:
    """Keep it."""
    caller.require_role(Role.SELLER)
    deposit = await _found(payments, order_id, deposit_id)
    form = await typed(request)
    amount = form.amount("amount", deposit.amount.currency)
    reason = form.text("reason", 200, needed=_("Say what happened: the customer reads it."))
    evidence = form.text("evidence", 4000)
    if amount < 1:
        form.refuse("amount", _("How much do you keep?"))
    if reason and len(reason) < 3:
        form.refuse("reason", _("Say what happened: the customer reads it."))
    if form.refused:
        return await _page(visit, deposit, form)
    wanted = DepositClaim(amount=amount, reason=reason, evidence=evidence)
    answer = await attempt(payments.claim_deposit(deposit_id, wanted), ClaimTooLarge, NotClaimable)
    if isinstance(answer, ClaimTooLarge):
        most = Money(amount=answer.most, currency=deposit.amount.currency)
        text = _("No more than {most} is set aside.", most=shown(most, caller.current().language))
        form.refuse("amount", text)
        return await _page(visit, deposit, form)
    if isinstance(answer, Refusal):
        return _told(request, order_id, notices.Notice("refused", said(answer)))
    return _told(request, order_id, _kept(answer))


@router.post("/return")
async def give_back(
    order_id: UUID, deposit_id: UUID, request: Request, payments: PaymentsHere
) -> Response:
    """Let it go at once."""
    caller.require_role(Role.SELLER)
    await _found(payments, order_id, deposit_id)
    answer = await attempt(payments.return_deposit(deposit_id), NotClaimable)
    if isinstance(answer, Refusal):
        return _told(request, order_id, notices.Notice("refused", said(answer)))
    text = _("The deposit is let go. The customer gets a mail.")
    return _told(request, order_id, notices.Notice("done", text))


def _kept(deposit: Deposit) -> notices.Notice:
    """What came of a claim."""
    if deposit.status is DepositStatus.LOST:
        text = _("The customer's bank had let the deposit go: nothing was charged.")
        return notices.Notice("refused", text)
    if deposit.status is DepositStatus.CLAIMED:
        return notices.Notice("done", _("The bank is being asked; the page shows what it says."))
    return notices.Notice("done", _("Kept. The rest is let go, and the customer gets a mail."))


async def _found(payments: Payments, order_id: UUID, deposit_id: UUID) -> Deposit:
    """One that the caller decides about. Raises UnknownDeposit."""
    found = await payments.deposits(order_id)
    person = caller.current()
    for deposit in found.items:
        if deposit.id == deposit_id and (person.is_admin() or deposit.seller_id == person.user_id):
            return deposit
    raise UnknownDeposit


async def _page(visit: Visiting, deposit: Deposit, form: Form) -> Response:
    (told,) = keeping.told((deposit,), for_seller=True)
    most = Money(amount=deposit.amount.amount - deposit.released, currency=deposit.amount.currency)
    status = 422 if form.refused else 200
    return await visit.page(
        "seller/deposit.html", status=status, told=told, deposit=deposit, most=most, form=form
    )


def _told(request: Request, order_id: UUID, notice: notices.Notice) -> RedirectResponse:
    response = RedirectResponse(f"/selling/orders/{order_id}", 303)
    notices.leave(request, response, notice)
    return response
