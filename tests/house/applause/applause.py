"""Its contract: listings get applause when they go on sale."""

from typing import Protocol
from uuid import UUID

from dvor.kernel.errors import NotFound
from dvor.kernel.events import Event
from dvor.kernel.messages import Count, Message


class Claps(Message):
    """How often people clapped for a listing."""

    listing_id: UUID
    title: str
    count: Count


class Silence(NotFound):
    """Nobody has clapped."""


class Clapped(Event):
    """Somebody clapped."""

    aggregate = "listing_id"
    listing_id: UUID


class Applause(Protocol):
    """Applause."""

    async def claps(self, listing_id: UUID) -> Claps:
        """How much there is. Raises Silence."""
        ...
