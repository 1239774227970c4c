"""For people who sell: today, listings, the listing form, orders."""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.catalog import (
    Catalog,
    ExternalIdTaken,
    Kind,
    Listing,
    ListingStatus,
    Offer,
    Outdated,
    Search,
    UnknownCategory,
    UnknownListing,
)
from dvor.contracts.identity import Identity
from dvor.contracts.inventory import BelowPromised, Inventory, Rules
from dvor.contracts.orders import Orders, OrderStatus
from dvor.contracts.seating import SeatsCounted
from dvor.contracts.waiting import WaitingLine
from dvor.kernel import caller
from dvor.kernel.caller import Role
from dvor.kernel.errors import InvalidFields, NotFound, Refusal
from dvor.kernel.http import contract
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import calendars, notices
from dvor.web.context import Cursor, Visit, Visiting, members_router
from dvor.web.forms import Form, attempt, typed
from dvor.web.pages import (
    approvals,
    cancellation_form,
    fee_form,
    listing_form,
    price_form,
    rules_form,
)
from dvor.web.pages.listing_form import Filled
from dvor.web.pages.sales import sales

router = members_router("/selling")

LIST_SIZE = 20
TODAY_SIZE = 10
CSV_PAGES_MAX = 100
CSV_PAGE_SIZE = 100

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]
OrdersHere = Annotated[Orders, contract(Orders)]
IdentityHere = Annotated[Identity, contract(Identity)]


@router.get("")
async def show_today(visit: Visiting, orders: OrdersHere, catalog: CatalogHere) -> Response:
    """What waits for the seller now: to answer, to hand over, the newest orders, the listings."""
    seller = caller.require_role(Role.SELLER)
    asked = await orders.orders(approvals.waiting(TODAY_SIZE + 1))
    due = await orders.orders(sales(OrderStatus.PAID, limit=TODAY_SIZE))
    newest = await orders.orders(sales(None, limit=5))
    counts = {
        status: (await catalog.search(Search(seller_id=seller, status=status, limit=1))).total
        for status in ListingStatus
    }
    return await visit.page(
        "seller/today.html",
        asked=asked.items[:TODAY_SIZE],
        more_asked=len(asked.items) > TODAY_SIZE,
        due=due,
        newest=newest,
        counts=counts,
    )


@router.get("/listings")
async def list_listings(
    visit: Visiting, catalog: CatalogHere, status: str = "", text: str = "", cursor: Cursor = ""
) -> Response:
    """The seller's own listings."""
    seller = caller.require_role(Role.SELLER)
    wanted = listing_status_of(status)
    search = Search(
        seller_id=seller, status=wanted, text=text[:200], cursor=cursor or None, limit=LIST_SIZE
    )
    found = await catalog.search(search)
    return await visit.page("seller/listings.html", found=found, wanted=wanted, text=text)


@router.get("/listings/new")
async def new_listing(visit: Visiting, catalog: CatalogHere, kind: str = "") -> Response:
    """First the kind, then its form."""
    caller.require_role(Role.SELLER)
    chosen = kind_of(kind)
    if chosen is None:
        return await visit.page("seller/kinds.html")
    return await _form_page(visit, catalog, listing_form.empty(chosen), chosen, None)


@router.post("/listings/new")
async def create_listing(
    request: Request, visit: Visiting, catalog: CatalogHere, inventory: InventoryHere
) -> Response:
    """Write a draft and its quantities, or grow the form by a row."""
    caller.require_role(Role.SELLER)
    form = await typed(request)
    kind = kind_of(form["kind"])
    if kind is None:
        raise NotFound
    if listing_form.reshape(form):
        return await _form_page(visit, catalog, form, kind, None)
    filled = listing_form.read(form, kind, await catalog.categories())
    if filled is None:
        return await _form_page(visit, catalog, form, kind, None, 422)
    listing = await attempt(
        catalog.create(filled.draft), UnknownCategory, ExternalIdTaken, InvalidFields
    )
    if isinstance(listing, InvalidFields):
        listing_form.blame(form, listing)
        return await _form_page(visit, catalog, form, kind, None, 422)
    if isinstance(listing, Refusal):
        form.refuse("category", said(listing))
        return await _form_page(visit, catalog, form, kind, None, 422)
    return await _saved(request, visit, catalog, inventory, listing, filled, form)


