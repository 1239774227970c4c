"""`dvor` as people start it: processes of their own, watched from outside."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dvor.cli import ROOT

_START_SECONDS = 240  # of a busy machine
_STOP_SECONDS = 60


def dvor(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-X", "utf8", "-P", "-m", "dvor", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DVOR_")}
    return {**ours, "NO_COLOR": "1", **more}


def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        dvor(*arguments),
        cwd=ROOT,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """It failed with one line on stderr that has these parts."""
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("dvor: ")
    for part in parts:
        assert part in lines[0]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


class Running:
    """A `dvor up` that answers, until it is stopped."""

    def __init__(self, words: list[str], log: Path, variables: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                words,
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_for(lambda: self._is_open() or self.process.poll() is not None, _START_SECONDS)
        assert self.process.poll() is None, self.text
        found = re.search(r"is open at (\S+)", self.text)
        assert found
        self.site = found[1].replace("localhost", "127.0.0.1")
        self.everything = {self.process.pid, *self.descendants()}

    @property
    def text(self) -> str:
        return self.log.read_text()

    def _is_open(self) -> bool:
        return "Ctrl-C closes it." in self.text

    @staticmethod
    def words(*arguments: str | Path) -> list[str]:
        return dvor("up", *arguments)

    def descendants(self) -> set[int]:
        return self.descendants_of(self.process.pid)

    @staticmethod
    def descendants_of(ancestor: int) -> set[int]:
        parents: dict[int, int] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        found = {ancestor}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found - {ancestor}

    @staticmethod
    def alive(pids: set[int]) -> set[int]:
        return {pid for pid in pids if is_alive(pid)}

    def workers(self) -> set[int]:
        marks = {pid: Path(f"/proc/{pid}/cmdline") for pid in self.descendants()}
        return {
            pid
            for pid, line in marks.items()
            if line.exists() and b"serve" in line.read_bytes().split(b"\0")
        }

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.site + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.everything |= self.descendants()
            self.process.send_signal(number)
        return self.process.wait(_STOP_SECONDS)

    def left(self) -> set[int]:
        """Which of its processes still live."""
        return self.alive(self.everything)


StartUp = Callable[..., Running]
