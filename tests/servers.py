"""RabbitMQ, Kafka and others for tests: one of each for a whole run, gone when the run is over.

`running(RabbitMQ)` may be asked for in every process of a run. A keeper starts the server in a
folder that they share, and stops it when the run's first process has ended, however it did.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

import pytest

from dvor.cli import ROOT, servers
from dvor.cli.servers import Missing, Running, Server
from dvor.cli.servers.processes import Started

_LOOK_SECONDS = 0.3


def running(kind: type[Server]) -> Running:
    """The server of this run. Where it cannot be had its tests are skipped, in CI they fail."""
    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    owner = os.getppid() if in_worker else os.getpid()
    folder = Path(tempfile.gettempdir()) / f"dvor-servers-{owner}"
    server = kind(folder)
    words = [sys.executable, "-m", "tests.servers", kind.__name__, str(folder), str(owner)]
    keeper = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    keeper.returncode = 0  # it outlives us: nobody waits for it
    assert keeper.stdout is not None
    said = keeper.stdout.readline().strip()
    keeper.stdout.close()
    if said.startswith("missing: "):
        without(said)
    found = server.given() or server.found()
    assert found is not None, said
    return found


def without(why: object) -> NoReturn:
    """A server cannot be had: its tests are skipped, in CI they fail."""
    if os.environ.get("CI"):
        pytest.fail(str(why))
    pytest.skip(str(why))


def _keep(server: Server, folder: Path, owner: Started) -> None:
    try:
        server.start(tied=True)
    except Missing as missing:
        print(f"missing: {missing}".replace("\n", " "), flush=True)
        return
    print("ready", flush=True)
    while owner.lives:
        time.sleep(_LOOK_SECONDS)
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


if __name__ == "__main__":
    kind, place, number = sys.argv[1:]
    life = Started.of(int(number))
    if life is not None:
        _keep(getattr(servers, kind)(Path(place)), Path(place), life)
