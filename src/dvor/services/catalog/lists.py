"""Lists of published listings, remembered for five minutes or until one of them changes."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NamedTuple

from dvor.contracts.catalog import CardPage, Search
from dvor.kernel import clock

KEPT_SECONDS = 300
"""What passing time changes (an event that is over) is seen after this at the latest."""
PAGES_MAX = 500
"""Pages remembered in one process; the least recently used go first."""


class _Page(NamedTuple):
    generation: int
    until: datetime
    page: CardPage


class CachedLists:
    """Pages by search. Everybody sees the same published listings, so the caller is no key."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Search, _Page] = OrderedDict()

    def get(self, search: Search, generation: int) -> CardPage | None:
        """The page, if nothing changed since it was kept."""
        found = self._pages.get(search)
        if found is None or found.generation != generation or found.until <= clock.now():
            return None
        self._pages.move_to_end(search)
        return found.page

    def keep(self, search: Search, generation: int, page: CardPage) -> None:
        """Remember a page. `generation` was read before the page was made."""
        until = clock.now() + timedelta(seconds=KEPT_SECONDS)
        self._pages[search] = _Page(generation, until, page)
        self._pages.move_to_end(search)
        while len(self._pages) > PAGES_MAX:
            self._pages.popitem(last=False)
