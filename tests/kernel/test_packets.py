"""How answers leave."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dvor.kernel.http.packets import Protocol

BODY = b"x" * 300


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers everything with BODY."""
    length = (b"content-length", str(len(BODY)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": BODY})


async def heard(protocol: type[HttpToolsProtocol], request: bytes) -> list[bytes]:
    """What a connection is given for a request, piece by piece."""

    class Transport(asyncio.Transport):
        def __init__(self) -> None:
            super().__init__()
            self.written: list[bytes] = []

        def write(self, data: Any) -> None:
            self.written.append(bytes(data))

        def close(self) -> None:
            self.written.append(b"closed")

        def is_closing(self) -> bool:
            return False

    config = uvicorn.Config(application, lifespan="off", log_level="critical")
    config.load()
    server = uvicorn.Server(config)
    transport = Transport()
    served = protocol(config=config, server_state=server.server_state, app_state={})
    served.connection_made(transport)
    served.data_received(request)
    for _ in range(10):
        await asyncio.sleep(0)
    served.connection_lost(None)
    return transport.written


class TestOnePacket:
    async def test_head_and_body_leave_together(self) -> None:
        request = b"GET / HTTP/1.1\r\nHost: dvor\r\n\r\n"
        written = await heard(Protocol, request)
        assert written[0].startswith(b"HTTP/1.1 200")
        assert written[0].endswith(b"\r\n\r\n" + BODY)
        assert BODY not in (await heard(HttpToolsProtocol, request))[0], "no longer needed"

    @pytest.mark.parametrize("request_", [b"GET / HTTP/1.0\r\n\r\n", b"nonsense\r\n\r\n"])
    async def test_nothing_is_lost_where_the_connection_ends(self, request_: bytes) -> None:
        written = await heard(Protocol, request_)
        plain = await heard(HttpToolsProtocol, request_)
        assert b"".join(written) == b"".join(plain)
        assert written[-1] == b"closed"
