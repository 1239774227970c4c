"""A customer's orders: the list, the story of one of them, live news, cancelling."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.identity import Identity
from dvor.contracts.orders import (
    Order,
    Orders,
    OrderSearch,
    OrderStatus,
    Viewpoint,
)
from dvor.contracts.payments import Payments
from dvor.kernel import caller
from dvor.kernel.errors import NotFound, Refusal, Unauthenticated
from dvor.kernel.http import contract
from dvor.web import keeping, live
from dvor.web.context import Cursor, Visit, Visiting, members_router, settings_of
from dvor.web.forms import attempt
from dvor.web.pages import cancel_form
from dvor.web.words import sentence

router = members_router()

LIST_SIZE = 20
ENDED = (OrderStatus.DELIVERED, OrderStatus.CANCELLED)

OrdersHere = Annotated[Orders, contract(Orders)]
PaymentsHere = Annotated[Payments, contract(Payments)]


@router.get("/orders")
async def list_orders(
    visit: Visiting, orders: OrdersHere, status: str = "", cursor: Cursor = ""
) -> Response:
    """What a person has bought, newest first."""
    search = OrderSearch(
        viewpoint=Viewpoint.CUSTOMER,
        status=status_of(status),
        cursor=cursor or None,
        limit=LIST_SIZE,
    )
    found = await orders.orders(search)
    return await visit.page("orders/list.html", found=found, wanted=search.status)


@router.get("/orders/{order_id}")
async def show_order(
    order_id: UUID, visit: Visiting, orders: OrdersHere, payments: PaymentsHere
) -> Response:
    """The story of an order and what can be done now; those who sold it are led to their view."""
    order = await orders.order(order_id)
    person = caller.current()
    if order.customer_id != person.user_id:
        return RedirectResponse(
            f"{'/admin' if person.is_admin() else '/selling'}/orders/{order_id}", 303
        )
    kept = await keeping.of(payments, order)
    return await visit.page("orders/order.html", **story(order, kept))


@router.get("/orders/{order_id}/events")
async def follow_order(
    order_id: UUID,
    request: Request,
    visit: Visiting,
    orders: OrdersHere,
    payments: PaymentsHere,
    identity: Annotated[Identity, contract(Identity)],
) -> Response:
    """Live news of an order: the changed part of its page each time it changes."""
    order = await orders.order(order_id)
    told = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    seen = int(told) if told.isascii() and told.isdecimal() else 0
    if order.status in ENDED and seen >= order.version:
        return Response(status_code=204)  # tells the browser not to come back
    token = request.cookies.get(settings_of(request).session_cookie, "")
    source = Source(orders, payments, identity)
    news = _news(visit, source, order_id, min(seen, 2**31), token)
    return live.EventStream(caller.require_user(), news)


@dataclass(frozen=True)
class Source:
    """Whom live news are asked of."""

    orders: Orders
    payments: Payments
    identity: Identity


async def _news(
    visit: Visit, source: Source, order_id: UUID, seen: int, token: str
) -> AsyncIterator[str]:
    yield live.greeting()
    end = time.monotonic() + live.STREAM_SECONDS
    while time.monotonic() < end:
        waiting = asyncio.ensure_future(source.orders.wait(order_id, seen))
        try:
            while not await live.finished_within(waiting, live.BEAT_SECONDS):
                if live.ending() or await _gone(visit, source.identity, token):
                    return
                yield live.heartbeat()
        finally:
            waiting.cancel()
        order = await attempt(_answer(waiting), Refusal)
        if isinstance(order, Refusal):
            return
        if order.version > seen:
            seen = order.version
            kept = await keeping.of(source.payments, order)
            yield live.event("order", seen, visit.text("orders/live.html", **story(order, kept)))
        if order.status in ENDED:
            return


async def _answer(waiting: "asyncio.Future[Order]") -> Order:
    return waiting.result()


async def _gone(visit: Visit, identity: Identity, token: str) -> bool:
    """Whether the browser has left or its session has ended."""
    if await visit.request.is_disconnected():
        return True
    return isinstance(await attempt(identity.session(token), Unauthenticated), Refusal)


@router.get("/orders/{order_id}/cancel")
async def ask_to_cancel(order_id: UUID, visit: Visiting, orders: OrdersHere) -> Response:
    """Say what cancelling does, and ask."""
    return await cancel_form.ask(visit, orders, order_id, f"/orders/{order_id}", mine=True)


@router.post("/orders/{order_id}/cancel")
async def cancel_order(order_id: UUID, request: Request, orders: OrdersHere) -> Response:
    """Cancel what was chosen."""
    return await cancel_form.cancel(request, orders, order_id, f"/orders/{order_id}")


def story(
    order: Order, kept: Sequence[keeping.Told] | None, *, for_seller: bool = False
) -> dict[str, Any]:
    """What the live part of an order's page shows. `kept`: its deposits; None: nobody can say."""
    currency = order.total.currency
    # Whoever may cancel a paid order cannot only while it is being cancelled already.
    cancelling = order.status is OrderStatus.PAID and not order.cancellable and not for_seller
    told = [(entry, sentence(entry, currency, for_seller=for_seller)) for entry in order.timeline]
    return {
        "order": order,
        "timeline": told,
        "deposits": kept,
        "charged": charged(order),
        "partly": any(0 < line.cancelled < line.quantity for line in order.lines)
        or 0 < sum(bool(line.cancelled) for line in order.lines) < len(order.lines),
        "waiting": cancelling or order.status in (OrderStatus.CREATED, OrderStatus.PROCESSING),
        "cancelling": cancelling,
        "refused": bool(order.timeline) and order.timeline[-1].what == "refund_refused",
        "ended": order.status in ENDED,
        "for_seller": for_seller,
    }


def charged(order: Order) -> bool:
    """Whether the customer's money has moved."""
    return any(entry.what == "paid" for entry in order.timeline)


def status_of(text: str) -> OrderStatus | None:
    """A status from an address; None for any. Raises NotFound for unknown ones."""
    if not text:
        return None
    status = next((status for status in OrderStatus if status == text), None)
    if status is None:
        raise NotFound
    return status
