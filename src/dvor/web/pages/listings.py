"""A listing's page: what it is, when it is free, what it costs, and the way into the cart."""

import re
from dataclasses import replace
from typing import Annotated
from uuid import UUID

from babel.numbers import format_decimal
from fastapi import Request
from fastapi.responses import JSONResponse, Response

from dvor.contracts.catalog import Catalog, Category, Kind, Listing
from dvor.contracts.identity import Identity
from dvor.contracts.inventory import Inventory
from dvor.contracts.orders import Orders
from dvor.kernel import caller, clock
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.http import contract, page_router
from dvor.kernel.money import Money, decimal
from dvor.web import booking, calendars, cancelling, hours, seating
from dvor.web.context import Visiting, guest_of, settings_of, templates
from dvor.web.forms import Form, attempt, clean
from dvor.web.pages.shopping import wishes_of

router = page_router()

ASKED = (
    "start", "end", "quantity", "offer", "offer_id", "month", "best", "accessible",
    "by", "day", "from_hour", "to_day", "to_hour",
)  # fmt: skip
COUNTED = re.compile(r"quantity-[0-9a-f-]{36}")

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]
IdentityHere = Annotated[Identity, contract(Identity)]
OrdersHere = Annotated[Orders, contract(Orders)]


def brief(price: Money) -> str:
    """A price as short as a day of a calendar is narrow: whole units, no currency."""
    return format_decimal(decimal(price), format="#,##0", locale=caller.current().language)


templates.environment.filters["brief"] = brief


@router.get("/listings/{listing_id}")
async def show(
    listing_id: UUID, request: Request, visit: Visiting, catalog: CatalogHere, inventory: InventoryHere, identity: IdentityHere,
    orders: OrdersHere,
) -> Response:  # fmt: skip
    """The page of a listing, with the booking box for what the address asks for."""
    listing = await catalog.listing(listing_id)
    form = _asked(request)
    zone = booking.zone_of(listing)
    box = await booking.box(listing, form, catalog, inventory)
    if listing.kind is Kind.EVENT:
        mine = await seating.own_seats(listing, orders, guest_of(request))
        hall = await seating.hall(listing, form, inventory, mine)
        if hall:
            lines = await booking.priced(hall.wanted, None, catalog)
            box = replace(box, hall=hall, wanted=hall.wanted, lines=lines)
    hourly = booking.by_hour(listing, form)
    dated = listing.kind in booking.DATED and not hourly
    seller = await attempt(identity.profiles((listing.seller_id,)), Unavailable)
    categories = await catalog.categories()
    return await visit.page(
        "browse/listing.html", listing=listing, box=box, dated=dated, hourly=hourly,
        mixed=booking.is_mixed(listing), where=hours.zone_words(zone, clock.now()),
        calendar=await _calendar(listing, form, box.quantity, inventory) if dated else None,
        seller=None if isinstance(seller, Refusal) or not seller.items else seller.items[0],
        trail=_trail(listing, categories.items), zone=zone.key,
        hold_minutes=settings_of(request).hold_ttl_seconds // 60,
        own=caller.current().user_id == listing.seller_id,
        terms=await booking.asked_of(listing, inventory),
        cancelling=cancelling.of_listing(listing, box.period),
    )  # fmt: skip


@router.get("/listings/{listing_id}/calendar")
async def show_calendar(
    listing_id: UUID,
    request: Request,
    visit: Visiting,
    catalog: CatalogHere,
    inventory: InventoryHere,
) -> Response:
    """Two months of a listing's calendar, for paging through it."""
    listing = await catalog.listing(listing_id)
    form = _asked(request)
    calendar = await _calendar(listing, form, 1, inventory)
    return visit.fragment("browse/months.html", listing=listing, calendar=calendar)


@router.get("/listings/{listing_id}/sums")
async def show_sums(
    listing_id: UUID, request: Request, visit: Visiting, catalog: CatalogHere
) -> Response:
    """What is chosen in the booking box costs: what the cart would say of it."""
    listing = await catalog.listing(listing_id)
    form = Form({name: clean(value)[:120] for name, value in request.query_params.multi_items()})
    sums = await booking.sums(listing, wishes_of(form), catalog)
    zone = booking.zone_of(listing).key
    return visit.fragment("browse/sums.html", listing=listing, sums=sums, zone=zone, alone=True)


@router.get("/listings/{listing_id}/seats")
async def show_seats(
    listing_id: UUID,
    request: Request,
    catalog: CatalogHere,
    inventory: InventoryHere,
    orders: OrdersHere,
) -> Response:
    """Which seats are taken now and which are in one's cart, for a seat map that is on screen."""
    listing = await catalog.listing(listing_id)
    mine = await seating.own_seats(listing, orders, guest_of(request))
    states = await inventory.seat_states(listing_id)
    return JSONResponse(
        {"version": states.version, "taken": list(states.taken), "mine": sorted(mine)}
    )


def _asked(request: Request) -> Form:
    asked = request.query_params
    counted = [name for name in asked if COUNTED.fullmatch(name)][: booking.OFFERS_MAX]
    return Form({name: clean(asked.get(name, ""))[:40] for name in (*ASKED, *counted)})


async def _calendar(
    listing: Listing, form: Form, quantity: int, inventory: Inventory
) -> dict[str, object]:
    first = calendars.month_of(form["month"] or form["start"][:7], booking.today_at(listing))
    free = await booking.days_free(listing, first, inventory)
    return booking.calendar(listing, first, quantity, free)


def _trail(listing: Listing, categories: tuple[Category, ...]) -> list[Category]:
    """The listing's category and its parents, from the root."""
    known = {category.slug: category for category in categories}
    trail: list[Category] = []
    slug = listing.category
    while slug in known and len(trail) < 5:
        trail.insert(0, known[slug])
        slug = known[slug].parent
    return trail
