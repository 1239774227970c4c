"""The seats of an event, drawn by its organiser: works as a form, with scripts as a plan."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.catalog import Catalog, Kind, Listing, UnknownListing
from dvor.contracts.inventory import Inventory
from dvor.contracts.seating import (
    NotATier,
    SeatMap,
    SeatMapOutdated,
    SeatPromised,
    TicketsPromised,
)
from dvor.kernel import caller
from dvor.kernel.caller import Role
from dvor.kernel.errors import Refusal
from dvor.kernel.http import contract
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import notices, seat_drawing
from dvor.web.context import Visit, Visiting, members_router
from dvor.web.forms import Form, attempt, typed
from dvor.web.seat_drawing import Drawn, Unreadable
from dvor.web.seating import SHAPES

router = members_router("/selling")

TEXT_MAX = 25_000

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]


@router.get("/listings/{listing_id}/seats")
async def edit_seats(
    listing_id: UUID, visit: Visiting, catalog: CatalogHere, inventory: InventoryHere
) -> Response:
    """The seat map of an event in its form."""
    listing = await _own(listing_id, catalog)
    drawn = await inventory.seat_map(listing_id)
    texts = seat_drawing.written(drawn.map, _tiers(listing))
    form = _shown(drawn.version, texts or ())
    if texts is None:
        form.trouble = _(
            "This seat map was drawn by a program and cannot be shown here. Saving would replace it."
        )
    return await _page(visit, listing, form)


@router.post("/listings/{listing_id}/seats")
async def save_seats(
    listing_id: UUID,
    request: Request,
    visit: Visiting,
    catalog: CatalogHere,
    inventory: InventoryHere,
) -> Response:
    """Save the map, or grow the form by a section or shrink it."""
    listing = await _own(listing_id, catalog)
    form = await typed(request)
    sections = _sections(form)
    do, _sep, which = form["do"].partition("-")
    if do == "add":
        added = _added(form, listing)
        if added is None:
            return await _page(visit, listing, form, 422)
        return await _page(visit, listing, _shown(_version(form), [*sections, added]))
    if do == "remove" and which.isdecimal():
        kept = [section for i, section in enumerate(sections) if i != int(which[:4])]
        return await _page(visit, listing, _shown(_version(form), kept))
    seat_map = _read(form, sections, listing)
    if seat_map is None:
        return await _page(visit, listing, form, 422)
    saved = await attempt(
        inventory.set_seat_map(listing_id, _version(form), seat_map),
        SeatMapOutdated, SeatPromised, TicketsPromised, NotATier,
    )  # fmt: skip
    if isinstance(saved, Refusal):
        form.trouble = said(saved)
        return await _page(visit, listing, form, saved.http_status)
    response = RedirectResponse(f"/selling/listings/{listing_id}/seats", 303)
    notices.leave(request, response, notices.Notice("done", _("The seat map is saved.")))
    return response


async def _own(listing_id: UUID, catalog: Catalog) -> Listing:
    """An event that the caller may change; for others its seats do not exist."""
    seller = caller.require_role(Role.SELLER)
    listing = await catalog.listing(listing_id)
    mine = listing.seller_id == seller or caller.current().is_admin()
    if not mine or listing.kind is not Kind.EVENT:
        raise UnknownListing
    return listing


def _tiers(listing: Listing) -> list[UUID]:
    return [offer.id for offer in listing.offers]


def _version(form: Form) -> int:
    return form.whole("version", 0, 2**31, empty=0)


def _shown(version: int, sections: Sequence[Drawn]) -> Form:
    values = {"version": str(version), "sections": str(len(sections))}
    for i, drawn in enumerate(sections):
        values |= {f"name-{i}": drawn.name, f"rows-{i}": drawn.text}
        values |= {f"back-{i}": "1"} if drawn.backwards else {}
    return Form(values)


def _sections(form: Form) -> list[Drawn]:
    count = form["sections"]
    known = (
        min(int(count), seat_drawing.SECTIONS_MAX) if count.isdecimal() and len(count) < 4 else 0
    )
    return [
        Drawn(form[f"name-{i}"].strip()[:40], form[f"rows-{i}"][:TEXT_MAX], bool(form[f"back-{i}"]))
        for i in range(known)
    ]


def _added(form: Form, listing: Listing) -> Drawn | None:
    """The section that is asked for; None with words in the form where it does not fit."""
    rows = form.whole("new-rows", 1, seat_drawing.ROWS_MAX)
    seats = form.whole("new-seats", 1, seat_drawing.SEATS_MAX - 1)
    aisle = form.whole("new-aisle", 0, seat_drawing.SEATS_MAX, empty=0)
    tiers = seat_drawing.LETTERS[: len(listing.offers)]
    letter = form.choice("new-tier", tiers, _("Choose a tier."))
    if len(_sections(form)) >= seat_drawing.SECTIONS_MAX:
        form.refuse("new-rows", _("A seat map has up to {most} sections.", most=30))
    if form.refused:
        return None
    name = form["new-name"].strip()[:40]
    return Drawn(name, seat_drawing.block(rows, seats, aisle, letter))


def _read(form: Form, sections: Sequence[Drawn], listing: Listing) -> SeatMap | None:
    try:
        return seat_drawing.read(sections, _tiers(listing))
    except Unreadable as problem:
        if problem.section is None:
            form.trouble = problem.words
        else:
            form.refuse(f"rows-{problem.section}", problem.words)
        return None


async def _page(visit: Visit, listing: Listing, form: Form, status: int = 200) -> Response:
    tiers = [
        (seat_drawing.LETTERS[i], offer, SHAPES[i % len(SHAPES)])
        for i, offer in enumerate(listing.offers[: len(seat_drawing.LETTERS)])
    ]
    return await visit.page(
        "seller/seats.html", status, listing=listing, form=form, tiers=tiers,
        sections=_sections(form),
    )  # fmt: skip
