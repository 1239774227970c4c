"""What every broker promises."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from dvor.kernel.brokers.envelope import Envelope

BATCH = 500
"""Messages taken at once."""

Groups = Mapping[str, Sequence[str]]
"""Source -> the groups of consumers that take its events: services' names."""


class Broker(Protocol):
    """Carries envelopes from sources to groups, at least once, each aggregate's in order."""

    async def open(self) -> None:
        """Begin to connect, and to connect again whenever that is needed. Never waits for it."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...

    async def publish(self, source: str, envelopes: Sequence[Envelope]) -> None:
        """Accept envelopes for good: returns when they cannot be lost any more.

        Raises Unavailable; then some may have been accepted and all are to be published again.
        """
        ...

    def batch(self, group: str, source: str) -> AbstractAsyncContextManager[list[Envelope]]:
        """The next envelopes of `source` for `group`, acknowledged when the block ends well.

        They come again when it does not. An empty list when there is nothing, when nothing can be
        known, or when another consumer of the group is at work.
        """
        ...

    async def watch(self, hint: Callable[[str], None]) -> None:
        """Call back with a source when there may be something new of it, until cancelled."""
        ...

    async def lag(self, group: str, source: str) -> int:
        """How many messages of `source` this group has not acknowledged. Raises Unavailable."""
        ...

    async def reachable(self) -> bool:
        """Whether it answers now. Without it events wait in their outbox."""
        ...

    async def forget(self) -> None:
        """Drop what every group has taken and nobody will ask for, where that is our task."""
        ...
