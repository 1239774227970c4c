"""A customer at a keyboard that costs little: one HTTP/1.1 connection, one request at a time."""

import asyncio
import json
import re
from typing import Any
from urllib.parse import urlencode

from dvor.kernel.ids import new


class Refused(Exception):
    """An answer that is none: its status and its body."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status} {body[:300]!r}")
        self.status, self.body = status, body

    @property
    def code(self) -> str:
        """Of the problem, as `409 inventory.sold_out`."""
        try:
            return f"{self.status} {json.loads(self.body)['code']}"
        except (ValueError, KeyError):
            return str(self)


class Client(asyncio.Protocol):
    """`await client.ask("GET", "/cart")` answers status and body; cookies are kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._bearer = ""
        self._cookies: dict[str, str] = {}
        self._heard = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def connected(cls, port: int) -> "Client":
        """A client that speaks to this port of this machine."""
        client = cls(port)
        await client._connect()
        return client

    async def _connect(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    def signed_in(self, token: str) -> "Client":
        """The same connection, used by somebody else."""
        self._bearer, self._cookies = f"Authorization: Bearer {token}\r\n", {}
        return self

    def connection_made(self, transport: Any) -> None:
        """Keep what to write to."""
        self._transport = transport

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Of the REST interface, with a new idempotency key. Raises Refused."""
        content = json.dumps(body).encode() if body is not None else b""
        more = f"Content-Type: application/json\r\nIdempotency-Key: {new()}\r\n" if content else ""
        status, answer = await self.ask(method, f"/api/v1{path}", content, more + self._bearer)
        if status >= 300:
            raise Refused(status, answer)
        return json.loads(answer)

    async def form(self, path: str) -> dict[str, str]:
        """The hidden fields of a page's form."""
        _, page = await self.ask("GET", path)
        return self.hidden(page)

    @staticmethod
    def hidden(page: bytes) -> dict[str, str]:
        """The hidden fields of a form on a page."""
        return dict(re.findall(r'name="(_csrf|_key)" value="([^"]+)"', page.decode()))

    @staticmethod
    def filled(fields: dict[str, str]) -> tuple[bytes, str]:
        """Body and headers of a form."""
        more = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n"
        return urlencode(fields).encode(), more

    async def submit(self, path: str, fields: dict[str, str]) -> None:
        """A form of our pages. Raises Refused where it does not lead on."""
        status, answer = await self.ask("POST", path, *self.filled(fields))
        if status != 303:
            raise Refused(status, answer)

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: str = ""
    ) -> tuple[int, bytes]:
        """Any request; on a new connection where the server has ended the idle one.

        Raises ConnectionError where it hangs up or cannot be reached.
        """
        if self._transport.is_closing():
            await self._connect()
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        lines = f"Cookie: {cookies}\r\n{headers}" if cookies else headers
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}"
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """Answer who asked once all of it is there."""
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        length = 0
        for name, _, value in (line.partition(": ") for line in lines):
            if name.lower() == "content-length":
                length = int(value)
            elif name.lower() == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self._cookies[cookie] = content
        if len(body) >= length:
            self._heard = b""
            assert self._answer is not None
            self._answer.set_result((int(first.split(" ", 2)[1]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits for an answer gets none."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server hung up"))

    def close(self) -> None:
        """Hang up."""
        self._transport.close()
