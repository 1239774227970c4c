"""REST: carts, orders, and the payment provider's webhooks."""

from typing import Annotated
from uuid import UUID

from fastapi import Header, Query, Request
from fastapi.responses import Response
from pydantic import Field

from dvor.contracts.order_changes import Cancellation, Cuts
from dvor.contracts.orders import (
    Cart,
    LineQuantity,
    Order,
    OrderPage,
    Orders,
    OrderSearch,
    WebhookDelivery,
    Wish,
)
from dvor.kernel.http import SwiftRoute, api_router, contract
from dvor.kernel.http.front import TooLarge
from dvor.kernel.messages import Int, Line, Message, Minor
from dvor.kernel.webhooks import BODY_BYTES_MAX

carts = api_router(prefix="/cart", tags=["cart"])
router = api_router(prefix="/orders", tags=["orders"])
rush = api_router(prefix="", tags=["orders"], routes=SwiftRoute)

OrdersContract = Annotated[Orders, contract(Orders)]
Guest = Annotated[
    str, Header(alias="Dvor-Guest", max_length=200, description="A guest's own secret")
]


class LineChange(Message):
    """A new quantity; 0 removes the line."""

    quantity: LineQuantity


class CheckOut(Message):
    """The version of the cart that the customer saw."""

    cart_version: Int


class OrderDraft(Message):
    """What to order at once."""

    lines: tuple[Wish, ...]
    promo: Line = ""
    """A promo code."""


class PromoCode(Message):
    """A promo code as a customer types it."""

    code: Annotated[str, Field(min_length=1, max_length=200)]


class CancellationRequest(Message):
    """What to cancel; nothing named: everything that is left."""

    lines: Cuts = ()
    back: Minor | None = None
    """What the customer was told would come back: nothing happens if it would be otherwise."""


EVERYTHING = CancellationRequest()


@carts.get("")
async def show_cart(orders: OrdersContract, guest: Guest = "") -> Cart:
    """The cart of the caller, or of the guest."""
    return await orders.cart(guest)


@carts.post("/lines", status_code=201)
async def add_line(wish: Wish, orders: OrdersContract, guest: Guest = "") -> Cart:
    """Add to the cart and hold everything in it."""
    return await orders.add_to_cart(wish, guest)


@carts.patch("/lines/{line_id}")
async def change_line(
    line_id: UUID, change: LineChange, orders: OrdersContract, guest: Guest = ""
) -> Cart:
    """Change how many."""
    return await orders.change_line(line_id, change.quantity, guest)


@carts.put("/promo")
async def set_promo(promo: PromoCode, orders: OrdersContract, guest: Guest = "") -> Cart:
    """Put a promo code into the cart."""
    return await orders.set_promo(promo.code, guest)


@carts.delete("/promo")
async def drop_promo(orders: OrdersContract, guest: Guest = "") -> Cart:
    """Take the promo code out of the cart."""
    return await orders.set_promo("", guest)


@carts.post("/hold")
async def hold_cart(orders: OrdersContract, guest: Guest = "") -> Cart:
    """Hold again after the time ran out."""
    return await orders.hold_cart(guest)


@carts.post("/waiting/{waiting_id}")
async def take_waiting(waiting_id: UUID, orders: OrdersContract) -> Cart:
    """Take what one waited for and is offered now."""
    return await orders.take_waiting(waiting_id)


@carts.post("/claim")
async def claim_cart(orders: OrdersContract, guest: Guest) -> Cart:
    """Join a guest's cart into one's own."""
    return await orders.claim_cart(guest)


@rush.post("/cart/checkout", status_code=201, response_model=Order)
async def check_out(body: CheckOut, orders: OrdersContract) -> Response:
    """Order what is in the cart."""
    return _created(await orders.check_out(body.cart_version))


@rush.post("/orders", status_code=201, response_model=Order)
async def place(draft: OrderDraft, orders: OrdersContract) -> Response:
    """Order without a cart."""
    return _created(await orders.place(draft.lines, draft.promo))


def _created(order: Order) -> Response:
    return Response(order.model_dump_json(), 201, media_type="application/json")


@router.get("")
async def list_orders(search: Annotated[OrderSearch, Query()], orders: OrdersContract) -> OrderPage:
    """Orders, newest first."""
    return await orders.orders(search)


@router.get("/{order_id}")
async def show(order_id: UUID, orders: OrdersContract) -> Order:
    """One order."""
    return await orders.order(order_id)


@router.get("/{order_id}/changes")
async def wait(order_id: UUID, after: int, orders: OrdersContract) -> Order:
    """The order as soon as its version is greater than `after`, or after 20 seconds."""
    return await orders.wait(order_id, after)


# It changes nothing, so that nothing can be repeated; a list of lines does not fit an address.
@router.post("/{order_id}/cancellation-preview", openapi_extra={"x-idempotency": "none"})
async def preview_cancellation(
    order_id: UUID, orders: OrdersContract, asked: CancellationRequest = EVERYTHING
) -> Cancellation:
    """What would come back, line by line, with the rule that says so."""
    return await orders.preview_cancellation(order_id, asked.lines)


@router.post("/{order_id}/cancel")
async def cancel(
    order_id: UUID, orders: OrdersContract, asked: CancellationRequest = EVERYTHING
) -> Order:
    """Cancel an order, or some of it."""
    return await orders.cancel(order_id, asked.lines, asked.back)


@router.post("/{order_id}/approve")
async def approve(order_id: UUID, orders: OrdersContract) -> Order:
    """Say yes to a request."""
    return await orders.approve(order_id)


@router.post("/{order_id}/decline")
async def decline(order_id: UUID, orders: OrdersContract) -> Order:
    """Say no to a request."""
    return await orders.decline(order_id)


@router.post("/{order_id}/deliver")
async def deliver(order_id: UUID, orders: OrdersContract) -> Order:
    """Mark as handed over."""
    return await orders.deliver(order_id)


# A webhook's own id makes it single-use; providers send no Idempotency-Key.
@router.post("/payment-webhooks", status_code=204, openapi_extra={"x-idempotency": "none"})
async def payment_webhook(
    request: Request,
    orders: OrdersContract,
    webhook_id: Annotated[str, Header(max_length=200)] = "",
    webhook_timestamp: Annotated[str, Header(max_length=200)] = "",
    webhook_signature: Annotated[str, Header(max_length=2000)] = "",
) -> None:
    """A signed message of the payment provider (Standard Webhooks)."""
    body = await request.body()
    if len(body) > BODY_BYTES_MAX:
        raise TooLarge
    await orders.receive_webhook(
        WebhookDelivery(
            webhook_id=webhook_id,
            timestamp=webhook_timestamp,
            signature=webhook_signature,
            body=body,
        )
    )
