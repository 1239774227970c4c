"""From "I want this" to "pay": the cart and the checkout."""

import json
import secrets
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.catalog import Catalog, MixedCurrencies, NotOnSale, UnknownOffer, WrongDates
from dvor.contracts.inventory import (
    Claim,
    Closed,
    ClosedDates,
    HoldEnded,
    InThePast,
    Inventory,
    LeavesSingleSeat,
    LimitReached,
    NeedsDates,
    NeedsHours,
    NoSeats,
    SoldOut,
    TooFarAhead,
    TooLate,
    TooLong,
    TooShort,
    UnknownSeat,
    UnknownSupply,
    WrongWeekday,
)
from dvor.contracts.orders import (
    Cart,
    CartChanged,
    CartFull,
    CartLine,
    EmptyCart,
    Orders,
    UnknownLine,
    Wish,
)
from dvor.contracts.promos import (
    PromoElsewhere,
    PromoEnded,
    PromoLimit,
    PromoNeedsMore,
    PromoNotYet,
    PromoUsedUp,
    UnknownPromo,
)
from dvor.kernel import caller, clock
from dvor.kernel.errors import Refusal
from dvor.kernel.http import contract, page_router
from dvor.kernel.http.front import cookie
from dvor.kernel.ids import derived, new
from dvor.kernel.money import shown
from dvor.kernel.periods import DateRange
from dvor.kernel.texts import N_
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import hours, notices
from dvor.web.context import GUEST_COOKIE, Visit, Visiting, guest_of, settings_of
from dvor.web.forms import Form, attempt, identifier, local_path, typed
from dvor.web.instead import NOTHING, Instead, Way, instead_of
from dvor.web.words import day_month

router = page_router()

GUEST_COOKIE_SECONDS = 30 * 24 * 3600
QUANTITY_MAX = 1000
SEATS_MAX = 50
SEAT_NAME_MAX = 60

REFUSALS = (
    SoldOut, Closed, InThePast, TooFarAhead, NeedsDates, UnknownSupply, HoldEnded,
    LeavesSingleSeat, LimitReached, NoSeats, UnknownSeat,
    ClosedDates, NeedsHours, TooLate, TooLong, TooShort, WrongWeekday,
    UnknownOffer, NotOnSale, WrongDates, MixedCurrencies, CartFull, UnknownLine,
)  # fmt: skip

PROMO_REFUSALS = (
    UnknownPromo, PromoEnded, PromoNotYet, PromoElsewhere, PromoNeedsMore, PromoUsedUp, PromoLimit,
)  # fmt: skip

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]
OrdersHere = Annotated[Orders, contract(Orders)]


@router.get("/cart")
async def show_cart(visit: Visiting, orders: OrdersHere) -> Response:
    """Everything a person is about to buy."""
    cart = await _cart(orders, guest_of(visit.request))
    return await visit.page("cart/cart.html", cart=cart, **_hold(cart))


@router.post("/cart/lines")
async def add_lines(
    request: Request,
    visit: Visiting,
    orders: OrdersHere,
    inventory: InventoryHere,
    catalog: CatalogHere,
) -> Response:
    """Put one offer, or several ticket tiers at once, into the cart."""
    form = await typed(request)
    back = local_path(form["back"] or _came_from(request), "/cart")
    guest = guest_of(request) or _new_guest()
    wishes = wishes_of(form)
    if not wishes:
        problem = next(iter(form.errors.values()), _("Choose how many you want."))
        return await _refused(visit, back, problem)
    cart = None
    for wish in wishes:
        with caller.asking(_as_part(wish)):
            answer = await attempt(orders.add_to_cart(wish, guest=guest), *REFUSALS)
        if isinstance(answer, Refusal):
            problem = advice(answer)
            if cart:
                problem = _("{problem} The rest of your choice is in the cart.", problem=problem)
            near = await _instead(answer, wish, back, inventory, catalog)
            return _as_guest(request, await _refused(visit, back, problem, near.ways), guest)
        cart = answer
    if visit.enhanced and cart:
        response = visit.fragment("cart/added.html")
        response.headers["HX-Trigger"] = json.dumps({"cart-count": len(cart.lines)})
    else:
        response = _to_cart(
            request, notices.Notice("done", _("It is in your cart and held for you."))
        )
    return _as_guest(request, response, guest)


@router.post("/cart/lines/{line_id}")
async def change_line(line_id: UUID, request: Request, orders: OrdersHere) -> Response:
    """Set a line's quantity, or step it with the button `step`; 0 removes it."""
    form = await typed(request)
    guest = guest_of(request)
    quantity = 0 if form["remove"] else form.whole("quantity", 0, QUANTITY_MAX)
    quantity += {"more": 1, "less": -1}.get(form["step"], 0)
    if form.refused:
        return _to_cart(request, notices.Notice("refused", form.errors["quantity"]))
    before = await _cart(orders, guest)
    gone = next((line for line in before.lines if line.id == line_id), None)
    cart = await attempt(
        orders.change_line(line_id, min(max(quantity, 0), 1000), guest=guest), *REFUSALS
    )
    if isinstance(cart, Refusal):
        return _to_cart(request, notices.Notice("refused", advice(cart)))
    return _to_cart(request, _removed(gone) if gone and quantity <= 0 else None)


