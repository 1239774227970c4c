"""Starts the processes of services apart quickly: imports everything once, then forks each of them.

Reads lines of JSON from its input, the variables of one process, and answers its number. When its
input ends, because whoever asked has ended, nobody is left.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn, Protocol

from dvor.cli import ROOT
from dvor.cli.servers.processes import Started
from dvor.kernel.run_as import die_with_parent

_LOOK_SECONDS = 0.02


class Running(Protocol):
    """A process of a site, whoever started it."""

    pid: int

    def poll(self) -> int | None:
        """None while it lives."""
        ...

    def send_signal(self, sig: int, /) -> None:
        """As `kill` does."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended. Raises subprocess.TimeoutExpired."""
        ...


class Child:
    """A process that a mother bore: how it ended nobody knows."""

    def __init__(self, number: int) -> None:
        self.pid = number
        self._started = Started.of(number)

    def poll(self) -> int | None:
        """None while it lives, else 0."""
        return None if self._started is not None and self._started.lives else 0

    def send_signal(self, sig: int, /) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended. Raises subprocess.TimeoutExpired."""
        give_up = time.monotonic() + (timeout or float("inf"))
        while self.poll() is None:
            if time.monotonic() > give_up:
                raise subprocess.TimeoutExpired("a child of the mother", timeout or 0)
            time.sleep(_LOOK_SECONDS)
        return 0


class Mother:
    """Of all processes of one site."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "tests.journeys.mother"]
        self._process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def bear(self, environment: Mapping[str, str]) -> Child:
        """A process that serves what these variables say."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(dict(environment)) + "\n")
        self._process.stdin.flush()
        return Child(int(self._process.stdout.readline()))

    def end(self) -> None:
        """With all that are left."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _live(environment: dict[str, str]) -> NoReturn:
    from dvor.cli import serving

    code = 1
    try:
        if tie := die_with_parent(signal.SIGKILL):
            tie()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ.update(environment)
        sys.stdin.close()
        os.dup2(2, 1)  # what it prints is no answer
        serving.serve(None)
        code = 0
    except BaseException:  # noqa: BLE001 - told as the interpreter would, had it not been forked
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Bear whoever is asked for."""
    from dvor import topology
    from dvor.kernel.rpc.contract import methods

    for service in topology.SERVICES:
        methods(service.contract)
    gc.collect()
    gc.freeze()  # what is imported stays shared: a child that looked through it would copy it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    children: list[int] = []
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _live(json.loads(line))
        children.append(child)
        print(child, flush=True)
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
