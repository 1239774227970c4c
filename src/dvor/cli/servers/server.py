"""A server for development and tests: found or installed, started in a folder, ready, stopped.

    with RabbitMQ(folder).running(tied=True) as running:
        connect(running.address)

One class for each server says what is its own; what is the same for all stands here. The processes
go on when the command ends, so all that is known of them stands in `<folder>/<name>/running.json`.
"""

import fcntl
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from dvor.cli.problems import Problem
from dvor.cli.servers import debian
from dvor.cli.servers.processes import Started, free_ports, is_free, start

_READY_SECONDS = 120  # RabbitMQ on a busy machine
_LOOK_SECONDS = 0.1
_LOG_LINES_TOLD = 5
_LOG_MAX_BYTES = 10_000_000


class Missing(Problem):
    """This server cannot be had here. The message says why, and what would bring it."""


class DidNotStart(Problem):
    """It ended, or did not answer in time. The message ends with the last lines of its log."""


@dataclass(frozen=True)
class Part:
    """One program of a server."""

    words: Sequence[str | Path]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Running:
    """A server that was started, or one that ran already and is somebody else's."""

    address: str
    """A URL, as the variable of the configuration wants it."""
    version: str = ""
    since: datetime | None = None
    processes: Sequence[Started] = ()
    """In the order of their start; none: it is somebody else's."""
    ports: Mapping[str, int] | None = None

    @property
    def lives(self) -> bool:
        """Whether all its processes are there."""
        return all(process.lives for process in self.processes)


