"""People who wait for something sold out: what the matrix asks with."""

from typing import Any
from uuid import UUID

from dvor.contracts.inventory import Claim
from dvor.services.inventory.serving import token_of
from tests.house.call import Build, Call, of
from tests.house.world import Person, World, draft


async def sold_out(w: World) -> Any:
    """A listing of the seller's of which nothing is left."""
    made = await w.listing(w.seller, draft(), 0)
    await w.house.settle()  # until the inventory has heard that it is on sale
    return made


async def stand_in_line(w: World) -> UUID:
    """A place of the customer's in a line, the only one they stand in."""
    made = await sold_out(w)
    with w.customer.asking():
        for entry in (await w.house.inventory.waiting()).items:
            await w.house.inventory.stop_waiting(entry.id)
        return (await w.house.inventory.wait(claim(made))).id


async def reach_the_front(w: World) -> UUID:
    """The same, and its turn has come."""
    waiting_id = await stand_in_line(w)
    with w.customer.asking():
        entry = await w.house.inventory.waiting_entry(waiting_id)
    await w.supply(w.seller, entry.offer_id, 1000)  # enough for whatever is done with the line
    return waiting_id


def claim(listing: Any) -> Claim:
    """One of the first offer."""
    return Claim(offer_id=listing.offers[0].id, quantity=1)


def token(w: World, waiting_id: UUID) -> str:
    """What the mail of an offer carries."""
    return token_of(w.house.settings.secret, waiting_id)


async def _join(w: World, _who: Person) -> Call:
    wanted = claim(await sold_out(w))
    return Call(more={"body": wanted.model_dump(mode="json")})


async def _join_page(w: World, _who: Person) -> Call:
    return Call({"listing_id": (await sold_out(w)).id}, {"form": {"quantity": "1"}})


async def waiting(w: World, _who: Person) -> Call:
    return Call({"waiting_id": await stand_in_line(w)})


async def offered(w: World, _who: Person) -> Call:
    return Call({"waiting_id": await reach_the_front(w)})


def _by_token(where: str) -> Build:
    async def build(w: World, _who: Person) -> Call:
        waiting_id = await reach_the_front(w)
        return Call({"waiting_id": waiting_id}, {where: {"token": token(w, waiting_id)}})

    return build


async def _leaving(w: World, _who: Person) -> Call:
    return Call({"waiting_id": await stand_in_line(w)}, {"body": {}})


async def _lines(w: World, _who: Person) -> Call:
    return Call(more={"params": {"offer_id": str(w.product.offers[0].id)}})


_product = of(listing_id=lambda w: w.product.id)

ROUTES: dict[str, Build] = {
    "POST /api/v1/waiting": _join,
    "GET /api/v1/waiting/{waiting_id}": waiting,
    "GET /api/v1/waiting/{waiting_id} @token": _by_token("params"),
    "POST /api/v1/waiting/{waiting_id}/stop": _leaving,
    "POST /api/v1/waiting/{waiting_id}/stop @token": _by_token("body"),
    "GET /api/v1/waiting-lines": _lines,
    "POST /api/v1/cart/waiting/{waiting_id}": offered,
    "POST /waiting/{waiting_id}/take": offered,
    "POST /waiting/{waiting_id}/leave": waiting,
    "GET /waiting/{waiting_id}/decline": _by_token("params"),
    "POST /waiting/{waiting_id}/decline": _by_token("form"),
    "GET /listings/{listing_id}/wait": _product,
    "GET /listings/{listing_id}/wait @draft": of(listing_id=lambda w: w.hidden.id),
    "POST /listings/{listing_id}/wait": _join_page,
}
