"""Worker processes: started early, let go when all is ready, started again when they die.

A worker's standard input is the string it hangs on: one line brings its configuration and lets it
begin, and its end, which comes however the supervisor ends, ends the worker.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

_RESTART_MIN_SECONDS = 0.5
_RESTART_MAX_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0  # who lived this long has earned a quick restart


class Worker:
    """A place for one process of `python -m dvor …`, and the process that fills it now."""

    def __init__(self, *arguments: str, descriptors: tuple[int, ...] = (), name: str = "") -> None:
        self.name = name
        """What people call it; empty: one of several alike."""
        self._arguments = arguments
        self._descriptors = descriptors
        self._process: subprocess.Popen[bytes] | None = None
        self._variables: Mapping[str, str] = {}
        self._started_at = 0.0
        self._restart_at: float | None = None
        self._pause = _RESTART_MIN_SECONDS

    def start(self) -> None:
        """Start the process, which loads its code and waits for `begin`."""
        self._started_at = time.monotonic()
        self._restart_at = None
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-P", "-m", "dvor", *self._arguments],
            stdin=subprocess.PIPE,
            pass_fds=self._descriptors,
            start_new_session=True,  # Ctrl-C in a terminal must reach the supervisor only
        )

    def begin(self, variables: Mapping[str, str], *, first: Sequence[str] = ()) -> None:
        """Let it go, with these DVOR_* variables; `first` names what to do before serving."""
        self._variables = variables
        assert self._process is not None
        assert self._process.stdin is not None
        orders = {"variables": dict(variables), "first": list(first)}
        with suppress(BrokenPipeError):  # it died; whoever asks `ended` will learn
            self._process.stdin.write(json.dumps(orders).encode() + b"\n")
            self._process.stdin.flush()

    @property
    def number(self) -> int | None:
        """Of the process that fills it now."""
        return self._process.pid if self._process is not None else None

    def ended(self) -> int | None:
        """The exit code if the process has ended since the last look."""
        if self._process is None or self._process.poll() is None:
            return None
        code = self._process.returncode
        self._forget()
        return code

    def plan_restart(self) -> float:
        """Start again after a pause that doubles while it keeps dying; answers its seconds."""
        now = time.monotonic()
        if now - self._started_at > _HEALTHY_SECONDS:
            self._pause = _RESTART_MIN_SECONDS
        pause = self._pause
        self._restart_at = now + pause
        self._pause = min(2 * pause, _RESTART_MAX_SECONDS)
        return pause

    def restart_if_due(self) -> None:
        """Start again when the pause is over."""
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self.start()
            self.begin(self._variables)

    def ask_to_stop(self) -> None:
        """Let it finish what it is doing."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; what it was doing continues at the next start."""
        self._signal(signal.SIGKILL)

    def has_stopped(self) -> bool:
        """Whether no process is left here."""
        if self._process is not None and self._process.poll() is not None:
            self._forget()
        return self._process is None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _forget(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process = None


def wait_to_begin() -> list[str]:
    """In a worker, after its imports: wait for `begin`; answers what to do first.

    From then on the process ends when the supervisor does.
    """
    line = bytearray()
    while not line.endswith(b"\n"):
        # Not sys.stdin: the thread below would hold its lock when the interpreter ends.
        piece = os.read(0, 65_536)
        if not piece:
            raise SystemExit(1)
        line += piece
    orders = json.loads(line)
    os.environ.update(orders["variables"])

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="supervisor", daemon=True).start()
    return orders["first"]
