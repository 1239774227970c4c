"""What can be seen from outside beside metrics: logs and traces. The door to structlog and its kin."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import SpanKind

from dvor.kernel.config import Settings

request_id: ContextVar[str] = ContextVar("request_id", default="")

_TRACER = trace.get_tracer("dvor")
_on = False
_part = ""
_NO_SPAN: AbstractContextManager[None] = nullcontext()
_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
LINKS_MAX = 32
"""Traces that one batch is linked to."""


def log(name: str) -> Any:
    """A structured logger."""
    return structlog.get_logger(name)


def configure(settings: Settings, part: str) -> None:
    """Set up logs and, where a collector is named, traces of this process."""
    global _part  # noqa: PLW0603 - as logs, for a whole process
    _part = part if settings.log_format == "json" else ""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    render: Any = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            _with_ids,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars()
    if settings.otlp_url:
        _start_tracing(settings.otlp_url, part)


def _start_tracing(url: str, part: str) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _on  # noqa: PLW0603 - tracing is on or off for a whole process
    provider = TracerProvider(resource=Resource.create({"service.name": f"dvor-{part}"}))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces"))
    )
    trace.set_tracer_provider(provider)
    _on = True


class _Bridge(logging.Handler):
    """What libraries say goes where we say it, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """One entry."""
        said = structlog.get_logger(record.name)
        said.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def bridge_libraries() -> None:
    """Warnings and errors of libraries (uvicorn, asyncio, grpc) become entries of our log."""
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)


def _with_ids(_logger: Any, _method: str, entry: Any) -> Any:
    if _part:
        entry["part"] = _part
    if request := request_id.get():
        entry["request"] = request
    if _on:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            entry["trace"] = f"{context.trace_id:032x}"
            entry["span"] = f"{context.span_id:016x}"
    return entry


def inject(headers: dict[str, str]) -> None:
    """Add the trace and the request's id to headers that leave this process."""
    if request := request_id.get():
        headers["dvor-request-id"] = request
    if _on:
        propagate.inject(headers)


def carried() -> dict[str, str]:
    """The same as a dictionary, to be stored beside events and tasks."""
    headers: dict[str, str] = {}
    inject(headers)
    return headers


def outbound() -> dict[str, str]:
    """The same for servers of other people, in the names that everybody uses."""
    headers = carried()
    request = headers.pop("dvor-request-id", "")
    return headers | {"x-request-id": request} if request else headers


def tracing() -> bool:
    """Whether traces are taken."""
    return _on


def _open_span(
    name: str,
    kind: str,
    attributes: Mapping[str, Any],
    context: Any = None,
    links: Sequence[Any] = (),
) -> AbstractContextManager[Any]:
    """A span that keeps of what went wrong its kind only: messages may hold what people wrote."""
    opened = _TRACER.start_as_current_span(
        name,
        context,
        _KINDS[kind],
        attributes=attributes,
        links=links,
        record_exception=False,
        set_status_on_exception=False,
    )
    return _judged(opened)


@contextmanager
def _judged(opened: AbstractContextManager[Any]) -> Iterator[Any]:
    with opened as current:
        try:
            yield current
        except BaseException as problem:
            kind = type(problem).__name__
            current.set_attribute("error.type", kind)
            if getattr(problem, "http_status", 500) >= 500:
                current.set_status(trace.Status(trace.StatusCode.ERROR, kind))
            raise


@contextmanager
def extract(
    headers: Mapping[str, str], name: str, *, kind: str = "server", **attributes: str
) -> Iterator[None]:
    """Within, logs and spans belong to the request that `headers` came from.

    Where that is another trace than the one under way, the new span links to the latter. `kind`:
    server, consumer or internal.
    """
    token = request_id.set(headers.get("dvor-request-id", "") or request_id.get())
    try:
        if not _on:
            yield
            return
        context = propagate.extract(dict(headers), get_current())
        here = trace.get_current_span().get_span_context()
        there = trace.get_current_span(context).get_span_context()
        other = here.is_valid and here.trace_id != there.trace_id
        links = [trace.Link(here)] if other else []
        with _open_span(name, kind, attributes, context, links):
            yield
    finally:
        request_id.reset(token)


def span(name: str, *, kind: str = "internal", **attributes: str) -> AbstractContextManager[Any]:
    """A step worth seeing in a trace; free where tracing is off."""
    return _open_span(name, kind, attributes) if _on else _NO_SPAN


def statement(name: str, database: str) -> AbstractContextManager[Any]:
    """A statement of a trace under way; work that belongs to none would be a trace of its own."""
    if not trace.get_current_span().get_span_context().is_valid:
        return _NO_SPAN
    about = {"db.system.name": "postgresql", "db.namespace": database, "db.query.summary": name}
    return _open_span(name, "client", about)


def here() -> Any:
    """Where in a trace we are, for `together`; None where tracing is off."""
    return get_current() if _on else None


def together(name: str, askers: Sequence[Any]) -> AbstractContextManager[Any]:
    """Work done for several at once: part of the first one's trace, linked to the others'."""
    spans = [trace.get_current_span(asker).get_span_context() for asker in askers if asker]
    spans = [one for one in spans if one.is_valid]
    if not spans:
        return _NO_SPAN
    first = trace.set_span_in_context(trace.NonRecordingSpan(spans[0]), Context())
    links = [trace.Link(one) for one in spans[1:LINKS_MAX]]
    return _open_span(name, "internal", {"dvor.batch.size": len(askers)}, first, links)


def name_request(method: str, route: str, status: int) -> None:
    """Say which route a request took: its path may hold a secret, the pattern does not."""
    if _on:
        current = trace.get_current_span()
        current.update_name(f"{method} {route}")
        current.set_attribute("http.request.method", method)
        current.set_attribute("http.route", route)
        current.set_attribute("http.response.status_code", status)
        if status >= 500:
            current.set_status(trace.Status(trace.StatusCode.ERROR))
