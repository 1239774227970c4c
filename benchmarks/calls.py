"""What a call of a contract costs: in one process, and to another process over gRPC.

    python benchmarks/calls.py [--seconds 2] [--json]

Three shapes of the same method: `bare` awaits the implementation itself, `local` goes through the
contract's proxy, `remote` through gRPC to a server in a process of its own (Unix socket, TCP
loopback); `gRPC alone` sends the same bytes through grpc.aio without anything of ours. Small is a
message of two fields; page is 20 cards of the catalogue.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
import uvloop
from rich.console import Console
from rich.table import Table

from dvor.contracts.catalog import CardPage, Search
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.config import Settings
from dvor.kernel.ids import new
from dvor.kernel.rpc import Server, local, remote
from dvor.kernel.rpc.codec import codec

sys.path.insert(0, str(Path(__file__).parent))
from shop import PAGE, Shop, ShopService, Stock

IN_FLIGHT = 32
"""Calls under way at once where throughput is measured."""

SETTINGS = Settings(secret=b"b" * 32)
CALLER = Caller(user_id=new(), roles=(Role.CUSTOMER,), language="ru", service="web")


ECHO = "/bench/Echo"
ASK_STOCK, ASK_PAGE = bytes(38), b"page"


@dataclass(frozen=True)
class Row:
    """One measurement."""

    message: str
    call: str
    microseconds: float
    """Of one call after the other."""
    calls_per_second: float
    """With IN_FLIGHT calls under way."""


def serve(addresses: list[str], listening: Any, done: Any) -> None:
    """The other process: the shop at each address."""

    async def until_done() -> None:
        servers = [Server({Shop: ShopService()}, SETTINGS) for _ in addresses]
        found = [await s.start(a) for s, a in zip(servers, addresses, strict=True)]
        alone, port = _echo_server()
        await alone.start()
        listening.put([*found, f"127.0.0.1:{port}"])
        await asyncio.get_running_loop().run_in_executor(None, done.wait)
        for server in servers:
            await server.stop(0)
        await alone.stop(0)

    uvloop.run(until_done())


def _echo_server() -> tuple[Any, int]:
    stock, page = codec(Stock).encode(Stock(offer_id=new(), free=7)), codec(CardPage).encode(PAGE)

    async def answer(request: bytes, _context: Any) -> bytes:
        return page if request == ASK_PAGE else stock

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bench", {"Echo": handler}),)
    )
    return server, server.add_insecure_port("127.0.0.1:0")


async def measured(seconds: float) -> list[Row]:
    """Every shape of both calls."""
    context = multiprocessing.get_context("spawn")
    listening, done = context.Queue(), context.Event()
    with tempfile.TemporaryDirectory(prefix="dvor-bench-") as folder:
        addresses = [f"unix:{Path(folder) / 'calls'}", "127.0.0.1:0"]
        process = context.Process(target=serve, args=(addresses, listening, done))
        process.start()
        try:
            unix, tcp, alone = await asyncio.to_thread(listening.get, True, 30)
            return await _compare(unix, tcp, alone, seconds)
        finally:
            done.set()
            process.join(10)


async def _compare(unix: str, tcp: str, alone: str, seconds: float) -> list[Row]:
    service = ShopService()
    over_unix, over_tcp = (remote(Shop, address, "web", SETTINGS) for address in (unix, tcp))
    shops: dict[str, Any] = {
        "bare": service,
        "local": local(Shop, service, "web", SETTINGS),
        "remote, Unix socket": over_unix,
        "remote, TCP": over_tcp,
    }
    offer, search = new(), Search(text="music", limit=20)
    rows: list[Row] = []
    async with grpc.aio.insecure_channel(alone) as channel:
        echo = channel.unary_unary(ECHO)
        for message, small in (("small", True), ("page of 20", False)):
            for name, shop in shops.items():
                call = (lambda s=shop: s.stock(offer)) if small else (lambda s=shop: s.page(search))
                rows.append(await _row(message, name, call, seconds))
            data = ASK_STOCK if small else ASK_PAGE
            rows.append(await _row(message, "gRPC alone, TCP", lambda d=data: echo(d), seconds))
    for shop in (over_unix, over_tcp):
        await shop.close()  # type: ignore[attr-defined]
    return rows


async def _row(message: str, name: str, call: Callable[[], Awaitable[Any]], seconds: float) -> Row:
    with asking(CALLER):
        for _ in range(50):
            await call()
        single = await _rate(call, seconds, 1)
        many = await _rate(call, seconds, IN_FLIGHT)
    return Row(message, name, round(1e6 / single, 1), round(many))


async def _rate(call: Callable[[], Awaitable[Any]], seconds: float, in_flight: int) -> float:
    """Calls per second with so many workers calling one after the other."""
    end = time.perf_counter() + seconds
    made = 0

    async def work() -> None:
        nonlocal made
        while time.perf_counter() < end:
            await call()
            made += 1

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    return made / (time.perf_counter() - began)


def _coding() -> dict[str, float]:
    """Microseconds to encode and decode a page."""
    plan = codec(CardPage)
    data = plan.encode(PAGE)
    times: dict[str, float] = {}
    for name, work in (
        ("encode", lambda: plan.encode(PAGE)),
        ("decode", lambda: plan.decode(data)),
    ):
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(200):
                work()
            best = min(best, (time.perf_counter() - began) / 200)
        times[name] = round(best * 1e6, 1)
    return times | {"bytes": len(data)}


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="per measurement")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows, coding = uvloop.run(measured(options.seconds)), _coding()
    if options.json:
        json.dump({"calls": [asdict(row) for row in rows], "page": coding}, sys.stdout, indent=1)
        print()
        return 0
    table = Table("message", "call", title="Calls of a contract")
    table.add_column("µs per call", justify="right")
    table.add_column(f"calls/s, {IN_FLIGHT} at once", justify="right")
    for row in rows:
        table.add_row(
            row.message, row.call, f"{row.microseconds:,.1f}", f"{row.calls_per_second:,.0f}"
        )
    console = Console()
    console.print(table)
    console.print(
        f"A page of 20 cards is {coding['bytes']:,} bytes:"
        f" {coding['encode']} µs to encode, {coding['decode']} µs to decode and validate."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
