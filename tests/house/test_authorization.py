"""The authorisation matrix: complete, and true of every route and every contract method."""

import json
import socket
import time
import tomllib
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from dvor.contracts.catalog import Search
from dvor.contracts.orders import OrderSearch, Viewpoint
from dvor.kernel import pages, tokens
from dvor.kernel.caller import ANONYMOUS, Caller, asking
from dvor.kernel.config import Settings
from dvor.kernel.errors import Forbidden, Refusal
from dvor.kernel.http import page_router
from dvor.kernel.http.signposts import Signposts
from dvor.kernel.rpc import signing
from dvor.kernel.rpc.codec import codec
from dvor.kernel.rpc.contract import methods
from dvor.kernel.rpc.schema import full_name
from dvor.topology import SERVICES
from tests.house import arguments, calls
from tests.house.arguments import METHODS
from tests.house.call import Call
from tests.house.calls import ROUTES
from tests.house.world import Person, World, open_world

MATRIX = tomllib.loads((Path(__file__).parent / "authorization.toml").read_text())
ROLES: list[str] = MATRIX["roles"]
ASKERS = ROLES[:-1]
"""Roles as services know them: an ended token never gets that far."""
STATIC = "GET /static"
BUILT = (Path(pages.__file__).parents[1] / "web" / "static").is_dir()


def row(given: Any, columns: list[str]) -> dict[str, Any]:
    """Role -> what is expected; one value stands for all."""
    values = given if isinstance(given, list) else [given] * len(columns)
    return dict(zip(columns, values, strict=True))


def named(key: str) -> str:
    """A line's route or method, without its variant."""
    return key.partition(" @")[0]


def routes_of(app: FastAPI) -> set[str]:
    """Every route of an application, as `GET /path`."""
    found = set()
    described = [route for route in app.routes if not isinstance(route, Signposts)]
    for route in iter_route_contexts(described):
        for method in getattr(route, "methods", None) or {"GET"}:
            if method not in ("HEAD", "OPTIONS"):
                found.add(f"{method} {getattr(route, 'path', '')}")
    return found


def methods_there_are() -> set[str]:
    """Every method of every contract, as `service.method`."""
    return {f"{service.name}.{name}" for service in SERVICES for name in methods(service.contract)}


def gaps(listed: Iterable[str], existing: set[str]) -> dict[str, set[str]]:
    """What is not listed, and what is listed but does not exist."""
    known = {named(key) for key in listed}
    found = {"unlisted": existing - known, "vanished": known - existing}
    return {what: names for what, names in found.items() if names}


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def expired(world: World, token: str) -> str:
    """The same token, signed by us, but of yesterday."""
    claims = dict(_claims(token))
    claims |= {"iat": int(time.time()) - 90_000, "exp": int(time.time()) - 86_400}
    identity = world.house.process.implementation("identity")
    return tokens.sign(claims, await identity.keyring.newest())


def _claims(token: str) -> dict[str, Any]:
    return json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))


@pytest.fixture(scope="module")
async def world(template: Settings) -> AsyncIterator[World]:
    async with open_world(template, grpc_port=free_port()) as world:
        yield world


@pytest.fixture(scope="module")
async def people(world: World) -> dict[str, list[Person]]:
    """Role -> who plays it; `ended` is played twice."""
    leaver = await world.person("Lena Leaver")
    await world.house.identity.revoke_tokens(leaver.refresh_token)
    await world.house.identity.sign_out(leaver.session)
    revoked = Person(leaver.user, leaver.token, session=leaver.session, ended=True)
    late = Person(
        world.customer.user,
        await expired(world, world.customer.token),
        session="0" * 64,
        ended=True,
    )
    playing = {role: [getattr(world, role)] for role in ROLES[1:-1]}
    return {"anonymous": [world.nobody], **playing, "ended": [revoked, late]}


def is_page(path: str) -> bool:
    """Whether a browser asks for this address."""
    return not path.startswith(
        ("/api/", "/.well-known/", "/healthz", "/readyz", "/metrics", "/static")
    )


