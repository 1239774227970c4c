"""Money: a seller's balance, statement and payouts; an admin's books, payouts and webhooks."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from dvor.contracts.earnings import Entry, PayoutSearch, Statement, StatementSearch
from dvor.contracts.identity import Identity
from dvor.contracts.orders import Orders, OrderSearch, Viewpoint
from dvor.contracts.payments import Payments
from dvor.kernel import caller, clock
from dvor.kernel.caller import Role, caller_key
from dvor.kernel.http import contract
from dvor.kernel.messages import PageRequest
from dvor.kernel.money import signed_decimal
from dvor.kernel.texts import N_
from dvor.kernel.texts import gettext as _
from dvor.web import notices
from dvor.web.context import Cursor, Visiting, members_router
from dvor.web.pages.sales import CSV_PAGE_SIZE, CSV_PAGES_MAX, csv_line

seller = members_router("/selling")
admin = members_router("/admin")

LIST_SIZE = 30
NEWEST = 10

PaymentsHere = Annotated[Payments, contract(Payments)]
IdentityHere = Annotated[Identity, contract(Identity)]
OrdersHere = Annotated[Orders, contract(Orders)]

MOVES = {
    "captured": N_("Sale"),
    "refund_asked": N_("Refund"),
    "refund_failed": N_("Refund that failed"),
    "disputed": N_("Taken back by the payer's bank"),
    "dispute_won": N_("The payer's bank gave it back"),
    "deposit_captured": N_("Kept of a deposit"),
    "paid_out": N_("Paid out"),
}
"""What moved a seller's balance -> in words."""

ACCOUNTS = {
    "provider": N_("Customers' money at the provider"),
    "seller": N_("Owed to sellers"),
    "commission": N_("Commission and fees"),
    "refunds": N_("On its way back to customers"),
    "contested": N_("Sales that are being argued about"),
    "chargebacks": N_("Taken back by payers' banks"),
    "payouts": N_("Handed to the bank for sellers"),
}
"""Accounts of the books -> in words."""


@seller.get("/money")
async def show_money(visit: Visiting, payments: PaymentsHere, cursor: Cursor = "") -> Response:
    """What a seller has earned, what moved it, and what was paid out."""
    caller.require_role(Role.SELLER)
    balances = await payments.balances()
    found = await payments.statement(StatementSearch(cursor=cursor or None, limit=LIST_SIZE))
    payouts = await payments.payouts(PayoutSearch(limit=NEWEST))
    return await visit.page(
        "seller/money.html", balances=balances, found=found, payouts=payouts, moves=_moves()
    )


@seller.get("/money.csv")
async def export_money(payments: PaymentsHere) -> Response:
    """The statement as CSV (RFC 4180, UTF-8)."""
    caller.require_role(Role.SELLER)
    first = await payments.statement(StatementSearch(limit=CSV_PAGE_SIZE))
    name = f"statement-{clock.now():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(
        _csv(payments, first), headers=headers, media_type="text/csv; charset=utf-8"
    )


async def _csv(payments: Payments, found: Statement) -> AsyncIterator[str]:
    head = [_("When"), _("What"), _("Order"), _("Gross"), _("Commission"), _("Net"), _("Currency")]
    yield "\ufeff" + csv_line(head)
    for _page in range(CSV_PAGES_MAX):
        for entry in found.items:
            yield csv_line(_csv_row(entry))
        if found.next_cursor is None:
            return
        found = await payments.statement(
            StatementSearch(cursor=found.next_cursor, limit=CSV_PAGE_SIZE)
        )


def _csv_row(entry: Entry) -> list[str]:
    amounts = (entry.gross, entry.commission, entry.amount)
    return [
        entry.at.isoformat(timespec="seconds"),
        _moves().get(entry.what, entry.what),
        entry.order_number,
        *(f"{signed_decimal(amount, entry.currency)}" for amount in amounts),
        entry.currency,
    ]


@admin.get("/money")
async def show_books(
    visit: Visiting,
    payments: PaymentsHere,
    orders: OrdersHere,
    identity: IdentityHere,
    cursor: Cursor = "",
) -> Response:
    """The books at a glance, and who was paid."""
    caller.require_role(Role.ADMIN)
    books = await payments.books()
    refused = await orders.orders(
        OrderSearch(viewpoint=Viewpoint.ADMIN, refund_refused=True, limit=NEWEST)
    )
    search = PayoutSearch(everybody=True, cursor=cursor or None, limit=LIST_SIZE)
    payouts = await payments.payouts(search)
    people = await identity.profiles(tuple({payout.seller_id for payout in payouts.items}))
    return await visit.page(
        "admin/money.html",
        books=books,
        refused=refused.items,
        payouts=payouts,
        names={person.id: person.name for person in people.items},
        accounts={name: _(words) for name, words in ACCOUNTS.items()},
    )


@admin.post("/payouts")
async def run_payouts(request: Request, payments: PaymentsHere) -> Response:
    """Pay everybody who is owed something; the same form pays once."""
    run = await payments.run_payouts(caller_key("payouts"))
    count = sum(total.payouts for total in run.totals)
    text = _("Payouts made: {count}.", count=count) if count else _("Nobody is owed anything.")
    return _told(request, "/admin/money", text)


@admin.get("/webhooks")
async def list_webhooks(visit: Visiting, payments: PaymentsHere, cursor: Cursor = "") -> Response:
    """What the bank and we have sent."""
    caller.require_role(Role.ADMIN)
    found = await payments.webhooks(PageRequest(cursor=cursor or None, limit=LIST_SIZE))
    return await visit.page("admin/webhooks.html", found=found)


@admin.post("/webhooks/{webhook_id}/replay")
async def replay_webhook(webhook_id: UUID, request: Request, payments: PaymentsHere) -> Response:
    """Send one more time."""
    await payments.replay_webhook(webhook_id)
    return _told(request, "/admin/webhooks", _("The message is sent once more."))


def _moves() -> dict[str, str]:
    return {name: _(words) for name, words in MOVES.items()}


def _told(request: Request, path: str, text: str) -> RedirectResponse:
    response = RedirectResponse(path, 303)
    notices.leave(request, response, notices.Notice("done", text))
    return response
