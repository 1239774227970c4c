"""The FastAPI application of a process: its routes, docs, health, metrics."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from dvor import __version__
from dvor.kernel.errors import Refusal
from dvor.kernel.http import problems
from dvor.kernel.http.front import Callers, Front
from dvor.kernel.http.routing import Host, SwiftRoute, host
from dvor.kernel.http.signposts import Signposts
from dvor.kernel.pages import asset, page

system = APIRouter(include_in_schema=False)
TOKEN_PATH = "/api/token"  # noqa: S105  where gateways ask about tokens

_PROBLEM = {
    "title": "Problem",
    "type": "object",
    "description": "RFC 9457 problem details. Refusals add their own members beside these.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable name of what went wrong"},
        "request": {"type": "string", "description": "Id to quote when you ask for help"},
    },
}


class Ready(Protocol):
    """A host that can tell whether it can serve."""

    async def ready(self) -> dict[str, bool]:
        """Each thing it cannot serve without, and whether it answers."""
        ...

    async def helped(self) -> dict[str, bool]:
        """Each thing it does without for a while, and whether it answers."""
        ...


@system.get("/healthz")
async def healthy() -> PlainTextResponse:
    """The process runs."""
    return PlainTextResponse("ok")


@system.get("/readyz")
async def ready(request: Request) -> JSONResponse:
    """Everything this process cannot serve without answers. Without a broker events wait."""
    source: Any = host(request)
    parts = await source.ready()
    return JSONResponse(parts | await source.helped(), 200 if all(parts.values()) else 503)


@system.get(TOKEN_PATH)
async def accepted() -> Response:
    """The token that came along is accepted: the front has looked at it. For a gateway."""
    return Response(status_code=204)


@system.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    source: Any = host(request)
    return Response(await source.scrape.page(), media_type="text/plain; version=0.0.4")


@system.get("/api/docs")
async def docs() -> HTMLResponse:
    """The REST interface, to read and to try, offline."""
    nonce = page.get().nonce
    html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Dvor API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{asset("swagger-ui.css")}"></head><body><div id="docs"></div>
<script src="{asset("swagger-ui-bundle.js")}" nonce="{nonce}"></script>
<script nonce="{nonce}">SwaggerUIBundle({{url: "/api/openapi.json", dom_id: "#docs",
deepLinking: true, tryItOutEnabled: true}})</script></body></html>"""
    allowed = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline';"
    return HTMLResponse(
        html,
        headers={"content-security-policy": f"{allowed} script-src 'self' 'nonce-{nonce}'"},
    )


class _Assets(StaticFiles):
    """Built files whose names change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def build_app(source: Host, routers: Iterable[APIRouter], callers: Callers) -> FastAPI:
    """The application: routers of the services and pages that run here."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(
        title="Dvor",
        version=__version__,
        description="Sell goods, rent out things, let rooms, fill events: one cart, one checkout.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # the front does it
        exception_handlers={
            Refusal: problems.on_refusal,
            RequestValidationError: problems.on_invalid,
            HTTPException: problems.on_http,
        },
    )
    app.state.host = source
    app.state.callers = callers
    routers = (system, *routers)
    app.router.routes.append(Signposts(route for router in routers for route in router.routes))
    swift: dict[tuple[str, str], ASGIApp] = {}
    for router in routers:
        app.include_router(router)
        for route in router.routes:
            if isinstance(route, SwiftRoute):
                swift.update(((method, route.path), route.serve) for method in route.methods or ())
    static = files("dvor.web") / "static"
    if static.is_dir():
        app.mount("/static", _Assets(directory=str(static)))
    app.add_middleware(Front, settings=source.settings, callers=callers, swift=swift)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            _complete(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi
    return app


def _complete(schema: dict[str, Any]) -> None:
    """Add what FastAPI cannot know: problems, the bearer token, idempotency keys."""
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    schema["security"] = [{"bearer": []}, {}]
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
        "description": "The same key makes a repeated request the same request.",
    }
    for operations in schema.get("paths", {}).values():
        for method, operation in operations.items():
            operation.get("responses", {}).pop("422", None)
            exempt = operation.get("x-idempotency") == "none"
            if method in ("post", "put", "patch", "delete") and not exempt:
                operation.setdefault("parameters", []).append(key)
