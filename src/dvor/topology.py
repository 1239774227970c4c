"""THE list of services, in the order of their calls: a service calls only those above it.

Which of them run in this process, and where the others are, is configuration (`kernel/config.py`):
DVOR_RUN=all or names, DVOR_ADDRESS_<NAME> for the rest.
"""

import json
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
    """Lets go of everybody who waits for news before it waits for them to finish."""

    def __init__(self, house: Process, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._house = house

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop listening, finish what is under way."""
        with streams_ended():
            self._house.wind_down()
            await super().shutdown(sockets)