class Server(ABC):
    """A server in a folder of its own below `folder`."""

    name: ClassVar[str]
    variable: ClassVar[str]
    """Of kernel/config.py: names one that runs already, which is then used; empty: there is none."""
    packages: ClassVar[Sequence[str]] = ()
    """Debian's."""
    port_names: ClassVar[Sequence[str]] = ("port",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute() / self.name
        self.log = self.folder / "log"

    # What is each one's own.

    @abstractmethod
    def is_installed(self) -> bool:
        """Whether its programs are here."""

    @abstractmethod
    def version(self) -> str:
        """Which one is installed."""

    @abstractmethod
    def parts(self, ports: Mapping[str, int]) -> Iterator[Part]:
        """Write what it needs into its folder, then its programs in the order of their start."""

    @abstractmethod
    def address(self, ports: Mapping[str, int]) -> str:
        """The URL of one that listens on these ports."""

    @abstractmethod
    def is_ready(self, ports: Mapping[str, int]) -> bool:
        """Whether it answers in its own protocol."""

    def lack(self) -> str:
        """Why it cannot be had here, and what would bring it; empty: it can."""
        if self.is_installed() or debian.can_install():
            return ""
        words = " ".join(self.packages)
        return f"{self.name} is not installed: apt-get install {words}, or {self._instead}"

    def install(self) -> None:
        """Bring its programs. Raises Missing."""
        if lack := self.lack():
            raise Missing(lack)
        if not self.is_installed():
            debian.install(*self.packages)
        if not self.is_installed():
            words = " ".join(self.packages)
            raise Missing(
                f"{self.name}: apt-get install {words} failed; see why, or {self._instead}"
            )

    @property
    def _instead(self) -> str:
        return f"name one that runs in {self.variable}" if self.variable else "do without"

    # What is the same for all.

    def given(self) -> Running | None:
        """The one that the environment names."""
        url = os.environ.get(self.variable, "") if self.variable else ""
        return Running(url) if url else None

    def found(self) -> Running | None:
        """The one in this folder, if all of it lives."""
        running = self._recorded()
        return running if running is not None and running.lives else None

    def start(self, *, tied: bool = False, say: bool = False) -> Running:
        """Start it where it does not run; answers when it answers. Raises Missing, DidNotStart.

        `tied`: it is asked to stop when this process ends, however that happens. `say`: tell on
        the screen what takes long.
        """
        if (given := self.given()) is not None:
            return given
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if (found := self.found()) is not None:
                return found
            self._end()
            if not self.is_installed():
                if say:
                    print(f"Getting {self.name} …", flush=True)
                self.install()
            return self._start(tied=tied)

    def stop(self) -> bool:
        """End what was started here, and nothing else; whether there was something."""
        if not self.folder.exists():
            return False
        with self._alone():
            return self._end()

    @contextmanager
    def running(self, *, tied: bool = True) -> Iterator[Running]:
        """One for the time of this block; one that ran before goes on afterwards."""
        before = self.given() or self.found()
        try:
            yield before or self.start(tied=tied)
        finally:
            if before is None:
                self.stop()

    def _start(self, *, tied: bool) -> Running:
        ports = self._ports()
        if self.log.exists() and self.log.stat().st_size > _LOG_MAX_BYTES:
            self.log.unlink()
        log_start = self.log.stat().st_size if self.log.exists() else 0
        running = Running(self.address(ports), self.version(), datetime.now(UTC), (), ports)
        for part in self.parts(ports):
            begun = start(part.words, self.log, self.folder, part.environment, tied=tied)
            running = replace(running, processes=(*running.processes, begun))
            self._record(running)  # at once: `stop` must find it whatever becomes of us
        try:
            self._wait_until_ready(running, log_start)
        except BaseException:
            self._end()
            raise
        running = replace(running, address=self.address(ports))  # some know it only now
        self._record(running)
        return running

    def _ports(self) -> Mapping[str, int]:
        """Those of last time where they are free, so that its address stays."""
        before = self.folder / "ports.json"
        known = json.loads(before.read_text()) if before.exists() else {}
        if set(known) != set(self.port_names) or not all(map(is_free, known.values())):
            known = dict(zip(self.port_names, free_ports(len(self.port_names)), strict=True))
            before.write_text(json.dumps(known))
        return known

    def _wait_until_ready(self, running: Running, log_start: int) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not self.is_ready(running.ports or {}):
            if not running.lives:
                raise DidNotStart(f"{self.name} ended while starting{self._told(log_start)}")
            if time.monotonic() > deadline:
                raise DidNotStart(
                    f"{self.name} did not answer in {_READY_SECONDS} s{self._told(log_start)}"
                )
            time.sleep(_LOOK_SECONDS)

    def _told(self, log_start: int) -> str:
        lines = self.log.read_bytes()[log_start:].decode(errors="replace").splitlines()
        return "".join(f"\n  {line}" for line in (f"(log: {self.log})", *lines[-_LOG_LINES_TOLD:]))

    def _end(self) -> bool:
        running = self._recorded()
        if running is None:
            return False
        lived = any(process.lives for process in running.processes)
        for process in reversed(running.processes):
            process.end()
        self._record(None)
        return lived

    @property
    def _record_file(self) -> Path:
        return self.folder / "running.json"

    def _record(self, running: Running | None) -> None:
        if running is None:
            self._record_file.unlink(missing_ok=True)
            return
        assert running.since is not None
        known = {
            "address": running.address,
            "version": running.version,
            "since": running.since.isoformat(),
            "processes": [[process.number, process.birth] for process in running.processes],
            "ports": dict(running.ports or {}),
        }
        new = self._record_file.with_suffix(".new")
        new.write_text(json.dumps(known))
        new.rename(self._record_file)

    def _recorded(self) -> Running | None:
        try:
            known = json.loads(self._record_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return Running(
            known["address"],
            known["version"],
            datetime.fromisoformat(known["since"]),
            tuple(Started(*each) for each in known["processes"]),
            known["ports"],
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Within this block nobody else starts or stops this server in this folder."""
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def environment(**variables: str | Path) -> dict[str, str]:
    """What a server may know of ours, and these variables."""
    kept = {name: os.environ[name] for name in ("PATH", "TZ", "TMPDIR") if name in os.environ}
    return {"LANG": "C.UTF-8"} | kept | {name: str(value) for name, value in variables.items()}
