"""Fixtures of the command line's tests."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Running, StartUp, dvor, environment, wait_for


@pytest.fixture
def up(tmp_path: Path) -> Iterator[StartUp]:
    """`up("--workers", "2")`: on a free port, in a folder of this test, without the demo world."""
    started: list[Running] = []

    def start(*arguments: str, data: Path = tmp_path / "data", **variables: str) -> Running:
        words = dvor("up", "--port", "0", "--data", data, *arguments)
        if "--demo" not in arguments:
            words.append("--no-demo")
        log = tmp_path / f"up-{len(started)}.log"
        started.append(Running(words, log, environment(**variables)))
        return started[-1]

    yield start
    for running in started:
        running.stop()
        wait_for(lambda running=running: not running.left())


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]
