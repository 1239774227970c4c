"""The shorter way to a route leads to the route that FastAPI itself would choose."""

import re
from uuid import UUID

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient
from starlette.routing import Match
from starlette.types import Scope

from dvor.kernel.http.signposts import Signposts
from dvor.topology import SERVICES
from dvor.web import PAGES

ROUTERS = [*(r for s in SERVICES for r in (*s.hot_routers, *s.routers)), *PAGES]
ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def asking(method: str, path: str) -> Scope:
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}


def chosen(method: str, path: str) -> APIRoute | None:
    """The first that fits, in the order in which routes are written."""
    scope = asking(method, path)
    return next((r for r in ROUTES if r.matches(scope)[0] is Match.FULL), None)


class TestHouse:
    @pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{min(r.methods)} {r.path}")
    def test_every_route_is_found(self, route: APIRoute) -> None:
        path = re.sub(r"{[^}]+}", str(UUID(int=1)), route.path)
        for method in route.methods or ():
            match, found = Signposts(ROUTES).matches(asking(method, path))
            assert match is Match.FULL
            assert found["route"] is chosen(method, path)

    def test_there_are_routes(self) -> None:
        assert len(ROUTES) > 200


@pytest.fixture
async def client() -> AsyncClient:
    router = APIRouter()

    @router.get("/things/{name}")
    async def thing(name: str) -> str:
        return f"thing {name}"

    @router.get("/things/new/{name}")
    async def new(name: str) -> str:
        return f"new {name}"

    @router.get("/")
    async def home() -> str:
        return "home"

    app = FastAPI()
    app.router.routes.append(Signposts(router.routes))
    app.include_router(router)
    return AsyncClient(transport=ASGITransport(app=app), base_url="http://test")


class TestSignposts:
    @pytest.mark.parametrize(
        ("path", "answer"),
        [("/things/a", "thing a"), ("/things/new/a", "new a"), ("/", "home")],
    )
    async def test_lead_to_a_route(self, client: AsyncClient, path: str, answer: str) -> None:
        assert (await client.get(path)).json() == answer

    async def test_leave_the_rest_to_fastapi(self, client: AsyncClient) -> None:
        assert (await client.post("/things/a")).status_code == 405
        assert (await client.get("/nothing")).status_code == 404
        assert (await client.get("/things/a/")).status_code == 307
