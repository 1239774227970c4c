"""For people who sell by the day: what is closed, and calendars of other places."""

import calendar
from datetime import timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton
from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from dvor.contracts.calendars import (
    BadCalendarAddress,
    CalendarSource,
    NotACalendar,
    TooManyImports,
    UnknownImport,
)
from dvor.contracts.catalog import Catalog, OfferFacts
from dvor.contracts.closures import ClosedElsewhere, TooManyClosures, UnknownClosure
from dvor.contracts.inventory import InThePast, Inventory, NeedsDates, TooFarAhead
from dvor.kernel import caller, clock
from dvor.kernel.caller import Role
from dvor.kernel.errors import NotFound, Refusal
from dvor.kernel.http import contract
from dvor.kernel.periods import DateRange
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import calendars, notices
from dvor.web.context import Visiting, members_router, settings_of
from dvor.web.forms import attempt, identifier, typed, uploaded

router = members_router("/selling/closures")

FILE_BYTES_MAX = 300_000
LISTED = timedelta(days=365)

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]


@router.get("/{offer_id}")
async def show_closures(
    offer_id: UUID, visit: Visiting, catalog: CatalogHere, inventory: InventoryHere, month: str = ""
) -> Response:
    """A month of an offer with its closures, its feed and its imports."""
    caller.require_role(Role.SELLER)
    facts = await _facts(offer_id, catalog)
    today = clock.now().astimezone(ZoneInfo(facts.timezone or "UTC")).date()
    first = calendars.month_of(month, today)
    weeks = calendar.Calendar().monthdatescalendar(first.year, first.month)
    shown = DateRange(start=weeks[0][0], end=weeks[-1][-1] + timedelta(days=1))
    days = (await inventory.occupancy(offer_id, shown)).days
    ahead = DateRange(start=min(first, today), end=min(first, today) + LISTED)
    language = caller.current().language
    title = format_skeleton("yMMMM", first, locale=language)
    before, after = calendars.neighbours(first, today)
    return await visit.page(
        "seller/closures.html",
        facts=facts,
        weeks=weeks,
        days={day.day: day for day in days},
        month=first,
        title=title[0].upper() + title[1:],
        weekdays=calendars.weekdays(language),
        before=before,
        after=after,
        today=today,
        closures=(await inventory.closures(offer_id, ahead)).items,
        calendars=await inventory.calendars(offer_id),
        site=settings_of(visit.request).site,
    )


@router.post("/{offer_id}/close")
async def close(offer_id: UUID, request: Request, inventory: InventoryHere) -> Response:
    """Close units from the first day to the last."""
    caller.require_role(Role.SELLER)
    form = await typed(request)
    start, last = form.day("start"), form.day("last")
    units, note = form.whole("units", 1, 1000, empty=1), form.text("note")
    if start is None or last is None or not start <= last < start + LISTED:
        return _told(request, offer_id, None, _("The last day is not before the first."), bad=True)
    if form.refused:
        return _told(request, offer_id, None, next(iter(form.problems().values())), bad=True)
    dates = DateRange(start=start, end=last + timedelta(days=1))
    answer = await attempt(
        inventory.close_dates(offer_id, dates, units, note),
        InThePast, TooFarAhead, TooManyClosures, NeedsDates,
    )  # fmt: skip
    text = _("It is closed.")
    if not isinstance(answer, Refusal) and answer.conflicts:
        text = _("Closed where it was free. What is promised stays promised: see below.")
    return _told(request, offer_id, answer, text)


@router.post("/{offer_id}/reopen")
async def reopen(offer_id: UUID, request: Request, inventory: InventoryHere) -> Response:
    """End a closure."""
    closure_id = identifier((await typed(request))["closure"])
    if closure_id is None:
        raise NotFound
    answer = await attempt(inventory.reopen(closure_id), UnknownClosure, ClosedElsewhere)
    return _told(request, offer_id, answer, _("It is open again."))


@router.post("/{offer_id}/feed")
async def set_feed(offer_id: UUID, request: Request, inventory: InventoryHere) -> Response:
    """Give the calendar a new address, or none."""
    shared = (await typed(request))["shared"] == "1"
    answer = await attempt(inventory.set_feed(offer_id, shared), NeedsDates)
    text = _("The calendar has a new address.") if shared else _("Nobody can read it any more.")
    return _told(request, offer_id, answer, text)


@router.post("/{offer_id}/import")
async def import_calendar(offer_id: UUID, request: Request, inventory: InventoryHere) -> Response:
    """Import a calendar: its address, its text or its file; or bring a known one anew."""
    form = await typed(request)
    content = await uploaded(request, "file", FILE_BYTES_MAX)
    text = content.decode("utf-8", "replace").replace("\x00", "") if content else form["text"]
    try:
        source = CalendarSource(name=form["name"][:200], url=form["url"].strip(), text=text)
    except ValidationError:
        return _told(request, offer_id, None, _("This calendar is too large."), bad=True)
    answer = await attempt(
        inventory.import_calendar(offer_id, source, identifier(form["import"])),
        NotACalendar, BadCalendarAddress, TooManyImports, TooManyClosures, UnknownImport, NeedsDates,
    )  # fmt: skip
    told = _("It is being looked at now.") if source.url else _("The calendar is imported.")
    return _told(request, offer_id, answer, told)


@router.post("/{offer_id}/remove")
async def remove_import(offer_id: UUID, request: Request, inventory: InventoryHere) -> Response:
    """End an import."""
    import_id = identifier((await typed(request))["import"])
    if import_id is None:
        raise NotFound
    answer = await attempt(inventory.remove_import(import_id), UnknownImport)
    return _told(request, offer_id, answer, _("The import is removed, its closures are open."))


async def _facts(offer_id: UUID, catalog: Catalog) -> OfferFacts:
    found = (await catalog.offers((offer_id,))).items
    if not found:
        raise NotFound
    return found[0]


def _told(
    request: Request, offer_id: UUID, answer: object, text: str, *, bad: bool = False
) -> RedirectResponse:
    response = RedirectResponse(f"/selling/closures/{offer_id}", 303)
    if isinstance(answer, Refusal):
        notice = notices.Notice("refused", said(answer))
    else:
        notice = notices.Notice("refused" if bad else "done", text)
    notices.leave(request, response, notice)
    return response
