"""Inside a worker: what `up` wants done first, then serving."""

import asyncio
import os
import socket
from pathlib import Path

import uvloop

from dvor import topology
from dvor.cli.data_folder import DataFolder
from dvor.cli.problems import Problem
from dvor.cli.progress import bar
from dvor.cli.workers import wait_to_begin
from dvor.contracts.catalog import Catalog
from dvor.contracts.identity import Identity
from dvor.contracts.inventory import Inventory
from dvor.kernel.config import Settings

_CANNOT_CONNECT = {"08", "28", "3D", "53", "57"}
"""Classes of SQLSTATE: no connection, no permission, no database, no room, shutting down."""


def serve(listening: int | None, *, held: bool = False) -> None:
    """Serve until told to stop: on a socket of the supervisor, or as the environment says.

    `held`: a supervisor says when to begin, and what to do first. `only` among that: and nothing
    else.
    """
    first = wait_to_begin() if held or listening is not None else []
    settings = Settings.from_environment()
    sockets = None if listening is None else [socket.socket(fileno=listening)]

    async def work() -> None:
        if "migrate" in first:
            await migrate(settings)
        if "demo" in first:
            await fill_demo_world(settings)
            DataFolder(Path(os.environ["DVOR_DATA"])).remember_demo_world()
        if "only" not in first:
            await topology.serve(settings, sockets)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


async def migrate(settings: Settings) -> None:
    """Bring the databases up to date. Raises Problem where the server cannot be used."""
    try:
        await topology.migrate(settings)
    except Exception as problem:
        state = getattr(problem, "sqlstate", None) or ""
        if not isinstance(problem, OSError) and state[:2] not in _CANNOT_CONNECT:
            raise
        raise Problem(f"the database server cannot be used: {problem}") from problem


async def fill_demo_world(settings: Settings) -> None:
    """Make what is missing of the demo world, with all services in this process."""
    from dvor.demo import world  # only the first start of all needs it

    async with topology.running(settings) as process:
        with bar("Filling the demo world") as report:
            await world.fill(
                process.proxy(Identity, "setup"),
                process.proxy(Catalog, "setup"),
                process.proxy(Inventory, "setup"),
                report,
            )
