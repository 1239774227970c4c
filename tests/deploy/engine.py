"""Programs that check the deployment: those of requirements-deploy.txt, and what the machine has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS, RUN_SECONDS = 1800, 300


def need(lacking: str) -> None:
    """Skip the test where something is lacking, and say what; in CI that is a failure."""
    if lacking:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)


def run(*words: str, seconds: int = RUN_SECONDS) -> str:
    """What a program said; it must succeed."""
    done = subprocess.run(
        words,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-4000:]}"
    return done.stdout


def tools() -> Path:
    """Programs of requirements-deploy.txt, in an environment of their own; its folder of programs."""
    place = ROOT / ".venv" / "deploy"
    stamp, wanted = place / "stamp", (ROOT / "requirements-deploy.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(place))
        install = (uv, "pip", "sync", "--quiet", "--require-hashes", "--python")
        python = str(place / "bin" / "python")
        run(*install, python, "requirements-deploy.txt", seconds=INSTALL_SECONDS)
        stamp.write_text(wanted)
    return place / "bin"
