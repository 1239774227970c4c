"""How each route and each contract method is called sensibly: what the matrix asks with."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from dvor.contracts.catalog import Kind
from dvor.kernel import clock
from dvor.kernel.messages import PageRequest
from tests.house import closure_calls, lines, payment_calls, promo_calls, room_calls
from tests.house.call import Build, Call, of, offer_of
from tests.house.world import PASSWORD, Person, World, draft, hall, picture


def registration() -> dict[str, Any]:
    return {"email": f"n{uuid4().hex}@example.org", "password": PASSWORD, "name": "New"}


def _draft_json(title: str = "A lamp") -> dict[str, Any]:
    return draft(title=title).model_dump(mode="json", exclude={"offers": {"__all__": {"id"}}})


async def _plain(_w: World, _who: Person) -> Call:
    return Call()


def _with(**more: Any) -> Build:
    async def build(_w: World, _who: Person) -> Call:
        return Call(more=dict(more))

    return build


# Subjects made for one call, so that what one may do leaves nothing for the next


async def fresh_order(w: World, _who: Person) -> Call:
    return Call({"order_id": (await w.order()).id})


async def paid_order(w: World, _who: Person) -> Call:
    return Call({"order_id": (await w.paid_order()).id})


async def _shared_order(w: World, _who: Person) -> Call:
    return Call({"order_id": (await w.shared_order()).id})


async def cancellation(w: World, _who: Person) -> Call:
    return Call({"order_id": (await w.order()).id}, {"body": {"lines": [], "back": None}})


async def _shared_cancellation(w: World, _who: Person) -> Call:
    return Call({"order_id": (await w.shared_order()).id}, {"body": {"lines": []}})


async def _cancelled_order(w: World, _who: Person) -> Call:
    order = await w.order()
    with w.customer.asking():
        await w.house.orders.cancel(order.id)
    return Call({"order_id": order.id})


async def _changes(w: World, who: Person) -> Call:
    call = await fresh_order(w, who)
    return Call(call.parameters, {"params": {"after": 0}})


async def _payment(w: World, _who: Person) -> Call:
    return Call({"payment_id": await w.payment_id(await w.order())})


async def pay(w: World, _who: Person) -> Call:
    order = await w.order()
    return Call({"pay_token": order.pay_path.removeprefix("/pay/")})


async def _decline(w: World, who: Person) -> Call:
    call = await pay(w, who)
    return Call(call.parameters, {"form": {"action": "decline"}})


async def customers_session(w: World, _who: Person) -> Call:
    return Call({"session_id": await w.other_session(w.customer)})


async def guinea_pig(w: World, _who: Person) -> Call:
    person = await w.person("Guinea Pig")
    return Call({"user_id": person.id, "action": "make_seller"})


async def with_avatar(w: World, _who: Person) -> Call:
    with w.customer.asking():
        await w.house.identity.set_avatar(picture())
    return Call({"user_id": w.customer.id})


async def _register(_w: World, _who: Person) -> Call:
    return Call(more={"body": registration()})


async def _token(w: World, _who: Person) -> Call:
    assert w.stranger.user is not None
    return Call(more={"body": {"email": w.stranger.user.email, "password": PASSWORD}})


async def refresh(w: World, _who: Person) -> Call:
    assert w.stranger.user is not None
    held = (await w.signed_in(w.stranger.user)).refresh_token
    return Call(more={"body": {"refresh_token": held}})


async def _own_change(w: World, _who: Person) -> Call:
    made = await w.listing(w.seller, draft())
    return Call(
        {"listing_id": made.id}, {"body": _draft_json(), "params": {"version": made.version}}
    )


async def _draft_change(w: World, _who: Person) -> Call:
    made = await w.listing(w.seller, draft(), publish=False)
    return Call(
        {"listing_id": made.id}, {"body": _draft_json(), "params": {"version": made.version}}
    )


async def published(w: World, _who: Person) -> Call:
    return Call({"listing_id": (await w.listing(w.seller, draft())).id})


async def _unpublished(w: World, _who: Person) -> Call:
    return Call({"listing_id": (await w.listing(w.seller, draft(), publish=False)).id})


async def _supply(w: World, _who: Person) -> Call:
    return Call({"offer_id": offer_of(w.product)}, {"body": {"quantity": 100_000}})


async def _draft_supply(w: World, _who: Person) -> Call:
    return Call({"offer_id": offer_of(w.hidden)}, {"body": {"quantity": 3}})


async def _reserve(w: World, _who: Person) -> Call:
    return Call(more={"body": {"claims": [{"offer_id": str(offer_of(w.product)), "quantity": 1}]}})


async def _let_go(_w: World, _who: Person) -> Call:
    return Call({"key": uuid4()})


async def _rules(w: World, _who: Person) -> Call:
    return Call({"offer_id": offer_of(w.product)}, {"body": {}})


async def _offer_rules(w: World, _who: Person) -> Call:
    return Call(more={"params": {"offer_id": str(offer_of(w.product))}})


async def _past_event(w: World, _who: Person) -> Call:
    began = clock.now() - timedelta(days=1)
    over = draft(Kind.EVENT).model_copy(update={"starts_at": began})
    return Call({"listing_id": (await w.listing(w.seller, over)).id})


async def event(w: World, _who: Person) -> Call:
    return Call({"listing_id": (await w.listing(w.seller, draft(Kind.EVENT), 0)).id})


async def _seat_map(w: World, _who: Person) -> Call:
    made = await w.listing(w.seller, draft(Kind.EVENT), 0)
    body = hall(made.offers[0].id).model_dump(mode="json")
    return Call({"listing_id": made.id}, {"params": {"version": 0}, "body": body})


async def _drawn_seats(w: World, who: Person) -> Call:
    form = {"version": "0", "sections": "1", "rows-0": "1: AA"}
    return Call((await event(w, who)).parameters, {"form": form})


async def seated_offer(w: World, _who: Person) -> Call:
    made = await w.listing(w.seller, draft(Kind.EVENT), 0)
    with w.seller.asking():
        await w.house.inventory.set_seat_map(made.id, 0, hall(made.offers[0].id))
    return Call({"offer_id": made.offers[0].id})


async def _quote(w: World, _who: Person) -> Call:
    return Call(more={"body": {"lines": [{"offer_id": str(offer_of(w.product)), "quantity": 1}]}})


async def _availability(w: World, _who: Person) -> Call:
    return Call(more={"params": {"offer_id": str(offer_of(w.product))}})


async def _wish(w: World, _who: Person) -> Call:
    return Call(more={"body": {"offer_id": str(offer_of(w.product)), "quantity": 1}})


async def _guests_wish(w: World, who: Person) -> Call:
    call = await _wish(w, who)
    return Call(more=call.more | {"headers": {"dvor-guest": f"g{uuid4().hex}"}})


async def line_change(w: World, _who: Person) -> Call:
    return Call({"line_id": await w.cart_line(w.customer)}, {"body": {"quantity": 2}})


async def _check_out(w: World, who: Person) -> Call:
    if who.user is None:
        return Call(more={"body": {"cart_version": 1}})
    return Call(more={"body": {"cart_version": await w.filled_cart(who)}})


async def _place(w: World, _who: Person) -> Call:
    line = {"offer_id": str(offer_of(w.product)), "quantity": 1}
    return Call(more={"body": {"lines": [line]}})


async def _browser_of_their_own(w: World, who: Person) -> Call:
    return Call(who=await w.signed_in(who.user) if who.user else None)


async def _sign_in(w: World, _who: Person) -> Call:
    assert w.stranger.user is not None
    return Call(more={"form": {"email": w.stranger.user.email, "password": PASSWORD}})


async def _sign_up(_w: World, _who: Person) -> Call:
    return Call(more={"form": registration()})


async def _avatar_form(_w: World, _who: Person) -> Call:
    return Call(more={"files": {"picture": ("me.png", picture(), "image/png")}})


async def _notification(w: World, _who: Person) -> Call:
    await w.order()
    await w.house.settle()
    with w.customer.asking():
        found = await w.house.notifications.notifications(PageRequest(limit=1))
    return Call({"notification_id": found.items[0].id}, {"form": {"next": found.items[0].path}})


async def mail(w: World, _who: Person) -> Call:
    return Call({"mail_id": await w.mail_id()})


async def _line_form(w: World, _who: Person) -> Call:
    return Call({"line_id": await w.cart_line(w.customer)}, {"form": {"quantity": "2"}})


async def _wish_form(w: World, _who: Person) -> Call:
    return Call(more={"form": {"offer_id": str(offer_of(w.product)), "quantity": "1"}})


async def _cart_filled(w: World, who: Person) -> Call:
    if who.user is not None and not who.ended:
        await w.filled_cart(who)
    return Call()


async def _check_out_form(w: World, who: Person) -> Call:
    if who.user is None or who.ended:
        return Call(more={"form": {"cart_version": "1"}})
    return Call(more={"form": {"cart_version": str(await w.filled_cart(who))}})


def listing_form(title: str = "A lamp", **more: str) -> dict[str, str]:
    """The listing form, filled for a product."""
    return {
        "kind": "product",
        "category": "home",
        "title-en": title,
        "currency": "RUB",
        "timezone": "Europe/Moscow",
        "offers": "1",
        "offer-0-price": "10",
        "offer-0-quantity": "5",
    } | more


async def _edit(w: World, who: Person, *, publish: bool = True) -> Call:
    made = await w.listing(w.seller, draft(), units=5, publish=publish)
    form = listing_form(version=str(made.version), **{"offer-0-id": str(offer_of(made))})
    return Call({"listing_id": made.id}, {"form": form})


async def _edit_draft(w: World, who: Person) -> Call:
    return await _edit(w, who, publish=False)


product = of(listing_id=lambda w: w.product.id)
hidden = of(listing_id=lambda w: w.hidden.id)
_stays = of(listing_id=lambda w: w.stay.id)

ROUTES: dict[str, Build] = {
    **closure_calls.ROUTES,
    **payment_calls.ROUTES,
    **promo_calls.ROUTES,
    **room_calls.ROUTES,
    "GET /static": _plain,
    "POST /api/v1/auth/register": _register,
    "POST /api/v1/auth/token": _token,
    "POST /api/v1/auth/refresh": refresh,
    "POST /api/v1/auth/revoke": refresh,
    "PATCH /api/v1/me": _with(body={"city": "Tver"}),
    "PUT /api/v1/me/avatar": _with(content=picture(), headers={"content-type": "image/png"}),
    "POST /api/v1/me/password": _with(body={"old": PASSWORD, "new": "password"}),
    "DELETE /api/v1/me/sessions/{session_id}": customers_session,
    "POST /api/v1/users/{user_id}/actions/{action}": guinea_pig,
    "GET /api/v1/users/{user_id}/avatar": with_avatar,
    "GET /api/v1/listings @unpublished": _with(params={"status": "any"}),
    "GET /api/v1/listings/{listing_id}": product,
    "GET /api/v1/listings/{listing_id} @draft": hidden,
    "POST /api/v1/listings": _with(body=_draft_json()),
    "PUT /api/v1/listings/{listing_id}": _own_change,
    "PUT /api/v1/listings/{listing_id} @draft": _draft_change,
    "POST /api/v1/listings/{listing_id}/publish": published,
    "POST /api/v1/listings/{listing_id}/publish @draft": _unpublished,
    "POST /api/v1/listings/{listing_id}/archive": published,
    "POST /api/v1/listings/{listing_id}/archive @draft": _unpublished,
    "POST /api/v1/quotes": _quote,
    "GET /api/v1/offers/{offer_id}/calendar": closure_calls.calendar,
    "GET /api/v1/availability": _availability,
    "POST /api/v1/availability/explain": _wish,
    "GET /api/v1/availability/search": _with(params={"kind": "product"}),
    "PUT /api/v1/offers/{offer_id}/supply": _supply,
    "PUT /api/v1/offers/{offer_id}/rules": _rules,
    "POST /api/v1/holds": _reserve,
    "DELETE /api/v1/holds/{key}": _let_go,
    "GET /api/v1/offer-rules": _offer_rules,
    "GET /api/v1/listings/{listing_id}/seat-map": event,
    "PUT /api/v1/listings/{listing_id}/seat-map": _seat_map,
    "GET /api/v1/listings/{listing_id}/seat-states": event,
    "GET /api/v1/offers/{offer_id}/best-seats": seated_offer,
    "PUT /api/v1/offers/{offer_id}/supply @draft": _draft_supply,
    "GET /api/v1/payments @everybody": _with(params={"everybody": "true"}),
    "GET /api/v1/payments/{payment_id}": _payment,
    "GET /pay/{pay_token}": pay,
    "POST /pay/{pay_token}": _decline,
    "GET /api/v1/cart @guest": _with(headers={"dvor-guest": "guest-of-a-test"}),
    "POST /api/v1/cart/lines": _wish,
    "POST /api/v1/cart/lines @guest": _guests_wish,
    "PATCH /api/v1/cart/lines/{line_id}": line_change,
    "POST /api/v1/cart/claim": _with(headers={"dvor-guest": "guest-of-a-test"}),
    "POST /api/v1/cart/checkout": _check_out,
    "POST /api/v1/orders": _place,
    "GET /api/v1/orders @seller": _with(params={"viewpoint": "seller"}),
    "GET /api/v1/orders @admin": _with(params={"viewpoint": "admin"}),
    "GET /api/v1/orders/{order_id}": fresh_order,
    "GET /api/v1/orders/{order_id} @shared": _shared_order,
    "GET /api/v1/orders/{order_id}/changes": _changes,
    "POST /api/v1/orders/{order_id}/cancellation-preview": cancellation,
    "POST /api/v1/orders/{order_id}/cancel": cancellation,
    "POST /api/v1/orders/{order_id}/cancel @shared": _shared_cancellation,
    "POST /api/v1/orders/{order_id}/deliver": paid_order,
    "POST /api/v1/orders/{order_id}/deliver @shared": _shared_order,
    "POST /api/v1/orders/{order_id}/deliver @unpaid": fresh_order,
    "POST /api/v1/orders/payment-webhooks": _with(content=b"{}"),
    "POST /api/v1/notifications/read": _with(body={}),
    "GET /sellers/{seller_id}": of(seller_id=lambda w: w.seller.id),
    "GET /listings/{listing_id}": product,
    "GET /listings/{listing_id} @draft": hidden,
    "GET /listings/{listing_id}/calendar": _stays,
    "GET /listings/{listing_id}/sums": event,
    "GET /listings/{listing_id}/sums @draft": hidden,
    "GET /listings/{listing_id}/seats": event,
    "GET /listings/{listing_id}/seats @draft": hidden,
    "GET /listings/{listing_id}/live": _past_event,
    "GET /listings/{listing_id}/live @draft": hidden,
    "GET /listings/{listing_id}/calendar @draft": hidden,
    "GET /pictures/{kind}/{category}/{seed}.svg": of(
        kind=lambda _: "product", category=lambda _: "home", seed=lambda _: "a1"
    ),
    "POST /preferences": _with(form={"theme": "dark", "back": "/about"}),
    "GET /mailbox/{mail_id}": mail,
    "GET /mailbox/{mail_id}/html": mail,
    "POST /sign-in": _sign_in,
    "POST /sign-up": _sign_up,
    "POST /sign-out": _browser_of_their_own,
    "POST /account": _with(form={"name": "Same", "language": "en"}),
    "POST /account/avatar": _avatar_form,
    "POST /account/password": _with(form={"old": PASSWORD, "new": "password"}),
    "POST /account/sessions/{session_id}/end": customers_session,
    "POST /notifications/{notification_id}/open": _notification,
    "POST /cart/lines": _wish_form,
    "POST /cart/lines/{line_id}": _line_form,
    "GET /checkout": _cart_filled,
    "POST /checkout": _check_out_form,
    "GET /orders/{order_id}": fresh_order,
    "GET /orders/{order_id}/events": _cancelled_order,
    "GET /orders/{order_id}/cancel": fresh_order,
    "POST /orders/{order_id}/cancel": fresh_order,
    "POST /selling/listings/new": _with(form=listing_form()),
    "GET /selling/listings/{listing_id}": product,
    "GET /selling/listings/{listing_id} @draft": hidden,
    "POST /selling/listings/{listing_id}": _edit,
    "POST /selling/listings/{listing_id} @draft": _edit_draft,
    "GET /selling/listings/{listing_id}/seats": event,
    "POST /selling/listings/{listing_id}/seats": _drawn_seats,
    "POST /selling/listings/{listing_id}/publish": published,
    "POST /selling/listings/{listing_id}/publish @draft": _unpublished,
    "POST /selling/listings/{listing_id}/archive": published,
    "GET /selling/orders/{order_id}": fresh_order,
    "POST /selling/orders/{order_id}/deliver": paid_order,
    "GET /selling/orders/{order_id}/cancel": fresh_order,
    "POST /selling/orders/{order_id}/cancel": fresh_order,
    "GET /admin/users/{user_id}/{action}": guinea_pig,
    "POST /admin/users/{user_id}/{action}": guinea_pig,
    "POST /admin/listings/{listing_id}/archive": published,
    "POST /admin/listings/{listing_id}/publish": published,
    "GET /admin/orders/{order_id}": fresh_order,
    "GET /admin/orders/{order_id}/cancel": fresh_order,
    "POST /admin/orders/{order_id}/cancel": fresh_order,
    **lines.ROUTES,
}
"""Routes that need more than their address."""


PERSONAL = {
    "PUT /api/v1/cart/promo",
    "POST /api/v1/cart/checkout",
    "POST /sign-out",
    "GET /checkout",
    "POST /checkout",
}
"""What each person is called with something of their own."""
