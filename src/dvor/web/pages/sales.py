"""For people who sell: what was bought from them, handing over, cancelling, CSV."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from dvor.contracts.identity import Identity
from dvor.contracts.orders import (
    NotDeliverable,
    OrderCard,
    Orders,
    OrderSearch,
    OrderStatus,
    Viewpoint,
)
from dvor.kernel import caller, clock
from dvor.kernel.caller import Role
from dvor.kernel.errors import Refusal
from dvor.kernel.http import contract
from dvor.kernel.money import decimal
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import keeping, notices
from dvor.web.context import Cursor, Visiting, members_router
from dvor.web.forms import attempt
from dvor.web.pages import cancel_form
from dvor.web.pages.purchases import PaymentsHere, status_of, story
from dvor.web.words import ORDER_STATUSES

router = members_router("/selling")

LIST_SIZE = 20
CSV_PAGES_MAX = 100
CSV_PAGE_SIZE = 100

OrdersHere = Annotated[Orders, contract(Orders)]
IdentityHere = Annotated[Identity, contract(Identity)]


@router.get("/orders")
async def listsales(
    visit: Visiting, orders: OrdersHere, status: str = "", text: str = "", cursor: Cursor = ""
) -> Response:
    """What was bought from the seller."""
    caller.require_role(Role.SELLER)
    wanted = status_of(status)
    found = await orders.orders(sales(wanted, text=text, cursor=cursor, limit=LIST_SIZE))
    return await visit.page("seller/orders.html", found=found, wanted=wanted, text=text)


@router.get("/orders.csv")
async def exportsales(orders: OrdersHere, status: str = "", text: str = "") -> Response:
    """The table of orders as CSV (RFC 4180, UTF-8)."""
    caller.require_role(Role.SELLER)
    wanted = status_of(status)
    first = await orders.orders(sales(wanted, text=text, limit=CSV_PAGE_SIZE))
    name = f"orders-{clock.now():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}

    async def rows() -> AsyncIterator[str]:
        found = first
        yield "\ufeff" + csv_line(_csv_head())
        for _page in range(CSV_PAGES_MAX):
            for card in found.items:
                yield csv_line(_csv_row(card))
            if found.next_cursor is None:
                return
            search = sales(wanted, text=text, cursor=found.next_cursor, limit=CSV_PAGE_SIZE)
            found = await orders.orders(search)

    return StreamingResponse(rows(), headers=headers, media_type="text/csv; charset=utf-8")


@router.get("/orders/{order_id}")
async def show_sale(
    order_id: UUID,
    visit: Visiting,
    orders: OrdersHere,
    identity: IdentityHere,
    payments: PaymentsHere,
) -> Response:
    """An order as its seller sees it: their own lines, who bought, what can be done."""
    caller.require_role(Role.SELLER)
    order = await orders.order(order_id)
    people = await identity.profiles((order.customer_id,))
    customer = next(iter(people.items), None)
    kept = await keeping.of(payments, order, for_seller=True)
    told = story(order, kept, for_seller=True)
    return await visit.page("seller/order.html", customer=customer, **told)


@router.post("/orders/{order_id}/deliver")
async def deliver_order(order_id: UUID, request: Request, orders: OrdersHere) -> Response:
    """Mark as handed over."""
    order = await attempt(orders.deliver(order_id), NotDeliverable)
    if isinstance(order, Refusal):
        notice = notices.Notice("refused", said(order))
    else:
        text = _("Order {number} is handed over.", number=order.number)
        notice = notices.Notice("done", text)
    return _told(request, f"/selling/orders/{order_id}", notice)


@router.get("/orders/{order_id}/cancel")
async def ask_to_cancel_sale(order_id: UUID, visit: Visiting, orders: OrdersHere) -> Response:
    """Say what cancelling does, and ask."""
    caller.require_role(Role.SELLER)
    place = f"/selling/orders/{order_id}"
    return await cancel_form.ask(visit, orders, order_id, place, mine=False)


@router.post("/orders/{order_id}/cancel")
async def cancel_sale(order_id: UUID, request: Request, orders: OrdersHere) -> Response:
    """Cancel as the seller."""
    return await cancel_form.cancel(request, orders, order_id, f"/selling/orders/{order_id}")


def sales(
    status: OrderStatus | None, *, limit: int, text: str = "", cursor: str = ""
) -> OrderSearch:
    """A search among the orders that hold something of the seller's."""
    return OrderSearch(
        viewpoint=Viewpoint.SELLER,
        status=status,
        text=text[:200],
        cursor=cursor or None,
        limit=limit,
    )


def _csv_head() -> list[str]:
    return [_("Order"), _("Placed"), _("Status"), _("What"), _("Lines"), _("Total"), _("Currency")]


def _csv_row(card: OrderCard) -> list[str]:
    return [
        card.number,
        card.created_at.isoformat(timespec="seconds"),
        _(ORDER_STATUSES[card.status]),
        card.title.of(caller.current().language),
        str(card.line_count),
        str(decimal(card.total)),
        card.total.currency,
    ]


def csv_line(cells: list[str]) -> str:
    """One line; a cell that a spreadsheet would run as a formula is defused."""
    line = io.StringIO()
    csv.writer(line).writerow(
        f"'{c}" if c[:1] in ("=", "+", "-", "@", "\t", "\r") else c for c in cells
    )
    return line.getvalue()


def _told(request: Request, path: str, notice: notices.Notice) -> RedirectResponse:
    response = RedirectResponse(path, 303)
    notices.leave(request, response, notice)
    return response