@router.get("/listings/{listing_id}")
async def edit_listing(
    listing_id: UUID, visit: Visiting, catalog: CatalogHere, inventory: InventoryHere
) -> Response:
    """A listing in its form."""
    listing = await _own(listing_id, catalog)
    offer_ids = tuple(offer.id for offer in listing.offers)
    supplies, rules, found = await asyncio.gather(
        inventory.supplies(offer_ids),
        inventory.rules(offer_ids),
        inventory.waiting_lines(offer_ids),
    )
    lines = {line.offer_id: line for line in found.items}
    waited = [(offer, lines[offer.id]) for offer in listing.offers if offer.id in lines]
    form = listing_form.shown(listing, supplies, rules, caller.current().language)
    return await _form_page(visit, catalog, form, listing.kind, listing, waited=waited)


@router.post("/listings/{listing_id}")
async def change_listing(
    listing_id: UUID,
    request: Request,
    visit: Visiting,
    catalog: CatalogHere,
    inventory: InventoryHere,
) -> Response:
    """Save a listing and its quantities, or grow the form by a row."""
    listing = await _own(listing_id, catalog)
    form = await typed(request)
    kind = listing.kind
    if listing_form.reshape(form):
        return await _form_page(visit, catalog, form, kind, listing)
    version = form.whole("version", 0, 2**31)
    filled = listing_form.read(form, kind, await catalog.categories())
    if filled is None:
        return await _form_page(visit, catalog, form, kind, listing, 422)
    changed = await attempt(
        catalog.change(listing_id, version, filled.draft), Outdated, UnknownCategory, InvalidFields
    )
    if isinstance(changed, InvalidFields):
        listing_form.blame(form, changed)
    elif isinstance(changed, UnknownCategory):
        form.refuse("category", said(changed))
    elif isinstance(changed, Refusal):
        form.trouble = said(changed)
    else:
        return await _saved(request, visit, catalog, inventory, changed, filled, form)
    return await _form_page(visit, catalog, form, kind, listing, changed.http_status)


@router.post("/listings/{listing_id}/publish")
async def publish_listing(listing_id: UUID, request: Request, catalog: CatalogHere) -> Response:
    """Put on sale: also the undo of taking off sale."""
    listing = await catalog.publish(listing_id)
    text = _("“{title}” is on sale.", title=_title(listing))
    notice = notices.Notice(
        "done", text, link_path=f"/listings/{listing_id}", link_text=_("Look at it")
    )
    return _told(request, _back(request, listing_id), notice)


@router.post("/listings/{listing_id}/archive")
async def archive_listing(listing_id: UUID, request: Request, catalog: CatalogHere) -> Response:
    """Take off sale; the notice offers to undo it."""
    listing = await catalog.archive(listing_id)
    text = _(
        "“{title}” is off sale. Orders already placed stay as they are.", title=_title(listing)
    )
    notice = notices.Notice("done", text, undo_path=f"/selling/listings/{listing_id}/publish")
    return _told(request, _back(request, listing_id), notice)


async def _own(listing_id: UUID, catalog: Catalog) -> Listing:
    """A listing that the caller may change; for others its form does not exist."""
    seller = caller.require_role(Role.SELLER)
    listing = await catalog.listing(listing_id)
    if listing.seller_id != seller and not caller.current().is_admin():
        raise UnknownListing
    return listing


