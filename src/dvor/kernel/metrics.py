"""What is counted and measured. The door to prometheus-client; `scrape.py` gathers and answers.

Two books: HERE is what this process has seen itself, SHARED what stands in the databases of its
services, so that of several processes on one port one tells it for all. Labels are few: routes by
their pattern, classes of refusals, names of our own code. On the way of a request only children
that are made already are touched: less than a microsecond each.
"""

import platform
import time
from collections import Counter as Counted
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from dvor import __version__

disable_created_metrics()
HERE, SHARED = CollectorRegistry(), CollectorRegistry()
_DECLARED: list[tuple[str, str, tuple[str, ...], str, bool]] = []
"""Of each metric: name, type, labels, meaning, whether it is told once for all processes."""


class Told(Gauge):
    """A number that is told once somebody has said it: 0 would be a lie where nobody can know."""

    said = False

    def set(self, value: float) -> None:
        """Say it."""
        self.said = True
        super().set(value)

    def collect(self) -> Iterable[Metric]:
        """Nothing before."""
        return super().collect() if self.said else ()


def _declare(kind: Any, name: str, meaning: str, *labels: str, shared: bool = False) -> Any:
    written = "gauge" if kind is Told else kind.__name__.lower()
    _DECLARED.append((name, written, labels, meaning, shared))
    return kind(name, meaning, labels, registry=SHARED if shared else HERE)


HTTP_SECONDS = _declare(
    Histogram,
    "dvor_http_request_seconds",
    "HTTP requests, by the pattern of their route",
    *("method", "route", "status"),
)
CALL_SECONDS = _declare(
    Histogram,
    "dvor_call_seconds",
    "Calls of contracts where they are answered; outcome: ok, or the class of the refusal",
    *("contract", "method", "outcome"),
)
GRPC_SERVED_SECONDS = _declare(
    Histogram,
    "dvor_grpc_served_seconds",
    "gRPC calls answered here, with decoding and the check of the caller",
    *("contract", "method", "code"),
)
GRPC_ASKED_SECONDS = _declare(
    Histogram,
    "dvor_grpc_asked_seconds",
    "gRPC calls made from here, with the way there and back",
    *("contract", "method", "code"),
)
EVENTS_SENT = _declare(Counter, "dvor_events_sent_total", "Events published", "service")
EVENTS_TAKEN = _declare(Counter, "dvor_events_taken_total", "Events applied", "service", "type")
EVENTS_PARKED = _declare(
    Counter, "dvor_events_parked_total", "Events that could not be applied", "service"
)
EVENTS_UNREADABLE = _declare(
    Counter, "dvor_events_unreadable_total", "Messages that are no events: dead letters", "service"
)
BROKER_UP = _declare(Told, "dvor_broker_up", "1 while the broker answers")
TASKS_RUN = _declare(
    Counter,
    "dvor_tasks_total",
    "Tasks run once; outcome: done, failed (tried again later) or given_up",
    *("service", "task", "outcome"),
)
TASK_SECONDS = _declare(Histogram, "dvor_task_seconds", "Running a task once", "service", "task")
SAGA_STEPS = _declare(
    Counter,
    "dvor_saga_steps_total",
    "Steps of orders; outcome: done or failed",
    "action",
    "outcome",
)
MONEY = _declare(
    Counter,
    "dvor_money_total",
    "Money moved, in minor units (cents); movement: captured, refunded or disputed",
    *("movement", "currency"),
)
MOVEMENTS = _declare(
    Counter,
    "dvor_money_movements_total",
    "How often money moved; movement: captured, refunded or disputed",
    *("movement", "currency"),
)
CONNECTIONS = _declare(
    Gauge,
    "dvor_database_connections",
    "Connections of a service's pool; state: busy, or open and idle",
    *("service", "state"),
)
CONNECTIONS_MAX = _declare(
    Gauge, "dvor_database_connections_max", "How many a pool may open", "service"
)
CONNECTIONS_WANTED = _declare(
    Gauge, "dvor_database_waiting", "Who waits for a connection of the pool now", "service"
)
CONNECTION_SECONDS = _declare(
    Histogram,
    "dvor_database_wait_seconds",
    "Waits for a connection of the pool, where none was at hand",
    "service",
)
DATABASE_UP = _declare(
    Gauge,
    "dvor_database_up",
    "1 where the database answered within 2 s just now",
    "service",
    shared=True,
)
CHANGES = _declare(
    Gauge,
    "dvor_changes",
    "Requests that change something; state: under way, or waiting for a place",
    "state",
)
LISTENERS = _declare(Gauge, "dvor_listeners", "Pages that listen for news (server-sent events)")
BUILD = _declare(Gauge, "dvor_build_info", "Always 1", "version", "python", "parts")

