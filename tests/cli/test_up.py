"""`dvor up`, from the first start to the last process ended."""

import json
import os
import shutil
import signal
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from dvor.cli import ROOT
from tests.cli.running import Running, StartUp, assert_one_line, environment, run, wait_for


class TestStart:
    def test_serves_everything_on_one_port_and_fills_a_demo_world_once(
        self, up: StartUp, tmp_path: Path
    ) -> None:
        running = up("--demo")
        for path in ("/", "/api/docs", "/api/openapi.json", "/mailbox", "/healthz", "/readyz"):
            assert running.get(path)[0] == 200, path
        for who in ("customer", "seller", "hotelier", "organiser", "admin"):
            assert f"{who}@dvor.example" in running.text
        assert (tmp_path / "data" / "demo-world").exists()
        assert running.stop() == 0
        assert not running.left()

    @pytest.mark.nightly
    def test_offline_docs_load_nothing_from_elsewhere(self, up: StartUp) -> None:
        running = up()
        status, page = running.get("/api/docs")
        assert status == 200
        assert "://" not in page
        for name in ("swagger-ui-bundle", "swagger-ui"):
            assert name in page
        script = page.partition('src="')[2].partition('"')[0]
        assert running.get(script)[0] == 200

    @pytest.mark.nightly
    def test_no_demo_leaves_an_empty_house(self, up: StartUp, tmp_path: Path) -> None:
        running = up()
        assert "Demo accounts" not in running.text
        assert not (tmp_path / "data" / "demo-world").exists()

    @pytest.mark.nightly
    def test_keeps_the_secret_to_its_owner_and_over_restarts(
        self, up: StartUp, tmp_path: Path
    ) -> None:
        up().stop()
        secret = tmp_path / "data" / "secret"
        first = secret.read_bytes()
        assert len(first) == 32
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        up()
        assert secret.read_bytes() == first

    def test_uses_a_running_server_if_told(
        self, up: StartUp, postgres: str, tmp_path: Path
    ) -> None:
        prefix = f"cli{os.getpid()}_"
        running = up(DVOR_DATABASE_URL=postgres, DVOR_DATABASE_PREFIX=prefix)
        assert running.get("/readyz")[0] == 200
        assert not (tmp_path / "data" / "postgres").exists()


class TestRefusal:
    def test_a_busy_port_is_said_in_one_line(self, busy_port: int, tmp_path: Path) -> None:
        done = run("up", "--port", str(busy_port), "--data", tmp_path / "data")
        assert_one_line(done, f"port {busy_port} is busy", "--port")
        assert not (tmp_path / "data" / "postgres").exists()

    def test_a_folder_in_use_says_by_whom(self, up: StartUp, tmp_path: Path) -> None:
        running = up()
        done = run("up", "--port", "0", "--data", tmp_path / "data")
        assert_one_line(done, "in use", f"process {running.process.pid}", "--data")
        assert running.get("/readyz")[0] == 200

    def test_data_of_a_newer_version_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "VERSION").write_text("999\n")
        done = run("up", "--port", "0", "--data", tmp_path)
        assert_one_line(done, "newer Dvor", "update")
        assert [path.name for path in tmp_path.iterdir()] == ["VERSION"]

    def test_a_folder_with_other_things_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("dear")
        done = run("up", "--port", "0", "--data", tmp_path)
        assert_one_line(done, "other things", "--data")
        assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]

    def test_a_bad_variable_is_named(self, tmp_path: Path) -> None:
        done = run("up", "--port", "0", "--data", tmp_path / "data", DVOR_HOLD_TTL_SECONDS="soon")
        assert_one_line(done, "DVOR_HOLD_TTL_SECONDS")

    def test_an_unreachable_database_is_said_in_words(self, tmp_path: Path) -> None:
        url = f"postgresql://nobody@/postgres?host={tmp_path}"
        done = run("up", "--port", "0", "--data", tmp_path / "data", DVOR_DATABASE_URL=url)
        assert done.returncode != 0
        assert "dvor: " in done.stderr
        assert "Traceback" not in done.stderr


