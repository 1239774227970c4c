"""The line for what is sold out: standing in it, one's own places, taking and declining."""

from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.catalog import Catalog, Listing
from dvor.contracts.inventory import Claim, Inventory
from dvor.contracts.orders import Orders
from dvor.contracts.waiting import (
    AlreadyWaiting,
    LineTooLong,
    NothingToWaitFor,
    OfferOver,
    Waiting,
    WaitingForTooMuch,
    WaitingStatus,
)
from dvor.kernel import caller, clock
from dvor.kernel.errors import Refusal
from dvor.kernel.http import contract, page_router
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import booking, hours, notices
from dvor.web.context import Visit, Visiting, members_router
from dvor.web.forms import Form, attempt, clean, typed
from dvor.web.pages.shopping import REFUSALS, advice

members = members_router()
strangers = page_router()

ASKED = ("offer", "start", "end", "quantity", "by", "day", "from_hour", "to_day", "to_hour")
MINUTES_COUNTED = 90
"""An offer that ends sooner is counted down by the minute."""

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]
OrdersHere = Annotated[Orders, contract(Orders)]


@members.get("/listings/{listing_id}/wait")
async def ask_for_place(
    listing_id: UUID, request: Request, visit: Visiting, catalog: CatalogHere
) -> Response:
    """What to wait for: which offer, how many, when."""
    asked = request.query_params
    form = Form({name: clean(asked.get(name, ""))[:40] for name in ASKED})
    return await _form_page(visit, await catalog.listing(listing_id), form)


@members.post("/listings/{listing_id}/wait")
async def join_line(
    listing_id: UUID,
    request: Request,
    visit: Visiting,
    catalog: CatalogHere,
    inventory: InventoryHere,
) -> Response:
    """Stand in line."""
    listing = await catalog.listing(listing_id)
    form = await typed(request)
    claim = _claim(listing, form)
    if claim is None:
        return await _form_page(visit, listing, form, 422)
    entry = await attempt(
        inventory.wait(claim),
        *(NothingToWaitFor, AlreadyWaiting, WaitingForTooMuch, LineTooLong, *REFUSALS),
    )
    if isinstance(entry, AlreadyWaiting):
        return _told(request, notices.Notice("note", said(entry)))
    if isinstance(entry, Refusal):
        form.trouble = advice(entry)
        free = isinstance(entry, NothingToWaitFor)
        return await _form_page(visit, listing, form, entry.http_status, free=free)
    text = _("You are in line. When it comes free, it is held for you and we write to you.")
    return _told(request, notices.Notice("done", text))


@members.get("/waiting")
async def list_waiting(visit: Visiting, inventory: InventoryHere) -> Response:
    """What a person is offered, waits for, and waited for lately."""
    found = (await inventory.waiting()).items
    offered = [entry for entry in found if entry.status is WaitingStatus.OFFERED]
    waiting = [entry for entry in found if entry.status is WaitingStatus.WAITING]
    ended = [entry for entry in found if entry not in (*offered, *waiting)]
    return await visit.page(
        "account/waiting.html",
        offered=[(entry, minutes_left(entry)) for entry in offered],
        waiting=waiting,
        ended=ended,
        minutes_counted=MINUTES_COUNTED,
    )


@members.post("/waiting/{waiting_id}/take")
async def take(waiting_id: UUID, request: Request, orders: OrdersHere) -> Response:
    """Put what is offered into the cart."""
    cart = await attempt(orders.take_waiting(waiting_id), OfferOver, *REFUSALS)
    if isinstance(cart, Refusal):
        return _told(request, notices.Notice("refused", advice(cart)))
    text = _("It is in your cart and held for you.")
    return _told(request, notices.Notice("done", text), "/cart")


@members.post("/waiting/{waiting_id}/leave")
async def leave(waiting_id: UUID, request: Request, inventory: InventoryHere) -> Response:
    """Leave a line, or decline an offer."""
    entry = await inventory.stop_waiting(waiting_id)
    declined = entry.status is WaitingStatus.DECLINED
    text = _("You declined. It goes to the next in line.") if declined else _("You left the line.")
    return _told(request, notices.Notice("done", text))


@strangers.get("/waiting/{waiting_id}/decline")
async def ask_to_decline(
    waiting_id: UUID, visit: Visiting, inventory: InventoryHere, token: str = ""
) -> Response:
    """Where the mail leads who no longer needs it: opening it declines nothing."""
    entry = await inventory.waiting_entry(waiting_id, token[:200])
    return await visit.page("site/decline.html", entry=entry, token=token[:200])


@strangers.post("/waiting/{waiting_id}/decline")
async def decline(
    waiting_id: UUID, request: Request, visit: Visiting, inventory: InventoryHere
) -> Response:
    """Decline by the token of the mail, without signing in."""
    token = (await typed(request))["token"][:200]
    entry = await inventory.stop_waiting(waiting_id, token)
    return await visit.page("site/decline.html", entry=entry, token=token)


def minutes_left(entry: Waiting) -> int:
    """Whole minutes until an offer ends, rounded up."""
    assert entry.offered_until is not None
    return max(-(-int((entry.offered_until - clock.now()).total_seconds()) // 60), 0)


def _claim(listing: Listing, form: Form) -> Claim | None:
    """What the form asks for; None where it does not fit, with the form saying why."""
    offers = {str(offer.id): offer for offer in booking.offers_of(listing, form)}
    hourly = booking.by_hour(listing, form)
    only = next(iter(offers)) if len(offers) == 1 else ""
    offer = only or form.choice("offer", offers, _("Choose which."))
    quantity = form.whole("quantity", 1, booking.QUANTITY_MAX, empty=1)
    dates, during = None, None
    if hourly:
        during = hours.asked_hours(form)
        if during is None and not form.errors:
            form.refuse("from_hour" if form["day"] else "day", _("Choose from when to when."))
    elif listing.kind in booking.DATED:
        dates = booking.asked_dates(form, booking.today_at(listing))
        if dates is None and not form.errors:
            form.refuse("start", _("Choose the dates first."))
    if form.refused:
        return None
    return Claim(offer_id=offers[offer].id, quantity=quantity, dates=dates, hours=during)


async def _form_page(
    visit: Visit, listing: Listing, form: Form, status: int = 200, *, free: bool = False
) -> Response:
    language = caller.current().language
    offers, hourly = booking.offers_of(listing, form), booking.by_hour(listing, form)
    today, zone = booking.today_at(listing), booking.zone_of(listing)
    names = [(offer.id, offer.name.of(language)) for offer in offers]
    return await visit.page(
        "browse/wait.html",
        status,
        listing=listing,
        form=form,
        free=free,
        offers=[(identifier, name or listing.title.of(language)) for identifier, name in names],
        dated=listing.kind in booking.DATED and not hourly,
        picker=hours.whole_days(form, zone, today) if hourly else None,
        by_hour=form["by"] == "hour",
        where=hours.zone_words(zone, clock.now()),
        today=today,
        most=booking.QUANTITY_MAX,
    )


def _told(request: Request, notice: notices.Notice, path: str = "/waiting") -> RedirectResponse:
    response = RedirectResponse(path, 303)
    notices.leave(request, response, notice)
    return response
