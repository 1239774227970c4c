"""How closures, feeds and imported calendars are called sensibly."""

from dvor.contracts.calendars import CalendarSource
from dvor.contracts.catalog import Kind
from tests.house.call import Build, Call, offer_of
from tests.house.world import Person, World, draft, stay_dates


async def calendar(w: World, _who: Person) -> Call:
    dates = stay_dates().model_dump(mode="json")
    return Call({"offer_id": offer_of(w.stay)}, {"params": dates})


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


ROUTES: dict[str, Build] = {
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