class TestStop:
    @pytest.mark.parametrize(
        "number",
        [
            signal.SIGTERM,
            pytest.param(signal.SIGINT, marks=pytest.mark.nightly),
            pytest.param(signal.SIGHUP, marks=pytest.mark.nightly),
        ],
    )
    def test_leaves_no_process(self, up: StartUp, number: int) -> None:
        running = up("--workers", "2")
        assert len(running.workers()) == 2
        assert running.stop(number) == 0
        assert not running.left()
        assert "Closed." in running.text

    def test_while_starting_leaves_no_process(self, tmp_path: Path) -> None:
        words = [*Running.words("--port", "0", "--no-demo", "--data", tmp_path / "data")]
        process = subprocess.Popen(
            words, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        wait_for((tmp_path / "data" / "postgres.log").exists)
        family = Running.descendants_of(process.pid)
        assert family
        process.terminate()
        assert process.wait(60) == 0
        wait_for(lambda: not Running.alive(family))


class TestCrash:
    def test_of_the_supervisor_ends_all_and_the_next_start_recovers(self, up: StartUp) -> None:
        running = up()
        running.stop(signal.SIGKILL)
        again = up()
        assert again.get("/readyz")[0] == 200
        wait_for(lambda: not running.left())

    @pytest.mark.nightly
    def test_of_everything_at_once_is_recovered_from(self, up: StartUp) -> None:
        running = up()
        for pid in running.everything:
            with suppress(ProcessLookupError):  # one ends when its parent does
                os.kill(pid, signal.SIGKILL)
        running.process.wait(10)
        assert up().get("/readyz")[0] == 200

    @pytest.mark.nightly
    def test_of_a_worker_is_told_and_mended(self, up: StartUp) -> None:
        running = up()
        (first,) = running.workers()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: "Worker 1 was ended by SIGKILL" in running.text)
        wait_for(lambda: running.workers() - {first})
        assert running.get("/readyz")[0] == 200

    def test_of_postgresql_is_told_and_mended(self, up: StartUp, tmp_path: Path) -> None:
        running = up()
        pid_file = tmp_path / "data" / "postgres" / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        wait_for(lambda: "PostgreSQL had ended and was started again" in running.text)
        wait_for(lambda: running.get("/readyz")[0] == 200)


@pytest.mark.skipif(os.geteuid() != 0, reason="all of this already runs as an ordinary user")
class TestOrdinaryUser:
    @pytest.fixture
    def clone(self, tmp_path: Path) -> Path:
        """A copy of the tree that user 65534 owns, prepared with a Python they may run."""
        python = Path("/usr/bin/python3")
        if not python.exists():
            pytest.skip("there is no Python that another user may run")
        tmp_path.chmod(0o755)
        for folder in tmp_path.parents:
            if not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
        clone = tmp_path / "clone"
        ignored = shutil.ignore_patterns("__pycache__", ".git", ".venv", "node_modules", "data")
        shutil.copytree(ROOT, clone, ignore=ignored)
        subprocess.run([python, clone / "dvor", "version"], env=environment(), check=True)
        for path in (clone, *clone.rglob("*")):
            os.chown(path, 65534, 65534, follow_symlinks=False)
        return clone

    def test_starts_and_stops_everything(self, clone: Path, tmp_path: Path) -> None:
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        words += [str(clone / "dvor"), "up", "--port", "0", "--no-demo"]
        running = Running(words, tmp_path / "up.log", environment(HOME=str(clone)))
        try:
            assert running.get("/readyz")[0] == 200
            assert (clone / "data" / "postgres").stat().st_uid == 65534
        finally:
            assert running.stop() == 0
        assert not running.left()

    def test_is_told_that_the_data_belong_to_somebody_else(
        self, clone: Path, tmp_path: Path
    ) -> None:
        data = tmp_path / "roots"
        data.mkdir()
        (data / "VERSION").write_text("1\n")
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        done = subprocess.run(
            [*words, clone / "dvor", "up", "--port", "0", "--data", data],
            env=environment(HOME=str(clone)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert_one_line(done, str(data), "cannot be written", "--data")


def test_the_lock_file_tells_how_to_reach_it(up: StartUp, tmp_path: Path) -> None:
    running = up()
    told = json.loads((tmp_path / "data" / "lock").read_text())
    assert told["pid"] == running.process.pid
    assert running.site.endswith(f":{told['port']}")
