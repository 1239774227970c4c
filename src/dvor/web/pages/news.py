"""News of a listing while it is on screen: what others take and give back."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response

from dvor.contracts.catalog import Catalog, Kind, Listing, ListingStatus
from dvor.contracts.inventory import Inventory
from dvor.kernel import caller
from dvor.kernel.http import contract, page_router
from dvor.kernel.http.routing import host
from dvor.kernel.periods import DateRange
from dvor.web import booking, calendars, live, watching
from dvor.web.context import Visit, Visiting
from dvor.web.forms import Form, clean

router = page_router()

ASKED = ("month", "start", "end", "quantity")

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]


@dataclass(frozen=True)
class Sight:
    """What of a listing is on screen."""

    listing: Listing
    first: date | None
    """The first month of the calendar; None where there is none."""
    dates: DateRange | None
    quantity: int

    @property
    def offers(self) -> tuple[UUID, ...]:
        """The offers that the page shows."""
        return tuple(offer.id for offer in self.listing.offers[: booking.OFFERS_MAX])

    def questions(self) -> Iterator[watching.Question]:
        """What there is to ask about it."""
        if self.first:
            yield from (watching.Days(i, calendars.span(self.first)) for i in self.offers)
        if self.dates or self.listing.kind not in booking.DATED:
            yield from (watching.Units(i, self.dates) for i in self.offers)
        if self.listing.kind is Kind.EVENT:
            yield watching.Seats(self.listing.id)


@router.get("/listings/{listing_id}/live")
async def follow(
    listing_id: UUID,
    request: Request,
    visit: Visiting,
    catalog: CatalogHere,
    inventory: InventoryHere,
) -> Response:
    """Changes of the calendar (`months`), of what is left (`stock`) and of seats (`seats`)."""
    listing = await catalog.listing(listing_id)
    if booking.over(listing) or listing.status is not ListingStatus.PUBLISHED:
        return Response(status_code=204)  # nothing will change; tells the browser not to come back
    asked = request.query_params
    form = Form({name: clean(asked.get(name, ""))[:40] for name in ASKED})
    if booking.by_hour(listing, form):
        return Response(status_code=204)  # what is free is asked for with each choice
    today, dated = booking.today_at(listing), listing.kind in booking.DATED
    sight = Sight(
        listing,
        calendars.month_of(form["month"], today) if dated else None,
        booking.asked_dates(form, today) if dated else None,
        booking.asked_quantity(form),
    )
    seen = request.headers.get("last-event-id") or asked.get("after", "")
    poller = watching.poller(host(request), inventory)
    news = _news(visit, poller, sight, seen[:40])
    person = caller.current().user_id
    if person:
        return live.EventStream(person, news)
    address = request.client.host if request.client else ""
    return live.EventStream(address, news, live.STREAMS_PER_ADDRESS)


async def _news(
    visit: Visit, poller: watching.Poller, sight: Sight, seen: str
) -> AsyncIterator[str]:
    yield live.greeting()
    end = time.monotonic() + live.STREAM_SECONDS
    shown: dict[str, str] = {}
    async with poller.watching(sight.questions()) as watch:
        while time.monotonic() < end:
            if not await watch.change(live.BEAT_SECONDS):
                if live.ending():
                    return
                yield live.heartbeat()
                continue
            answers = watch.answers()
            if answers is None:
                continue
            parts = _parts(visit, sight, answers)
            now = watching.fingerprint(*parts.values())
            changed = {name: html for name, html in parts.items() if shown.get(name) != html}
            if now != seen:
                for number, (name, html) in enumerate(changed.items(), 1):
                    # The id goes with the last: whoever missed it gets all of them again.
                    yield live.event(name, now if number == len(changed) else None, html)
            seen, shown = now, parts


def _parts(visit: Visit, sight: Sight, answers: Mapping[watching.Question, Any]) -> dict[str, str]:
    """What the page shows of these answers: name of the event -> HTML."""
    parts = {}
    listing = sight.listing
    if sight.first:
        days = {
            question.offer_id: booking.by_day(answer)
            for question, answer in answers.items()
            if isinstance(question, watching.Days)
        }
        calendar = booking.calendar(listing, sight.first, sight.quantity, days)
        parts["months"] = visit.text("browse/months.html", listing=listing, calendar=calendar)
    free = {q.offer_id: n for q, n in answers.items() if isinstance(q, watching.Units)}
    if free:
        choices = booking.stock(listing, free)
        parts["stock"] = visit.text("browse/stock.html", listing=listing, choices=choices)
    for question, answer in answers.items():
        if isinstance(question, watching.Seats) and answer:
            parts["seats"] = watching.fingerprint(str(answer.version), *answer.taken)
    return parts
