"""Requests to other people's servers: bounded in time and size, never redirected."""

from collections.abc import Mapping

import aiohttp

CONNECT_TIMEOUT_SECONDS = 5
RESPONSE_BYTES_MAX = 65_536
"""How much of an answer is read before the line is dropped."""


async def post(url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> int:
    """Send `body` and give the status of the answer; its content is read and forgotten.

    A redirect is an answer like any other. Raises ConnectionError when nobody answers and
    TimeoutError when it takes longer than `timeout_seconds` in all.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            ) as session,
            session.post(url, data=body, headers=dict(headers), allow_redirects=False) as response,
        ):
            await _discard(response)
            return response.status
    except TimeoutError:
        raise  # aiohttp's are ClientErrors too
    except aiohttp.ClientError as error:
        raise ConnectionError(f"no answer from {url}: {error}") from error


async def _discard(response: aiohttp.ClientResponse) -> None:
    left = RESPONSE_BYTES_MAX
    async for chunk in response.content.iter_chunked(8192):
        left -= len(chunk)
        if left < 0:
            response.close()
            return