OUTBOX_AGE = _declare(
    Gauge, "dvor_outbox_age_seconds", "Age of the oldest unsent event", "service", shared=True
)
OUTBOX_WAITING = _declare(Gauge, "dvor_outbox_waiting", "Unsent events", "service", shared=True)
EVENTS_WAITING = _declare(
    Gauge,
    "dvor_events_waiting",
    "Events of a source that a service has not applied yet, by its broker",
    *("service", "source"),
    shared=True,
)
PARKED = _declare(
    Gauge, "dvor_parked_events", "Events that wait for `dvor parked`", "service", shared=True
)
TASKS_WAITING = _declare(
    Gauge, "dvor_tasks_waiting", "Tasks that are due and not done", "service", shared=True
)
TASKS_AGE = _declare(
    Gauge,
    "dvor_tasks_age_seconds",
    "How long the oldest of them has been due",
    "service",
    shared=True,
)
HOLDS_LIVE = _declare(
    Told, "dvor_holds_live", "Holds that are neither confirmed nor over", shared=True
)
HOLDS_OVERDUE = _declare(
    Told, "dvor_holds_overdue", "Holds past their deadline that nobody has ended", shared=True
)
HOLDS_OVERDUE_AGE = _declare(
    Told, "dvor_holds_overdue_seconds", "How long the oldest of them is past it", shared=True
)
ORDERS_STUCK = _declare(
    Told, "dvor_orders_stuck", "Orders without progress for a minute", shared=True
)
AUDIT_VIOLATIONS = _declare(
    Gauge, "dvor_audit_violations", "What the last audit found broken", "promise", shared=True
)
AUDIT_AGE = _declare(
    Told, "dvor_audit_age_seconds", "Seconds since the last audit ended", shared=True
)
AUDIT_SKIPPED = _declare(
    Told, "dvor_audit_skipped", "Checks that the last audit could not make", shared=True
)

BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 512)
"""Bounds of the sizes of batches."""
CURRENCIES_MAX = 20
"""Currencies told apart; anything is one that has three letters, so the rest is `other`."""


class Sizes:
    """Sizes of the batches of one name: noting one must cost next to nothing."""

    known: Mapping[str, "Sizes"] = {}

    def __init__(self) -> None:
        self.counts: Counted[int] = Counted()

    def note(self, size: int) -> None:
        """A batch of this many went."""
        self.counts[size] += 1


class _BatchSizes:
    """Draws the histogram of sizes when it is asked for."""

    name, meaning = "dvor_batch_size", "Requests served by one transaction or statement together"

    def collect(self) -> Iterable[Metric]:
        """One histogram for each name."""
        family = HistogramMetricFamily(self.name, self.meaning, labels=["batch"])
        for name, sizes in list(Sizes.known.items()):
            counts = dict(sizes.counts)
            below = [(str(float(b)), sum(n for s, n in counts.items() if s <= b)) for b in BATCHES]
            whole = [*below, ("+Inf", sum(counts.values()))]
            family.add_metric([name], whole, sum(size * n for size, n in counts.items()))
        yield family


class _Holds:
    """What was asked to be held, read off the calls of inventory: it costs holds nothing."""

    name, meaning = (
        "dvor_holds_total",
        "Requests to hold something; outcome: granted, or why it was refused",
    )

    def collect(self) -> Iterable[Metric]:
        """By outcome."""
        family = CounterMetricFamily(self.name, self.meaning, labels=["outcome"])
        for metric in CALL_SECONDS.collect():
            for sample in metric.samples:
                labels = sample.labels
                asked = (labels["contract"], labels["method"]) == ("Inventory", "hold")
                if asked and sample.name.endswith("_count"):
                    outcome = "granted" if labels["outcome"] == "ok" else labels["outcome"]
                    family.add_metric([outcome], sample.value)
        yield family


