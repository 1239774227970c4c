"""How hours, closures, feeds and imported calendars are called sensibly."""

from dvor.contracts.calendars import CalendarSource
from dvor.contracts.catalog import Kind
from tests.house.call import Build, Call, offer_of
from tests.house.world import Person, World, draft, stay_dates


async def calendar(w: World, _who: Person) -> Call:
    dates = stay_dates().model_dump(mode="json")
    return Call({"offer_id": offer_of(w.stay)}, {"params": dates})


async def hours(w: World, _who: Person) -> Call:
    court = await w.listing(w.seller, draft(Kind.RENTAL, "A court", by_hour=True))
    day = stay_dates().start
    return Call({"offer_id": offer_of(court), "day": day}, {"params": {"day": day.isoformat()}})


async def _closing(w: World, _who: Person) -> Call:
    dates = stay_dates().model_dump(mode="json")
    return Call({"offer_id": offer_of(w.stay)}, {"body": {"dates": dates}})


async def closure(w: World, _who: Person) -> Call:
    with w.seller.asking():
        closed = await w.house.inventory.close_dates(offer_of(w.stay), stay_dates())
    return Call({"closure_id": closed.id})


CALENDAR = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nEND:VCALENDAR\n"


async def _feed(w: World, _who: Person) -> Call:
    return Call({"offer_id": offer_of(w.stay)}, {"body": {"shared": True}})


async def feed_token(w: World, _who: Person) -> Call:
    with w.seller.asking():
        return Call({"token": (await w.house.inventory.set_feed(offer_of(w.stay), True)).token})


async def _import(w: World, _who: Person) -> Call:
    hut = await w.listing(w.seller, draft(Kind.STAY, "A hut"))
    return Call({"offer_id": offer_of(hut)}, {"body": {"text": CALENDAR}})


async def imported(w: World, who: Person) -> Call:
    offer_id = (await _import(w, who)).parameters["offer_id"]
    with w.seller.asking():
        made = await w.house.inventory.import_calendar(offer_id, CalendarSource(text=CALENDAR))
    return Call({"import_id": made.id})


async def _page(w: World, _who: Person) -> Call:
    return Call({"offer_id": offer_of(w.stay)})


async def _closing_form(w: World, _who: Person) -> Call:
    day = str(stay_dates().start)
    return Call({"offer_id": offer_of(w.stay)}, {"form": {"start": day, "last": day}})


async def _reopening_form(w: World, who: Person) -> Call:
    closed = str((await closure(w, who)).parameters["closure_id"])
    return Call({"offer_id": offer_of(w.stay)}, {"form": {"closure": closed}})


async def _feed_form(w: World, _who: Person) -> Call:
    return Call({"offer_id": offer_of(w.stay)}, {"form": {"shared": "1"}})


async def _import_form(w: World, who: Person) -> Call:
    return Call((await _import(w, who)).parameters, {"form": {"text": CALENDAR}})


async def _removing_form(w: World, who: Person) -> Call:
    made = str((await imported(w, who)).parameters["import_id"])
    return Call({"offer_id": offer_of(w.stay)}, {"form": {"import": made}})


ROUTES: dict[str, Build] = {
    "GET /api/v1/offers/{offer_id}/hours": hours,
    "GET /selling/closures/{offer_id}": _page,
    "POST /selling/closures/{offer_id}/close": _closing_form,
    "POST /selling/closures/{offer_id}/reopen": _reopening_form,
    "POST /selling/closures/{offer_id}/feed": _feed_form,
    "POST /selling/closures/{offer_id}/import": _import_form,
    "POST /selling/closures/{offer_id}/remove": _removing_form,
    "POST /api/v1/offers/{offer_id}/closures": _closing,
    "GET /api/v1/offers/{offer_id}/closures": calendar,
    "DELETE /api/v1/closures/{closure_id}": closure,
    "GET /api/v1/offers/{offer_id}/occupancy": calendar,
    "GET /api/v1/offers/{offer_id}/bookings": calendar,
    "GET /api/v1/offers/{offer_id}/calendars": calendar,
    "PUT /api/v1/offers/{offer_id}/feed": _feed,
    "POST /api/v1/offers/{offer_id}/calendar-imports": _import,
    "DELETE /api/v1/calendar-imports/{import_id}": imported,
    "GET /ical/{token}.ics": feed_token,
}
