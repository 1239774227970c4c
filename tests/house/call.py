"""One request of the matrix, and who makes it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from tests.house.world import Person, World


@dataclass
class Call:
    """One request: its path's parameters and what else it carries."""

    parameters: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    who: Person | None = None
    """Somebody else with the same role, for calls that end a session."""

    def path(self, route: str) -> str:
        """The address asked for."""
        return re.sub(r"\{(\w+)\}", lambda m: str(self.parameters[m[1]]), route)

    def absent(self) -> "Call":
        """The same call for things that do not exist."""
        made_up = {n: uuid4() if isinstance(v, UUID) else v for n, v in self.parameters.items()}
        return Call(made_up, self.more, self.who)


Build = Callable[[World, Person], Awaitable[Call]]


def offer_of(listing: Any) -> UUID:
    return listing.offers[0].id


def of(**parameters: Callable[[World], Any]) -> Build:
    async def build(w: World, _who: Person) -> Call:
        return Call({name: read(w) for name, read in parameters.items()})

    return build
