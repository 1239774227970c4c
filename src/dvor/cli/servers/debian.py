"""Debian's packages, where they are missing and we may install them."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLICY = Path("/usr/sbin/policy-rc.d")
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def program(*names: str) -> Path | None:
    """Where the first of these that is installed is, also among those for administrators."""
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS)
        if found:
            return Path(found)
    return None


def can_install() -> bool:
    """Whether packages can be installed here by us."""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def install(*packages: str) -> bool:
    """Install packages; whether they are there. What they bring is not started."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    words = [apt, "install", "-y", "-q", "--no-install-recommends"]
    words += ["-o", "DPkg::Lock::Timeout=300", *packages]
    # A machine that never updated its lists does not know a package, or an old one.
    with _nothing_started():
        for step in (words, [apt, "update", "-q"], words):
            done = subprocess.run(
                step, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
            if done.returncode == 0 and step is words:
                return True
    return False


@contextmanager
def _nothing_started() -> Iterator[None]:
    """Packages must not start the service they bring: ours runs in a folder of its own."""
    folder = os.open(_POLICY.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        decided = _POLICY.exists()  # by somebody else: as images for containers do
        if not decided:
            _POLICY.write_text("#!/bin/sh\nexit 101\n")
            _POLICY.chmod(0o755)
        try:
            yield
        finally:
            if not decided:
                _POLICY.unlink(missing_ok=True)
    finally:
        os.close(folder)
