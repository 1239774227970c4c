"""Commands of developers: tests, checks, benchmarks, generated files, pins."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dvor.cli import ROOT, assets
from dvor.cli.problems import Problem
from dvor.cli.servers import debian

TIERS = ("default", "nightly", "images")
PROGRAMS = {
    "sabotage": "tests.score",
    "crash": "tests.crashes.runs",
    "simulation": "tests.simulation.runs",
    "faults": "tests.faults.runs",
    "rolling": "tests.faults.rolling",
}
"""Words after `./dvor test` that run a program of the tests instead of pytest."""
TEST_PROCESSES = 3
"""Run the whole suite in so many: a test waits for servers and browsers half of its time."""
_CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_LINT_IMPORTS = "from importlinter.cli import lint_imports_command as run; run()"
_CHECKS = {
    "format": ("-m", "ruff", "format", "--check", "--quiet"),
    "lint": ("-m", "ruff", "check", "--quiet"),
    "types": ("-m", "pyright", "--pythonpath", sys.executable),
    "imports": ("-c", _LINT_IMPORTS, "--no-logo"),
}


def test(arguments: Sequence[str]) -> int:
    """Run pytest; answers its exit code. The first argument may name a tier, others go to pytest:
    `nightly` is everything, `images` checks the deployment.

    Some are no pytest: `sabotage` takes guards away (those named after it, or all) and prints which
    are missed; `crash --runs 40` kills Dvor at named points; `simulation --seed 7` plays checkouts
    on a virtual clock; `faults --only redis` stops real servers; `rolling` restarts every process.
    """
    tier, rest = "default", list(arguments)
    if rest and rest[0] in TIERS:
        tier = rest.pop(0)
    assets.build()
    if rest and rest[0] in PROGRAMS:
        words = [sys.executable, "-m", PROGRAMS[rest[0]], *rest[1:]]
        return subprocess.run(words, cwd=ROOT, check=False).returncode
    if tier != "images":
        _ensure("chromium-headless-shell", _CHROMIUM, "browser tests")
        _ensure("nginx", ("nginx",), "services apart")
    if tier == "images":
        rest = ["tests/deploy", *rest]
    chosen = ["-m", "not nightly"] if tier == "default" else []
    environment = {**os.environ, "DVOR_TEST_TIER": tier}
    # A file stays in one process: its fixtures are shared by its tests.
    apart = ["--dist", "loadfile", "--no-loadscope-reorder"]
    spread = [] if rest else ["-n", str(TEST_PROCESSES), *apart]
    words = [sys.executable, "-P", "-m", "pytest", *chosen, *spread, *rest]
    return subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode


def _ensure(package: str, programs: Sequence[str], wanted_by: str) -> None:
    """Have Debian's package where we may install it, else say what its lack means.

    The first of `programs` is what it brings; any other one does, too.
    """
    if debian.program(programs[0]):
        return
    others = debian.program(*programs) is not None
    lack = f"{package} is missing: {wanted_by} {'take longer' if others else 'will be skipped'}"
    if not debian.can_install():
        print(f"{lack}; as root: apt-get install {package}")
        return
    print(f"Installing {package} for {wanted_by} (apt-get) …", flush=True)
    if not debian.install(package):
        print(lack)


def check() -> int:
    """Run all checks, show what those that fail say; answers 0 if all pass."""
    failed = 0
    for name, words in _CHECKS.items():
        done = subprocess.run(
            [sys.executable, "-P", *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(f"{'✓' if done.returncode == 0 else '✗'} {name}", flush=True)
        if done.returncode != 0:
            print(done.stdout.rstrip())
            failed += 1
    print(f"{len(_CHECKS) - failed} of {len(_CHECKS)} checks passed")
    return 1 if failed else 0


def bench(name: str, options: Sequence[str] = ()) -> int:
    """Run `benchmarks/<name>.py` with these options; without a name, list them."""
    folder = ROOT / "benchmarks"
    names = sorted(path.stem for path in folder.glob("[!_]*.py"))
    if name not in names:
        print("Benchmarks: " + (", ".join(names) or "none yet"))
        return 2 if name else 0
    # Without -P: benchmarks import what they share from their own folder.
    words = [sys.executable, str(folder / f"{name}.py"), *options]
    return subprocess.run(words, cwd=ROOT, check=False).returncode


def proto() -> None:
    """Write proto/ and the AsyncAPI document from the contracts."""
    from dvor.kernel.rpc.protos import write_protos
    from dvor.topology import SERVICES, asyncapi

    (ROOT / "docs" / "reference" / "asyncapi.json").write_text(asyncapi())

    for written in write_protos(ROOT / "proto", [service.contract for service in SERVICES]):
        print(written)


def lock() -> None:
    """Pin every requirements*.in. Raises Problem where it does not resolve."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    for source in sorted(ROOT.glob("requirements*.in")):
        pinned = source.with_suffix(".txt")
        options = [
            *("--universal", "--python-version", "3.11", "--generate-hashes"),
            *("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate"),
        ]
        words = [uv, "pip", "compile", *options, source.name, "-o", pinned.name]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"{source.name} could not be pinned\n{done.stderr.strip()}")
        print(f"{pinned.name}: {pinned.read_text().count('==')} packages")
