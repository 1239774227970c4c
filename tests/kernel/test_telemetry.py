"""One order's trace goes through every service that had a part in it."""

import asyncio
import gzip
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.journeys.conftest import running_site
from tests.journeys.test_purchase import SUCCESS, offer, pay, until

SERVICES = ("web", "catalog", "inventory", "orders", "payments", "notifications")
"""Parts that every order goes through. Identity is asked who calls, unless that was known."""
EXPECTED = {
    ("web", "POST /api/v1/orders"),
    ("web", "call Orders.place"),
    ("orders", "Orders.place"),
    ("catalog", "Catalog.quote"),
    ("inventory", "Inventory.hold"),
    ("inventory", "inventory.engine.decide"),
    ("inventory", "inventory.hold_queries.open_books"),
    ("payments", "Payments.request"),
    ("payments", "payments.queries.insert_payment"),
    ("notifications", "event orders.order_created.v1"),
    ("notifications", "task send_mail"),
    # What follows when the bank has said yes, in a visit of its own.
    ("payments", "payment authorised"),
    ("payments", "POST"),
    ("web", "POST /api/v1/orders/payment-webhooks"),
    ("orders", "order settle"),
    ("inventory", "Inventory.confirm"),
    ("payments", "Payments.capture"),
    ("notifications", "event orders.order_paid.v1"),
}


