"""Starts Dvor again and again, quickly: imports everything once, then forks a process for each life.

Reads lines from its input: `start {"environment": …, "deaths": …, "report": …}` answers the
process's id; `look <id>` answers `alive`, or how it ended; `end` ends.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import uvloop

from dvor import topology
from dvor.kernel import points
from dvor.kernel.config import Settings
from dvor.kernel.rpc.contract import methods

_living: set[int] = set()


def dying(deaths: dict[str, int], report: Path) -> Callable[[str], None]:
    """Dies at whichever of these points is reached first so many times, and leaves its name."""

    def reached(point: str) -> None:
        if point in deaths:
            deaths[point] -= 1
            if not deaths[point]:
                report.write_text(point)
                os.kill(os.getpid(), signal.SIGKILL)

    return reached


def live(born: dict[str, Any]) -> NoReturn:
    """Be a Dvor until killed."""
    code = 1
    try:
        os.environ.update(born["environment"])
        sys.stdin.close()
        os.dup2(2, 1)  # what it prints is no answer
        points.watch(dying(born["deaths"], Path(born["report"])))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(topology.serve(Settings.from_environment()))
        code = 0
    finally:
        os._exit(code)


def answer(line: str) -> str:
    """What a line asks for."""
    verb, _, rest = line.partition(" ")
    if verb == "start":
        child = os.fork()
        if not child:
            live(json.loads(rest))
        _living.add(child)
        return str(child)
    ended, status = os.waitpid(int(rest), os.WNOHANG)
    _living.discard(ended)
    return str(os.waitstatus_to_exitcode(status)) if ended else "alive"


def main() -> None:
    """Answer until `end`, or until nobody asks any more; then nobody is left."""
    for service in topology.SERVICES:
        methods(service.contract)
    gc.collect()
    gc.freeze()  # what is imported stays shared: a child that looked through it would copy it
    for line in sys.stdin:
        if line.strip() == "end":
            break
        print(answer(line.strip()), flush=True)
    for child in _living:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
