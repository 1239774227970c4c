"""The contract that `calls.py` measures, in a module of its own: both processes import it alike."""

from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from dvor.contracts.catalog import Card, CardPage, Kind, ListingStatus, Search, Text
from dvor.kernel.ids import new
from dvor.kernel.messages import Count, Message
from dvor.kernel.money import Money


class Stock(Message):
    """A small message."""

    offer_id: UUID
    free: Count


class Shop(Protocol):
    """The contract that is measured."""

    async def stock(self, offer_id: UUID) -> Stock:
        """A small answer."""
        ...

    async def page(self, search: Search) -> CardPage:
        """A page of 20 cards."""
        ...


class ShopService:
    """Answers at once: only the call is measured."""

    async def stock(self, offer_id: UUID) -> Stock:
        """A small answer."""
        return Stock(offer_id=offer_id, free=7)

    async def page(self, search: Search) -> CardPage:
        """A page of 20 cards."""
        return PAGE


def _card(number: int) -> Card:
    return Card(
        id=new(),
        seller_id=new(),
        kind=Kind.EVENT,
        status=ListingStatus.PUBLISHED,
        category="concerts",
        title=Text(ru=f"Вечер старинной музыки {number}", en=f"An evening of early music {number}"),
        city="Suzdal",
        starts_at=datetime(2026, 12, 1, 19, tzinfo=UTC),
        price_from=Money(amount=150_000, currency="RUB"),
        picture=f"/static/demo/concert-{number}.svg",
    )


PAGE = CardPage(items=tuple(_card(n) for n in range(20)), total=20)
