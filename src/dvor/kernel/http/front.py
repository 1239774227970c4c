"""What happens to every request before and after its route: who asks, limits, headers, measures."""

import asyncio
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import quote

from fastapi import Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dvor.kernel import metrics, pages, telemetry
from dvor.kernel.caller import ANONYMOUS, Caller, asking, enter, leave
from dvor.kernel.config import Settings
from dvor.kernel.errors import Invalid, Unauthenticated
from dvor.kernel.http import problems
from dvor.kernel.ids import new

VISIT_COOKIE = "visit"
CACHE_MAX = 10_000
"""Tokens and sessions remembered for `caller_cache_seconds`."""


NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
"""The content security policy of what is no page: it may load nothing."""

_API_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", NO_PAGE.encode()),
    (b"cache-control", b"private, no-store"),
)
_API_HEADERS_SECURE = (*_API_HEADERS, (b"strict-transport-security", b"max-age=31536000"))
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are told apart in metrics: a client may make up any other."""

_UNTRACED = ("/metrics", "/healthz", "/readyz", "/static/", "/pictures/")
"""Asked all the time, by programs, and of no interest in traces."""

_Headers = dict[str, str]
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}")


class TooLarge(Invalid):
    """This is larger than we take."""

    http_status = 413


class Guard(Protocol):
    """Who knows the callers: identity's contract."""

    async def authenticate(self, access_token: str) -> Caller:
        """Who holds an access token."""
        ...

    async def session(self, token: str) -> Caller:
        """Who holds a browser session."""
        ...


class Callers:
    """Asks identity who is calling, and remembers for a moment: an ended session dies within it.

    At once, and remembered a little longer, where this process is told of sessions that end.
    """

    def __init__(self, guard: Guard | None, settings: Settings) -> None:
        self._guard = guard
        self._settings = settings
        self._seconds = settings.caller_cache_seconds
        self._known: OrderedDict[tuple[str, str], tuple[float, asyncio.Future[Caller]]] = (
            OrderedDict()
        )

    async def of(self, kind: str, token: str) -> Caller:
        """The caller of a token; asked once for all who come with it at a time.

        Raises SessionEnded.
        """
        if self._guard is None:
            return ANONYMOUS
        now = time.monotonic()
        found = self._known.get((kind, token))
        if found and found[0] > now and not _failed(found[1]):
            asked = found[1]
            return asked.result() if asked.done() else await asyncio.shield(asked)
        asked = asyncio.ensure_future(self._ask(self._guard, kind, token))
        self._known[kind, token] = (now + self._seconds, asked)
        self._known.move_to_end((kind, token))
        while len(self._known) > CACHE_MAX:
            self._known.popitem(last=False)
        return await asyncio.shield(asked)

    async def _ask(self, guard: Guard, kind: str, token: str) -> Caller:
        with asking(ANONYMOUS):
            return await (guard.authenticate if kind == "token" else guard.session)(token)

    def told(self, hearing: bool) -> None:
        """From now on we are told of sessions that end, or not any more."""
        self._known.clear()
        settings = self._settings
        told, untold = settings.caller_cache_told_seconds, settings.caller_cache_seconds
        self._seconds = max(told, untold) if hearing and untold else untold

    def forget_all_of(self, user_id: str) -> None:
        """Ask again about every token and session of a person; and where an answer is under way."""
        for key, (_, asked) in list(self._known.items()):
            if not asked.done() or _failed(asked) or str(asked.result().user_id) == user_id:
                del self._known[key]

    def forget(self, kind: str, token: str) -> None:
        """Ask again next time: after signing in or out here."""
        self._known.pop((kind, token), None)


def _failed(asked: "asyncio.Future[Caller]") -> bool:
    """What was refused or broke down is asked again."""
    return asked.done() and (asked.cancelled() or asked.exception() is not None)


