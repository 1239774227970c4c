"""The picture of the house, drawn from the topology: it cannot be out of date."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from dvor.kernel.events import Event
from dvor.kernel.service import Service


def show(services: Sequence[Service]) -> None:
    """Print who calls whom and who reacts to what, then the same as a Mermaid flowchart."""
    console = Console(soft_wrap=True)
    console.print(_calls(services))
    console.print(_events(services))
    for line in mermaid(services):
        print(line)


def _calls(services: Sequence[Service]) -> Table:
    table = _table("Services", "service", "calls", "routes", "tasks", "timers")
    for service in services:
        table.add_row(
            service.name,
            ", ".join(service.calls) or "-",
            str(sum(len(router.routes) for router in (*service.hot_routers, *service.routers))),
            ", ".join(task.name for task in service.tasks) or "-",
            ", ".join(timer.name for timer in service.timers) or "-",
        )
    return table


def _events(services: Sequence[Service]) -> Table:
    table = _table("Events", "event", "told by", "heard by")
    for event, listeners in heard(services).items():
        table.add_row(event.wire_name, event.source, ", ".join(listeners) or "-")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def heard(services: Sequence[Service]) -> dict[type[Event], list[str]]:
    """Each event of the contracts and the services with a handler for it."""
    modules = {service.contract.__module__ for service in services}
    events = [event for event in _all_events(Event) if event.__module__ in modules]
    return {
        event: [service.name for service in services if event in service.handlers]
        for event in sorted(events, key=lambda event: event.wire_name)
    }


def _all_events(parent: type[Event]) -> Iterator[type[Event]]:
    for event in parent.__subclasses__():
        yield event
        yield from _all_events(event)


def mermaid(services: Sequence[Service]) -> Iterator[str]:
    """A flowchart: full lines are calls, dotted lines events."""
    yield "flowchart LR"
    for service in services:
        yield f"  {service.name}"
    for service in services:
        for called in service.calls:
            yield f"  {service.name} --> {called}"
    told: dict[tuple[str, str], list[str]] = {}
    for event, listeners in heard(services).items():
        for listener in listeners:
            told.setdefault((event.source, listener), []).append(event.__name__)
    for (source, listener), names in sorted(told.items()):
        yield f"  {source} -. {', '.join(names)} .-> {listener}"