class Collector:
    """Takes spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: defaultdict[str, list[tuple[str, Any]]] = defaultdict(list)
        """Trace -> its spans, each with the part that took it."""
        self.url = ""

    def names(self, trace_id: str) -> set[tuple[str, str]]:
        """Service and name of each span of a trace."""
        return {(part, span.name) for part, span in self.spans[trace_id]}

    def roots(self, trace_id: str) -> list[str]:
        """Names of the spans of a trace whose parents are not known, or not yet."""
        spans = [span for _, span in self.spans[trace_id]]
        ids = {span.span_id for span in spans}
        return [span.name for span in spans if span.parent_span_id not in ids]

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request after the other."""
        while head := await self._head(reader):
            length = int(head.lower().split("content-length:")[1].split()[0])
            body = await reader.readexactly(length)
            if "content-encoding: gzip" in head.lower():
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = {a.key: a.value.string_value for a in resource.resource.attributes}
                part = about["service.name"].removeprefix("dvor-")
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.spans[span.trace_id.hex()].append((part, span))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> str:
        try:
            return (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return ""


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    server = await asyncio.start_server(collector.take, "127.0.0.1", 0)
    collector.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield collector


class TestTraces:
    async def test_an_order_through_all_processes_is_one(self, postgres: str) -> None:
        async with collecting() as collector:
            extra = {"DVOR_OTLP_URL": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
            async with running_site("edge", postgres, extra=extra) as site:
                api = await site.signed_in("customer@dvor.example")
                found = await offer(api, "product")
                order = await api.post("/orders", {"lines": [{"offer_id": found["id"]}]})
                await pay(api, order["pay_path"], SUCCESS)
                await until(api, order["id"], "paid")
                whole = await self._whole(collector)
                self._check(collector, whole, secret=order["pay_path"].rpartition("/")[2])

    async def _whole(self, collector: Collector) -> str:
        """The trace with everything expected, once the steps around its steps have ended, too."""
        missing: dict[str, set[tuple[str, str]]] = {}
        for _ in range(1200):
            for trace_id in list(collector.spans):
                missing[trace_id] = EXPECTED - collector.names(trace_id)
                if not missing[trace_id] and len(collector.roots(trace_id)) == 1:
                    return trace_id
            await asyncio.sleep(0.1)
        nearest = min(missing, key=lambda trace_id: len(missing[trace_id]))
        raise AssertionError((missing[nearest], collector.roots(nearest)))

    def _check(self, collector: Collector, whole: str, secret: str) -> None:
        spans = [span for _, span in collector.spans[whole]]
        assert {service for service, _ in collector.names(whole)} >= set(SERVICES)
        assert collector.roots(whole) == ["POST /api/v1/orders"]
        linked = {link.trace_id.hex() for span in spans for link in span.links}
        visits = {t for t in linked for _, s in collector.spans[t] if s.name.startswith("POST")}
        assert visits, "the trace does not lead to the visit in which the card was entered"
        told = str([span for taken in collector.spans.values() for _, span in taken])
        assert secret not in told
        assert "4242424242424242" not in told
        assert "customer@dvor.example" not in told


class TestLogs:
    def test_are_json_where_machines_read_them(self) -> None:
        entry = said(
            "telemetry.request_id.set('abcdefgh'); telemetry.log('tests').info('a', count=3)"
        )
        assert (entry["event"], entry["count"], entry["request"]) == ("a", 3, "abcdefgh")
        assert entry["part"] == "tests"

    def test_what_libraries_say_is_too(self) -> None:
        entry = said("telemetry.bridge_libraries(); logging.getLogger('asyncio').error('b %s', 1)")
        assert (entry["event"], entry["logger"], entry["level"]) == ("b 1", "asyncio", "error")

    def test_name_the_trace(self) -> None:
        program = (
            "\nwith telemetry.extract({'traceparent': '00-"
            + "a" * 32
            + "-"
            + "b" * 16
            + "-01'}, 'x'):"
        )
        entry = said(
            program + " telemetry.log('tests').warning('c')", otlp_url="http://127.0.0.1:9"
        )
        assert entry["trace"] == "a" * 32
        assert entry["span"] != "b" * 16


def said(program: str, **settings: str) -> dict[str, Any]:
    """The one entry that a process writes to its log."""
    before = (
        "import logging; from dvor.kernel import telemetry;"
        "from dvor.kernel.config import Settings;"
        f"telemetry.configure(Settings(log_format='json', **{settings}), 'tests');"
    )
    # Nobody listens at the collector's address: the process must not wait for it.
    after = "\nimport os, sys; sys.stdout.flush(); os._exit(0)"
    done = subprocess.run(
        [sys.executable, "-c", before + program + after], capture_output=True, check=True
    )
    return json.loads(done.stdout)


class TestRequests:
    def test_are_told_by_the_pattern_of_their_route(self) -> None:
        """Whoever knows the path of a payment may pay, cancel and watch it."""
        exported = spans_of(
            "import asyncio; from dvor.kernel.config import Settings;"
            "from starlette.applications import Starlette;"
            "from starlette.responses import PlainTextResponse; from starlette.routing import Route;"
            "from dvor.kernel.http.front import Callers, Front\n"
            "async def page(request): return PlainTextResponse('')\n"
            "app = Starlette(routes=[Route('/api/v1/pay/{secret}', page)])\n"
            "front = Front(app, Settings(), Callers(None, Settings()), {})\n"
            "async def receive(): return {'type': 'http.request', 'body': b''}\n"
            "async def send(message): pass\n"
            "for path in ('/api/v1/pay/s3cr3t', '/api/v1/lost/s3cr3t'):\n"
            "    scope = {'type': 'http', 'method': 'GET', 'path': path, 'raw_path': path.encode(),"
            " 'query_string': b'key=s3cr3t', 'headers': [], 'scheme': 'http', 'root_path': '',"
            " 'client': ('127.0.0.1', 1), 'server': ('127.0.0.1', 80), 'http_version': '1.1'}\n"
            "    asyncio.run(front(scope, receive, send))\n"
        )
        assert [span["name"] for span in exported] == ["GET /api/v1/pay/{secret}", "GET none"]
        assert "s3cr3t" not in str(exported)


class TestErrors:
    def test_traces_keep_their_kind_and_not_their_words(self) -> None:
        exported = spans_of(
            "class Gone(Exception): http_status = 410\n"
            "for problem in (ValueError('card 4242'), Gone('told')):\n"
            "    try:\n"
            "        with telemetry.span('step'): raise problem\n"
            "    except Exception: pass\n"
        )
        assert [span["attributes"]["error.type"] for span in exported] == ["ValueError", "Gone"]
        assert [span["status"]["status_code"] for span in exported] == ["ERROR", "UNSET"]
        assert "4242" not in str(exported)

    def test_statements_without_a_trace_are_none(self) -> None:
        exported = spans_of(
            "with telemetry.statement('alone', 'x'): pass\n"
            "with telemetry.span('step'):\n"
            "    with telemetry.statement('within', 'x'): pass\n"
            "with telemetry.together('batch', [None]): pass\n"
        )
        assert [span["name"] for span in exported] == ["within", "step"]


def spans_of(program: str) -> list[dict[str, Any]]:
    """The spans that a process takes, as they end."""
    before = (
        "import json; from opentelemetry.sdk.trace import TracerProvider;"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor;"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter;"
        "from opentelemetry import trace; from dvor.kernel import telemetry;"
        "kept = InMemorySpanExporter(); provider = TracerProvider();"
        "provider.add_span_processor(SimpleSpanProcessor(kept));"
        "trace.set_tracer_provider(provider); telemetry._on = True\n"
    )
    after = "print(json.dumps([json.loads(s.to_json()) for s in kept.get_finished_spans()]))"
    done = subprocess.run(
        [sys.executable, "-c", before + program + after], capture_output=True, check=True
    )
    return json.loads(done.stdout)
