"""Which route serves a request."""

from collections import defaultdict
from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

WORDS = 3
"""So many words of a path tell most routes apart: /api/v1/orders."""


class Signposts(BaseRoute):
    """Finds routes by the words their paths begin with, the longest beginning first.

    FastAPI tries the regular expressions of all routers one after the other, and those of the right
    one twice: a seventh of what an order that comes too late costs. What is not found here (another
    method, another slash, nothing) is left to it.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._by_words: defaultdict[tuple[str, ...], list[APIRoute]] = defaultdict(list)
        for route in routes:
            if isinstance(route, APIRoute):
                self._by_words[_first_words(route.path)].append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The route and what its path says."""
        if scope["type"] == "http":
            words = tuple(scope["path"].split("/")[1 : WORDS + 1])
            for count in range(len(words), -1, -1):
                for route in self._by_words.get(words[:count], ()):
                    match, found = route.matches(scope)
                    if match is Match.FULL:
                        return match, found
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve by the route that was found."""
        await scope["route"].handle(scope, receive, send)


def _first_words(path: str) -> tuple[str, ...]:
    fixed, variable, _ = path.partition("{")
    words = fixed.split("/")[1:]
    return tuple((words[:-1] if variable else words)[:WORDS])
