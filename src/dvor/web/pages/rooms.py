"""For hoteliers: rooms × days, who sleeps where."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.catalog import Catalog, Kind, Listing, UnknownListing
from dvor.contracts.closures import TooManyClosures, UnknownClosure
from dvor.contracts.identity import Identity
from dvor.contracts.inventory import InThePast, Inventory, TooFarAhead
from dvor.contracts.orders import Orders
from dvor.contracts.rooms import (
    Chart,
    GuestsAhead,
    NotConfirmed,
    RoomClosed,
    Rooms,
    RoomTaken,
    UnknownRoom,
    UnknownStay,
)
from dvor.kernel import caller, clock
from dvor.kernel.caller import Role
from dvor.kernel.errors import InvalidFields, NotFound, Refusal
from dvor.kernel.http import contract
from dvor.kernel.periods import DateRange
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import ngettext
from dvor.kernel.texts import refusal as said
from dvor.web import calendars, notices, tape
from dvor.web.context import Visiting, members_router
from dvor.web.forms import Form, attempt, identifier, typed

router = members_router("/selling/rooms")

NAMES_MAX = 200

CatalogHere = Annotated[Catalog, contract(Catalog)]
RoomsHere = Annotated[Rooms, contract(Rooms)]
InventoryHere = Annotated[Inventory, contract(Inventory)]
OrdersHere = Annotated[Orders, contract(Orders)]
IdentityHere = Annotated[Identity, contract(Identity)]


@dataclass(frozen=True)
class Whose:
    """Whose stay it is: the order's number and address, and the guest's name."""

    number: str
    path: str
    name: str


@router.get("/{listing_id}")
async def show_chart(
    listing_id: UUID,
    visit: Visiting,
    catalog: CatalogHere,
    rooms: RoomsHere,
    orders: OrdersHere,
    identity: IdentityHere,
    offer: str = "",
    first: str = "",
    stay: str = "",
) -> Response:
    """Rooms × days of one room type; `stay` is the one that a room is being chosen for."""
    listing = await _own(listing_id, catalog)
    chosen = next((o for o in listing.offers if str(o.id) == offer), listing.offers[0])
    today = clock.now().astimezone(ZoneInfo(listing.place.timezone if listing.place else "UTC"))
    begin = _day(first) or today.date()
    chart = await rooms.chart(chosen.id, tape.window(begin))
    picked = next((s for s in chart.stays if str(s.id) == stay), None)
    return await visit.page(
        "seller/rooms.html",
        listing=listing,
        chosen=chosen,
        chart=chart,
        tape=tape.tape(chart),
        whose=await _whose(chart, orders, identity),
        picked=picked,
        fitting=tape.fitting(chart, picked) if picked else [],
        today=today.date(),
        weekdays=calendars.weekdays(caller.current().language),
        begin=begin,
        address=lambda **more: _address(listing_id, chosen.id, begin, **more),
        turn=lambda days: _address(listing_id, chosen.id, begin + timedelta(days=days)),
    )


@router.post("/{listing_id}/rooms")
async def name_rooms(listing_id: UUID, request: Request, rooms: RoomsHere) -> Response:
    """Say which rooms there are."""
    form = await typed(request)
    names = [name.strip() for name in form["names"].replace(",", "\n").split("\n")]
    names = [name[:40] for name in dict.fromkeys(names) if name][:NAMES_MAX]
    answer = await attempt(rooms.set_rooms(_offer(form), tuple(names)), GuestsAhead)
    return _told(request, listing_id, form, answer, _("The rooms are saved."))


@router.post("/{listing_id}/assign")
async def assign(listing_id: UUID, request: Request, rooms: RoomsHere) -> Response:
    """Give a stay a room, or none."""
    form = await typed(request)
    stay_id, room_id = identifier(form["stay"]), identifier(form["room"])
    if stay_id is None:
        raise NotFound
    answer = await attempt(
        rooms.assign(_offer(form), tape.window(_first(form)), stay_id, room_id),
        UnknownStay, UnknownRoom, NotConfirmed, RoomTaken, RoomClosed,
    )  # fmt: skip
    text = _("The room is assigned.") if room_id else _("The stay has no room now.")
    return _told(request, listing_id, form, answer, text)


@router.post("/{listing_id}/arrange")
async def arrange(listing_id: UUID, request: Request, rooms: RoomsHere) -> Response:
    """Find rooms for everybody on the chart."""
    form = await typed(request)
    done = await rooms.arrange(_offer(form), tape.window(_first(form)))
    said_so = [ngettext("{n} stay got a room.", "{n} stays got a room.", done.placed)]
    if done.moved:
        said_so.append(ngettext("{n} was moved.", "{n} were moved.", done.moved))
    if done.left:
        said_so.append(ngettext("{n} fits nowhere.", "{n} fit nowhere.", done.left))
    return _told(request, listing_id, form, None, " ".join(said_so))


@router.post("/{listing_id}/close")
async def close(listing_id: UUID, request: Request, rooms: RoomsHere) -> Response:
    """Close a room from the first night to the last."""
    form = await typed(request)
    room_id = identifier(form["room"])
    start, last = form.day("start"), form.day("last")
    if room_id is None:
        raise NotFound
    if start is None or last is None or not start <= last <= start + timedelta(days=365):
        notice = notices.Notice("refused", _("The last night is not before the first."))
        return _back(request, listing_id, form, notice)
    dates = DateRange(start=start, end=last + timedelta(days=1))
    answer = await attempt(
        rooms.close_room(room_id, dates, form.text("note")),
        RoomTaken, UnknownRoom, InThePast, TooFarAhead, TooManyClosures, InvalidFields,
    )  # fmt: skip
    return _told(request, listing_id, form, answer, _("The room is closed."))


@router.post("/{listing_id}/reopen")
async def reopen(listing_id: UUID, request: Request, inventory: InventoryHere) -> Response:
    """End the closure of a room."""
    form = await typed(request)
    closure_id = identifier(form["closure"])
    if closure_id is None:
        raise NotFound
    answer = await attempt(inventory.reopen(closure_id), UnknownClosure)
    return _told(request, listing_id, form, answer, _("The room is open again."))


async def _own(listing_id: UUID, catalog: Catalog) -> Listing:
    """A place to stay of the caller's; for others there is nothing here."""
    seller = caller.require_role(Role.SELLER)
    listing = await catalog.listing(listing_id)
    if listing.seller_id != seller and not caller.current().is_admin():
        raise UnknownListing
    if listing.kind is not Kind.STAY or not listing.offers:
        raise NotFound
    return listing


