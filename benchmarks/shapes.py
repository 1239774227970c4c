"""The same Dvor in one process and in many: orders a second, waiting, CPU and memory of each process.

    ./dvor bench shapes [--seconds 8] [--customers 12] [--shapes embedded kafka] [--replicas 1] [--json]

One PostgreSQL, fsync on; the shapes one after the other on databases of their own, each as `up` starts
it: in one process, in two workers, and every service apart behind nginx with events by PostgreSQL,
RabbitMQ or Kafka. Customers buy as fast as they can: cart, checkout, the bank's page, paid; they share
the cores. What a transport costs is what an order costs more than in the shape above it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import UUID

import _http
import asyncpg
import uvloop
from _report import report
from _stage import stage
from checkout import TICKS_PER_SECOND, Customer
from load.client import Client
from rich.console import Console
from rich.table import Table

from dvor import topology
from dvor.kernel.config import Settings
from dvor.kernel.postgres import EmbeddedPostgres

SHAPES: dict[str, Sequence[str]] = {
    "embedded": (),
    "workers": ("--workers", "2"),
    "local": ("--distributed", "--broker", "local"),
    "rabbitmq": ("--distributed", "--broker", "rabbitmq"),
    "kafka": ("--distributed", "--broker", "kafka"),
}
"""Name -> how `up` is asked for it. `local`: services apart, events by PostgreSQL."""
WARM_SECONDS = 3.0
QUIET_SECONDS = 1.0
"""So long after the rush what is left over is still counted."""
START_SECONDS = 240
SECRET = b"b" * 32
NO_LIMIT = "1000000"
_OTHERS = (
    ("postgres", re.compile(r"postgres")),
    ("rabbitmq", re.compile(r"beam\.smp|epmd|erl_child|inet_gethost|rabbitmq")),
    ("kafka", re.compile(r"java")),
    ("nginx", re.compile(r"nginx")),
)
"""What a process is, by the words of its command."""


class Running:
    """A Dvor of one shape."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, said: Path) -> None:
        self.process, self.port, self._said = process, port, said
        self._names: dict[int, str] = {}

    @property
    def is_open(self) -> bool:
        """Whether it has said that it is. Raises RuntimeError where it has ended."""
        said = self._said.read_text()
        if self.process.poll() is not None:
            raise RuntimeError(f"dvor up ended: {said[-2000:]}")
        return "Ctrl-C closes it" in said

    def learn(self) -> None:
        """Which process is which service, as the page of health says."""
        if found := re.search(r"Health +http://localhost:(\d+)/", self._said.read_text()):
            with urlopen(f"http://127.0.0.1:{found[1]}/json", timeout=30) as answer:
                rows = json.load(answer)
            self._names = {
                int(row["more"].removeprefix("process ")): row["name"]
                for row in rows
                if row["more"].startswith("process ")
            }

    def cost(self) -> dict[str, tuple[float, float]]:
        """Of everything that belongs to it: seconds of CPU until now, and MB of memory."""
        found: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        for pid, line in _family(os.getpid()):
            name = self._names.get(pid) or _name(line)
            if pid == os.getpid():
                name = "customers"
            cpu, memory = _used(pid)
            before = found[name]
            found[name] = before[0] + cpu, before[1] + memory
        return dict(found)


def _name(line: str) -> str:
    for name, words in _OTHERS:
        if words.search(line):
            return name
    return "serving" if " serve " in f"{line} " else "supervisor"


def _family(number: int) -> Iterator[tuple[int, str]]:
    children: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            children[int(words[1])].append(int(folder.name))
    waiting = [number]
    while waiting:
        pid = waiting.pop()
        waiting += children[pid]
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            yield pid, line.replace("\0", " ").strip()


def _used(pid: int) -> tuple[float, float]:
    with contextlib.suppress(OSError, IndexError):
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        shared = Path(f"/proc/{pid}/smaps_rollup").read_text()
        memory = re.search(r"^Pss: +(\d+) kB", shared, re.MULTILINE)
        return sum(map(int, words[11:13])) / TICKS_PER_SECOND, int(
            memory[1]
        ) / 1024 if memory else 0
    return 0.0, 0.0


def _started(settings: Settings, words: Sequence[str], folder: Path) -> Running:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        "DVOR_DATABASE_URL": settings.database_url,
        "DVOR_DATABASE_PREFIX": settings.database_prefix,
        "DVOR_SECRET": settings.secret.hex(),
        "DVOR_LOG_LEVEL": "error",
        "DVOR_CALL_TIMEOUT_SECONDS": "30",  # a slow machine is measured, too
        "DVOR_AUDIT_SECONDS": "0",
        "DVOR_EDGE_REQUESTS_PER_SECOND": NO_LIMIT,  # all customers come from one address
    }
    folder.mkdir()
    said = folder / "said"
    command = [sys.executable, "-m", "dvor", "up", "--no-demo", "--port", str(port), *words]
    with said.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--data", str(folder / "data")],
            env=os.environ | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Running(process, port, said)


