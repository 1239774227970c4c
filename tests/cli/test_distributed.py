"""`dvor up --distributed`: every service in its own process behind nginx."""

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from dvor.topology import SERVICES
from tests.cli.running import Running, StartUp, assert_one_line, is_alive, run, wait_for

PARTS = [*(service.name for service in SERVICES), "web"]


def health(running: Running) -> dict[str, list[dict[str, str]]]:
    """Of each part its processes, as the page of health tells."""
    address = running.text.partition("Health")[2].split()[0].replace("localhost", "127.0.0.1")
    try:
        with urllib.request.urlopen(f"{address}json", timeout=30) as said:
            rows = json.loads(said.read())
    except urllib.error.HTTPError as said:  # 503: something is not ready
        with said:
            rows = json.loads(said.read())
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(row)
    return found


def process(row: dict[str, str]) -> int:
    return int(row["more"].removeprefix("process "))


class TestDistributed:
    @pytest.mark.nightly  # ten processes: more than a minute; journeys go through them, too
    def test_serves_from_processes_apart_and_leaves_nothing(
        self, up: StartUp, tmp_path: Path
    ) -> None:
        running = up("--distributed")
        for path in ("/", "/api/docs", "/healthz", "/api/v1/listings", "/api/v1/categories"):
            assert running.get(path)[0] == 200, path
        assert running.get("/metrics")[0] == 404
        parts = health(running)
        assert list(parts) == [*PARTS, "nginx"]
        assert all(row["ready"] for rows in parts.values() for row in rows)
        numbers = {process(parts[part][0]) for part in PARTS}
        assert len(numbers) == len(PARTS)

        catalog = process(parts["catalog"][0])
        os.kill(catalog, signal.SIGKILL)
        wait_for(lambda: not health(running)["catalog"][0]["ready"])
        assert running.get("/api/v1/listings")[0] == 503
        assert running.get("/healthz")[0] == 200, "the others go on"
        wait_for(lambda: running.get("/api/v1/listings")[0] == 200, 120)
        assert process(health(running)["catalog"][0]) != catalog

        record = tmp_path / "data" / "servers" / "edge" / "nginx" / "running.json"
        [[nginx, _]] = json.loads(record.read_text())["processes"]
        assert is_alive(nginx)
        assert running.stop() == 0
        assert not running.left()
        assert not is_alive(nginx)
        assert not record.exists()

    @pytest.mark.nightly
    def test_two_replicas_stand_in_for_each_other(self, up: StartUp) -> None:
        running = up("--distributed", "--replicas", "2")
        rows = health(running)["catalog"]
        assert len(rows) == 2
        os.kill(process(rows[0]), signal.SIGKILL)
        answers = [running.get("/api/v1/listings")[0] for _ in range(20)]
        assert answers == [200] * 20


class TestRefusals:
    def test_an_unknown_broker(self, tmp_path: Path) -> None:
        done = run("up", "--distributed", "--broker", "pigeon", "--data", tmp_path / "data")
        assert_one_line(done, "--broker is one of local, rabbitmq, kafka, not 'pigeon'")
        assert not (tmp_path / "data").exists()

    def test_a_host_that_is_no_address(self, tmp_path: Path) -> None:
        done = run("up", "--distributed", "--host", "shop.local", "--data", tmp_path / "data")
        assert_one_line(done, "listens on an IPv4 address")
