"""Servers for development: started in a folder, found again, ended, and nobody else's touched."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import fields
from email.message import EmailMessage
from pathlib import Path

import pytest

from dvor.cli.problems import Problem
from dvor.cli.servers import (
    KINDS,
    DidNotStart,
    Missing,
    Running,
    Server,
    commands,
    debian,
    kafka,
    server,
)
from dvor.cli.servers.processes import Started, answer, is_free
from dvor.cli.servers.server import Part, environment
from dvor.kernel import mail
from dvor.kernel.config import Settings
from dvor.kernel.db import raw_connection
from tests.cli.running import is_alive, run, wait_for

_ECHO = """
import socket, subprocess, sys
subprocess.Popen(["sleep", "600"])  # what it leaves behind must end, too
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
    print("listening", flush=True)
    while True:
        with listening.accept()[0] as one:
            one.sendall(one.recv(100))
"""


class Echo(Server):
    """Answers what it is told."""

    name = "echo"
    variable = "DVOR_ECHO_URL"
    packages = ("echo-server",)
    port_names = ("port", "spare")
    program = _ECHO

    def is_installed(self) -> bool:
        return True

    def version(self) -> str:
        return "1.0"

    def parts(self, ports: Mapping[str, int]) -> Iterator[Part]:
        words = [sys.executable, "-c", self.program, str(ports["port"])]
        yield Part(words, environment())

    def address(self, ports: Mapping[str, int]) -> str:
        return f"echo://127.0.0.1:{ports['port']}"

    def is_ready(self, ports: Mapping[str, int]) -> bool:
        return answer(ports["port"], b"?") == b"?"


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Echo]:
    made = Echo(tmp_path)
    yield made
    made.stop()


def numbers(running: Running) -> list[int]:
    return [process.number for process in running.processes]


class TestStart:
    def test_answers_where_it_is_and_can_be_found_by_others(self, echo: Echo) -> None:
        running = echo.start()
        assert running.ports is not None
        assert running.address == f"echo://127.0.0.1:{running.ports['port']}"
        assert running.version == "1.0"
        assert Echo(echo.folder.parent).found() == running

    def test_a_second_one_is_not_started(self, echo: Echo) -> None:
        assert echo.start() == echo.start()

    def test_one_that_died_is_started_again_at_the_same_address(self, echo: Echo) -> None:
        before = echo.start()
        os.kill(numbers(before)[0], signal.SIGKILL)
        wait_for(lambda: not before.lives)
        assert echo.found() is None
        after = echo.start()
        assert after.lives
        assert after.address == before.address
        assert numbers(after) != numbers(before)

    def test_a_taken_port_is_left_to_its_owner(self, echo: Echo) -> None:
        first = echo.start()
        other = Echo(echo.folder.parent / "other")
        (other.folder).mkdir(parents=True)
        (other.folder / "ports.json").write_text(json.dumps(dict(first.ports or {})))
        with other.running() as second:
            assert second.address != first.address

    def test_one_that_the_environment_names_is_used_instead(
        self, echo: Echo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DVOR_ECHO_URL", "echo://elsewhere:1")
        assert echo.start() == Running("echo://elsewhere:1")
        assert not echo.folder.exists()

    def test_says_with_its_log_why_it_ended(self, echo: Echo) -> None:
        echo.program = "print('earlier'); raise SystemExit('no room in the stable')"
        with pytest.raises(DidNotStart, match=r"(?s)ended while starting.*no room in the stable"):
            echo.start()
        assert echo.found() is None

    def test_one_that_never_answers_is_ended(
        self, echo: Echo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server, "_READY_SECONDS", 1)
        echo.program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
        with pytest.raises(DidNotStart, match="did not answer in 1 s"):
            echo.start()
        assert not is_alive(int(echo.log.read_text()))


class TestStop:
    def test_ends_it_and_what_it_started(self, echo: Echo) -> None:
        running = echo.start()
        children = Path(f"/proc/{numbers(running)[0]}/task/{numbers(running)[0]}/children")
        child = int(children.read_text().split()[0])
        assert echo.stop()
        assert not running.lives
        assert not is_alive(child)
        assert running.ports is not None
        assert is_free(running.ports["port"])

    def test_nothing_was_there_to_stop(self, echo: Echo) -> None:
        assert not echo.stop()

    def test_another_process_that_has_the_number_now_is_left_alone(self, echo: Echo) -> None:
        running = echo.start()
        stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
        try:
            real = echo.folder / "running.json"
            known = json.loads(real.read_text())
            known["processes"] = [[stranger.pid, running.processes[0].birth]]
            kept = real.read_text()
            real.write_text(json.dumps(known))
            assert not echo.stop()
            assert stranger.poll() is None
            real.write_text(kept)
        finally:
            stranger.kill()
            stranger.wait()

    def test_what_ran_before_a_block_goes_on_after_it(self, echo: Echo) -> None:
        before = echo.start()
        with echo.running() as running:
            assert running == before
        assert before.lives
        assert echo.stop()
        with echo.running() as running:
            pass
        assert not running.lives

    def test_it_ends_with_the_process_it_is_tied_to(self, echo: Echo) -> None:
        program = (
            "import sys, time; from pathlib import Path\n"
            "from tests.cli.test_servers import Echo\n"
            "print(Echo(Path(sys.argv[1])).start(tied=True).processes[0].number, flush=True)\n"
            "time.sleep(600)\n"
        )
        words = [sys.executable, "-c", program, str(echo.folder.parent)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            number = int(owner.stdout.readline())
            assert is_alive(number)
            owner.kill()
        wait_for(lambda: not is_alive(number))


class TestWhatCannotBeHad:
    def test_is_named_with_what_would_bring_it(
        self, echo: Echo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Echo, "is_installed", lambda _: False)
        monkeypatch.setattr(debian, "can_install", lambda: False)
        with pytest.raises(Missing, match=r"apt-get install echo-server, or name one .*DVOR_ECHO_"):
            echo.start()

    def test_is_installed_where_we_may(self, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        monkeypatch.setattr(Echo, "is_installed", lambda _: bool(asked))
        monkeypatch.setattr(debian, "can_install", lambda: True)
        monkeypatch.setattr(debian, "install", lambda *names: asked.extend(names) or True)
        assert echo.start().lives
        assert asked == ["echo-server"]

    def test_jars_that_are_not_as_pinned_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "slf4j-api-1.7.36.jar").write_bytes(b"something else")
        (tmp_path / "unknown.jar").write_bytes(b"")
        wrong = kafka.wrong_jars(tmp_path)
        assert {"slf4j-api-1.7.36.jar", "unknown.jar", "kafka_2.13-4.3.1.jar"} <= set(wrong)


class TestCommands:
    def test_show_what_runs_and_end_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        class Dear(Echo):
            name = "dear"

            def lack(self) -> str:
                return "dear cannot be paid"

            def is_installed(self) -> bool:
                return False

        monkeypatch.setattr(commands, "KINDS", (Echo, Dear))
        assert commands.up(tmp_path, ()) == 0
        said = capsys.readouterr().out
        assert "✓ echo: echo://127.0.0.1:" in said
        assert "✗ dear: dear cannot be paid" in said
        assert commands.up(tmp_path, ["dear"]) == 1

        capsys.readouterr()
        assert commands.status(tmp_path, (), as_json=True) == 0
        echo, dear = json.loads(capsys.readouterr().out)
        assert (echo["state"], dear["state"]) == ("running", "cannot be had")
        assert echo["address"].startswith("echo://")
        assert echo["since"].startswith("20")

        assert commands.status(tmp_path, (), as_json=False) == 0
        said = capsys.readouterr().out
        assert said.splitlines()[0].split() == ["name", "state", "address", "version", "since"]
        assert "dear cannot be paid" in said

        assert commands.down(tmp_path, ()) == 0
        assert "Stopped: echo" in capsys.readouterr().out
        assert commands.down(tmp_path, ()) == 0
        assert "Nothing was running." in capsys.readouterr().out

    def test_one_that_is_stuck_does_not_answer(
        self, echo: Echo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Echo, "is_ready", lambda *_: True)
        echo.start()
        monkeypatch.setattr(Echo, "is_ready", lambda *_: False)
        assert commands.state_of(echo).state == "does not answer"

    def test_an_unknown_name_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(Problem, match="there is no server 'mainframe': it is one of postgres"):
            commands.up(tmp_path, ["mainframe"])

    def test_every_variable_is_one_of_the_configuration(self) -> None:
        known = {one.metadata["variable"] for one in fields(Settings)}
        assert {kind.variable for kind in KINDS} - {""} <= known


class TestKept:
    """Those that need no package: the whole way, by the command."""

    def test_postgres_and_mail_outlive_the_command(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        done = run("servers", "up", "postgres", "smtp", "nginx", "--data", data)
        try:
            assert done.returncode == 0, done.stdout + done.stderr
            told = json.loads(run("servers", "status", "--json", "--data", data).stdout)
            states = {one["name"]: one for one in told}
            assert states["postgres"]["state"] == states["smtp"]["state"] == "running"
            assert states["nginx"]["state"] == "running"
            assert states["rabbitmq"]["state"] != "running"
            assert asyncio.run(_asked(states["postgres"]["address"])) == 1
            message = EmailMessage()
            message["From"], message["To"] = "a@dvor.example", "b@dvor.example"
            message.set_content("Your room is ready.")
            asyncio.run(mail.send(states["smtp"]["address"], message, 10))
            [kept] = (data / "servers" / "smtp" / "mails").iterdir()
            assert b"Your room is ready." in kept.read_bytes()
        finally:
            done = run("servers", "down", "--data", data)
        assert "Stopped: smtp, nginx, postgres" in done.stdout
        assert not (data / "servers" / "postgres" / "url").exists()


async def _asked(url: str) -> int:
    async with raw_connection(url) as connection:
        return await connection.fetchval("SELECT 1")


class TestPackages:
    def test_do_not_start_what_they_bring(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        policy = tmp_path / "policy-rc.d"
        apt = tmp_path / "apt-get"
        apt.write_text(f'#!/bin/sh\n{policy}; echo "$? $1" >> {tmp_path}/asked\n')
        apt.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr(debian, "_POLICY", policy)
        monkeypatch.setattr(debian.os, "geteuid", lambda: 0)
        assert debian.install("rabbitmq-server")
        assert (tmp_path / "asked").read_text() == "101 install\n"
        assert not policy.exists()


class TestRabbitMQ:
    def test_answers_its_own_tools_and_prometheus(self, rabbitmq: Running) -> None:
        assert rabbitmq.ports is not None
        with urllib.request.urlopen(
            f"http://127.0.0.1:{rabbitmq.ports['metrics']}/metrics"
        ) as said:
            assert b"rabbitmq_connections" in said.read()
        assert rabbitmq.address == f"amqp://guest:guest@127.0.0.1:{rabbitmq.ports['port']}/"


class TestKafka:
    def test_is_a_node_that_names_itself(self, kafka: Running) -> None:
        # Metadata of all topics (API 3, version 1): the brokers come first.
        assert kafka.ports is not None
        question = bytes.fromhex("0003 0001 00000009 ffff ffffffff")
        said = answer(kafka.ports["port"], len(question).to_bytes(4, "big") + question)
        brokers = int.from_bytes(said[8:12], "big")
        assert said[4:8] == bytes.fromhex("00000009")
        assert brokers == 1
        assert b"127.0.0.1" in said


def test_a_process_is_known_by_number_and_birth() -> None:
    ours = Started.of(os.getpid())
    assert ours is not None
    assert ours.lives
    assert not Started(ours.number, ours.birth + 1).lives