@contextlib.asynccontextmanager
async def up(settings: Settings, words: Sequence[str], folder: Path) -> AsyncIterator[Running]:
    """Dvor as `up` starts it, on these databases."""
    running = _started(settings, words, folder)
    try:
        end = time.monotonic() + START_SECONDS
        while not running.is_open:
            if time.monotonic() > end:
                raise TimeoutError("dvor up is not ready")
            await asyncio.sleep(0.2)
        running.learn()
        yield running
    finally:
        running.process.terminate()
        running.process.wait(60)


async def rush(customers: Sequence[Customer], offers: Sequence[UUID], seconds: float) -> float:
    """Everybody buys as fast as they can: orders a second."""
    for customer in customers:
        customer.waited.clear()
    begun = time.perf_counter()

    async def shopping(number: int, customer: Customer) -> None:
        while time.perf_counter() < begun + seconds:
            await customer.buy(offers[number % len(offers)])
            number += 7

    await asyncio.gather(*(shopping(n, one) for n, one in enumerate(customers)))
    return sum(len(one.waited) for one in customers) / (time.perf_counter() - begun)


async def measured(running: Running, offers: Sequence[UUID], options: Any) -> dict[str, Any]:
    """One shape."""
    tokens = await asyncio.to_thread(_http.tokens, running.port, options.customers)
    clients = [(await Client.connected(running.port)).signed_in(token) for token in tokens]
    try:
        customers = [Customer(client) for client in clients]
        await rush(customers, offers, WARM_SECONDS)
        before = running.cost()
        rate = await rush(customers, offers, options.seconds)
        await asyncio.sleep(QUIET_SECONDS)
        after = running.cost()
    finally:
        for client in clients:
            client.close()
    waited = [one for customer in customers for one in customer.waited]
    ranks = statistics.quantiles(waited, n=100)
    cpu = {
        name: (used - before.get(name, (0.0, 0.0))[0]) * 1000 / len(waited)
        for name, (used, _) in after.items()
    }
    ours = {name: used for name, used in cpu.items() if name != "customers"}
    return {
        "orders_per_s": round(rate, 1),
        "paid_ms_p50": round(ranks[49] * 1000, 1),
        "paid_ms_p95": round(ranks[94] * 1000, 1),
        "cpu_ms_per_order": round(sum(ours.values()), 2),
        "memory_mb": round(sum(mb for name, (_, mb) in after.items() if name != "customers"), 1),
        "processes": {
            name: {"cpu_ms_per_order": round(used, 2), "memory_mb": round(after[name][1], 1)}
            for name, used in sorted(cpu.items(), key=lambda one: -one[1])
        },
    }


async def all_shapes(options: argparse.Namespace) -> dict[str, Any]:
    """Each shape on a copy of the same databases."""
    with tempfile.TemporaryDirectory(prefix="dvor-bench-") as name:
        folder = Path(name)
        with EmbeddedPostgres(folder / "pg", max_connections=600) as server:
            first = Settings(database_url=server.dsn, database_prefix="first_", secret=SECRET)
            await topology.migrate(first)
            offers = await stage(first)
            found: dict[str, Any] = {}
            for shape in options.shapes:
                settings = replace(first, database_prefix=f"{shape}_")
                await _copy(first, settings)
                words = [*SHAPES[shape]]
                if "--distributed" in words:
                    words += ["--replicas", str(options.replicas)]
                async with up(settings, words, folder / shape) as running:
                    found[shape] = await measured(running, offers, options)
            return {"shapes": found, "load_average": os.getloadavg()[0]}


async def _copy(source: Settings, target: Settings) -> None:
    connection = await asyncpg.connect(source.database_url)
    try:
        for name in ("broker", *(service.name for service in topology.SERVICES)):
            await connection.execute(
                f'CREATE DATABASE "{target.database_prefix}{name}"'
                f' TEMPLATE "{source.database_prefix}{name}"'
            )
    finally:
        await connection.close()


def show(found: dict[str, Any]) -> None:
    """Two tables for people: the shapes, and what each process of each costs."""
    shapes = found["shapes"]
    table = Table("", *shapes, title="The same Dvor in several shapes")
    for key in ("orders_per_s", "paid_ms_p50", "paid_ms_p95", "cpu_ms_per_order", "memory_mb"):
        table.add_row(key, *(f"{shapes[shape][key]:,}" for shape in shapes))
    before = None
    added = []
    for shape in shapes.values():
        cost = shape["cpu_ms_per_order"]
        added.append("" if before is None else f"{cost - before:+.2f}")
        before = cost
    table.add_row("CPU more than on its left, ms", *added)
    Console().print(table)
    parts = Table("CPU ms an order · memory MB", *shapes)
    names = dict.fromkeys(name for shape in shapes.values() for name in shape["processes"])
    for name in names:
        cells = [shape["processes"].get(name) for shape in shapes.values()]
        parts.add_row(
            name,
            *(f"{c['cpu_ms_per_order']:.2f} · {c['memory_mb']:.0f}" if c else "" for c in cells),
        )
    Console().print(parts)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="per shape")
    parser.add_argument("--customers", type=int, default=12)
    parser.add_argument("--shapes", nargs="+", choices=[*SHAPES], default=[*SHAPES])
    parser.add_argument("--replicas", type=int, default=1, help="of each service, where apart")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    report(uvloop.run(all_shapes(options)), show, as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
