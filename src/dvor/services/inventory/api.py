"""REST: supplies and availability."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Header, Query
from fastapi.responses import Response
from pydantic import Field, model_validator

from dvor.contracts.availability import AvailabilitySearch, AvailableOffers, Explanation
from dvor.contracts.calendars import CalendarImport, CalendarSource, Feed, OfferCalendars
from dvor.contracts.catalog import Kind
from dvor.contracts.closures import Bookings, Closure, Closures, Occupancies, Units
from dvor.contracts.hours import DayHours, HourDays
from dvor.contracts.inventory import (
    Calendar,
    Claim,
    Claims,
    FreeList,
    Hold,
    Inventory,
    OfferRules,
    OfferRulesList,
    Rules,
    Supply,
)
from dvor.contracts.seating import BestSeats, SeatMap, SeatMapVersion, SeatStates
from dvor.contracts.waiting import Waiting, WaitingLines, WaitingList
from dvor.kernel.http import SwiftRoute, api_router, contract, page_router
from dvor.kernel.messages import Bool, Count, Instant, Line, Message
from dvor.kernel.periods import DateRange, HourRange

holds = api_router(prefix="/holds", tags=["holds"], routes=SwiftRoute)
router = api_router(prefix="", tags=["availability"])
closures = api_router(prefix="", tags=["closures"])
calendars = api_router(prefix="", tags=["calendars"])
files = page_router()

InventoryContract = Annotated[Inventory, contract(Inventory)]
Dates = Annotated[DateRange, Query()]


class SupplyStatement(Message):
    """How many units there are."""

    quantity: Count


class Availability(Message):
    """Which offers, on which dates. Both dates or none; without dates: now."""

    offer_id: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]
    start: date | None = None
    end: date | None = None

    @model_validator(mode="after")
    def _has_both_dates_or_none(self) -> "Availability":
        if (self.start is None) is not (self.end is None):
            raise ValueError("one of start and end is missing")
        self.dates  # noqa: B018 - raises where they are no range
        return self

    @property
    def dates(self) -> DateRange | None:
        """The dates asked for."""
        return DateRange(start=self.start, end=self.end) if self.start and self.end else None


class Wanted(Message):
    """What is looked for. Goods and tickets: no period; else dates, or hours of a rental."""

    kind: Kind
    quantity: Annotated[int, Field(ge=1, le=1000)] = 1
    start: date | None = None
    end: date | None = None
    from_hour: Instant | None = None
    to_hour: Instant | None = None
    cursor: Annotated[str | None, Field(max_length=400)] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20

    @model_validator(mode="after")
    def _is_a_search(self) -> "Wanted":
        self.search  # noqa: B018 - raises where it is none
        return self

    @property
    def search(self) -> AvailabilitySearch:
        """The same as the contract asks for it."""
        if (self.start is None) is not (self.end is None):
            raise ValueError("one of start and end is missing")
        if (self.from_hour is None) is not (self.to_hour is None):
            raise ValueError("one of from_hour and to_hour is missing")
        return AvailabilitySearch(
            kind=self.kind,
            quantity=self.quantity,
            dates=DateRange(start=self.start, end=self.end) if self.start and self.end else None,
            hours=HourRange(start=self.from_hour, end=self.to_hour)
            if self.from_hour and self.to_hour
            else None,
            cursor=self.cursor,
            limit=self.limit,
        )


@router.get("/offers/{offer_id}/calendar")
async def calendar(
    offer_id: UUID, dates: Annotated[DateRange, Query()], inventory: InventoryContract
) -> Calendar:
    """Free units of each day from `start` up to, not including, `end`."""
    return await inventory.calendar(offer_id, dates)


@router.get("/offers/{offer_id}/hours")
async def hours(
    offer_id: UUID, day: date, inventory: InventoryContract, days: HourDays = 1
) -> DayHours:
    """Free units of each hour of a day where the place is."""
    return await inventory.hours(offer_id, day, days)


@router.get("/availability")
async def availability(
    asked: Annotated[Availability, Query()], inventory: InventoryContract
) -> FreeList:
    """Free units of each offer during all of the dates, or now."""
    return await inventory.free(asked.offer_id, asked.dates)


@router.get("/availability/search")
async def search(
    wanted: Annotated[Wanted, Query()], inventory: InventoryContract
) -> AvailableOffers:
    """Offers on sale that can be had in this quantity during all of the period, or now."""
    return await inventory.available(wanted.search)


# Exempt: it writes nothing; POST only because a claim does not fit a query.
@router.post("/availability/explain", openapi_extra={"x-idempotency": "none"})
async def explain(claim: Claim, inventory: InventoryContract) -> Explanation:
    """Whether this can be had now, else why not, and what is nearest to it. Promises nothing."""
    return await inventory.explain(claim)


class Reservation(Message):
    """What to hold."""

    claims: Claims


# The key names the hold: the engine itself takes it once, together with hundreds of others. A row
# of its own for every key would cost more than the hold.
@holds.post("", status_code=201, response_model=Hold, openapi_extra={"x-idempotency": "own"})
async def reserve(wanted: Reservation, inventory: InventoryContract) -> Response:
    """Hold units for a while, all or nothing; the Idempotency-Key names the hold."""
    hold = await inventory.reserve(wanted.claims)
    return Response(hold.model_dump_json(), 201, media_type="application/json")


@router.delete("/holds/{key}", tags=["holds"], openapi_extra={"x-idempotency": "own"})
async def let_go(key: UUID, inventory: InventoryContract) -> Hold:
    """Free what was held under this key."""
    return await inventory.let_go(key)


@router.put("/offers/{offer_id}/supply")
async def set_supply(
    offer_id: UUID, statement: SupplyStatement, inventory: InventoryContract
) -> Supply:
    """Say how many units there are. The offer's seller and admins."""
    return await inventory.set_supply(offer_id, statement.quantity)


