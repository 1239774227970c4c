"""A process that ends behind a proxy, or before callers: nobody who asks it loses an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn

from dvor import topology
from dvor.kernel.config import Settings
from dvor.kernel.errors import Unavailable
from dvor.kernel.rpc import Server, remote
from tests.conftest import House, MakeHouse
from tests.journeys.conftest import free_port
from tests.kernel.test_rpc_calls import Greetings, GreetingsService

DRAIN_SECONDS = 60.0
"""Much longer than any of this takes."""
ASKED = b"GET /healthz HTTP/1.1\r\nHost: dvor\r\n\r\n"
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Serving:
    """An HTTP server, as a process has it."""

    def __init__(self, house: House) -> None:
        self.port = house.settings.port
        self.server: uvicorn.Server = topology.http_server(house.process)
        self.lines: list[Line] = []
        self.task = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        listening = self.server.config.bind_socket()
        await self.server._serve([listening, listening.dup()])  # without taking signals

    async def line(self) -> Line:
        """A connection to it."""
        while not self.server.started:
            await asyncio.sleep(0.01)
        made = await asyncio.open_connection("127.0.0.1", self.port)
        self.lines.append(made)
        return made

    async def leave(self) -> None:
        """It has been told to end, and refuses to be found."""
        self.server.should_exit = True
        while True:
            try:
                await hang_up(await self.line())
            except ConnectionRefusedError:
                return
            await asyncio.sleep(0.01)


async def hang_up(line: Line) -> None:
    """The connection is gone on both sides, as far as we can tell."""
    line[1].close()
    with suppress(ConnectionError):
        await line[1].wait_closed()


async def ask(line: Line) -> str:
    """The head of an answer; empty where the line was cut."""
    line[1].write(ASKED)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (more := await line[0].readline()):
            break
        head += more
    if head:
        assert await line[0].readexactly(2) == b"ok"
    return head.decode().lower()


@pytest.fixture(params=[DRAIN_SECONDS])
async def serving(request: pytest.FixtureRequest, make_house: MakeHouse) -> AsyncIterator[Serving]:
    """A process of identity and its HTTP server."""
    house = await make_house("identity", port=free_port(), drain_seconds=request.param)
    made = Serving(house)
    yield made
    made.server.should_exit = True
    for line in made.lines:
        await hang_up(line)
    await made.task


class TestHttp:
    async def test_what_is_sent_on_an_idle_connection_is_answered_and_ends_it(
        self, serving: Serving
    ) -> None:
        line = await serving.line()
        assert "connection: close" not in await ask(line)
        await serving.leave()
        head = await ask(line)
        assert head.startswith("http/1.1 200")
        assert "connection: close" in head
        assert await line[0].read() == b""
        async with asyncio.timeout(DRAIN_SECONDS / 2):  # nobody is left to wait for
            await asyncio.shield(serving.task)

    @pytest.mark.parametrize("serving", [0.0], indirect=True)
    async def test_without_a_drain_the_same_request_is_lost(self, serving: Serving) -> None:
        line = await serving.line()
        await ask(line)
        await serving.leave()
        assert await ask(line) == ""

    @pytest.mark.parametrize("serving", [1.0], indirect=True)
    async def test_who_never_asks_again_is_not_waited_for_longer(self, serving: Serving) -> None:
        await ask(await serving.line())
        await serving.leave()
        async with asyncio.timeout(DRAIN_SECONDS):
            await asyncio.shield(serving.task)

    async def test_who_connects_at_that_moment_is_answered(self, serving: Serving) -> None:
        first = await serving.line()
        await ask(first)
        serving.server.should_exit = True
        answers = []
        while True:  # until nobody can connect
            try:
                line = await serving.line()
            except ConnectionRefusedError:
                break
            answers.append(await ask(line))
            await hang_up(line)
        assert answers
        assert all(head.startswith("http/1.1 200") for head in answers)


class TestCalls:
    async def test_go_to_others_before_a_server_ends(self) -> None:
        settings = Settings(secret=b"s" * 32)
        servers = [Server({Greetings: GreetingsService()}, settings) for _ in range(2)]
        addresses = [await server.start("127.0.0.1:0") for server in servers]
        greetings: Any = remote(Greetings, f"ipv4:{','.join(addresses)}", "tests", settings)
        failed, asked, stop = list[Exception](), 0, asyncio.Event()

        async def calling() -> None:
            nonlocal asked
            while not stop.is_set():
                try:
                    await greetings.greet(())
                except Unavailable as problem:
                    failed.append(problem)
                asked += 1

        callers = [asyncio.create_task(calling()) for _ in range(8)]
        await asyncio.sleep(0.3)
        await servers[0].leave()
        await asyncio.sleep(0.3)
        await servers[0].stop(1)
        before = asked
        while asked < before + 100:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*callers)
        assert not failed
        await greetings.close()
        await servers[1].stop(0)
