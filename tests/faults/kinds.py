"""What is taken away, how, and what goes on meanwhile as docs/guides/when-a-server-dies.md says."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvor.cli.servers import Server
from tests.faults.stand import Stand

HOW = ("killed", "frozen")
"""Gone at once; or there and silent, which is worse: nobody is told."""


@dataclass(frozen=True)
class Fault:
    """Something that dies."""

    name: str
    processes: Callable[[Stand], list[int]]
    revive: Callable[[Stand], Awaitable[None]]
    """Start it again after it was killed."""
    orders: bool = True
    """Orders are accepted while it is away."""
    paid: bool = True
    """They are paid and booked, too."""
    visits: bool = True
    """Lists and pages can be looked at."""
    broker: str = "rabbitmq"
    """What carries events meanwhile."""

    def away(self, stand: Stand, how: str) -> list[int]:
        """Take it away; answers who must be woken later."""
        numbers = [each for number in self.processes(stand) for each in family(number)]
        if how == "frozen":
            request = signal.SIGSTOP
        elif self.name == "postgresql":
            # As `pg_ctl stop -m immediate`; its children end by themselves then.
            numbers, request = numbers[:1], signal.SIGQUIT
        else:
            request = signal.SIGKILL
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(number, request)
        return numbers

    async def back(self, stand: Stand, how: str, numbers: list[int]) -> None:
        """It is there again when this returns."""
        if how == "frozen":
            for number in numbers:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGCONT)
        else:
            await self.revive(stand)


def family(number: int) -> Iterator[int]:
    """A process, and all that it started."""
    yield number
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(words[1]) == number:
                yield from family(int(folder.name))


def _of(server: Server) -> list[int]:
    running = server.found()
    assert running is not None, f"{server.name} does not run"
    return [process.number for process in running.processes]


def _server(
    name: str,
    which: Callable[[Stand], Server],
    *,
    goes_on: bool = True,
    broker: str = "rabbitmq",
) -> Fault:
    async def revive(stand: Stand) -> None:
        await asyncio.to_thread(which(stand).start)

    return Fault(name, lambda stand: _of(which(stand)), revive, goes_on, goes_on, goes_on, broker)


def _service(name: str, *, orders: bool = True, paid: bool = True) -> Fault:
    async def revive(stand: Stand) -> None:
        await asyncio.to_thread(stand.site.processes[name].wait)
        await stand.site.begin(name)

    return Fault(name, lambda stand: [stand.site.processes[name].pid], revive, orders, paid)


def _postgres(stand: Stand) -> list[int]:
    process = stand.postgres._server
    assert process is not None
    return [process.pid]


async def _revive_postgres(stand: Stand) -> None:
    assert stand.postgres._server is not None
    await asyncio.to_thread(stand.postgres._server.wait)
    stand.postgres.revive()  # in the main thread: it ends with whoever started it


def _nginx(stand: Stand) -> Server:
    assert stand.site.nginx is not None
    return stand.site.nginx


FAULTS: tuple[Fault, ...] = (
    Fault("postgresql", _postgres, _revive_postgres, orders=False, paid=False, visits=False),
    _server("redis", lambda stand: stand.redis),
    _server("rabbitmq", lambda stand: stand.broker),
    _server("kafka", lambda stand: stand.broker, broker="kafka"),
    _server("smtp", lambda stand: stand.smtp),
    _server("nginx", _nginx, goes_on=False),
    _service("orders", orders=False, paid=False),
    _service("payments", orders=False, paid=False),
    _service("inventory", orders=False, paid=False),
    _service("notifications"),
)
