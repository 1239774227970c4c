"""The embedded PostgreSQL, and what crashes leave behind."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvor.kernel.db import raw_connection
from dvor.kernel.postgres import EmbeddedPostgres, PostgresProblem
from tests.cli.running import environment, is_alive, wait_for


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a server that was started and stopped once."""
    folder = tmp_path_factory.mktemp("made") / "postgres"
    with EmbeddedPostgres(folder, fsync=False):
        pass
    return folder


@pytest.fixture
def files(made: Path, tmp_path: Path) -> Path:
    """A copy of them that the test may ruin; made by root, so root owns it."""
    return Path(shutil.copytree(made, tmp_path / "postgres"))


async def ask(dsn: str, question: str) -> object:
    async with raw_connection(dsn) as connection:
        return await connection.fetchval(question)


def postmaster(files: Path) -> int:
    return int((files / "postmaster.pid").read_text().split()[0])


def dsn_of(files: Path) -> str:
    """The URL of the server that runs on them: where its socket is, its own file says."""
    folder = (files / "postmaster.pid").read_text().splitlines()[4]
    return f"postgresql://dvor@/postgres?host={folder}&port=5432"


@pytest.fixture
def victim(files: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs a server on the files."""
    code = f"""
        import sys, threading
        from pathlib import Path
        from dvor.kernel.postgres import EmbeddedPostgres
        server = EmbeddedPostgres(Path({str(files)!r}))
        # From another thread it does not die with its parent: the hardest case.
        thread = threading.Thread(target=server.start)
        thread.start()
        thread.join()
        print("ready", flush=True)
        sys.stdin.read()
    """
    words = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(
        words, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


class TestStart:
    async def test_speaks_unicode_by_its_own_rules(self, files: Path) -> None:
        with EmbeddedPostgres(files, fsync=False) as server:
            assert await ask(server.dsn, "SELECT lower('ЁЛКА')") == "ёлка"
            assert await ask(server.dsn, "SHOW server_encoding") == "UTF8"
            assert await ask(server.dsn, "SHOW timezone") == "UTC"

    async def test_listens_only_in_a_private_folder(self, files: Path) -> None:
        with EmbeddedPostgres(files, fsync=False) as server:
            assert await ask(server.dsn, "SHOW listen_addresses") == ""
            folder = Path(str(await ask(server.dsn, "SHOW unix_socket_directories")))
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert not folder.exists()

    async def test_is_safe_against_power_cuts_unless_told_otherwise(self, files: Path) -> None:
        with EmbeddedPostgres(files) as server:
            assert await ask(server.dsn, "SHOW fsync") == "on"
            assert await ask(server.dsn, "SHOW synchronous_commit") == "on"

    async def test_works_in_a_folder_with_a_long_and_strange_name(
        self, made: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / f"очень, длинное 'имя' {'x' * 90}"
        folder.mkdir()
        shutil.copytree(made, folder / "postgres")
        with EmbeddedPostgres(folder / "postgres", fsync=False) as server:
            assert await ask(server.dsn, "SELECT 1") == 1

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root owns folders nobody may enter")
    async def test_works_below_a_folder_that_only_root_may_enter(self, files: Path) -> None:
        files.parent.chmod(0o700)
        with EmbeddedPostgres(files, fsync=False) as server:
            assert await ask(server.dsn, "SELECT 1") == 1
            owner = Path(f"/proc/{postmaster(files)}").stat().st_uid
        assert owner != 0

    async def test_begins_anew_what_a_crash_left_half_made(self, tmp_path: Path) -> None:
        (tmp_path / "postgres.new").mkdir()
        (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
        with EmbeddedPostgres(tmp_path / "postgres", fsync=False) as server:
            assert await ask(server.dsn, "SELECT 1") == 1
        assert not (tmp_path / "postgres.new").exists()


class TestRefusal:
    def test_two_on_the_same_files(self, files: Path) -> None:
        with (
            EmbeddedPostgres(files, fsync=False),
            pytest.raises(PostgresProblem, match="in use by another Dvor"),
        ):
            EmbeddedPostgres(files, fsync=False).start()

    def test_files_of_another_version(self, files: Path) -> None:
        (files / "PG_VERSION").write_text("13\n")
        with pytest.raises(PostgresProblem, match=r"made by PostgreSQL 13 .*--data"):
            EmbeddedPostgres(files, fsync=False).start()

    def test_a_folder_with_other_things(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("dear")
        with pytest.raises(PostgresProblem, match="holds no PostgreSQL data"):
            EmbeddedPostgres(tmp_path, fsync=False).start()
        assert (tmp_path / "letter.txt").read_text() == "dear"

    def test_a_full_disk(self, tmp_path: Path) -> None:
        small = tmp_path / "small"
        small.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("may not mount a small disk here")
        try:
            with pytest.raises(PostgresProblem, match="is full: free some space"):
                EmbeddedPostgres(small / "postgres", fsync=False).start()
            assert not any(small.iterdir())
        finally:
            subprocess.run(["umount", str(small)], check=True)


class TestCrash:
    async def test_a_server_that_outlived_its_owner_is_stopped_first(
        self, files: Path, victim: subprocess.Popen[str]
    ) -> None:
        old = postmaster(files)
        victim.kill()
        victim.wait()
        assert is_alive(old)
        with EmbeddedPostgres(files, fsync=False) as server:
            assert not is_alive(old)
            assert await ask(server.dsn, "SELECT 1") == 1

    async def test_what_was_committed_survives_the_end_of_everything(
        self, files: Path, victim: subprocess.Popen[str]
    ) -> None:
        pid = postmaster(files)
        dsn = dsn_of(files)
        await ask(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        victim.kill()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid))
        with EmbeddedPostgres(files, fsync=False) as server:
            assert await ask(server.dsn, "SELECT answer FROM kept") == 42

    async def test_a_copy_of_a_living_folder_leaves_the_original_alone(
        self, files: Path, tmp_path: Path
    ) -> None:
        with EmbeddedPostgres(files, fsync=False) as original:
            copy = Path(shutil.copytree(files, tmp_path / "copy"))
            with EmbeddedPostgres(copy, fsync=False) as server:
                assert await ask(server.dsn, "SELECT 1") == 1
            assert await ask(original.dsn, "SELECT 1") == 1

    async def test_a_number_that_another_program_has_now_is_no_server(self, files: Path) -> None:
        (files / "postmaster.pid").write_text(f"{os.getpid()}\n{files}\n0\n5432\n/tmp\n\n\n\n")
        with EmbeddedPostgres(files, fsync=False) as server:
            assert await ask(server.dsn, "SELECT 1") == 1

    async def test_revive_starts_again_what_ended_by_itself(self, files: Path) -> None:
        with EmbeddedPostgres(files, fsync=False) as server:
            assert not server.revive()
            dsn = server.dsn
            pid = postmaster(files)
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not is_alive(pid))
            assert server.revive()
            assert server.dsn == dsn
            assert await ask(dsn, "SELECT 1") == 1
