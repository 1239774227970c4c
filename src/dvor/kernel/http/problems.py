"""Refusals as people and programs see them: RFC 9457 problem+json, or a page."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from dvor.kernel import telemetry, texts
from dvor.kernel.errors import Internal, InvalidFields, NotFound, Refusal

LOG = telemetry.log("http")

ErrorPage = Callable[[int, Refusal | None], str]
_pages: list[ErrorPage] = []


def error_pages(draw: ErrorPage) -> None:
    """Register what draws error pages: `draw(status, refusal) -> html`."""
    _pages[:] = [draw]


def wants_json(path: str) -> bool:
    """Whether this address answers programs."""
    return path.startswith(("/api/", "/.well-known/", "/metrics", "/health", "/ready"))


def problem(refusal: Refusal, status: int | None = None) -> JSONResponse:
    """A refusal as RFC 9457 problem details; its own details are members beside the standard."""
    body: dict[str, Any] = {
        "type": f"/problems/{refusal.code}",
        "title": texts.gettext(type(refusal).text()) if not refusal.details else "",
        "status": status or refusal.http_status,
        "detail": texts.refusal(refusal),
        "code": refusal.code,
        "request": telemetry.request_id.get(),
    }
    body["title"] = body["title"] or body["detail"]
    for name, adapter in refusal.fields().items():
        body.setdefault(name, adapter.dump_python(refusal.details[name], mode="json"))
    return JSONResponse(
        body, body["status"], headers(refusal), media_type="application/problem+json"
    )


def headers(refusal: Refusal) -> dict[str, str]:
    """What a refusal adds to the response's headers."""
    found = {}
    if refusal.retry_after_seconds is not None:
        found["retry-after"] = str(refusal.retry_after_seconds)
    if refusal.http_status == 401:
        found["www-authenticate"] = 'Bearer realm="dvor"'
    return found


def answer(request_path: str, refusal: Refusal, status: int | None = None) -> Response:
    """The response to a refused request."""
    code = status or refusal.http_status
    if wants_json(request_path) or not _pages:
        return problem(refusal, code)
    return HTMLResponse(_pages[0](code, refusal), code, headers(refusal))


async def on_refusal(request: Request, refusal: Exception) -> Response:
    """A service refused."""
    assert isinstance(refusal, Refusal)
    return answer(request.url.path, refusal)


async def on_invalid(request: Request, invalid: Exception) -> Response:
    """FastAPI could not read the request."""
    assert isinstance(invalid, RequestValidationError)
    return answer(request.url.path, InvalidFields(problems=fields(invalid.errors())))


def fields(errors: Sequence[Any]) -> dict[str, str]:
    """Pydantic's findings as field path -> message; never the value that was sent."""
    found: dict[str, str] = {}
    for error in errors:
        path = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
        found.setdefault(path or "body", str(error["msg"]))
    return found


async def on_http(request: Request, raised: Exception) -> Response:
    """The framework refused: no such route, wrong method."""
    assert isinstance(raised, HTTPException)
    refusal = NotFound() if raised.status_code in (404, 405) else InvalidFields()
    response = answer(request.url.path, refusal, raised.status_code)
    response.headers.update(raised.headers or {})
    return response


def of(path: str, problem: Exception) -> Response:
    """The response to a request that ended with this."""
    return answer(path, problem) if isinstance(problem, Refusal) else crashed(path, problem)


def crashed(path: str, error: BaseException) -> Response:
    """Something unforeseen: logged whole, said without details."""
    LOG.error("request failed", path=path, exc_info=error)
    return answer(path, Internal())
