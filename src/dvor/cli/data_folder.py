"""The folder that holds everything of one Dvor: databases, secret, log. One Dvor at a time."""

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Self

from dvor.cli.problems import Problem

_FORMAT = 1
"""What VERSION says. Raised when an older Dvor could not read the folder any more."""
_FREE_MIN_BYTES = 200_000_000


class InUse(Problem):
    """A living Dvor has the folder. Says how to reach it, as far as it has told."""

    def __init__(self, path: Path, told: str) -> None:
        try:
            known = json.loads(told)
        except ValueError:
            known = {}
        self.database_url: str = known.get("database_url", "")
        self.port: int | None = known.get("port")
        by = f"process {known['pid']}" if "pid" in known else "just starting"
        if self.port:
            by += f", http://localhost:{self.port}"
        super().__init__(
            f"{path} is in use by a running Dvor ({by}): stop it, or choose another folder with"
            " --data"
        )


class DataFolder:
    """A data folder that this process has to itself, from `open` to `close`.

    `lock` says who uses it, `VERSION` which format it has, `secret` holds the key of all keys,
    `postgres/` the databases, `demo-world` stands once the demo world has been filled in.
    `servers/` is for `dvor servers`, which needs none of the others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def postgres(self) -> Path:
        """Where the databases are."""
        return self.path / "postgres"

    @property
    def exists(self) -> bool:
        """Whether a Dvor has lived here."""
        return (self.path / "VERSION").exists()

    @property
    def has_demo_world(self) -> bool:
        """Whether the demo world was filled in to its end."""
        return (self.path / "demo-world").exists()

    def open(self) -> None:
        """Take it, making it first where there is none. Raises Problem and changes nothing."""
        try:
            self._open()
        except OSError as problem:
            raise Problem(_explained(problem, self.path)) from problem

    def _open(self) -> None:
        if self.path.exists():
            self._recognise()
        else:
            # Others may pass, as PostgreSQL does when started by root, but not look around.
            self.path.mkdir(mode=0o711, parents=True)
        self._take()
        if shutil.disk_usage(self.path).free < _FREE_MIN_BYTES:
            raise Problem(
                f"less than {_FREE_MIN_BYTES // 1_000_000} MB are free where {self.path} is:"
                " free some space, or choose another folder with --data"
            )
        version = self.path / "VERSION"
        if not version.exists():
            _write(version, f"{_FORMAT}\n".encode(), 0o644)

    def _recognise(self) -> None:
        """See that it is ours and of a format we know, before anything is touched."""
        if not self.path.is_dir():
            raise Problem(f"{self.path} is not a folder: choose another one with --data")
        version = self.path / "VERSION"
        if not version.exists():
            if {entry.name for entry in self.path.iterdir()} - {"lock", "servers"}:
                raise Problem(f"{self.path} holds other things: choose an empty folder with --data")
            return
        text = version.read_text().strip()
        if not text.isdecimal():
            raise Problem(f"{version} is damaged: it should hold a number, such as {_FORMAT}")
        if int(text) > _FORMAT:
            raise Problem(
                f"{self.path} is from a newer Dvor (format {text}, this one knows {_FORMAT}):"
                " update Dvor, or choose another folder with --data"
            )

    def _take(self) -> None:
        # The lock itself goes with the process, however it ends; the file only tells who.
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = os.read(lock, 10_000).decode(errors="replace")
            os.close(lock)
            raise InUse(self.path, told) from None
        self._lock = lock
        self.tell()

    def tell(self, **reachable: str | int) -> None:
        """Leave word for others who want this folder: `database_url`, `port`."""
        assert self._lock is not None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, json.dumps({"pid": os.getpid(), **reachable}).encode(), 0)

    def close(self) -> None:
        """Give it back."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def secret(self) -> bytes:
        """The 32 bytes from which all keys derive; made on first use. Raises Problem."""
        path = self.path / "secret"
        try:
            if not path.exists():
                _write(path, secrets.token_bytes(32), 0o600)
            found = path.read_bytes()
        except OSError as problem:
            raise Problem(_explained(problem, self.path)) from problem
        if len(found) != 32:
            raise Problem(f"{path} is damaged: restore it, or remove it (all sessions will end)")
        return found

    def remember_demo_world(self) -> None:
        """The demo world is complete: the next start must not fill it again."""
        _write(self.path / "demo-world", b"filled\n", 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file so that it is there whole or not at all."""
    new = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def _explained(problem: OSError, path: Path) -> str:
    other = "choose another folder with --data"
    match problem.errno:
        case errno.EACCES | errno.EPERM:
            return f"{path} cannot be written by this user: change its owner, or {other}"
        case errno.EROFS:
            return f"{path} is on a read-only file system: {other}"
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk that holds {path} is full: free some space, or {other}"
        case _:
            return f"{path} cannot be used ({problem.strerror}): {other}"
