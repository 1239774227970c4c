"""Lists of published listings, remembered for five minutes or until one of them changes."""

from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from dvor.contracts.catalog import CardPage, Search
from dvor.kernel import clock
from dvor.kernel.cache import Cache

KEPT_SECONDS = 300
"""What passing time changes (an event that is over) is seen after this at the latest."""
PAGES_MAX = 500
"""Pages remembered in one process; the least recently used go first."""


class _Page(NamedTuple):
    generation: int
    until: datetime
    page: CardPage


class CachedLists:
    """Pages by search. Everybody sees the same published listings, so the caller is no key.

    What one process has found, others find in their shared memory.
    """

    def __init__(self, cache: Cache) -> None:
        self._pages: OrderedDict[Search, _Page] = OrderedDict()
        self._cache = cache

    async def get(self, search: Search, generation: int) -> CardPage | None:
        """The page, if nothing changed since it was kept."""
        found = self._pages.get(search)
        if found is None or found.generation != generation:
            found = await self._shared(search, generation)
            if found is not None:
                self._remember(search, found)
        if found is None or found.until <= clock.now():
            return None
        self._pages.move_to_end(search)
        return found.page

    async def keep(self, search: Search, generation: int, page: CardPage) -> None:
        """Remember a page. `generation` was read before the page was made."""
        until = clock.now() + timedelta(seconds=KEPT_SECONDS)
        self._remember(search, _Page(generation, until, page))
        if self._cache.shared:
            value = f"{until.timestamp()}\n{page.model_dump_json()}".encode()
            await self._cache.put(_key(search, generation), value, KEPT_SECONDS)

    async def _shared(self, search: Search, generation: int) -> _Page | None:
        value = await self._cache.get(_key(search, generation)) if self._cache.shared else None
        if value is None:
            return None
        until, _, page = value.partition(b"\n")
        with suppress(ValueError):  # another build of Dvor may write pages otherwise
            moment = datetime.fromtimestamp(float(until), UTC)
            return _Page(generation, moment, CardPage.model_validate_json(page))
        return None

    def _remember(self, search: Search, page: _Page) -> None:
        self._pages[search] = page
        self._pages.move_to_end(search)
        while len(self._pages) > PAGES_MAX:
            self._pages.popitem(last=False)


def _key(search: Search, generation: int) -> str:
    return f"lists:{generation}:{sha256(search.model_dump_json().encode()).hexdigest()}"