async def _form_page(
    visit: Visit,
    catalog: Catalog,
    form: Form,
    kind: Kind,
    listing: Listing | None,
    status: int = 200,
    waited: Sequence[tuple[Offer, WaitingLine]] = (),
) -> Response:
    categories = await catalog.categories()
    return await visit.page(
        "seller/listing.html",
        status,
        form=form,
        kind=kind,
        listing=listing,
        categories=[category for category in categories.items if category.kind is kind],
        offer_rows=max(listing_form.count(form, "offers", listing_form.OFFERS_MAX), 1),
        attribute_rows=listing_form.count(form, "attributes", listing_form.ATTRIBUTES_MAX),
        season_rows=lambda i: listing_form.count(
            form, f"offer-{i}-seasons", listing_form.SEASONS_MAX
        ),
        step_rows=lambda i, name: price_form.steps(form, f"offer-{i}", name),
        closed_rows=lambda i: listing_form.count(
            form, f"offer-{i}-closings", rules_form.CLOSED_MAX
        ),
        fee_rows=fee_form.rows(form),
        weekdays=calendars.weekdays(caller.current().language),
        settled=listing is not None and listing.status is not ListingStatus.DRAFT,
        zones=listing_form.zone_words(),
        currencies=[(code, code) for code in listing_form.CURRENCIES],
        languages=listing_form.languages(),
        cancel_options=cancellation_form.options(kind),
        cancel_anchors=cancellation_form.anchors(kind),
        cancel_rows=cancellation_form.rows(form),
        waited=waited,
    )


async def _saved(
    request: Request,
    visit: Visit,
    catalog: Catalog,
    inventory: Inventory,
    listing: Listing,
    filled: Filled,
    form: Form,
) -> Response:
    """Set quantities and rules of a saved listing; a refused quantity is shown at its field."""
    for i, (offer, quantity) in enumerate(zip(listing.offers, filled.quantities, strict=True)):
        refusal = await attempt(
            inventory.set_supply(offer.id, quantity), BelowPromised, SeatsCounted
        )
        if isinstance(refusal, SeatsCounted):
            known = await inventory.supplies((offer.id,))
            if any(supply.quantity == quantity for supply in known.items):
                continue  # as the seat map says
        if isinstance(refusal, Refusal):
            form.refuse(f"offer-{i}-quantity", said(refusal))
    await _set_rules(listing, filled.rules, inventory)
    if not form.refused:
        if form["do"] == "publish":
            return await publish_listing(listing.id, request, catalog)
        path = f"/selling/listings/{listing.id}"
        return _told(request, path, notices.Notice("done", _("Saved.")))
    form.values |= {f"offer-{i}-id": str(offer.id) for i, offer in enumerate(listing.offers)}
    form.values |= {"version": str(listing.version)}
    form.trouble = _("Everything else is saved.")
    return await _form_page(visit, catalog, form, listing.kind, listing, 409)


async def _set_rules(listing: Listing, wanted: tuple[Rules, ...], inventory: Inventory) -> None:
    """Set the rules that changed. What this form does not ask stays as it is."""
    known = await inventory.rules(tuple(offer.id for offer in listing.offers))
    before = {item.offer_id: item.rules for item in known.items}
    for offer, typed_rules in zip(listing.offers, wanted, strict=True):
        old = before.get(offer.id, listing_form.NO_RULES)
        new = typed_rules.model_copy(update={"no_single_seats": old.no_single_seats})
        if new != old:
            await inventory.set_rules(offer.id, new)


def listing_status_of(text: str) -> ListingStatus | None:
    """A status from an address; None for any. Raises NotFound for unknown ones."""
    if not text:
        return None
    status = next((status for status in ListingStatus if status == text), None)
    if status is None:
        raise NotFound
    return status


def kind_of(text: str) -> Kind | None:
    """A kind from an address; None when it is none."""
    return next((kind for kind in Kind if kind == text), None)


def _title(listing: Listing) -> str:
    return listing.title.of(caller.current().language)


def _back(request: Request, listing_id: UUID) -> str:
    """To the list when the button stood there, else to the listing."""
    from_list = request.query_params.get("from") == "list"
    return "/selling/listings" if from_list else f"/selling/listings/{listing_id}"


def _told(request: Request, path: str, notice: notices.Notice) -> RedirectResponse:
    response = RedirectResponse(path, 303)
    notices.leave(request, response, notice)
    return response
