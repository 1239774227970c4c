"""What can be seen from outside beside metrics: logs and traces. The door to structlog and its kin."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import structlog
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind

from dvor.kernel.config import Settings

request_id: ContextVar[str] = ContextVar("request_id", default="")

_TRACER = trace.get_tracer("dvor")
_on = False
_NO_SPAN: AbstractContextManager[None] = nullcontext()



def log(name: str) -> Any:
    """A structured logger."""
    return structlog.get_logger(name)


def configure(settings: Settings, part: str) -> None:
    """Set up logs and, where a collector is named, traces of this process."""
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


def _with_ids(_logger: Any, _method: str, entry: Any) -> Any:
    if request := request_id.get():
        entry["request"] = request
    if _on:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            entry["trace"] = f"{context.trace_id:032x}"
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


def tracing() -> bool:
    """Whether traces are taken."""
    return _on


@contextmanager
def extract(
    headers: Mapping[str, str], name: str, *, server: bool = True, **attributes: str
) -> Iterator[None]:
    """Within, logs and spans belong to the request that `headers` came from."""
    token = request_id.set(headers.get("dvor-request-id", "") or request_id.get())
    try:
        if not _on:
            yield
            return
        kind = SpanKind.SERVER if server else SpanKind.INTERNAL
        context = propagate.extract(dict(headers))
        with _TRACER.start_as_current_span(name, context, kind, attributes=attributes):
            yield
    finally:
        request_id.reset(token)


def span(name: str, **attributes: str) -> AbstractContextManager[Any]:
    """A step worth seeing in a trace; free where tracing is off."""
    return _TRACER.start_as_current_span(name, attributes=attributes) if _on else _NO_SPAN