@router.get("/offer-rules")
async def rules(
    offer_id: Annotated[tuple[UUID, ...], Query(min_length=1, max_length=100)],
    inventory: InventoryContract,
) -> OfferRulesList:
    """What may be booked of each offer."""
    return await inventory.rules(offer_id)


@router.put("/offers/{offer_id}/rules")
async def set_rules(offer_id: UUID, rules: Rules, inventory: InventoryContract) -> OfferRules:
    """Say what may be booked from now on. The offer's seller and admins."""
    return await inventory.set_rules(offer_id, rules)


@router.get("/listings/{listing_id}/seat-map")
async def seat_map(listing_id: UUID, inventory: InventoryContract) -> SeatMapVersion:
    """The numbered seats of an event; an empty map where they have no numbers."""
    return await inventory.seat_map(listing_id)


@router.put("/listings/{listing_id}/seat-map")
async def set_seat_map(
    listing_id: UUID,
    version: Annotated[int, Query(ge=0, le=2**31)],
    seat_map: SeatMap,
    inventory: InventoryContract,
) -> SeatMapVersion:
    """Draw the seats of an event, from the map of that version on. Its seller and admins."""
    return await inventory.set_seat_map(listing_id, version, seat_map)


@router.get("/listings/{listing_id}/seat-states")
async def seat_states(listing_id: UUID, inventory: InventoryContract) -> SeatStates:
    """Which seats of an event are taken now."""
    return await inventory.seat_states(listing_id)


@router.get("/offers/{offer_id}/best-seats")
async def best_seats(
    offer_id: UUID,
    inventory: InventoryContract,
    quantity: Annotated[int, Query(ge=1, le=50)] = 1,
    accessible: bool = False,
) -> BestSeats:
    """Free seats of a tier that go together best."""
    return await inventory.best_seats(offer_id, quantity, accessible)


class ClosureDraft(Message):
    """What to close."""

    dates: DateRange
    units: Units = 1
    note: Line = ""


@closures.post("/offers/{offer_id}/closures", status_code=201)
async def close(offer_id: UUID, draft: ClosureDraft, inventory: InventoryContract) -> Closure:
    """Close units on all of the dates. The offer's seller and admins."""
    return await inventory.close_dates(offer_id, draft.dates, draft.units, draft.note)


