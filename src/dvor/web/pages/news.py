"""News of a listing while it is on screen: what others take and give back."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import Response

from dvor.contracts.catalog import Catalog, Kind, Listing, ListingStatus
from dvor.contracts.inventory import Inventory, OfferRulesList, Rules
from dvor.kernel import caller
from dvor.kernel.errors import Unavailable
from dvor.kernel.http import contract, page_router
from dvor.kernel.http.routing import host
from dvor.kernel.periods import DateRange, HourRange
from dvor.web import booking, calendars, hours, live, watching
from dvor.web.context import Visit, Visiting
from dvor.web.forms import Form, attempt, clean

router = page_router()

ASKED = ("month", "start", "end", "quantity", "by", "day", "from_hour", "to_day", "to_hour")

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]


@dataclass(frozen=True)
class Sight:
    """What of a listing is on screen."""

    listing: Listing
    first: date | None
    """The first month of the calendar; None where there is none."""
    period: DateRange | HourRange | None
    form: Form
    """What the address says."""
    rules: Mapping[UUID, Rules]
    """Of what is let by the hour."""

    @property
    def offers(self) -> tuple[UUID, ...]:
        """The offers that the page shows."""
        return tuple(offer.id for offer in booking.offers_of(self.listing, self.form))

    @property
    def zone(self) -> ZoneInfo:
        """Of the place."""
        return booking.zone_of(self.listing)

    @property
    def hours(self) -> tuple[date, int] | None:
        """The days whose hours can be chosen."""
        if not booking.by_hour(self.listing, self.form):
            return None
        return hours.sight(self.form, self.zone, booking.today_at(self.listing))

    def questions(self) -> Iterator[watching.Question]:
        """What there is to ask about it."""
        if self.first:
            yield from (watching.Days(i, calendars.span(self.first)) for i in self.offers)
        if shown := self.hours:
            yield from (watching.Hours(i, *shown) for i in self.offers)
        if self.period or self.listing.kind not in booking.DATED:
            yield from (watching.Units(i, self.period) for i in self.offers)
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
    """Changes of the calendar (`months`), `hours`, of what is left (`stock`) and of `seats`."""
    listing = await catalog.listing(listing_id)
    if booking.over(listing) or listing.status is not ListingStatus.PUBLISHED:
        return Response(status_code=204)  # nothing will change; tells the browser not to come back
    asked = request.query_params
    form = Form({name: clean(asked.get(name, ""))[:40] for name in ASKED})
    today, hourly = booking.today_at(listing), booking.by_hour(listing, form)
    dated = listing.kind in booking.DATED and not hourly
    ids = tuple(offer.id for offer in booking.offers_of(listing, form))
    rules = await attempt(inventory.rules(ids), Unavailable) if hourly else None
    dates = booking.asked_dates(form, today) if dated else None
    sight = Sight(
        listing,
        calendars.month_of(form["month"], today) if dated else None,
        hours.asked_hours(form) if hourly else dates,
        form,
        {n.offer_id: n.rules for n in rules.items} if isinstance(rules, OfferRulesList) else {},
    )
    if hourly and sight.hours is None:
        return Response(status_code=204)  # no day is chosen yet: there is nothing to tell
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
        calendar = booking.calendar(listing, sight.first, booking.asked_quantity(sight.form), days)
        parts["months"] = visit.text("browse/months.html", listing=listing, calendar=calendar)
    if shown := sight.hours:
        known = [
            (answer.hours, sight.rules.get(answer.offer_id, hours.NO_RULES))
            for question, answer in answers.items()
            if isinstance(question, watching.Hours) and answer
        ]
        day, form = shown[0], Form(dict(sight.form.values))
        last = hours.last_day(day, form, sight.zone)
        picker = hours.chosen(day, last, known, form, sight.zone)
        parts["hours"] = visit.text("browse/hour_news.html", picker=picker)
    free = {q.offer_id: n for q, n in answers.items() if isinstance(q, watching.Units)}
    if free:
        choices = booking.stock(listing, free)
        parts["stock"] = visit.text("browse/stock.html", listing=listing, choices=choices)
    for question, answer in answers.items():
        if isinstance(question, watching.Seats) and answer:
            parts["seats"] = watching.fingerprint(str(answer.version), *answer.taken)
    return parts