@router.post("/cart/hold")
async def hold_again(request: Request, orders: OrdersHere) -> Response:
    """Hold everything again after the hold has ended."""
    cart = await attempt(orders.hold_cart(guest=guest_of(request)), *REFUSALS)
    if isinstance(cart, Refusal):
        return _to_cart(request, notices.Notice("refused", advice(cart)))
    return _to_cart(request, notices.Notice("done", _("Everything is held for you again.")))


@router.post("/cart/promo")
async def set_promo(request: Request, orders: OrdersHere) -> Response:
    """Put a promo code into the cart, or take it out with the button `remove`."""
    form = await typed(request)
    back = local_path(form["back"], "/cart")
    code = "" if form["remove"] else form["code"].strip()[:200]
    if not (code or form["remove"]):
        notice = notices.Notice("refused", _("Type the promo code first."))
    else:
        cart = await attempt(
            orders.set_promo(code, guest=guest_of(request)), EmptyCart, *PROMO_REFUSALS, *REFUSALS
        )
        if isinstance(cart, Refusal):
            notice = notices.Notice("refused", advice(cart))
        elif code:
            notice = notices.Notice("done", _("The promo code is in your cart."))
        else:
            notice = notices.Notice("done", _("The promo code is taken out."))
    response = _to(back)
    notices.leave(request, response, notice)
    return response


@router.get("/checkout")
async def show_checkout(visit: Visiting, orders: OrdersHere) -> Response:
    """One page: what, how much, when it is charged, what cancelling costs."""
    if caller.current().user_id is None:
        return _to("/sign-in?next=/checkout")
    cart = await orders.cart()
    if not cart.lines:
        return _to("/cart")
    return await visit.page("cart/checkout.html", cart=cart, trouble="", **_hold(cart))


@router.post("/checkout")
async def check_out(request: Request, visit: Visiting, orders: OrdersHere) -> Response:
    """Turn the cart into an order and go to the payment service's page."""
    if caller.current().user_id is None:
        return _to("/sign-in?next=/checkout")
    version = (await typed(request)).whole("cart_version", 0, 2**31)
    order = await attempt(
        orders.check_out(version), CartChanged, EmptyCart, *PROMO_REFUSALS, *REFUSALS
    )
    if isinstance(order, EmptyCart):
        return _to("/orders")
    if isinstance(order, Refusal):
        cart = await orders.cart()
        return await visit.page(
            "cart/checkout.html", 409, cart=cart, trouble=advice(order), **_hold(cart)
        )
    return _to(order.pay_path or f"/orders/{order.id}")


_ADVICE: dict[type[Refusal], str] = {
    InThePast: N_("These dates have passed. Choose later ones."),
    NeedsDates: N_("Choose the dates first."),
    NeedsHours: N_("Choose from when to when."),
    WrongDates: N_("Choose the dates first."),
    MixedCurrencies: N_(
        "Your cart has prices in another currency. Check it out first, then add this."
    ),
    CartChanged: N_(
        "Your cart has changed, perhaps in another window. Check it and confirm again."
    ),
}


def advice(refusal: Refusal) -> str:
    """A refusal and what to do about it, in the person's language."""
    if isinstance(refusal, SoldOut):
        return _sold_out(refusal)
    if isinstance(refusal, ClosedDates):
        return _("Closed on {day}. Choose other dates.", day=day_month(refusal.day))
    if isinstance(refusal, WrongWeekday):
        day = day_month(refusal.day)
        return _("It cannot begin or end on {day}. Choose other dates.", day=day)
    if isinstance(refusal, PromoNeedsMore):
        least = shown(refusal.minimum, caller.current().language)
        return _("This promo code is for orders from {least} on.", least=least)
    words = _ADVICE.get(type(refusal))
    return _(words) if words else said(refusal)


def _sold_out(refusal: SoldOut) -> str:
    if refusal.seat:
        return _(
            "Seat {seat} has just been taken by somebody else. Choose another.", seat=refusal.seat
        )
    if refusal.hour:
        return _("Some of these hours have just been taken. Choose others.")
    day = day_month(refusal.day)
    if not refusal.left:
        if day:
            return _("Not free on {day}. Choose other dates.", day=day)
        return _("This has just been sold out. Choose something else, or look again later.")
    if day:
        return _(
            "Only {left} free on {day}. Choose fewer or other dates.", left=refusal.left, day=day
        )
    return _("Only {left} left. Choose fewer.", left=refusal.left)


