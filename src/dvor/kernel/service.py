"""What a service brings with it: its manifest, shown on one screen in its `__init__.py`."""

from collections.abc import Mapping
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
    patient: bool = False
    """Its tasks and handlers let requests that wait go first, for some seconds at most."""

    @property
    def package(self) -> str:
        """Where its code and migrations are."""
        return self.implementation.__module__.rpartition(".")[0]
