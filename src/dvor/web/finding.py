"""Search results that are free for some dates: looks through pages until one is full."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from dvor.contracts.catalog import Card, Catalog, Search
from dvor.contracts.inventory import Inventory
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.periods import DateRange
from dvor.web.forms import attempt

ROUNDS_MAX = 6
"""Lists asked for one page of results."""
LEAST = 8
"""Listings asked for at once: a page may have a few more than it needs."""


@dataclass(frozen=True)
class Results:
    """A page of results."""

    items: tuple[Card, ...]
    total: int | None
    """How many match in all; None where only looking through all of them would tell."""
    next_cursor: str | None
    looked_at: int
    """Listings looked at for this page."""
    stopped: bool = False
    """There may be more that are free: looking ended before the page was full."""


async def everything(search: Search, catalog: Catalog) -> Results:
    """A page of what matches, free or not."""
    page = await catalog.search(search)
    return Results(page.items, page.total, page.next_cursor, len(page.items))


async def free_during(
    search: Search,
    dates: DateRange,
    quantity: int,
    zone: ZoneInfo,
    catalog: Catalog,
    inventory: Inventory,
) -> Results:
    """A page of what matches, is free during all of `dates` in that quantity, and happens then."""
    kept: list[Card] = []
    looked_at, cursor = 0, search.cursor
    for _ in range(ROUNDS_MAX):
        limit = min(max(search.limit - len(kept), LEAST), search.limit)
        page = await catalog.search(search.model_copy(update={"cursor": cursor, "limit": limit}))
        looked_at += len(page.items)
        then = [card for card in page.items if happens(card, dates, zone)]
        kept += await _free(then, dates, quantity, inventory)
        cursor = page.next_cursor
        if cursor is None or len(kept) >= search.limit:
            break
    whole = cursor is None and search.cursor is None
    stopped = cursor is not None and len(kept) < search.limit
    return Results(tuple(kept), len(kept) if whole else None, cursor, looked_at, stopped)


def happens(card: Card, dates: DateRange, zone: ZoneInfo) -> bool:
    """Whether an event begins on one of the days; what is no event is there on any."""
    if card.starts_at is None:
        return True
    day: date = card.starts_at.astimezone(zone).date()
    return dates.start <= day <= dates.end


async def _free(
    cards: Sequence[Card], dates: DateRange, quantity: int, inventory: Inventory
) -> list[Card]:
    """Those with an offer of which enough is free. All, if nobody can say: the listing's page will."""
    ids = tuple(offer_id for card in cards for offer_id in card.offer_ids)
    if not ids:
        return []
    answer = await attempt(inventory.free(ids, dates), Unavailable)
    if isinstance(answer, Refusal):
        return list(cards)
    able: set[UUID] = {item.offer_id for item in answer.items if item.free >= quantity}
    return [card for card in cards if not able.isdisjoint(card.offer_ids)]
