"""What a service brings with it: its manifest, shown on one screen in its `__init__.py`."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dvor.kernel.events import Event
from dvor.kernel.inbox import Handler
from dvor.kernel.tasks import Task, Timer


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service: what it promises, what does it, whom it calls, what it reacts to."""

    name: str
    contract: type
    """Its Protocol."""
    implementation: type
    """Built by keyword: `db`, `settings`, then one argument for each name in `calls`."""
    calls: tuple[str, ...] = ()
    """Services it calls: only ones that stand before it in the topology."""
    routers: tuple[Any, ...] = ()
    hot_routers: tuple[Any, ...] = ()
    """Asked so often that they stand before all others: routes are tried one after the other."""
    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    tasks: tuple[Task, ...] = ()
    timers: tuple[Timer, ...] = ()
    shares_memory: bool = False
    """It is built with `cache`, too: what processes remember together."""
    patience_seconds: float = 0
    """For so long at most its tasks and handlers let requests that wait go first."""

    @property
    def package(self) -> str:
        """Where its code and migrations are."""
        return self.implementation.__module__.rpartition(".")[0]


def told(services: Sequence[Service]) -> list[type[Event]]:
    """The events of their contracts, by name."""
    found: list[type[Event]] = []
    for service in services:
        module = sys.modules[service.contract.__module__]
        found += [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, Event) and each is not Event
        ]
    return sorted(found, key=lambda event: event.wire_name)


def groups(services: Sequence[Service]) -> dict[str, list[str]]:
    """Source of events -> the services that take them; every service is a source."""
    found: dict[str, list[str]] = {service.name: [] for service in services}
    for service in services:
        for source in sorted({event.source for event in service.handlers}):
            found.setdefault(source, []).append(service.name)
    return found
