"""Routers: API routes that run once per idempotency key, page routes that only our forms reach."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from hashlib import sha256
from typing import Any, Protocol, get_type_hints
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send

from dvor.kernel import idempotency
from dvor.kernel.caller import asking, current, enter, keyed, leave
from dvor.kernel.config import Settings
from dvor.kernel.errors import Forbidden, InvalidFields, Refusal
from dvor.kernel.http import problems
from dvor.kernel.http.gate import Gate
from dvor.kernel.ids import derived
from dvor.kernel.messages import Message
from dvor.kernel.pages import csrf_valid, page

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
GUEST_HEADER = "dvor-guest"
KEPT_HEADERS = ("content-type", "location", "etag")

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class Host(Protocol):
    """What the application serves from: `app.state.host`."""

    settings: Settings

    def proxy(self, contract: type, calling: str) -> Any:
        """A contract as the part `calling` sees it."""
        ...

    def keys(self, service: str) -> idempotency.Keys | None:
        """The idempotency keys of a service, if it runs here."""
        ...

    @property
    def gate(self) -> Gate:
        """What requests that change something pass."""
        ...


class ForeignForm(Forbidden):
    """This form did not come from our page. Open the page again and repeat."""


def host(connection: HTTPConnection) -> Host:
    """What serves this request."""
    return connection.app.state.host


def part_of(module: str) -> str:
    """The part of Dvor that a module belongs to: a service's name, or `web`."""
    parts = module.split(".")
    return parts[2] if parts[1] == "services" else parts[1]


def contract(wanted: type) -> Any:
    """A dependency: the contract, called on behalf of the page or the API client."""

    async def provide(connection: HTTPConnection) -> Any:
        part = part_of(connection.scope["route"].endpoint.__module__)
        return host(connection).proxy(wanted, "web" if part == "web" else "")

    return Depends(provide)


class ApiRoute(APIRoute):
    """Unsafe methods need an Idempotency-Key and run once per key.

    `openapi_extra={"x-idempotency": "none"}` exempts a route; with "own" the service itself does
    what a key names only once, and answers it alike.
    """

    def get_route_handler(self) -> Endpoint:
        """Wrap the endpoint."""
        run = super().get_route_handler()
        kept_by = (self.openapi_extra or {}).get("x-idempotency")
        if kept_by == "none" or not (self.methods or set()) - SAFE:
            return run
        service = part_of(self.endpoint.__module__)

        async def once(request: Request) -> Response:
            body = await request.body()
            return await _run_once(
                host(request), service, request.scope, request.headers, body, partial(run, request)
            )

        async def named(request: Request) -> Response:
            with asking(keyed(_key(request.headers))):
                return await run(request)

        return named if kept_by == "own" else once


class SwiftRoute(ApiRoute):
    """A route of one message and one contract that FastAPI describes, but the front runs.

    For what a rush asks for: solving dependencies took longer than all the rest of a hold. Its path
    has no parameters; its endpoint takes the message, then the contract, and answers a Response.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        message, wanted, *_ = get_type_hints(endpoint).values()
        self._message: type[Message] = message
        self._contract: type = wanted
        self._service = part_of(endpoint.__module__)
        self._named = (self.openapi_extra or {}).get("x-idempotency") == "own"

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises Refusals: the front answers them."""
        scope["route"] = self
        house: Host = scope["app"].state.host
        headers: dict[str, str] = scope["dvor.headers"]
        body = await _body(headers, receive)
        run = partial(self._run, house, body)
        if self._named:
            token = enter(keyed(_key(headers)))
            try:
                response = await run()
            finally:
                leave(token)
        else:
            response = await _run_once(house, self._service, scope, headers, body, run)
        await response(scope, receive, send)

    async def _run(self, house: Host, body: bytes) -> Response:
        try:
            message = self._message.model_validate_json(body)
        except ValidationError as invalid:
            raise InvalidFields(problems=problems.fields(invalid.errors())) from None
        contract = house.proxy(self._contract, "web" if self._service == "web" else "")
        return await self.endpoint(message, contract)


async def _body(headers: Mapping[str, str], receive: Receive) -> bytes:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InvalidFields(problems={"body": "must be JSON (Content-Type: application/json)"})
    body, more = b"", True
    while more:
        part = await receive()
        if part["type"] == "http.disconnect":
            raise ClientDisconnect
        body, more = body + part.get("body", b""), part.get("more_body", False)
    return body


