"""One order's trace goes through every service that had a part in it."""

import asyncio
import gzip
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.journeys.conftest import running_site
from tests.journeys.test_purchase import SUCCESS, offer, pay, until

EXPECTED = {
    "Orders.place",
    "Inventory.hold",
    "Payments.request",
    "event orders.order_created.v1",
    "task send_mail",
}


class Collector:
    """Takes spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.traces: defaultdict[str, set[str]] = defaultdict(set)
        self.url = ""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request after the other."""
        while head := await self._head(reader):
            length = int(head.lower().split("content-length:")[1].split()[0])
            body = await reader.readexactly(length)
            if "content-encoding: gzip" in head.lower():
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.traces[span.trace_id.hex()].add(span.name)
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
    async def test_an_order_is_one_trace(self, postgres: str) -> None:
        async with collecting() as collector:
            extra = {"DVOR_OTLP_URL": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
            async with running_site("embedded", postgres, extra=extra) as site:
                api = await site.signed_in("customer@dvor.example")
                found = await offer(api, "product")
                order = await api.post("/orders", {"lines": [{"offer_id": found["id"]}]})
                await pay(api, order["pay_path"], SUCCESS)
                await until(api, order["id"], "paid")
                for _ in range(200):
                    if any(names >= EXPECTED for names in collector.traces.values()):
                        return
                    await asyncio.sleep(0.1)
                raise AssertionError(dict(collector.traces))


class TestLogs:
    def test_are_json_where_machines_read_them(self) -> None:
        program = (
            "from dvor.kernel import telemetry; from dvor.kernel.config import Settings;"
            "telemetry.configure(Settings(log_format='json'), 'tests');"
            "telemetry.request_id.set('abcdefgh'); telemetry.log('tests').info('said', count=3)"
        )
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        entry = json.loads(said.stdout)
        assert (entry["event"], entry["count"], entry["request"]) == ("said", 3, "abcdefgh")
