"""Promo codes, taxes and requests to approve: what the matrix asks with."""

from typing import Any
from uuid import UUID, uuid4

from dvor.contracts.catalog import Kind
from dvor.contracts.orders import Wish
from dvor.contracts.pricing import Tax
from dvor.contracts.promos import PromoDraft, PromoSearch
from dvor.kernel.caller import ANONYMOUS, asking
from tests.house.call import Build, Call, offer_of
from tests.house.world import GOOD_CARD, Person, World, stay_dates
from tests.house.world import draft as listing_draft


def draft(**more: Any) -> PromoDraft:
    """A code that nobody has thought of."""
    return PromoDraft(**({"code": uuid4().hex[:20], "percent": 10, "uses": 1000} | more))


async def code(w: World, who: Person | None = None, **more: Any) -> tuple[UUID, str]:
    """A new code of the seller's, or of the platform's."""
    with (who or w.seller).asking():
        made = await w.house.catalog.make_promo(draft(**more))
    return made.id, made.code


def _drafted(**more: Any) -> dict[str, Any]:
    return draft(**more).model_dump(mode="json")


async def _make(_w: World, _who: Person) -> Call:
    return Call(more={"body": _drafted()})


async def _make_for_all(_w: World, _who: Person) -> Call:
    return Call(more={"body": _drafted(platform=True)})


async def _switch(w: World, _who: Person) -> Call:
    return Call({"promo_id": (await code(w))[0]}, {"body": {"active": False}})


async def _for_all(_w: World, _who: Person) -> Call:
    return Call(more={"params": {"platform": "true"}})


async def _tax(_w: World, _who: Person) -> Call:
    return Call(more={"body": {"rate": 0}})


async def _into_cart(w: World, who: Person) -> Call:
    _id, typed = await code(w, w.admin, platform=True)
    if who.user is not None and not who.ended:
        await w.filled_cart(who)
    return Call(more={"body": {"code": typed}})


async def _out_of_cart(_w: World, _who: Person) -> Call:
    return Call(more={"form": {"remove": "1"}})


async def _make_form(_w: World, _who: Person) -> Call:
    form = {"code": uuid4().hex[:20], "currency": "RUB", "percent": "5", "uses": "3"}
    return Call(more={"form": form})


async def _switch_form(w: World, _who: Person) -> Call:
    return Call({"promo_id": (await code(w))[0]}, {"form": {"active": ""}})


async def _tax_form(_w: World, _who: Person) -> Call:
    return Call(more={"form": {"included": "1"}})


async def asked(w: World, _who: Person) -> Call:
    """A paid request of the customer's that waits for the seller's answer."""
    kind = listing_draft(Kind.STAY).model_copy(update={"approval": True})
    made = await w.listing(w.seller, kind)
    await w.house.settle()
    with w.customer.asking():
        wish = Wish(offer_id=offer_of(made), dates=stay_dates())
        order = await w.house.orders.place((wish,))
    with asking(ANONYMOUS):
        await w.house.payments.submit_card(order.pay_path.removeprefix("/pay/"), GOOD_CARD)
    await w.house.settle()
    return Call({"order_id": order.id})


ROUTES: dict[str, Build] = {
    "POST /api/v1/orders/{order_id}/approve": asked,
    "POST /api/v1/orders/{order_id}/decline": asked,
    "GET /selling/orders/{order_id}/decline": asked,
    "POST /selling/orders/{order_id}/approve": asked,
    "POST /selling/orders/{order_id}/decline": asked,
    "POST /api/v1/promos": _make,
    "POST /api/v1/promos @platform": _make_for_all,
    "GET /api/v1/promos @platform": _for_all,
    "PATCH /api/v1/promos/{promo_id}": _switch,
    "PUT /api/v1/tax": _tax,
    "PUT /api/v1/cart/promo": _into_cart,
    "POST /cart/promo": _out_of_cart,
    "POST /selling/tax": _tax_form,
    "POST /selling/codes": _make_form,
    "POST /selling/codes/{promo_id}": _switch_form,
    "POST /admin/codes": _make_form,
    "POST /admin/codes/{promo_id}": _switch_form,
}


async def _args(*args: Any) -> tuple[Any, ...]:
    return args


async def _switched(w: World) -> tuple[Any, ...]:
    return (await code(w))[0], False


async def _asked(w: World, who: Person) -> tuple[Any, ...]:
    return ((await asked(w, who)).parameters["order_id"],)


METHODS: dict[str, Any] = {
    "orders.approve": _asked,
    "orders.decline": _asked,
    "catalog.set_tax": lambda w, who: _args(Tax()),
    "catalog.make_promo": lambda w, who: _args(draft()),
    "catalog.make_promo @platform": lambda w, who: _args(draft(platform=True)),
    "catalog.promos": lambda w, who: _args(PromoSearch()),
    "catalog.promos @platform": lambda w, who: _args(PromoSearch(platform=True)),
    "catalog.set_promo_active": lambda w, who: _switched(w),
    "orders.set_promo": lambda w, who: _args(""),
}
