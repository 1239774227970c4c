"""Requests to other people's servers: bounded in time and size, never redirected."""

import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from dvor.kernel import telemetry
from dvor.kernel.db import assert_no_transaction

CONNECT_TIMEOUT_SECONDS = 5
KEPT_OPEN_SECONDS = 15
"""How long a connection waits for the next request: less than servers usually wait themselves."""
RESPONSE_BYTES_MAX = 65_536
"""How much of an answer is read before the line is dropped."""


class Lines:
    """Connections to other people's servers that stay open for a while: a webhook seldom comes
    alone. Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """What sends requests."""
        if self._session is None:
            self._session = _session(aiohttp.TCPConnector(keepalive_timeout=KEPT_OPEN_SECONDS))
        return self._session

    async def close(self) -> None:
        """Close them all."""
        if self._session is not None:
            await self._session.close()


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


async def post(
    url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float, lines: Lines
) -> int:
    """Send `body` and give the status of the answer; its content is read and forgotten.

    A redirect is an answer like any other. Raises ConnectionError when nobody answers and
    TimeoutError when it takes longer than `timeout_seconds` in all. The receiver is told our
    request's id, and the trace where traces are taken.
    """
    with telemetry.span("POST", kind="client", **{"server.address": urlsplit(url).hostname or ""}):
        return await _post(url, body, {**telemetry.outbound(), **headers}, timeout_seconds, lines)


async def _post(
    url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float, lines: Lines
) -> int:
    async with _asked("POST", url, body, headers, timeout_seconds, lines) as response:
        await _discard(response)
        return response.status


@dataclass(frozen=True)
class Fetched:
    """An answer. `fetch` reads the body of a 200 only."""

    status: int
    body: bytes


async def call(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    timeout_seconds: float,
    bytes_max: int,
) -> Fetched:
    """Ask a server that our configuration names, and read what it says, whatever the status.

    The address is not judged: whoever configures it may have it inside. One that a person gave us
    goes to `fetch`. Raises TooLong, ConnectionError, TimeoutError.
    """
    plain = {"Accept-Encoding": "identity", **headers}
    host = {"server.address": urlsplit(url).hostname or ""}
    with telemetry.span(method, kind="client", **host):
        return await _call(method, url, body, plain, timeout_seconds, bytes_max)


async def _call(
    method: str,
    url: str,
    body: bytes | None,
    plain: Mapping[str, str],
    timeout_seconds: float,
    bytes_max: int,
) -> Fetched:
    async with (
        Lines() as lines,
        _asked(method, url, body, plain, timeout_seconds, lines) as response,
    ):
        return Fetched(response.status, await _read(response, bytes_max))


@asynccontextmanager
async def _asked(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    timeout_seconds: float,
    lines: Lines,
) -> AsyncIterator[aiohttp.ClientResponse]:
    assert_no_transaction(f"a request to {url}")
    timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
    try:
        async with lines.session.request(
            method, url, data=body, headers=dict(headers), allow_redirects=False, timeout=timeout
        ) as response:
            yield response
    except TimeoutError:
        raise  # aiohttp's are ClientErrors too
    except aiohttp.ClientError as error:
        raise ConnectionError(f"no answer from {url}: {error}") from error


class NotPublic(ConnectionError):
    """The address leads into a private network, or is none that people may give us."""


class TooLong(ConnectionError):
    """The answer is longer than what we take."""


async def fetch(url: str, *, timeout_seconds: float, bytes_max: int) -> Fetched:
    """Read an https address that a person gave us: never one of a private network.

    Names are resolved once, judged, and the connection goes to just those addresses, so a name
    cannot point elsewhere between the look and the connection. Raises NotPublic, TooLong,
    ConnectionError, TimeoutError.
    """
    assert_no_transaction(f"a request to {url}")
    _check_public_url(url)
    timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
    try:
        async with (
            _session(
                aiohttp.TCPConnector(resolver=_PublicResolver(), use_dns_cache=False)
            ) as session,
            session.get(
                url,
                headers={"Accept-Encoding": "identity"},
                allow_redirects=False,
                timeout=timeout,
            ) as response,
        ):
            body = await _read(response, bytes_max) if response.status == 200 else b""
            return Fetched(response.status, body)
    except TimeoutError:
        raise  # aiohttp's are ClientErrors too
    except aiohttp.ClientError as error:
        if isinstance(error.__cause__, NotPublic):
            raise error.__cause__ from None
        raise ConnectionError(f"no answer from {url}: {error}") from error


def may_be_public(url: str) -> bool:
    """Whether `fetch` would try an address; where a name leads is seen then."""
    try:
        _check_public_url(url)
    except NotPublic:
        return False
    return True


FETCHED_SCHEMES = frozenset({"https"})
FETCHED_PORTS = frozenset({443})


def _check_public_url(url: str) -> None:
    """Refuse what is no plain https address. Numbers are judged here, names when they resolve."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise NotPublic(url) from None
    if parts.scheme not in FETCHED_SCHEMES or port not in FETCHED_PORTS or not parts.hostname:
        raise NotPublic(url)
    if parts.username is not None or parts.password is not None:
        raise NotPublic(url)
    try:
        number = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if not is_public(str(number)):
        raise NotPublic(url)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also behind its IPv6 disguises."""
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        inside = number.ipv4_mapped or number.sixtofour or (number.teredo or (None, None))[1]
        if inside is not None:
            return False
        if number in _NAT64:
            return False
    return number.is_global and not number.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class _PublicResolver(AbstractResolver):
    """Resolves names to public addresses only."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of a name, if every one of them is public."""
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(one["host"]) for one in found):
            raise NotPublic(host)
        return found

    async def close(self) -> None:
        """Nothing is kept open."""
        await self._inner.close()


async def _read(response: Any, bytes_max: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(8192):
        body += chunk
        if len(body) > bytes_max:
            response.close()
            raise TooLong(str(response.url))
    return bytes(body)


async def _discard(response: aiohttp.ClientResponse) -> None:
    left = RESPONSE_BYTES_MAX
    async for chunk in response.content.iter_chunked(8192):
        left -= len(chunk)
        if left < 0:
            response.close()
            return
