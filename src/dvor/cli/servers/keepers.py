"""Servers that are a library of ours: each lives in a process that keeps it until asked to stop."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAILS_KEPT = 1000


def words_of_keeper(name: str, folder: Path, port: int = 0) -> list[str]:
    """The command that keeps this server in this folder."""
    words = [sys.executable, "-X", "utf8", "-P", "-m", "dvor", "servers", "keep"]
    return [*words, name, str(folder), str(port)]


def keep(name: str, folder: Path, port: int) -> None:
    """Run one of them until SIGTERM."""
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # threads that begin below leave it to us
    with _KEEPERS[name](folder, port):
        signal.sigwait(stops)


@contextmanager
def _postgres(folder: Path, _port: int) -> Iterator[None]:
    from dvor.kernel.postgres import EmbeddedPostgres

    with EmbeddedPostgres(folder / "data") as server:
        new = folder / "url.new"
        new.write_text(server.dsn)
        new.rename(folder / "url")
        yield
    (folder / "url").unlink(missing_ok=True)


@contextmanager
def _smtp(folder: Path, port: int) -> Iterator[None]:
    from aiosmtpd.controller import Controller

    controller = Controller(_Kept(folder / "mails"), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


class _Kept:
    """Takes every mail and writes it into a file that mail programs open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802  aiosmtpd's
        """Called with each mail."""
        content = getattr(envelope, "content", b"")
        (self._folder / f"{time.time_ns()}.eml").write_bytes(content)
        for old in sorted(self._folder.glob("*.eml"))[:-_MAILS_KEPT]:
            old.unlink(missing_ok=True)
        return "250 kept"


_KEEPERS = {"postgres": _postgres, "smtp": _smtp}
