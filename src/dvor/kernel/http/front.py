"""What happens to every request before and after its route: who asks, limits, headers, measures."""

import re
import secrets
import time
from collections import OrderedDict
from functools import cache
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import quote

from fastapi import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dvor.kernel import pages, telemetry
from dvor.kernel.caller import ANONYMOUS, Caller, asking
from dvor.kernel.config import Settings
from dvor.kernel.errors import Invalid, Refusal, Unauthenticated
from dvor.kernel.http import problems
from dvor.kernel.ids import new

VISIT_COOKIE = "visit"
CACHE_MAX = 10_000
"""Tokens and sessions remembered for `caller_cache_seconds`."""


NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
"""The content security policy of what is no page: it may load nothing."""

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
    """Asks identity who is calling, and remembers for a moment: an ended session dies within it."""

    def __init__(self, guard: Guard | None, seconds: float) -> None:
        self._guard = guard
        self._seconds = seconds
        self._known: OrderedDict[tuple[str, str], tuple[float, Caller]] = OrderedDict()

    async def of(self, kind: str, token: str) -> Caller:
        """The caller of a token. Raises SessionEnded."""
        if self._guard is None:
            return ANONYMOUS
        now = time.monotonic()
        found = self._known.get((kind, token))
        if found and found[0] > now:
            return found[1]
        with asking(ANONYMOUS):
            ask = self._guard.authenticate if kind == "token" else self._guard.session
            caller = await ask(token)
        self._known[kind, token] = (now + self._seconds, caller)
        self._known.move_to_end((kind, token))
        while len(self._known) > CACHE_MAX:
            self._known.popitem(last=False)
        return caller

    def forget(self, kind: str, token: str) -> None:
        """Ask again next time: after signing in or out here."""
        self._known.pop((kind, token), None)


class Front:
    """Pure ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings, callers: Callers) -> None:
        self._app = app
        self._settings = settings
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        carried = dict(headers) if telemetry.tracing() else {}
        carried["dvor-request-id"] = given if _REQUEST_ID.fullmatch(given) else new().hex
        with telemetry.extract(carried, f"{scope['method']} {scope['path']}"):
            await self._measured(scope, receive, send, headers)

    async def _measured(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        began = time.perf_counter()
        status = 500
        is_page = not scope["path"].startswith("/api/v1/")
        context = self._page_context(scope, headers) if is_page else None

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(scope, MutableHeaders(scope=message), context)
            await send(message)

        token = pages.page.set(context) if context else None
        try:
            await self._serve(scope, receive, finish, headers)
        finally:
            if token:
                pages.page.reset(token)
            route = getattr(scope.get("route"), "path", "none")
            telemetry.HTTP_SECONDS.labels(scope["method"], route, str(status)).observe(
                time.perf_counter() - began
            )

    async def _serve(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        language = _language(headers)
        try:
            with asking(_anonymous(language)):
                caller = await self._caller(scope, headers, language)
            with asking(caller):
                limited = _limited(receive, headers, self._settings.body_max_bytes)
                await self._app(scope, limited, watched)
        except Refusal as refusal:
            if started:
                raise
            with asking(_anonymous(language)):
                await problems.answer(scope["path"], refusal)(scope, receive, send)
        except Exception as error:
            if started:
                raise
            await problems.crashed(scope["path"], error)(scope, receive, send)

    async def _caller(self, scope: Scope, headers: Headers, language: str) -> Caller:
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

    def _page_context(self, scope: Scope, headers: Headers) -> pages.PageContext:
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

    def _add_headers(
        self, scope: Scope, out: MutableHeaders, context: pages.PageContext | None
    ) -> None:
        out["x-request-id"] = telemetry.request_id.get()
        out.setdefault("x-content-type-options", "nosniff")
        out.setdefault("referrer-policy", "same-origin")
        out.setdefault("cross-origin-opener-policy", "same-origin")
        if self._settings.secure:
            out.setdefault("strict-transport-security", "max-age=31536000")
        out.setdefault("content-security-policy", policy(context.nonce) if context else NO_PAGE)
        if not scope["path"].startswith(("/static/", "/pictures/")):
            out.setdefault("cache-control", "private, no-store")
        html = out.get("content-type", "").startswith("text/html")
        if html and "dvor.new_visit" in scope:
            out.append(
                "set-cookie", self._cookie(VISIT_COOKIE, scope["dvor.new_visit"], 31_536_000)
            )
        if scope.get("dvor.session_ended"):
            out.append("set-cookie", self._cookie(self._settings.session_cookie, "", 0))

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


def _cookies(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        found.setdefault(name, value.strip('"'))
    return found


def _language(headers: Headers) -> str:
    """The language of the switch, else the first of ours that the browser accepts."""
    chosen = _cookies(headers).get("lang", "")
    if chosen in ("ru", "en"):
        return chosen
    for part in headers.get("accept-language", "").split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in ("ru", "en"):
            return tag
    return "en"


def _limited(receive: Receive, headers: Headers, limit: int) -> Receive:
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