class Front:
    """Pure ASGI middleware around the whole application.

    `swift`: what serves a method of an address alone, without the application around it.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        callers: Callers,
        swift: Mapping[tuple[str, str], ASGIApp],
    ) -> None:
        self._app = app
        self._settings = settings
        self._callers = callers
        self._swift = swift

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = scope["dvor.headers"] = _headers(scope)
        given = headers.get("x-request-id", "")
        token = telemetry.request_id.set(given if _REQUEST_ID.fullmatch(given) else new().hex)
        try:
            if telemetry.tracing() and not scope["path"].startswith(_UNTRACED):
                carried = headers | {"dvor-request-id": telemetry.request_id.get()}
                with telemetry.extract(carried, scope["method"]):
                    await self._measured(scope, receive, send, headers)
            else:
                await self._measured(scope, receive, send, headers)
        finally:
            telemetry.request_id.reset(token)

    async def _measured(
        self, scope: Scope, receive: Receive, send: Send, headers: _Headers
    ) -> None:
        began = time.perf_counter()
        status, started = 500, False
        is_page = not scope["path"].startswith("/api/v1/")
        context = self._page_context(scope, headers) if is_page else None

        async def finish(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                self._add_headers(scope, message, context)
            await send(message)

        token = pages.page.set(context) if context else None
        try:
            await self._serve(scope, receive, finish, headers)
        except Exception as problem:
            if started:
                raise
            with asking(_anonymous(_language(headers))):
                await problems.of(scope["path"], problem)(scope, receive, finish)
        finally:
            if token:
                pages.page.reset(token)
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.observe_request(method, route, status, began)
            telemetry.name_request(method, route, status)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, headers: _Headers) -> None:
        language = _language(headers)
        token = enter(_anonymous(language))
        try:
            caller = await self._caller(scope, headers, language)
        finally:
            leave(token)
        limited = _limited(receive, headers, self._settings.body_max_bytes)
        app = self._swift.get((scope["method"], scope["path"]), self._app)
        token = enter(caller)
        try:
            await app(scope, limited, send)
        finally:
            leave(token)

    async def _caller(self, scope: Scope, headers: _Headers, language: str) -> Caller:
        path = scope["path"]
        if path.startswith("/api/"):
            scheme, _, token = headers.get("authorization", "").partition(" ")
            if not token:
                if scheme:
                    raise Unauthenticated
                return _anonymous(language)
            try:
                caller = await self._callers.of("token", token.strip())
            except Unauthenticated:  # clients send what they have, also to get something better
                if not path.startswith("/api/v1/auth/"):
                    raise
                caller = ANONYMOUS
            return _speaking(caller, language)
        session = _cookies(headers).get(self._settings.session_cookie, "")
        if not session or path.startswith(("/static/", "/pictures/")):
            return _anonymous(language)
        try:
            caller = await self._callers.of("session", session)
        except Unauthenticated:
            scope["dvor.session_ended"] = True
            return _anonymous(language)
        chosen = _cookies(headers).get("lang", "")
        return _speaking(caller, chosen if chosen in ("ru", "en") else caller.language)

    def _page_context(self, scope: Scope, headers: _Headers) -> pages.PageContext:
        cookies = _cookies(headers)
        visit = cookies.get(VISIT_COOKIE, "")
        if not re.fullmatch(r"[\w-]{20,64}", visit):
            visit = secrets.token_urlsafe(24)
            scope["dvor.new_visit"] = visit
        query = scope.get("query_string", b"").decode("latin-1")
        path = quote(scope["path"], safe="/%:@-._~!$&'()*+,;=")
        return pages.PageContext(
            path=path,
            address=f"{path}?{query}" if query else path,
            binding=cookies.get(self._settings.session_cookie, "") or visit,
            secret=self._settings.secret,
            time_zone=self._settings.time_zone,
            theme=cookies.get("theme", "") if cookies.get("theme") in ("light", "dark") else "",
        )

    def _add_headers(self, scope: Scope, start: Message, context: pages.PageContext | None) -> None:
        if context is None:
            self._add_api_headers(start["headers"])
            return
        out = MutableHeaders(scope=start)
        out["x-request-id"] = telemetry.request_id.get()
        out.setdefault("x-content-type-options", "nosniff")
        out.setdefault("referrer-policy", "same-origin")
        out.setdefault("cross-origin-opener-policy", "same-origin")
        if self._settings.secure:
            out.setdefault("strict-transport-security", "max-age=31536000")
        out.setdefault("content-security-policy", policy(context.nonce))
        if not scope["path"].startswith(("/static/", "/pictures/")):
            out.setdefault("cache-control", "private, no-store")
        html = out.get("content-type", "").startswith("text/html")
        if html and "dvor.new_visit" in scope:
            out.append(
                "set-cookie", self._cookie(VISIT_COOKIE, scope["dvor.new_visit"], 31_536_000)
            )
        if scope.get("dvor.session_ended"):
            out.append("set-cookie", self._cookie(self._settings.session_cookie, "", 0))

    def _add_api_headers(self, out: list[tuple[bytes, bytes]]) -> None:
        """The same where nothing depends on the page: most requests of a rush."""
        there = {name for name, _ in out}
        out.append((b"x-request-id", telemetry.request_id.get().encode()))
        always = _API_HEADERS_SECURE if self._settings.secure else _API_HEADERS
        out.extend(header for header in always if header[0] not in there)

    def _cookie(self, name: str, value: str, age_seconds: int) -> str:
        return cookie(self._settings, name, value, age_seconds)


@cache
def _anonymous(language: str) -> Caller:
    return _speaking(ANONYMOUS, language)


def _speaking(caller: Caller, language: str) -> Caller:
    if caller.language == language:
        return caller
    return caller.model_copy(update={"language": language})


def policy(nonce: str) -> str:
    """The content security policy of our pages."""
    return (
        f"default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}';"
        " img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'self';"
        " form-action 'self'"
    )


def cookie(settings: Settings, name: str, value: str, age_seconds: int) -> str:
    """A Set-Cookie header: for scripts invisible, sent to us only."""
    made = SimpleCookie({name: value})[name]
    flags: Any = {"path": "/", "max-age": str(age_seconds), "httponly": True, "samesite": "Lax"}
    made.update(flags)
    if settings.secure:
        made["secure"] = True
    return made.OutputString()


def set_session(response: Response, settings: Settings, token: str) -> None:
    """Give the browser its session."""
    age = settings.session_lifetime_seconds
    response.headers.append("set-cookie", cookie(settings, settings.session_cookie, token, age))


def clear_session(response: Response, settings: Settings) -> None:
    """Take the browser's session away, and what the browser kept of private pages."""
    response.headers.append("set-cookie", cookie(settings, settings.session_cookie, "", 0))
    response.headers["clear-site-data"] = '"cache"'


def _headers(scope: Scope) -> _Headers:
    """By lower-case name; of several of one name the first."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])
    }


def _cookies(headers: _Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    if "cookie" not in headers:
        return found
    for pair in headers["cookie"].split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, value.strip('"'))
    return found


def _language(headers: _Headers) -> str:
    """The language of the switch, else the first of ours that the browser accepts."""
    chosen = _cookies(headers).get("lang", "")
    if chosen in ("ru", "en"):
        return chosen
    for part in headers.get("accept-language", "").split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in ("ru", "en"):
            return tag
    return "en"


def _limited(receive: Receive, headers: _Headers, limit: int) -> Receive:
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge
    taken = 0

    async def counted() -> Any:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise TooLarge
        return message

    return counted
