"""Requests to other servers: bounded, never redirected."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from dvor.kernel import outbound


class Server:
    """Counts what comes and answers as its paths say."""

    def __init__(self) -> None:
        self.url = ""
        self.paths: list[str] = []
        self.cookies: list[str] = []
        self.callers: set[object] = set()
        """Connections that requests came by."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        assert request.transport is not None
        self.callers.add(request.transport.get_extra_info("peername"))
        self.cookies.append(request.headers.get("cookie", ""))
        match request.path:
            case "/away":
                return web.Response(status=307, headers={"location": f"{self.url}/there"})
            case "/slow":
                await asyncio.sleep(30)
            case "/endless":
                return await self._endless(request)
            case "/status/418":
                return web.Response(status=418, headers={"set-cookie": "a=b"})
            case _:
                pass
        return web.Response(text="ok")

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        except ConnectionError:
            return response


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def lines() -> AsyncIterator[outbound.Lines]:
    """Closed in the end."""
    async with outbound.Lines() as made:
        yield made


class TestPost:
    async def test_gives_the_status_whatever_it_is(
        self, server: Server, lines: outbound.Lines
    ) -> None:
        assert await outbound.post(f"{server.url}/ok", b"{}", {}, 5, lines) == 200
        assert await outbound.post(f"{server.url}/status/418", b"{}", {}, 5, lines) == 418

    async def test_keeps_the_line_for_what_follows(
        self, server: Server, lines: outbound.Lines
    ) -> None:
        for _ in range(3):
            await outbound.post(f"{server.url}/ok", b"{}", {}, 5, lines)
        assert len(server.callers) == 1

    async def test_follows_no_redirect(self, server: Server, lines: outbound.Lines) -> None:
        assert await outbound.post(f"{server.url}/away", b"{}", {}, 5, lines) == 307
        assert server.paths == ["/away"]

    async def test_keeps_no_cookies(self, server: Server, lines: outbound.Lines) -> None:
        for _ in range(2):
            await outbound.post(f"{server.url}/status/418", b"{}", {}, 5, lines)
        assert server.cookies == ["", ""]

    async def test_gives_up_on_a_slow_server(self, server: Server, lines: outbound.Lines) -> None:
        with pytest.raises(TimeoutError):
            await outbound.post(f"{server.url}/slow", b"{}", {}, 0.2, lines)

    async def test_drops_an_endless_answer(self, server: Server, lines: outbound.Lines) -> None:
        assert await outbound.post(f"{server.url}/endless", b"{}", {}, 20, lines) == 200

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:9/", "http://nobody.invalid/", "nonsense", "file:///etc/passwd"]
    )
    async def test_says_when_nobody_is_there(self, url: str, lines: outbound.Lines) -> None:
        with pytest.raises(ConnectionError):
            await outbound.post(url, b"{}", {}, 5, lines)


class TestFetch:
    @pytest.fixture
    def lenient(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
        """A server of our own passes for the open internet."""
        monkeypatch.setattr(outbound, "is_public", lambda address: True)
        monkeypatch.setattr(outbound, "FETCHED_SCHEMES", {"http"})
        monkeypatch.setattr(outbound, "FETCHED_PORTS", {int(server.url.rpartition(":")[2])})
        return server.url

    async def test_reads_what_is_there(self, lenient: str) -> None:
        found = await outbound.fetch(f"{lenient}/x", timeout_seconds=5, bytes_max=10)
        assert (found.status, found.body) == (200, b"ok")

    async def test_stops_at_its_size(self, lenient: str) -> None:
        with pytest.raises(outbound.TooLong):
            await outbound.fetch(f"{lenient}/endless", timeout_seconds=5, bytes_max=1000)

    async def test_stops_at_its_time(self, lenient: str) -> None:
        with pytest.raises(TimeoutError):
            await outbound.fetch(f"{lenient}/slow", timeout_seconds=0.2, bytes_max=10)

    async def test_follows_no_redirect(self, lenient: str, server: Server) -> None:
        found = await outbound.fetch(f"{lenient}/away", timeout_seconds=5, bytes_max=10)
        assert (found.status, found.body) == (307, b"")
        assert server.paths == ["/away"]

    async def test_a_name_that_leads_inside_is_refused_when_it_resolves(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = int(server.url.rpartition(":")[2])
        monkeypatch.setattr(outbound, "FETCHED_SCHEMES", {"http"})
        monkeypatch.setattr(outbound, "FETCHED_PORTS", {port})
        for host in ("localhost", "2130706433", "0x7f.1"):
            with pytest.raises(ConnectionError):
                await outbound.fetch(f"http://{host}:{port}/", timeout_seconds=5, bytes_max=10)
        assert server.paths == []
        with pytest.raises(outbound.NotPublic):
            await outbound.fetch(f"http://localhost:{port}/", timeout_seconds=5, bytes_max=10)

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.org/",
            "https://example.org:22/",
            "https://user@example.org/",
            "https:///x",
            "https://127.0.0.1/",
            "https://169.254.169.254/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://example.org:x/",
        ],
    )
    async def test_refuses_other_addresses_before_it_asks(self, url: str) -> None:
        assert not outbound.may_be_public(url)
        with pytest.raises(outbound.NotPublic):
            await outbound.fetch(url, timeout_seconds=5, bytes_max=10)

    def test_addresses_of_the_open_internet_are_public(self) -> None:
        assert outbound.is_public("93.184.216.34")
        assert outbound.is_public("2606:2800:220:1:248:1893:25c8:1946")
