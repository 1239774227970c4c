"""The commands that say or check something."""

import json
import os
from pathlib import Path

import pytest

from dvor import __version__
from dvor.cli import quality
from tests.cli.running import StartUp, assert_one_line, run

COMMANDS = [
    *("up", "test", "check", "help", "version", "graph", "audit", "parked"),
    *("migrate", "demo", "bench", "proto", "manifests", "lock", "import", "replay"),
    "servers",
]


class TestHelp:
    def test_lists_every_command_and_nothing_hidden(self) -> None:
        done = run("help")
        assert done.returncode == 0
        listed = done.stdout.partition("Commands:")[2].splitlines()
        assert [line.split()[0] for line in listed if line.startswith("  ")] == COMMANDS

    def test_of_one_command_names_its_options(self) -> None:
        said = run("help", "up").stdout
        for option in ("--port", "--data", "--no-demo", "--workers"):
            assert option in said

    def test_of_a_command_of_two_words_names_its_options(self) -> None:
        assert "--dry-run" in run("help", "import", "retail").stdout

    def test_of_no_command_is_one_line(self) -> None:
        done = run("help", "dance")
        assert_one_line(done, "dance")
        assert done.returncode == 2

    def test_loads_neither_services_nor_libraries_of_theirs(self) -> None:
        done = run("help", PYTHONPROFILEIMPORTTIME="1")
        for module in ("dvor.topology", "fastapi", "asyncpg", "grpc"):
            assert f" {module}\n" not in done.stderr


def test_version_is_said() -> None:
    assert run("version").stdout == f"dvor {__version__}\n"


def test_graph_shows_services_calls_and_events() -> None:
    said = run("graph").stdout
    for part in (
        "flowchart LR",
        "  orders --> inventory",
        "orders.order_paid.v1",
        "OrderCancelled, OrderCreated, ",
    ):
        assert part in said


class TestAudit:
    def test_of_no_dvor_is_one_line_and_makes_nothing(self, tmp_path: Path) -> None:
        done = run("audit", "--data", tmp_path / "data")
        assert_one_line(done, "no Dvor", "--data")
        assert not (tmp_path / "data").exists()

    def test_works_beside_a_running_dvor_and_after_it(self, up: StartUp, tmp_path: Path) -> None:
        running = up()
        beside = run("audit", "--json", "--data", tmp_path / "data")
        assert beside.returncode == 0, beside.stderr
        assert json.loads(beside.stdout)
        running.stop()
        after = run("audit", "--data", tmp_path / "data")
        assert after.returncode == 0, after.stderr
        assert "I1" in after.stdout


class TestWithoutAFolder:
    """As in a container: the environment says where the databases are and what the secret is."""

    def test_migrate_demo_and_audit_keep_nothing(self, postgres: str, tmp_path: Path) -> None:
        folder = tmp_path / "data"
        there = {
            "DVOR_DATABASE_URL": postgres,
            "DVOR_DATABASE_PREFIX": f"no_folder_{os.getpid()}_",
            "DVOR_SECRET": "5e" * 32,
        }
        for command, says in (("migrate", "up to date"), ("demo", "complete"), ("audit", "I1")):
            done = run(command, "--data", folder, **there)
            assert done.returncode == 0, done.stderr
            assert says in done.stdout
        assert not folder.exists()

    def test_a_server_that_is_not_there_is_one_line(self, tmp_path: Path) -> None:
        away = "postgresql://dvor@127.0.0.1:9/postgres"
        done = run(
            *("migrate", "--data", tmp_path / "data"),
            DVOR_DATABASE_URL=away,
            DVOR_SECRET="5e" * 32,
        )
        assert_one_line(done, "database server")


class TestImport:
    FILE = (
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850,UK\n"
        "536365,71053,WHITE METAL LANTERN,six,2010-12-01 08:26:00,3.39,17850,UK\n"
        "536366,84406B,CREAM CUPID HEARTS COAT HANGER,8,2010-12-01 08:28:00,2.75,17850,UK\n"
    )

    def test_brings_good_rows_in_once_and_names_bad_ones(self, tmp_path: Path) -> None:
        file = tmp_path / "retail.csv"
        file.write_text(self.FILE)
        words = ("import", "retail", file, "--data", tmp_path / "data")
        dry = run(*words, "--dry-run")
        assert "2 created" in dry.stdout, dry.stderr
        assert "dry run" in dry.stdout
        first = run(*words)
        assert first.returncode == 0, first.stderr
        assert "2 created" in first.stdout
        assert "line 3: " in first.stdout
        again = run(*words)
        assert "0 created, 0 changed, 2 unchanged" in again.stdout

    def test_of_another_kind_of_file_is_one_line(self, tmp_path: Path) -> None:
        file = tmp_path / "letter.txt"
        file.write_text("dear\n")
        done = run("import", "retail", file, "--data", tmp_path / "data")
        assert_one_line(done, "letter.txt")
        assert not (tmp_path / "data").exists()


class TestReplay:
    def test_of_another_kind_of_file_is_one_line(self, tmp_path: Path) -> None:
        file = tmp_path / "letter.txt"
        file.write_text("dear\n")
        assert_one_line(run("replay", "hotel", file), "not a file of hotel bookings")


class TestTest:
    def test_runs_a_part_and_ends_with_the_runners_summary(self, tmp_path: Path) -> None:
        part = tmp_path / "test_part.py"
        part.write_text("def test_it(): pass\n")
        done = run("test", "default", str(part), "-p", "no:cacheprovider")
        assert done.returncode == 0, done.stdout
        assert "1 passed" in done.stdout.strip().splitlines()[-1]

    def test_answers_the_runners_code(self, tmp_path: Path) -> None:
        part = tmp_path / "test_part.py"
        part.write_text("def test_it(): assert False\n")
        assert run("test", str(part), "-p", "no:cacheprovider").returncode == 1


class TestPrograms:
    @pytest.fixture
    def machine(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        """A machine without chromium whose apt-get writes down what it was asked for."""
        apt = tmp_path / "apt-get"
        apt.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ntest "$1" != install\n')
        apt.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(quality.os, "geteuid", lambda: 0)
        return tmp_path

    def test_is_installed_where_we_may(
        self, machine: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        quality._ensure("chromium", quality._CHROMIUM, "browser tests")
        asked = [line.split()[0] for line in (machine / "asked").read_text().splitlines()]
        assert asked == ["install", "update", "install"]
        assert "chromium is missing: browser tests will be skipped" in capsys.readouterr().out

    def test_is_asked_for_where_we_may_not(
        self, machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(quality.os, "geteuid", lambda: 1000)
        quality._ensure("chromium", quality._CHROMIUM, "browser tests")
        assert "as root: apt-get install chromium" in capsys.readouterr().out
        assert not (machine / "asked").exists()


class TestCheck:
    def test_shows_what_fails_and_fails(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        checks = {"good": ("-c", "print('quiet')"), "bad": ("-c", "exit('loud')")}
        monkeypatch.setattr(quality, "_CHECKS", checks)
        assert quality.check() == 1
        said = capsys.readouterr().out
        assert said.splitlines() == ["✓ good", "✗ bad", "loud", "1 of 2 checks passed"]
