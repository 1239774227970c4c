"""The hold engine over HTTP: requests of signed-in customers, each with an idempotency key."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

CUSTOMERS = 16
CONNECTIONS = 256
START_SECONDS = 60


@asynccontextmanager
async def site(database_url: str, workers: int) -> AsyncIterator[int]:
    """Dvor as `up` starts it, on this database server; answers its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="dvor-bench-") as folder:
        words = ["up", "--no-demo", "--workers", str(workers), "--port", str(port)]
        process = subprocess.Popen(  # noqa: ASYNC220 - starting takes no time
            [sys.executable, "-m", "dvor", *words, "--data", folder],
            env=os.environ | {"DVOR_DATABASE_URL": database_url, "DVOR_LOG_LEVEL": "error"},
            stdout=subprocess.DEVNULL,
        )
        try:
            await asyncio.to_thread(_ready, port, process)
            yield port
        finally:
            process.terminate()
            process.wait(30)


def _ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError("dvor up ended")
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("dvor up is not ready")


def tokens(port: int, count: int = CUSTOMERS) -> list[str]:
    """Access tokens of so many new customers."""
    found = []
    for _ in range(count):
        email, password = f"{uuid4().hex}@example.org", uuid4().hex
        person: dict[str, Any] = {"email": email, "password": password, "name": "Customer"}
        _post(port, "/api/v1/auth/register", person)
        answer = _post(port, "/api/v1/auth/token", {"email": email, "password": password})
        found.append(answer["access_token"])
    return found


def _post(port: int, path: str, body: dict[str, Any]) -> Any:
    headers = {"content-type": "application/json", "idempotency-key": str(uuid4())}
    request = Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


class _Customer(asyncio.Protocol):
    """Asks for one hold after the other on one connection, each with a key of its own."""

    def __init__(self, token: str, offer_id: UUID, end: float) -> None:
        body = json.dumps({"claims": [{"offer_id": str(offer_id), "quantity": 1}]}).encode()
        self._head = (
            b"POST /api/v1/holds HTTP/1.1\r\nHost: dvor\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer " + token.encode() + b"\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\nIdempotency-Key: "
        )
        self._body = b"\r\n\r\n" + body
        self._end = end
        self.done = asyncio.get_running_loop().create_future()
        self.granted = self.refused = 0

    def connection_made(self, transport: Any) -> None:
        """Ask the first time."""
        self._transport, self._heard = transport, b""
        self._ask()

    def _ask(self) -> None:
        self._transport.write(self._head + str(uuid4()).encode() + self._body)

    def data_received(self, data: bytes) -> None:
        """Count a whole answer, then ask again."""
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._heard = b""
        if head.startswith(b"HTTP/1.1 201"):
            self.granted += 1
        else:
            self.refused += 1
        if time.perf_counter() < self._end:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The turn is over."""
        if not self.done.done():
            self.done.set_result(None)


async def rate(port: int, access: Sequence[str], offer_id: UUID, seconds: float) -> float:
    """Holds granted per second over HTTP. Raises RuntimeError where one was refused."""
    began = time.perf_counter()
    loop, end = asyncio.get_running_loop(), began + seconds
    made = [
        await loop.create_connection(
            lambda n=n: _Customer(access[n % len(access)], offer_id, end), "127.0.0.1", port
        )
        for n in range(CONNECTIONS)
    ]
    await asyncio.wait_for(asyncio.gather(*(customer.done for _, customer in made)), seconds + 60)
    if any(customer.refused for _, customer in made):
        raise RuntimeError("holds were refused")
    return sum(customer.granted for _, customer in made) / (time.perf_counter() - began)
