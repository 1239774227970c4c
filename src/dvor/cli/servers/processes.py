"""Processes that live on after the command that started them, known by number and birth.

A number alone is not enough: another program may have it by now. Linux tells when each was born.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dvor.kernel.run_as import die_with_parent

_POLL_SECONDS = 0.05
_STOP_SECONDS = 30  # a busy RabbitMQ writes its queues down first
_BIRTH, _STATE, _SESSION = 19, 0, 3  # fields of /proc/<number>/stat behind the name


@dataclass(frozen=True)
class Started:
    """A process we started: nobody else's is ever ended for it."""

    number: int
    birth: int
    """In ticks since the machine started."""

    @classmethod
    def of(cls, number: int) -> Self | None:
        """The process that has this number now; None when it has ended."""
        found = _stat(number)
        if found is None or found[_STATE] in {"Z", "X"}:
            return None
        return cls(number, int(found[_BIRTH]))

    @property
    def lives(self) -> bool:
        """Whether it is still there."""
        return Started.of(self.number) == self

    def end(self) -> None:
        """Ask it to stop, kill it if it does not, and what it started with it; wait for that.

        Does nothing when it has ended already: its number may be another's session by now.
        """
        if not self.lives:
            return
        for request in (signal.SIGTERM, signal.SIGKILL):
            if not self.lives:
                break
            with suppress(ProcessLookupError):
                os.kill(self.number, request)
            self._wait(_STOP_SECONDS)
        self._sweep()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.lives and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        with suppress(ChildProcessError):
            os.waitpid(self.number, os.WNOHANG)  # a child of ours stays in the list until then

    def _sweep(self) -> None:
        """What it started and left behind; it led a session of its own, so theirs is its number.

        Erlang's helpers begin sessions of their own and end when their pipe does.
        """
        deadline = time.monotonic() + _STOP_SECONDS
        while (left := self._session()) and time.monotonic() < deadline:
            for number in left:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)

    def _session(self) -> list[int]:
        """Who lives in its session."""
        numbers = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
        known = {number: _stat(number) for number in numbers}
        return [
            number
            for number, found in known.items()
            if found and int(found[_SESSION]) == self.number and found[_STATE] not in {"Z", "X"}
        ]


def start(
    words: Sequence[str | Path],
    log: Path,
    folder: Path,
    environment: Mapping[str, str],
    *,
    tied: bool,
) -> Started:
    """Start a program in a session of its own, its output at the end of `log`.

    `tied`: it is asked to stop when this process ends, however that happens.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in words],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM) if tied else None,  # noqa: PLW1509  one prctl
        )
    found = Started.of(process.pid)
    # It lives on without this object, which would complain at the end of ours.
    process.returncode = 0
    return found or Started(process.pid, -1)


def free_ports(count: int) -> list[int]:
    """Ports of this machine on which nobody listens now."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def is_free(port: int) -> bool:
    """Whether somebody may listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answer(port: int, said: bytes, *, seconds: float = 5) -> bytes:
    """The first bytes somebody on this port answers to what we say; none: nobody does."""
    try:
        with socket.create_connection(("127.0.0.1", port), seconds) as connection:
            connection.sendall(said)
            return connection.recv(1024)
    except OSError:
        return b""


def _stat(number: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in brackets and may hold any character.
    return text.rpartition(")")[2].split()