async def ask(world: World, who: Person, key: str, call: Call) -> httpx2.Response:
    """Really call a route."""
    method, path = named(key).split(" ")
    send = world.page if is_page(path) else world.api
    address = pages.asset("app.css") if key == STATIC else call.path(path)
    return await send(call.who or who, method, address, **call.more)


def outcome(answer: httpx2.Response) -> int | str:
    """The status, or that the answer leads to the sign-in page."""
    if answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?"):
        return "sign-in"
    return answer.status_code


def words(answer: httpx2.Response) -> Any:
    """What an answer says, without what differs between any two of them."""
    if "json" in answer.headers.get("content-type", ""):
        return {n: v for n, v in answer.json().items() if n not in ("request", "offer_id")}
    return [line for line in answer.text.split("\n") if "<h1" in line or "lead" in line]


async def outcomes(
    world: World, people: dict[str, list[Person]], key: str
) -> tuple[dict[str, Any], list[str]]:
    """Role -> outcome, and who could tell a foreign thing from none."""
    found: dict[str, Any] = {}
    tells = []
    call = None
    for role, players in people.items():
        for who in players:
            if call is None or key in calls.PERSONAL:
                call = await ROUTES.get(key, _nothing)(world, who)
            answer = await ask(world, who, key, call)
            got = outcome(answer)
            found[role] = got if found.get(role, got) == got else f"{found[role]} and {got}"
            if got == 404:
                absent = await ask(world, who, key, call.absent())
                if (absent.status_code, words(absent)) != (404, words(answer)):
                    tells.append(f"{role}: {words(answer)} but of nothing {words(absent)}")
            if answer.status_code < 400 and not key.startswith("GET"):
                call = None  # what was changed is no subject for the next one
    return found, tells


async def _nothing(_world: World, _who: Person) -> Call:
    return Call()


class TestComplete:
    async def test_every_route_is_listed_and_exists(self, world: World) -> None:
        listed = [key for key in MATRIX["routes"] if key != STATIC or BUILT]
        assert gaps(listed, routes_of(world.house.process.app())) == {}

    def test_every_contract_method_is_listed_and_exists(self) -> None:
        assert gaps([*MATRIX["methods"], *MATRIX["services_only"]], methods_there_are()) == {}

    def test_every_line_says_something_of_everybody(self) -> None:
        for given in MATRIX["routes"].values():
            row(given, ROLES)
        for given in MATRIX["methods"].values():
            row(given, ASKERS)

    def test_no_call_is_prepared_for_a_line_that_is_gone(self) -> None:
        assert ROUTES.keys() <= MATRIX["routes"].keys()
        assert METHODS.keys() <= MATRIX["methods"].keys() | MATRIX["services_only"].keys()