for _drawn, _kind, _label in (
    (_BatchSizes(), "histogram", "batch"),
    (_Holds(), "counter", "outcome"),
):
    _DECLARED.append((_drawn.name, _kind, (_label,), _drawn.meaning, False))
    HERE.register(_drawn)  # pyright: ignore[reportArgumentType] - it only wants `collect`
_DECLARED.append(("dvor_worker_up", "gauge", ("worker",), "1 where the worker answered", True))
ProcessCollector(registry=HERE)
GCCollector(registry=HERE)


def sizes(name: str) -> Sizes:
    """Where the sizes of batches of this name are noted."""
    known: Any = Sizes.known
    return known.setdefault(name, Sizes())


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


@cache
def _grpc_seconds(served: bool, contract: str, method: str, code: str) -> Histogram:
    metric = GRPC_SERVED_SECONDS if served else GRPC_ASKED_SECONDS
    return metric.labels(contract, method, code)


def observe_grpc(contract: str, method: str, code: str, began: float, *, served: bool) -> None:
    """Measure a gRPC call, `served` here or asked elsewhere, by its status."""
    _grpc_seconds(served, contract, method, code).observe(time.perf_counter() - began)


_currencies: set[str] = set()


def moved(movement: str, currency: str, amount: int) -> None:
    """Count money that moved: minor units of a currency."""
    if currency not in _currencies:
        if len(_currencies) >= CURRENCIES_MAX:
            currency = "other"
        _currencies.add(currency)
    MONEY.labels(movement, currency).inc(amount)
    MOVEMENTS.labels(movement, currency).inc()


def tell_build(parts: str) -> None:
    """What runs in this process."""
    BUILD.clear()
    BUILD.labels(__version__, platform.python_version(), parts).set(1)


def written(registry: CollectorRegistry) -> str:
    """All metrics of one book in Prometheus' text format."""
    return generate_latest(registry).decode()


def merged(pages: Mapping[str, str]) -> str:
    """Pages of several workers as one: each sample says by `worker` whose it is."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, page in pages.items():
        name = ""
        for line in page.splitlines():
            if line.startswith("#"):
                name = line.split(" ", 3)[2]
                told = heads.setdefault(name, [])
                if line not in told:
                    told.append(line)
            else:
                samples.setdefault(name, []).append(_labelled(line, worker))
    return "".join(f"{line}\n" for name in heads for line in (*heads[name], *samples.get(name, ())))


def _labelled(sample: str, worker: str) -> str:
    """`name{a="b"} 1` or `name 1`, with the label of the worker before the others."""
    end = min(at for at in (sample.find("{"), sample.find(" ")) if at > 0)
    name, rest = sample[:end], sample[end:]
    if rest.startswith("{"):
        return f'{name}{{worker="{worker}",{rest[1:]}'
    return f'{name}{{worker="{worker}"}}{rest}'


def names() -> Mapping[str, tuple[str, ...]]:
    """Every name that a query may use, with its labels: those of histograms have three."""
    found: dict[str, tuple[str, ...]] = {}
    for name, kind, labels, _, shared in _DECLARED:
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        extra = ("le",) if kind == "histogram" else ()
        extra += () if shared else ("worker",)
        found |= dict.fromkeys((name + end for end in ends), (*labels, *extra))
    return found


def reference() -> str:
    """Every metric with its labels and meaning, as the Markdown page of the docs."""
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} |"
        f" {'once' if shared else 'each'} | {meaning} |"
        for name, kind, labels, meaning, shared in sorted(_DECLARED)
    ]
    return "\n".join([_HEAD, "| metric | type | labels | told | meaning |", "|---|---|---|---|---|",
                      *rows, ""])  # fmt: skip


_HEAD = """# Metrics

Made from `src/dvor/kernel/metrics.py`; a test compares. `GET /metrics` answers in Prometheus' text
format; the gateway keeps it to itself. Seconds are seconds, money is minor units (cents, kopecks).

*Each* process tells what it has seen itself. Where several share one port (`up --workers N`), the
one that is asked collects from the others and every sample has the label `worker`, from 1 to N;
`dvor_worker_up` is 0 of a worker that does not answer, whose samples are missing then. What stands
in the databases is told *once*, without that label, read when it is asked for and remembered for
2 s: never added up over processes of one service, but by `max`. `process_*` and `python_gc_*` are
those of prometheus-client.
"""
