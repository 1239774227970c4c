"""Running a program as another user, because it refuses to be root."""

import os
import pwd
import re
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_SET_PARENT_DEATH_SIGNAL = 1
_CAPABILITY_BITS = {"dac_read_search": 2, "dac_override": 1}


class CannotRunAs(RuntimeError):
    """There is nobody else to be, or they cannot get there. One line that says what to do."""


@dataclass(frozen=True)
class RunAs:
    """Who a program runs as, in the words of `subprocess`; all None: as we are."""

    prefix: Sequence[str] = ()
    """Goes before the program."""
    user: int | None = None
    group: int | None = None
    groups: Sequence[int] | None = None

    @classmethod
    def owner_of(cls, folder: Path, program: Path) -> Self:
        """As the owner of this folder if we are root, else as we are. Raises CannotRunAs.

        Below a folder that only root may enter (a clone in /root) the owner gets the one
        capability needed to pass, through `setpriv`.
        """
        if os.geteuid() != 0:
            return cls()
        status = folder.stat()
        user, group = status.st_uid, status.st_gid
        closed = [*_closed_to(user, folder), *_closed_to(user, program)]
        if not closed:
            return cls(user=user, group=group, groups=())
        setpriv = shutil.which("setpriv")
        capability = _passing_capability()
        if setpriv is None or capability is None:
            raise CannotRunAs(
                f"{program.name} runs as {user_name(user)}, who may not enter {closed[0]}:"
                " use a folder outside it, or start Dvor as an ordinary user"
            )
        return cls(
            prefix=(
                *(setpriv, f"--reuid={user}", f"--regid={group}", "--clear-groups"),
                *(f"--inh-caps=-all,+{capability}", f"--ambient-caps=-all,+{capability}"),
                *(("--pdeathsig=INT",) if _can_die_with_parent() else ()),
                "--",
            )
        )

    @staticmethod
    def give(path: Path, like: Path | None = None) -> None:
        """If we are root: make the owner of `like`, or `nobody`, own this and all in it."""
        if os.geteuid() != 0:
            return
        user, group = (like.stat().st_uid, like.stat().st_gid) if like else _nobody()
        for each in (path, *path.rglob("*")):
            os.chown(each, user, group, follow_symlinks=False)


def user_name(user: int) -> str:
    """What people call this user."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def die_with_parent(request: signal.Signals = signal.SIGINT) -> Callable[[], object] | None:
    """A hook for `subprocess` by which a child gets this signal when this process is killed."""
    if not _can_die_with_parent():
        return None
    import ctypes  # only Linux needs it

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(_SET_PARENT_DEATH_SIGNAL, request)


def _can_die_with_parent() -> bool:
    # Linux ties it to the thread that starts the child, which therefore must live on.
    return sys.platform == "linux" and threading.current_thread() is threading.main_thread()


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotRunAs(
            "PostgreSQL does not run as root and there is no user `nobody`: start Dvor as another"
            " user"
        ) from None
    return entry.pw_uid, entry.pw_gid


def _closed_to(user: int, path: Path) -> list[Path]:
    """The folders above `path` that this user may not enter."""
    closed: list[Path] = []
    for folder in reversed(path.resolve().parents):
        status = folder.stat()
        if not status.st_mode & (0o100 if status.st_uid == user else 0o001):
            closed.append(folder)
    return closed


def _passing_capability() -> str | None:
    """The least capability we have that lets a process enter any folder."""
    with suppress(OSError):
        found = re.search(r"^CapPrm:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
        held = int(found[1], 16) if found else 0
        for name, bit in _CAPABILITY_BITS.items():
            if held >> bit & 1:
                return name
    return None
