"""How answers leave: head and body of one in one packet."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

JOINED_BYTES_MAX = 32_768


class Protocol(HttpToolsProtocol):
    """uvicorn's, which writes the head of an answer, then its body: a system call and a packet each.

    For small answers, which most are, that was a tenth of all time, and twice the work for who
    reads them.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        joined: Any = _Joined(transport, self.loop)
        super().connection_made(joined)


class _Joined:
    """A transport: what is written during one turn of the loop goes out together at its end.

    More than JOINED_BYTES_MAX goes out at once, so that a slow reader still holds a writer back.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []
        self._bytes = 0

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._flush)
        self._written.append(data)
        self._bytes += len(data)
        if self._bytes >= JOINED_BYTES_MAX:
            self._flush()

    def _flush(self) -> None:
        # Whoever left meanwhile is told nothing: a closed transport raises.
        if self._written and not self._transport.is_closing():
            self._transport.write(b"".join(self._written))
        self._written.clear()
        self._bytes = 0

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
