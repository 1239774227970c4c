"""What can be seen from outside: logs, metrics, traces. The door to structlog and its kin."""

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from typing import Any

import structlog
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from dvor.kernel.config import Settings

request_id: ContextVar[str] = ContextVar("request_id", default="")

_TRACER = trace.get_tracer("dvor")
_on = False
_NO_SPAN: AbstractContextManager[None] = nullcontext()

HTTP_SECONDS = Histogram(
    "dvor_http_request_seconds", "HTTP requests", ["method", "route", "status"]
)
CALL_SECONDS = Histogram(
    "dvor_call_seconds", "Calls of contracts", ["contract", "method", "outcome"]
)
EVENTS_SENT = Counter("dvor_events_sent_total", "Events published", ["service"])
EVENTS_TAKEN = Counter("dvor_events_taken_total", "Events applied", ["service", "type"])
EVENTS_PARKED = Counter("dvor_events_parked_total", "Events that could not be applied", ["service"])
EVENTS_UNREADABLE = Counter(
    "dvor_events_unreadable_total", "Messages that are no events: dead letters", ["service"]
)
EVENTS_WAITING = Gauge(
    "dvor_events_waiting", "Events that a service has not applied", ["service", "source"]
)
BROKER_UP = Gauge("dvor_broker_up", "1 while the broker answers")
OUTBOX_AGE = Gauge("dvor_outbox_age_seconds", "Age of the oldest unsent event", ["service"])
SAGA_STEPS = Counter("dvor_saga_steps_total", "Steps of orders", ["action", "outcome"])
ORDERS_STUCK = Gauge("dvor_orders_stuck", "Orders without progress for a minute")
AUDIT_VIOLATIONS = Gauge("dvor_audit_violations", "What the last audit found broken", ["promise"])
AUDIT_AGE = Gauge("dvor_audit_age_seconds", "Seconds since the last audit ended")
AUDIT_SKIPPED = Gauge("dvor_audit_skipped", "Checks that the last audit could not make")
TASKS_RUN = Counter("dvor_tasks_total", "Tasks run", ["service", "task", "outcome"])


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


@cache
def _call_seconds(contract: str, method: str, outcome: str) -> Histogram:
    return CALL_SECONDS.labels(contract, method, outcome)


def observe_call(contract: str, method: str, outcome: str, began: float) -> None:
    """Measure a call of a contract that began then (`time.perf_counter`), and how it ended."""
    _call_seconds(contract, method, outcome).observe(time.perf_counter() - began)


@cache
def _http_seconds(method: str, route: str, status: int) -> Histogram:
    return HTTP_SECONDS.labels(method, route, str(status))


def observe_request(method: str, route: str, status: int, began: float) -> None:
    """Measure a request by its route's pattern, which are few."""
    _http_seconds(method, route, status).observe(time.perf_counter() - began)


def metrics_page() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)
