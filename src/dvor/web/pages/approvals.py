"""For people who sell: requests that wait for their answer."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.identity import Identity
from dvor.contracts.orders import (
    NotApprovable,
    Order,
    Orders,
    OrderSearch,
    OrderStatus,
    Viewpoint,
)
from dvor.kernel import caller
from dvor.kernel.caller import Role
from dvor.kernel.errors import Refusal
from dvor.kernel.http import contract
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import notices
from dvor.web.context import Visiting, members_router
from dvor.web.forms import attempt

router = members_router("/selling")

LIST_SIZE = 20
BOOKED = (OrderStatus.PAID, OrderStatus.DELIVERED)

OrdersHere = Annotated[Orders, contract(Orders)]
IdentityHere = Annotated[Identity, contract(Identity)]


@router.get("/approvals")
async def list_requests(visit: Visiting, orders: OrdersHere, identity: IdentityHere) -> Response:
    """What waits for the seller's answer, the most urgent first: what, when, for whom."""
    caller.require_role(Role.SELLER)
    found = await orders.orders(waiting(LIST_SIZE + 1))
    shown = found.items[:LIST_SIZE]
    asked = await asyncio.gather(*(orders.order(card.id) for card in shown))
    people = await identity.profiles(tuple({order.customer_id for order in asked}))
    return await visit.page(
        "seller/approvals.html",
        # Who answered in another window meanwhile is not asked again.
        asked=[order for order in asked if order.approvable],
        names={person.id: person.name for person in people.items},
        more=len(found.items) > LIST_SIZE,
    )


@router.get("/orders/{order_id}/decline")
async def ask_to_decline(
    order_id: UUID, request: Request, visit: Visiting, orders: OrdersHere
) -> Response:
    """Say what declining does, and ask."""
    caller.require_role(Role.SELLER)
    order = await orders.order(order_id)
    if not order.approvable:
        return _told(request, order_id, notices.Notice("refused", said(NotApprovable())))
    return await visit.page("seller/decline.html", order=order)


@router.post("/orders/{order_id}/approve")
async def approve_request(order_id: UUID, request: Request, orders: OrdersHere) -> Response:
    """Say yes."""
    order = await attempt(orders.approve(order_id), NotApprovable)
    if isinstance(order, Refusal):
        return _told(request, order_id, notices.Notice("refused", said(order)))
    return _told(request, order_id, _accepted(order))


def _accepted(order: Order) -> notices.Notice:
    """What came of a yes."""
    if order.status in BOOKED:
        return notices.Notice("done", _("Accepted: it is booked and charged."))
    if order.status is OrderStatus.CANCELLED:
        text = _("It could not be booked and charged any more: below it says why.")
        return notices.Notice("refused", text)
    if order.approve_until:
        return notices.Notice("done", _("Accepted. It is booked once everybody has answered."))
    text = _("Accepted. It is being booked and charged: this takes a moment.")
    return notices.Notice("done", text)


@router.post("/orders/{order_id}/decline")
async def decline_request(order_id: UUID, request: Request, orders: OrdersHere) -> Response:
    """Say no."""
    order = await attempt(orders.decline(order_id), NotApprovable)
    if isinstance(order, Refusal):
        return _told(request, order_id, notices.Notice("refused", said(order)))
    text = _("Declined: it is free again, and the customer is not charged.")
    return _told(request, order_id, notices.Notice("done", text))


def waiting(limit: int) -> OrderSearch:
    """A search for what waits for the caller's answer."""
    return OrderSearch(viewpoint=Viewpoint.SELLER, to_approve=True, limit=limit)


def _told(request: Request, order_id: UUID, notice: notices.Notice) -> RedirectResponse:
    response = RedirectResponse(f"/selling/orders/{order_id}", 303)
    notices.leave(request, response, notice)
    return response