def wishes_of(form: Form) -> list[Wish]:
    """What the form asks for; zero quantities are left out."""
    dates, during = None, hours.asked_hours(form)
    if form["start"] or form["end"]:
        first, last = form.day("start"), form.day("end")
        if first and last and first < last and (last - first).days <= 366:
            dates = DateRange(start=first, end=last)
        elif not form.errors:
            form.refuse("end", _("The end must be after the start."))
    single = {"quantity": form["offer_id"]} if form["offer_id"] else {}
    several = {n: n.removeprefix("quantity-") for n in form.values if n.startswith("quantity-")}
    wishes = []
    for name, offer in (single | several).items():
        offer_id = identifier(offer)
        quantity = form.whole(name, 0, QUANTITY_MAX, empty=1 if name == "quantity" else 0)
        if offer_id and quantity:
            wishes.append(Wish(offer_id=offer_id, quantity=quantity, dates=dates, hours=during))
    wishes += _seats(form)
    return [] if form.errors else wishes


def _seats(form: Form) -> list[Wish]:
    """The numbered seats that are ticked, together for each tier."""
    chosen: dict[UUID, dict[str, None]] = {}
    for name, value in form.values.items():
        offer, _sep, seat = value.partition(" ")
        offer_id = identifier(offer) if name.startswith("seat-") else None
        if offer_id and 0 < len(seat) <= SEAT_NAME_MAX:
            chosen.setdefault(offer_id, {})[seat] = None
    if any(len(seats) > SEATS_MAX for seats in chosen.values()):
        form.refuse("seats", _("Up to {most} seats at once, please.", most=SEATS_MAX))
        return []
    return [
        Wish(offer_id=offer_id, quantity=len(seats), seats=tuple(seats))
        for offer_id, seats in chosen.items()
    ]


def _as_part(wish: Wish) -> caller.Caller:
    """The caller with a key of this wish's own: several wishes of one form are not one request."""
    person = caller.current()
    return person.model_copy(
        update={"key": derived(person.key, wish.offer_id) if person.key else None}
    )


async def _instead(
    refusal: Refusal, wish: Wish, back: str, inventory: Inventory, catalog: Catalog
) -> Instead:
    """What can be had instead, for a wish that its listing's page made."""
    page = back.partition("?")[0]
    if not refusal.code.startswith("inventory.") or not page.startswith("/listings/"):
        return NOTHING
    claim = Claim(
        offer_id=wish.offer_id, quantity=wish.quantity, dates=wish.dates, seats=wish.seats
    )
    return await instead_of(claim, page, inventory, catalog)


async def _refused(visit: Visit, back: str, problem: str, ways: tuple[Way, ...] = ()) -> Response:
    link = ways[0] if ways else Way("", "")
    notice = notices.Notice("refused", problem, link_path=link.path, link_text=link.words)
    if visit.enhanced:
        return visit.fragment("cart/refused.html", notice=notice, ways=ways)
    response = _to(back)
    notices.leave(visit.request, response, notice)
    return response


async def _cart(orders: Orders, guest: str) -> Cart:
    """The cart of whoever looks; an empty one for strangers who never chose anything."""
    if guest or caller.current().user_id:
        return await orders.cart(guest=guest)
    return Cart(id=new(), lines=(), total=None, held_until=None, version=0)


def _to_cart(request: Request, notice: notices.Notice | None) -> Response:
    response = _to("/cart")
    if notice:
        notices.leave(request, response, notice)
    return response


def _removed(line: CartLine) -> notices.Notice:
    fields = {"offer_id": str(line.offer_id), "quantity": str(line.quantity), "back": "/cart"}
    if line.dates:
        fields |= {"start": line.dates.start.isoformat(), "end": line.dates.end.isoformat()}
    if line.hours:
        ends = hours.value(line.hours.start), hours.value(line.hours.end)
        fields |= dict(zip(("from_hour", "to_hour"), ends, strict=True))
    title = line.title.of(caller.current().language)
    return notices.Notice(
        "done", _("Removed: {title}.", title=title), undo_path="/cart/lines", undo_fields=fields
    )


def _hold(cart: Cart) -> dict[str, Any]:
    """`minutes_left` of the hold, None when nothing is held any more."""
    if cart.held_until is None:
        return {"minutes_left": None}
    seconds = (cart.held_until - clock.now()).total_seconds()
    return {"minutes_left": max(int(-(-seconds // 60)), 1) if seconds > 0 else None}


def _new_guest() -> str:
    return "" if caller.current().user_id else secrets.token_urlsafe(24)


def _as_guest(request: Request, response: Response, guest: str) -> Response:
    if guest and request.cookies.get(GUEST_COOKIE) != guest:
        value = cookie(settings_of(request), GUEST_COOKIE, guest, GUEST_COOKIE_SECONDS)
        response.headers.append("set-cookie", value)
    return response


def _came_from(request: Request) -> str:
    """The path of the page that sent the form, when it is ours."""
    here = f"{request.url.scheme}://{request.url.netloc}"
    referer = request.headers.get("referer", "")
    return referer.removeprefix(here) if referer.startswith(f"{here}/") else ""


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303)
