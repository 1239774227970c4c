"""Cancelling an order or some of it: choose, see what comes back and why, confirm exactly that."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.order_changes import Cuts, CutsTooMuch, LineCut, RefundChanged
from dvor.contracts.orders import (
    NotCancellable,
    Order,
    OrderLine,
    Orders,
    OrderStatus,
    UnknownLine,
)
from dvor.kernel.errors import Refusal
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import notices
from dvor.web.context import Visit
from dvor.web.forms import attempt, clean, typed

REFUSALS = (NotCancellable, CutsTooMuch, UnknownLine)


async def ask(visit: Visit, orders: Orders, order_id: UUID, place: str, *, mine: bool) -> Response:
    """Say what cancelling what is chosen does, and ask. `mine`: to the customer."""
    order = await orders.order(order_id)
    asked = {name: clean(value)[:80] for name, value in visit.request.query_params.items()}
    cuts = chosen(asked, order)
    if order.status is OrderStatus.PAID and not cuts:
        preview = None
    else:
        preview = await attempt(orders.preview_cancellation(order_id, cuts), *REFUSALS)
    if isinstance(preview, Refusal):
        return _told(visit.request, place, notices.Notice("refused", said(preview)))
    return await visit.page(
        "orders/cancel.html",
        order=order,
        place=place,
        mine=mine,
        preview=preview,
        picked={cut.line_id: cut for cut in cuts},
        lines=[line for line in order.lines if live(line)],
        paid=order.status is OrderStatus.PAID,
    )


async def cancel(request: Request, orders: Orders, order_id: UUID, place: str) -> Response:
    """Cancel what was confirmed, unless another amount would come back by now: then ask again."""
    form = await typed(request)
    order = await orders.order(order_id)
    cuts = chosen(form.values, order)
    back = form.whole("back", 0, 10**15, empty=0) if form["back"] else None
    answer = await attempt(orders.cancel(order_id, cuts, back), RefundChanged, *REFUSALS)
    if isinstance(answer, RefundChanged):
        kept = {n: v for n, v in form.values.items() if n.startswith(("line-", "seat-", "chosen"))}
        path = f"{place}/cancel?{urlencode(kept)}"
        text = _("Meanwhile another amount comes back. Look, and confirm again.")
        return _told(request, path, notices.Notice("refused", text))
    if isinstance(answer, Refusal):
        return _told(request, place, notices.Notice("refused", said(answer)))
    if answer.status is OrderStatus.CANCELLED:
        text = _("The order is cancelled. Everything in it is free again.")
    else:
        text = _("Cancelled. The rest of the order stays as it was.")
    return _told(request, place, notices.Notice("done", text))


def live(line: OrderLine) -> int:
    """How many of a line are not cancelled."""
    return line.quantity - line.cancelled


def chosen(values: Mapping[str, Any], order: Order) -> Cuts:
    """What is chosen of the lines that the caller sees; all of them where nothing was asked."""
    lines = [line for line in order.lines if live(line)]
    if order.status is not OrderStatus.PAID:
        return ()
    if "chosen" not in values:
        return tuple(LineCut(line_id=line.id) for line in lines)
    found = [cut for line in lines if (cut := _cut(values, line))]
    return tuple(found)


def _cut(values: Mapping[str, str], line: OrderLine) -> LineCut | None:
    if line.seats:
        seats = [seat for n, seat in enumerate(line.seats) if values.get(f"seat-{line.id}-{n}")]
        return LineCut(line_id=line.id, seats=tuple(seats)) if seats else None
    text = values.get(f"line-{line.id}", "")
    quantity = int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else 0
    if not quantity:
        return None
    return LineCut(line_id=line.id, quantity=min(quantity, live(line)))


def _told(request: Request, path: str, notice: notices.Notice) -> RedirectResponse:
    response = RedirectResponse(path, 303)
    notices.leave(request, response, notice)
    return response
