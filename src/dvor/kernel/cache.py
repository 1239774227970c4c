"""What processes remember together and tell each other, in Redis or Valkey: the only door to it.

Nothing is true because it stands there. Whoever finds nothing, or no server, asks a database: losing
the server, or all it knew, costs time and nothing else. Without DVOR_REDIS_URL there is none, and
every process remembers by itself.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from dvor.kernel import telemetry
from dvor.kernel.config import BadConfiguration, Settings

CONNECTIONS_MAX = 16
"""Of one process."""
RETRY_SECONDS = 1.0
"""After a failure the server is left alone for so long: nobody waits for it again and again."""
BEAT_SECONDS = 1.0
"""A listener that has heard nothing for so long asks whether the server still lives."""
SESSIONS = "sessions"
"""The channel that tells whose sessions are not what they were, by their person's id."""

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

_LOG = telemetry.log(__name__)

Answer = TypeVar("Answer")


class Cache:
    """Bytes by key for some seconds, and words that all processes hear.

    No method raises: a server that does not answer within `redis_timeout_ms` knows nothing.
    """

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.redis_timeout_ms / 1000
        self._prefix = settings.redis_prefix
        self._client: Any = None
        self._failures: tuple[type[Exception], ...] = (OSError, TimeoutError)
        self._silent_until = 0.0
        if settings.redis_url:
            from redis.exceptions import RedisError

            self._failures += (RedisError,)
            self._client = _client(settings.redis_url, self._seconds)

    @property
    def shared(self) -> bool:
        """Whether there is a server at all."""
        return self._client is not None

    async def get(self, key: str) -> bytes | None:
        """What was put under a key, if it is still there."""
        found = await self._asked(lambda client: client.get(self._prefix + key))
        return found if isinstance(found, bytes) else None

    async def put(self, key: str, value: bytes, seconds: int) -> None:
        """Remember a value for so long."""
        await self._asked(lambda client: client.set(self._prefix + key, value, ex=seconds))

    async def tell(self, channel: str, word: str) -> None:
        """Have every process hear a word that listens now. After the commit it tells of."""
        await self._asked(lambda client: client.publish(self._prefix + channel, word))

    async def listen(
        self, channel: str, heard: Callable[[str], None], hearing: Callable[[bool], None]
    ) -> None:
        """Call back with each word until cancelled; with whether words are heard, when it changes.

        While nothing is heard, and before, words are lost: whoever relies on them forgets then what
        they know.
        """
        while self.shared:
            with suppress(*self._failures):
                async with self._client.pubsub() as listener:
                    await listener.subscribe(self._prefix + channel)
                    await self._hear(listener, heard, hearing)
            hearing(False)
            await asyncio.sleep(RETRY_SECONDS)

    async def _hear(
        self, listener: "PubSub", heard: Callable[[str], None], hearing: Callable[[bool], None]
    ) -> None:
        asked = False
        while True:
            message = await listener.get_message(timeout=BEAT_SECONDS)
            if message is None:
                if asked:
                    raise TimeoutError
                await listener.ping()
            elif message["type"] == "subscribe":
                hearing(True)
            elif message["type"] == "message":
                heard(message["data"].decode())
            asked = message is None

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            with suppress(*self._failures):
                await self._client.aclose()

    async def _asked(self, ask: Callable[[Any], Awaitable[Answer]]) -> Answer | None:
        if self._client is None or time.monotonic() < self._silent_until:
            return None
        try:
            async with asyncio.timeout(self._seconds):
                return await ask(self._client)
        except self._failures as problem:
            self._silent_until = time.monotonic() + RETRY_SECONDS
            _LOG.warning("no cache", problem=type(problem).__name__)
            return None


def _client(url: str, seconds: float) -> Any:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=seconds,
            socket_connect_timeout=max(seconds, RETRY_SECONDS),
            # Once: a connection from before the server's last start fails at its first use.
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError as problem:
        raise BadConfiguration(f"DVOR_REDIS_URL: {problem}") from problem
    return Redis.from_pool(pool)