async def _run_once(
    house: Host,
    service: str,
    scope: Scope,
    headers: Mapping[str, str],
    body: bytes,
    run: Callable[[], Awaitable[Response]],
) -> Response:
    key = _key(headers)
    keys = house.keys(service)
    with asking(keyed(key)):
        async with house.gate.passed():
            if keys is None:  # an edge: the service itself derives what it creates from the key
                return await run()
            operation = f"{scope['method']} {scope.get('root_path', '')}{scope['path']}"
            if query := scope["query_string"]:
                operation = f"{operation}?{query.decode('latin-1')}"
            named = idempotency.fingerprint(body)
            asked = idempotency.Asked(_principal(headers), operation, key, named)
            return await _answered_once(keys, asked, run)


async def _answered_once(
    keys: idempotency.Keys,
    asked: idempotency.Asked,
    run: Callable[[], Awaitable[Response]],
) -> Response:
    won = await keys.claim(asked)
    if isinstance(won, idempotency.Answer):
        return Response(won.body, won.status, {**won.headers, "idempotency-replayed": "true"})
    try:
        response = await run()
    except BaseException:
        await keys.drop(won)
        raise
    kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    answer = idempotency.Answer(response.status_code, kept, bytes(response.body))
    await keys.store(won, answer)
    return response


def _principal(headers: Mapping[str, str]) -> str:
    """Whose key it is: an account's, or a guest's, who is known by a secret only."""
    if user_id := current().user_id:
        return str(user_id)
    guest = headers.get(GUEST_HEADER, "")
    return f"guest {sha256(guest.encode()).hexdigest()}" if guest else "anonymous"


def _key(headers: Mapping[str, str]) -> UUID:
    try:
        return UUID(headers.get("idempotency-key", ""))
    except ValueError:
        raise idempotency.KeyMissing from None


class PageRoute(APIRoute):
    """Unsafe requests must come from our own page: Sec-Fetch-Site or Origin, and a form token."""

    def get_route_handler(self) -> Endpoint:
        """Wrap the endpoint."""
        run = super().get_route_handler()
        if not (self.methods or set()) - SAFE:
            return run

        async def guarded(request: Request) -> Response:
            _same_site(request)
            async with request.form() as form:  # closes uploaded files at the end
                token = form.get("_csrf") or request.headers.get("x-csrf", "")
                if not csrf_valid(page.get(), str(token)):
                    raise ForeignForm
                with asking(keyed(_form_key(request, form))):
                    async with host(request).gate.passed():
                        return await run(request)

        return guarded


def _same_site(request: Request) -> None:
    fetch_site = request.headers.get("sec-fetch-site")
    if fetch_site is not None:
        if fetch_site not in ("same-origin", "none"):
            raise ForeignForm
        return
    origin = request.headers.get("origin") or request.headers.get("referer", "")
    ours = f"{request.url.scheme}://{request.headers.get('host', '')}"
    site = host(request).settings.site
    if not any(origin == o or origin.startswith(o + "/") for o in (ours, site)):
        raise ForeignForm


def _form_key(request: Request, form: Any) -> UUID | None:
    """The key of this submission: the same form with the same content is the same request."""
    given = form.get("_key")
    if not given:
        return None
    content = [
        (name, value if isinstance(value, str) else (value.filename, value.size))
        for name, value in form.multi_items()
        if name not in ("_csrf", "_key")
    ]
    return derived(given, request.url.path, content)


def api_router(
    *, prefix: str = "", tags: list[str] | None = None, routes: type[APIRoute] = ApiRoute
) -> APIRouter:
    """A router under /api/v1 whose unsafe routes run once per idempotency key."""
    problem = {
        "description": "Refused: RFC 9457 problem details",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    return APIRouter(
        prefix=f"/api/v1{prefix}",
        tags=list(tags or []),
        route_class=routes,
        responses={"default": problem},
    )


def page_router() -> APIRouter:
    """A router for pages: not in OpenAPI, unsafe routes reached from our own forms only."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


__all__ = ["Refusal", "SwiftRoute", "api_router", "contract", "host", "page_router"]
