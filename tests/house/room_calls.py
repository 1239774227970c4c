"""How rooms are called sensibly."""

from typing import Any
from uuid import UUID

from dvor.contracts.catalog import Kind
from dvor.contracts.orders import Wish
from dvor.kernel.caller import ANONYMOUS, asking
from dvor.services.payments.rules import GOOD_CARD
from tests.house import closure_calls
from tests.house.call import Build, Call, offer_of
from tests.house.world import Person, World, draft, stay_dates


async def hotel(w: World) -> Any:
    """A fresh stay of the seller's with two rooms."""
    listing = await w.listing(w.seller, draft(Kind.STAY, "An inn"), 2)
    await w.house.settle()  # until the inventory has heard that it is on sale
    with w.seller.asking():
        await w.house.rooms.set_rooms(offer_of(listing), ("1", "2"))
    return listing


async def booked(w: World) -> tuple[UUID, UUID, UUID]:
    """Offer, stay and room of somebody who paid."""
    offer_id = offer_of(await hotel(w))
    with w.customer.asking():
        wish = Wish(offer_id=offer_id, dates=stay_dates())
        order = await w.house.orders.place((wish,))
    with asking(ANONYMOUS):
        await w.house.payments.submit_card(order.pay_path.removeprefix("/pay/"), GOOD_CARD)
    await w.house.settle()
    with w.seller.asking():
        chart = await w.house.rooms.chart(offer_id, stay_dates())
    return offer_id, chart.stays[0].id, chart.rooms[0].id


async def _names(w: World, _who: Person) -> Call:
    return Call({"offer_id": offer_of(await hotel(w))}, {"body": {"names": ["1", "2"]}})


async def _chart(w: World, _who: Person) -> Call:
    dates = stay_dates().model_dump(mode="json")
    return Call({"offer_id": offer_of(await hotel(w))}, {"params": dates})


async def _choice(w: World, _who: Person) -> Call:
    offer_id, stay_id, room_id = await booked(w)
    dates = stay_dates().model_dump(mode="json")
    body = {"dates": dates, "room_id": str(room_id)}
    return Call({"offer_id": offer_id, "stay_id": stay_id}, {"body": body})


async def _arrange(w: World, _who: Person) -> Call:
    dates = stay_dates().model_dump(mode="json")
    return Call({"offer_id": offer_of(await hotel(w))}, {"body": dates})


async def room(w: World, _who: Person) -> Call:
    with w.seller.asking():
        chart = await w.house.rooms.chart(offer_of(await hotel(w)), stay_dates())
    dates = stay_dates().model_dump(mode="json")
    return Call({"room_id": chart.rooms[0].id}, {"body": {"dates": dates}})


async def _page(w: World, _who: Person) -> Call:
    return Call({"listing_id": (await hotel(w)).id})


async def _page_form(w: World, **form: str) -> Call:
    listing = await hotel(w)
    form |= {"offer": str(offer_of(listing)), "first": str(stay_dates().start)}
    return Call({"listing_id": listing.id}, {"form": form})


async def _names_form(w: World, _who: Person) -> Call:
    return await _page_form(w, names="1\n2")


async def _choice_form(w: World, _who: Person) -> Call:
    offer_id, stay_id, room_id = await booked(w)
    form = {"offer": offer_id, "first": stay_dates().start, "stay": stay_id, "room": room_id}
    return Call({"listing_id": w.stay.id}, {"form": {n: str(v) for n, v in form.items()}})


async def _closing_form(w: World, who: Person) -> Call:
    call = await room(w, who)
    dates = stay_dates()
    return Call(
        {"listing_id": w.stay.id},
        {
            "form": {
                "offer": str(offer_of(w.stay)),
                "room": str(call.parameters["room_id"]),
                "start": str(dates.start),
                "last": str(dates.start),
            }
        },
    )


async def _reopening_form(w: World, who: Person) -> Call:
    closed = (await closure_calls.closure(w, who)).parameters["closure_id"]
    return await _page_form(w, closure=str(closed))


ROUTES: dict[str, Build] = {
    "GET /selling/rooms/{listing_id}": _page,
    "POST /selling/rooms/{listing_id}/rooms": _names_form,
    "POST /selling/rooms/{listing_id}/assign": _choice_form,
    "POST /selling/rooms/{listing_id}/arrange": _names_form,
    "POST /selling/rooms/{listing_id}/close": _closing_form,
    "POST /selling/rooms/{listing_id}/reopen": _reopening_form,
    "PUT /api/v1/offers/{offer_id}/rooms": _names,
    "GET /api/v1/offers/{offer_id}/room-chart": _chart,
    "PUT /api/v1/offers/{offer_id}/stays/{stay_id}/room": _choice,
    "POST /api/v1/offers/{offer_id}/room-arrangements": _arrange,
    "POST /api/v1/rooms/{room_id}/closures": room,
}


async def offer(w: World) -> UUID:
    return offer_of(await hotel(w))


async def _with(w: World, *more: Any) -> tuple[Any, ...]:
    return (await offer(w), *more)


async def _assignment(w: World) -> tuple[Any, ...]:
    offer_id, stay_id, room_id = await booked(w)
    return offer_id, stay_dates(), stay_id, room_id


async def _closing(w: World, who: Person) -> tuple[Any, ...]:
    return ((await room(w, who)).parameters["room_id"], stay_dates())


async def _holds(w: World) -> tuple[Any, ...]:
    order = await w.order()
    found = "SELECT hold_id FROM orders WHERE id = $1"
    return ((await w.house.db("orders").fetchval(found, order.id),),)


METHODS: dict[str, Any] = {
    "orders.sales": lambda w, who: _holds(w),
    "rooms.set_rooms": lambda w, who: _with(w, ("1", "2")),
    "rooms.chart": lambda w, who: _with(w, stay_dates()),
    "rooms.assign": lambda w, who: _assignment(w),
    "rooms.arrange": lambda w, who: _with(w, stay_dates()),
    "rooms.close_room": _closing,
}
