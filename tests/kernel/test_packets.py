"""How answers leave."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dvor.kernel.http.packets import JOINED_BYTES_MAX, Protocol, _Joined

BODY = b"x" * 300


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers everything with BODY."""
    length = (b"content-length", str(len(BODY)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": BODY})


class Line(asyncio.Transport):
    """A connection that remembers, piece by piece, what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed, "the real one raises"
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def heard(protocol: type[HttpToolsProtocol], request: bytes) -> Line:
    """The line, after a request was answered."""
    config = uvicorn.Config(application, lifespan="off", log_level="critical")
    config.load()
    server = uvicorn.Server(config)
    line = Line()
    served = protocol(config=config, server_state=server.server_state, app_state={})
    served.connection_made(line)
    served.data_received(request)
    for _ in range(10):
        await asyncio.sleep(0)
    served.connection_lost(None)
    return line


class TestOnePacket:
    async def test_head_and_body_leave_together(self) -> None:
        request = b"GET / HTTP/1.1\r\nHost: dvor\r\n\r\n"
        written = (await heard(Protocol, request)).written
        assert written[0].startswith(b"HTTP/1.1 200")
        assert written[0].endswith(b"\r\n\r\n" + BODY)
        plain = (await heard(HttpToolsProtocol, request)).written
        assert BODY not in plain[0], "no longer needed"

    @pytest.mark.parametrize("request_", [b"GET / HTTP/1.0\r\n\r\n", b"nonsense\r\n\r\n"])
    async def test_nothing_is_lost_where_the_connection_ends(self, request_: bytes) -> None:
        line, plain = await heard(Protocol, request_), await heard(HttpToolsProtocol, request_)
        assert b"".join(line.written) == b"".join(plain.written)
        assert line.closed

    async def test_much_leaves_at_once_so_that_a_slow_reader_is_noticed(self) -> None:
        line = Line()
        joined = _Joined(line, asyncio.get_running_loop())
        joined.write(b"x" * (JOINED_BYTES_MAX - 1))
        assert not line.written
        joined.write(b"yz")
        assert [len(piece) for piece in line.written] == [JOINED_BYTES_MAX + 1]

    async def test_who_left_before_the_end_of_the_turn_is_told_nothing(self) -> None:
        line = Line()
        joined = _Joined(line, asyncio.get_running_loop())
        joined.write(b"x")
        line.close()
        await asyncio.sleep(0)
        assert not line.written
