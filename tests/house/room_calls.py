"""How rooms are called sensibly."""

from typing import Any
from uuid import UUID

from dvor.contracts.catalog import Kind
from dvor.contracts.orders import Wish
from dvor.kernel.caller import ANONYMOUS, asking
from dvor.services.payments.rules import GOOD_CARD
from tests.house.call import Build, Call, offer_of
from tests.house.world import Person, World, draft, stay_dates


async def hotel(w: World) -> Any:
    """A fresh stay of the seller's with two rooms."""
    listing = await w.listing(w.seller, draft(Kind.STAY, "An inn"), 2)
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


ROUTES: dict[str, Build] = {
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