async def _whose(chart: Chart, orders: Orders, identity: Identity) -> dict[UUID, Whose]:
    """Hold -> whose stay it is."""
    holds = tuple(dict.fromkeys(stay.hold_id for stay in chart.stays))[:1000]
    sales = (await orders.sales(holds)).items if holds else ()
    people = tuple(dict.fromkeys(sale.customer_id for sale in sales))[:100]
    names = {p.id: p.name for p in (await identity.profiles(people)).items} if people else {}
    return {
        sale.hold_id: Whose(
            sale.number, f"/selling/orders/{sale.order_id}", names.get(sale.customer_id, "")
        )
        for sale in sales
    }


def _offer(form: Form) -> UUID:
    found = identifier(form["offer"])
    if found is None:
        raise NotFound
    return found


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if abs((day - clock.now().date()).days) < 1000 else None


def _first(form: Form) -> date:
    return _day(form["first"]) or clock.now().date()


def _address(listing_id: UUID, offer_id: UUID, first: date, **more: str) -> str:
    query = urlencode({"offer": offer_id, "first": first, **more})
    return f"/selling/rooms/{listing_id}?{query}"


def _told(
    request: Request, listing_id: UUID, form: Form, answer: object, text: str
) -> RedirectResponse:
    refused = isinstance(answer, Refusal)
    notice = notices.Notice("refused", said(answer)) if refused else notices.Notice("done", text)
    return _back(request, listing_id, form, notice)


def _back(
    request: Request, listing_id: UUID, form: Form, notice: notices.Notice
) -> RedirectResponse:
    path = _address(listing_id, _offer(form), _first(form))
    response = RedirectResponse(path, 303)
    notices.leave(request, response, notice)
    return response
