"""Whatever is sent, nothing of ours breaks: 4xx with a reason, never 5xx."""

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvor import topology
from dvor.kernel.config import Settings
from dvor.kernel.http import build_app
from dvor.kernel.http.front import Callers
from tests.house import payment_calls
from tests.house.calls import listing_form
from tests.house.test_authorization import MATRIX, is_page, named
from tests.house.world import Person, World
from tests.security.schemas import NASTY_TEXTS, Requests

EXAMPLES = 30
"""Requests of each operation."""


def schema() -> dict[str, Any]:
    """The OpenAPI schema of everything."""
    house = topology.assemble(Settings())
    routers = [router for s in topology.SERVICES for router in (*s.hot_routers, *s.routers)]
    return build_app(house, routers, Callers(None, house.settings)).openapi()


REQUESTS = Requests(schema())
PAGES = sorted({named(key) for key in MATRIX["routes"] if is_page(key.split(" ")[1])})


@pytest.fixture(scope="module")
async def things(world: World) -> dict[str, str]:
    """What the names of `schemas.KNOWN` stand for."""
    order = await world.order()
    return {
        "@offer": str(world.product.offers[0].id),
        "@stay": str(world.stay.offers[0].id),
        "@draft": str(world.hidden.offers[0].id),
        "@listing": str(world.product.id),
        "@order": str(order.id),
        "@payment": str(await world.payment_id(order)),
        "@line": str(await world.cart_line(world.customer)),
    }


def named_things(value: Any, things: dict[str, str]) -> Any:
    """The same request about things of this world."""
    text = json.dumps(value)
    for name, thing in things.items():
        text = text.replace(name, thing)
    return json.loads(text)


class TestRest:
    @pytest.mark.parametrize("operation", REQUESTS.operations)
    async def test_nothing_breaks(
        self, world: World, things: dict[str, str], operation: str
    ) -> None:
        people = [world.nobody, world.customer, world.seller, world.admin]

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]
        )
        @given(REQUESTS.request(operation), st.sampled_from(people))
        def collect(request: dict[str, Any], who: Person) -> None:
            sent.append((request, who))

        sent: list[tuple[dict[str, Any], Person]] = []
        collect()
        for request, who in sent:
            await self.send(world, who, request, things)

    async def send(
        self, world: World, who: Person, request: dict[str, Any], things: dict[str, str]
    ) -> None:
        """One request; a refusal is a problem that says what it is."""
        content = request.pop("content", None)
        more = named_things(request, things)
        body = more.pop("json") if "json" in more else None
        if "json" in request:
            content = json.dumps(body).encode()
            more["headers"]["content-type"] = "application/json"
        more["headers"].setdefault("Idempotency-Key", str(uuid4()))
        answer = await world.api(who, more.pop("method"), more.pop("path"), content=content, **more)
        assert answer.status_code < 500, (request, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", request
            assert answer.json()["code"], request


QUERY: tuple[str, ...] = (
    "text", "cursor", "status", "kind", "start", "end", "quantity", "offer", "month", "next", "page", "to",
    "as", "v", "said", "category", "city", "least", "most", "sort", "after", "from",
)  # fmt: skip
FIELDS: tuple[str, ...] = (
    "email", "password", "next", "name", "language", "phone", "city", "about", "old", "new", "remove",
    "offer_id", "quantity", "start", "end", "back", "step", "cart_version", "kind", "category", "title-ru",
    "title-en", "description-en", "currency", "timezone", "address", "offers", "attributes", "offer-0-id",
    "offer-0-price", "offer-0-quantity", "offer-0-seasons", "offer-0-season-0-first", "starts_at", "do",
    "offer-0-season-0-last", "offer-0-season-0-price", "attribute-0-name", "attribute-0-value", "version",
    "card_number", "action", "theme", "seller", "code", "percent", "active",
)  # fmt: skip
HARD_TEXTS = (
    *NASTY_TEXTS,
    "2027-02-30",
    "9999-12-31",
    "0001-01-01",
    "add-offer",
    "remove-offer-99",
)


FORMS = {
    "/selling/listings/new of a product": listing_form(
        **{
            "title-ru": "", "description-en": "", "city": "Tver", "address": "", "attributes": "1",
            "attribute-0-name": "Colour", "attribute-0-value": "red", "offer-0-id": "", "do": "",
        },
    ),
    "/selling/listings/new of a room": listing_form(
        kind="stay", category="hotels", city="Tver",
        **{
            "offer-0-seasons": "1", "offer-0-season-0-first": "2027-06-01",
            "offer-0-season-0-last": "2027-07-01", "offer-0-season-0-price": "5",
        },
    ),
    "/selling/listings/new of an event": listing_form(
        kind="event", category="concerts", city="Tver", starts_at="2027-06-01T19:00",
        ends_at="2027-06-01T21:00",
    ),
    "/account": {"name": "Sol", "language": "en", "phone": "", "city": "", "about": ""},
    "/cart/lines": {"offer_id": "", "quantity": "1", "start": "", "end": "", "back": "/"},
}  # fmt: skip
"""Forms as they are filled well, one field of which is then spoilt."""


class TestPages:
    def address(self, world: World, things: dict[str, str], path: str) -> str:
        """The page of something that exists, where there is such a thing."""
        known = {
            "listing_id": things["@listing"], "order_id": things["@order"], "line_id": things["@line"],
            "seller_id": str(world.seller.id), "user_id": str(world.nobody_else), "action": "block",
            "offer_id": things["@stay"], **{name: id for name, id in things.items() if "@" not in name},
        }  # fmt: skip
        if path.endswith("/live"):  # the news of a draft end at once
            known["listing_id"] = str(world.hidden.id)
        nowhere = (
            "kind",
            "category",
            "seed",
            "pay_token",
            "promo_id",
            "webhook_id",
            "session_id",
            "mail_id",
            "waiting_id",
            "token",
        )
        for name in nowhere:
            known.setdefault(name, str(uuid4()))
        known.setdefault("notification_id", str(uuid4()))
        return path.format(**known)

    @pytest.mark.parametrize("route", PAGES)
    async def test_nothing_breaks(self, world: World, things: dict[str, str], route: str) -> None:
        method, path = route.split(" ")
        if "{deposit_id}" in path:
            things = things | (await payment_calls.deposit_page(world, world.seller)).parameters
        path = self.address(world, things, path)
        for text in HARD_TEXTS[2::3]:  # NUL, beyond the plane, too long, markup, a far date …
            if method == "GET":
                query = dict.fromkeys(QUERY, sendable(text)[:450])
                answer = await world.page(world.admin, "GET", path, params=query)
            else:
                form = dict.fromkeys(FIELDS, sendable(text))
                answer = await world.page(world.seller, "POST", path, form)
            assert answer.status_code < 500, (path, text)

    @pytest.mark.parametrize(("path", "field"), [(p, f) for p in FORMS for f in FORMS[p]])
    async def test_nor_one_hard_field_among_good_ones(
        self, world: World, path: str, field: str
    ) -> None:
        for text in HARD_TEXTS[::2]:
            form = FORMS[path] | {field: sendable(text)}
            if "offer_id" in form and field != "offer_id":
                form["offer_id"] = str(world.product.offers[0].id)
            answer = await world.page(world.seller, "POST", path.partition(" ")[0], form)
            assert answer.status_code < 500, (path, text)


def sendable(text: str) -> str:
    """The text as a browser could send it."""
    return text.encode("utf-8", "replace").decode()
