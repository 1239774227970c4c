"""THE list of services, in the order of their calls: a service calls only those above it.

Which of them run in this process, and where the others are, is configuration (`kernel/config.py`):
DVOR_RUN=all or names, DVOR_ADDRESS_<NAME> for the rest.
"""

import asyncio
import json
from contextlib import suppress
from socket import socket

import uvicorn

from dvor.kernel import metrics, points, process, telemetry
from dvor.kernel.brokers.asyncapi import document
from dvor.kernel.config import Settings
from dvor.kernel.http.packets import Protocol
from dvor.kernel.process import Process
from dvor.kernel.service import Service, groups, told
from dvor.services import (
    audits,
    catalog,
    identity,
    inventory,
    notifications,
    orders,
    payments,
    rooms,
)
from dvor.web import PAGES
from dvor.web.live import streams_ended

SERVICES: tuple[Service, ...] = (
    identity.SERVICE,
    catalog.SERVICE,
    inventory.SERVICE,
    payments.SERVICE,
    orders.SERVICE,
    notifications.SERVICE,
    rooms.SERVICE,
    audits.SERVICE,
)


def check() -> None:
    """Refuse a topology in which a synchronous call goes down the list."""
    above: set[str] = set()
    for service in SERVICES:
        below = set(service.calls) - above
        if below:
            raise ValueError(f"{service.name} calls {sorted(below)}, which stand below it")
        above.add(service.name)


def assemble(settings: Settings) -> Process:
    """The process that this configuration describes, not yet open."""
    check()
    return Process(settings, SERVICES, PAGES)


async def migrate(settings: Settings) -> None:
    """Create and bring up to date the databases of what runs here."""
    await process.migrate_all(settings, SERVICES)


def asyncapi() -> str:
    """The AsyncAPI document of all events, as `docs/reference/asyncapi.json` has it."""
    taken = {service.name: list(service.handlers) for service in SERVICES}
    prefix = Settings().broker_prefix
    made = document(told(SERVICES), groups(SERVICES), taken, prefix=prefix)
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def running(settings: Settings):  # noqa: ANN201 - an async context manager giving a Process
    """`async with running(settings) as process:` everything that runs here, without HTTP."""
    return process.running(assemble(settings))


_LOOK_SECONDS = 0.05
_TOLD_LOOKS = 10
"""Who calls by gRPC hears meanwhile that this process leaves."""
ACCEPTED_AT_ONCE = 32
"""Connections that a process takes in one turn of its loop."""


async def serve(settings: Settings, sockets: list[socket] | None = None) -> None:
    """Serve HTTP, and gRPC where a port is set, until told to stop."""
    part = "all" if "all" in settings.run else "+".join(sorted(settings.run))
    telemetry.configure(settings, part)
    telemetry.bridge_libraries()
    metrics.tell_build(part)
    if settings.kill_at:
        points.kill_at(settings.kill_at)
    async with running(settings) as house:
        server = http_server(house)
        process.collect_seldom()
        listening = sockets or [server.config.bind_socket()]
        # One socket takes one connection in each turn of the loop, and in a rush turns are long.
        more = [one.dup() for one in listening for _ in range(ACCEPTED_AT_ONCE - 1)]
        await server.serve(sockets=listening + more)


def http_server(house: Process) -> uvicorn.Server:
    """What serves the routes of an open process."""
    return _Server(
        house,
        uvicorn.Config(
            house.app(),
            host=house.settings.host,
            port=house.settings.port,
            loop="uvloop",
            http=Protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=house.settings.shutdown_seconds,
            timeout_keep_alive=30,
            server_header=False,
        ),
    )


class _Server(uvicorn.Server):
    """Lets go of everybody who waits for news before it waits for them to finish.

    Behind a proxy it leaves without a request lost: a proxy may send one on a connection that it
    has just been told is closed. So at first only new connections are refused, which a proxy takes
    to another replica; those that are there end with their next answer, or idle ones by the proxy.
    """

    def __init__(self, house: Process, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._house = house

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop listening, finish what is under way."""
        with streams_ended():
            await self._house.wind_down()
            if self._house.settings.drain_seconds:
                await self._drain(sockets or [])
            await super().shutdown(sockets)

    async def _drain(self, sockets: list[socket]) -> None:
        waiting = [one.dup() for one in sockets[:1]]  # all are the same
        for one in (*self.servers, *sockets):
            one.close()
        await self._take_in(waiting)
        self.server_state.default_headers += [(b"connection", b"close")]
        for look in range(int(self._house.settings.drain_seconds / _LOOK_SECONDS)):
            if look >= _TOLD_LOOKS and not self.server_state.connections:
                break
            await asyncio.sleep(_LOOK_SECONDS)

    async def _take_in(self, sockets: list[socket]) -> None:
        """Who has connected and was not taken yet would be cut off, maybe with a request sent."""
        loop, found = asyncio.get_running_loop(), list[socket]()
        for one in sockets:
            one.setblocking(False)
            with suppress(BlockingIOError):
                while len(found) < self.config.backlog:
                    found.append(one.accept()[0])
            one.close()
        for connection in found:
            connection.setblocking(False)
            await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> Protocol:
        return Protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