class TestTheGuard:
    async def test_a_route_that_nobody_listed_is_found(self, world: World) -> None:
        app = world.house.process.app()
        router = page_router()

        @router.post("/backdoor")
        async def backdoor() -> None: ...

        app.include_router(router)
        found = gaps([key for key in MATRIX["routes"] if key != STATIC or BUILT], routes_of(app))
        assert found == {"unlisted": {"POST /backdoor"}}

    def test_a_method_that_nobody_listed_is_found(self) -> None:
        listed = [key for key in MATRIX["methods"] if key != "identity.users"]
        assert gaps([*listed, *MATRIX["services_only"]], methods_there_are()) == {
            "unlisted": {"identity.users"}
        }

    def test_a_line_without_a_route_is_found(self) -> None:
        assert gaps(["GET /gone @draft"], set()) == {"vanished": {"GET /gone"}}

    async def test_a_missing_check_is_found(
        self,
        world: World,
        people: dict[str, list[Person]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        key = "GET /api/v1/users"
        monkeypatch.setattr("dvor.services.identity.service.require_role", lambda _role: None)
        found, _ = await outcomes(world, people, key)
        assert found != row(MATRIX["routes"][key], ROLES)

    async def test_a_missing_ownership_filter_is_found(
        self,
        world: World,
        people: dict[str, list[Person]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        key = "GET /api/v1/payments/{payment_id}"
        monkeypatch.setattr("dvor.services.payments.rules.may_see", lambda _caller, _payer: True)
        found, _ = await outcomes(world, people, key)
        assert found != row(MATRIX["routes"][key], ROLES)


class TestRoutes:
    @pytest.mark.parametrize("key", MATRIX["routes"])
    async def test_it_serves_whom_the_matrix_says(
        self, world: World, people: dict[str, list[Person]], key: str
    ) -> None:
        if key == STATIC and not BUILT:
            pytest.skip("assets are not built")
        found, tells = await outcomes(world, people, key)
        assert found == row(MATRIX["routes"][key], ROLES)
        assert tells == []


async def arguments_of(world: World, key: str, who: Person) -> tuple[Any, ...]:
    """What a contract method is called with."""
    with asking(ANONYMOUS):
        return await METHODS[key](world, who) if key in METHODS else ()


async def called(
    world: World, key: str, who: Person, given: tuple[Any, ...], calling: str = ""
) -> str:
    """How a contract method answers this person when the part `calling` asks for them."""
    service, name = named(key).split(".")
    with who.asking():
        try:
            await getattr(world.house.proxy(service, calling), name)(*given)
        except Refusal as refusal:
            return refusal.code
    return "ok"


class TestMethods:
    @pytest.mark.parametrize("key", MATRIX["methods"])
    async def test_it_answers_whom_the_matrix_says(self, world: World, key: str) -> None:
        expected = row(MATRIX["methods"][key], ASKERS)
        found, given = {}, None
        for role in ASKERS:
            who = getattr(world, role, world.nobody)
            if given is None or key in arguments.PERSONAL:
                given = await arguments_of(world, key, who)
            found[role] = await called(world, key, who, given)
            if found[role] == "ok":
                given = None
        assert found == expected
        # A service of its own accord is nobody: being a part of Dvor opens nothing.
        given = await arguments_of(world, key, world.nobody)
        part = await called(world, key, world.nobody, given, "reviews")
        assert part == expected["anonymous"]

    @pytest.mark.parametrize("key", MATRIX["services_only"])
    async def test_it_is_for_parts_of_dvor_alone(self, world: World, key: str) -> None:
        allowed = MATRIX["services_only"][key]
        given = await arguments_of(world, key, world.nobody)
        for who in (world.nobody, world.customer, world.seller, world.admin):
            assert await called(world, key, who, given) == Forbidden.code
        strangers = {"reviews", "web", "setup", *(s.name for s in SERVICES)} - {*allowed}
        for part in sorted(strangers):
            assert await called(world, key, world.admin, given, part) == Forbidden.code, part
        for part in allowed:
            answer = await called(world, key, world.nobody, given, part)
            assert answer != Forbidden.code, part


class TestOverTheWire:
    """The same as gRPC clients from outside see it."""

    @pytest.fixture
    async def channel(self, world: World) -> AsyncIterator[grpc.aio.Channel]:
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{world.house.settings.grpc_port}"
        ) as channel:
            yield channel

    async def status(
        self, world: World, channel: grpc.aio.Channel, key: str, metadata: dict[str, Any]
    ) -> grpc.StatusCode:
        """How a call with this metadata ends."""
        service, name = key.split(".")
        contract = world.house.process.contract_named(service)
        method = methods(contract)[name]
        given = await arguments_of(world, key, world.admin)
        request = codec(method.request).encode(method.bind(given, {}))
        call = channel.unary_unary(f"/{full_name(contract)}/{method.wire_name}")
        try:
            await call(request, metadata=tuple(metadata.items()), timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    @pytest.mark.parametrize("key", MATRIX["services_only"])
    async def test_no_client_is_taken_for_a_part_of_dvor(
        self, world: World, channel: grpc.aio.Channel, key: str
    ) -> None:
        token = {"authorization": f"Bearer {world.admin.token}"}
        for metadata in ({}, token):
            found = await self.status(world, channel, key, metadata)
            assert found is grpc.StatusCode.PERMISSION_DENIED
        forged = signing.signed(Caller(service="orders"), f"/{key}", b"not our key")
        found = await self.status(world, channel, key, {signing.HEADER: forged})
        assert found is grpc.StatusCode.UNAUTHENTICATED

    async def test_a_token_is_the_person(self, world: World, channel: grpc.aio.Channel) -> None:
        token = {"authorization": f"Bearer {world.admin.token}"}
        assert await self.status(world, channel, "identity.users", token) is grpc.StatusCode.OK
        token = {"authorization": f"Bearer {world.seller.token}"}
        found = await self.status(world, channel, "identity.users", token)
        assert found is grpc.StatusCode.PERMISSION_DENIED
        found = await self.status(world, channel, "identity.users", {})
        assert found is grpc.StatusCode.UNAUTHENTICATED


class TestForeignThings:
    """What a foreign call may see and must leave alone, where the status alone does not say."""

    async def test_a_foreign_session_lives_on(self, world: World) -> None:
        mine = await world.other_session(world.customer)
        await world.api(world.stranger, "DELETE", f"/api/v1/me/sessions/{mine}")
        await world.page(world.stranger, "POST", f"/account/sessions/{mine}/end")
        with world.customer.asking():
            assert mine in {s.id for s in (await world.house.identity.sessions()).items}

    async def test_foreign_notifications_stay_unread(self, world: World) -> None:
        await world.order()
        await world.house.settle()
        ids = await world.house.db("notifications").fetch(
            "SELECT id FROM notifications WHERE recipient_id = $1", world.customer.id
        )
        body = {"notification_ids": [str(row["id"]) for row in ids]}
        await world.api(world.stranger, "POST", "/api/v1/notifications/read", body)
        with world.customer.asking():
            assert (await world.house.notifications.unread()).count > 0

    async def test_a_foreign_cart_line_stays(self, world: World) -> None:
        line = await world.cart_line(world.customer)
        await world.page(world.stranger, "POST", f"/cart/lines/{line}", {"remove": "1"})
        with world.customer.asking():
            assert line in {n.id for n in (await world.house.orders.cart()).lines}

    async def test_lists_hold_nothing_foreign(self, world: World) -> None:
        await world.order()
        house = world.house
        for who in (world.stranger, world.rival):
            with who.asking():
                for viewpoint in (Viewpoint.CUSTOMER, Viewpoint.SELLER):
                    found = await house.orders.orders(OrderSearch(viewpoint=viewpoint, limit=100))
                    for card in found.items:
                        order = await house.orders.order(card.id)
                        sellers = {line.seller_id for line in order.lines}
                        assert who.id in (order.customer_id, *sellers)
                        assert order.customer_id == who.id or sellers == {who.id}
                drafts = await house.catalog.search(Search(status=None, limit=100))
                assert all(
                    card.status == "published" or card.seller_id == who.id for card in drafts.items
                )

    async def test_a_seller_of_a_part_sees_that_part(self, world: World) -> None:
        order = await world.shared_order()
        for who in (world.seller, world.rival):
            shown = (await world.api(who, "GET", f"/api/v1/orders/{order.id}")).json()
            assert [line["seller_id"] for line in shown["lines"]] == [str(who.id)]
            assert shown["total"]["amount"] == shown["lines"][0]["total"]["amount"]
            assert shown["pay_path"] == ""
            assert shown["cancellable"] is False

    async def test_another_audience_or_key_is_no_token(self, world: World) -> None:
        identity = world.house.process.implementation("identity")
        claims = _claims(world.admin.token)
        for token in (
            tokens.sign(claims | {"aud": "elsewhere"}, await identity.keyring.newest()),
            tokens.sign(claims, tokens.new_key()),
            tokens.sign(claims | {"sid": str(uuid4())}, await identity.keyring.newest()),
        ):
            answer = await world.api(Person(token=token), "GET", "/api/v1/users")
            assert answer.status_code == 401