@closures.delete("/closures/{closure_id}", status_code=204)
async def reopen(closure_id: UUID, inventory: InventoryContract) -> None:
    """End a closure. The offer's seller and admins."""
    await inventory.reopen(closure_id)


@closures.get("/offers/{offer_id}/closures")
async def list_closures(offer_id: UUID, dates: Dates, inventory: InventoryContract) -> Closures:
    """What is closed on some of the days from `start` up to `end`, with conflicts."""
    return await inventory.closures(offer_id, dates)


@closures.get("/offers/{offer_id}/occupancy")
async def occupancy(offer_id: UUID, dates: Dates, inventory: InventoryContract) -> Occupancies:
    """What is closed, promised and free day by day. The offer's seller and admins."""
    return await inventory.occupancy(offer_id, dates)


@closures.get("/offers/{offer_id}/bookings")
async def bookings(offer_id: UUID, dates: Dates, inventory: InventoryContract) -> Bookings:
    """What is held and booked on some of the days. The offer's seller and admins."""
    return await inventory.bookings(offer_id, dates)


class Sharing(Message):
    """Whether others may read when nothing is free."""

    shared: Bool


@calendars.put("/offers/{offer_id}/feed")
async def set_feed(offer_id: UUID, sharing: Sharing, inventory: InventoryContract) -> Feed:
    """Give the calendar a new address, or none; the one before leads nowhere then."""
    return await inventory.set_feed(offer_id, sharing.shared)


@calendars.get("/offers/{offer_id}/calendars")
async def list_calendars(offer_id: UUID, inventory: InventoryContract) -> OfferCalendars:
    """The feed (`/ical/{token}.ics`) and the imported calendars. The offer's seller and admins."""
    return await inventory.calendars(offer_id)


@calendars.post("/offers/{offer_id}/calendar-imports", status_code=201)
async def import_calendar(
    offer_id: UUID, source: CalendarSource, inventory: InventoryContract
) -> CalendarImport:
    """Close a unit for each event of a calendar. The offer's seller and admins."""
    return await inventory.import_calendar(offer_id, source)


@calendars.delete("/calendar-imports/{import_id}", status_code=204)
async def remove_import(import_id: UUID, inventory: InventoryContract) -> None:
    """End an import and its closures. The offer's seller and admins."""
    await inventory.remove_import(import_id)


@files.get("/ical/{token}.ics")
async def calendar_file(
    token: str, inventory: InventoryContract, if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """When nothing of an offer is free, for other calendars. The address is the secret."""
    found = await inventory.calendar_file(token[:100])
    tag = f'"{found.version}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=300", "X-Robots-Tag": "noindex"}
    if tag in if_none_match:
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = 'attachment; filename="dvor.ics"'
    return Response(found.content, headers=headers, media_type="text/calendar; charset=utf-8")


class Leaving(Message):
    """Leave a line, or decline the offer; with the token of the mail nobody need sign in."""

    token: Line = ""


@router.post("/waiting", status_code=201)
async def wait(claim: Claim, inventory: InventoryContract) -> Waiting:
    """Stand in line for what is sold out."""
    return await inventory.wait(claim)


@router.get("/waiting")
async def waiting(inventory: InventoryContract) -> WaitingList:
    """What one waits for, is offered, and waited for lately."""
    return await inventory.waiting()


@router.get("/waiting/{waiting_id}")
async def waiting_entry(
    waiting_id: UUID,
    inventory: InventoryContract,
    token: Annotated[str, Query(max_length=200)] = "",
) -> Waiting:
    """One's place in a line; with the token of the mail nobody need sign in."""
    return await inventory.waiting_entry(waiting_id, token)


@router.post("/waiting/{waiting_id}/stop")
async def stop_waiting(waiting_id: UUID, leaving: Leaving, inventory: InventoryContract) -> Waiting:
    """Leave the line, or decline the offer."""
    return await inventory.stop_waiting(waiting_id, leaving.token)


@router.get("/waiting-lines")
async def waiting_lines(
    offer_id: Annotated[tuple[UUID, ...], Query(min_length=1, max_length=100)],
    inventory: InventoryContract,
) -> WaitingLines:
    """How many wait for one's own offers."""
    return await inventory.waiting_lines(offer_id)
