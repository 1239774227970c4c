"""The sabotage score: each guard is taken away in turn; is it noticed? `./dvor test sabotage`.

First, all tests that should notice run with every guard on: they must be green.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dvor.kernel.postgres import EmbeddedPostgres
from tests.sabotage import SABOTAGES

ROOT = Path(__file__).parents[1]
SECONDS_MAX = 300


@dataclass(frozen=True)
class Outcome:
    """What became of one run of tests."""

    noticed: str
    """When (in the test or after it) and by which test; empty: by none."""
    seconds: float
    exit_code: int
    said: str


def run(name: str, tests: Sequence[str], database_url: str) -> Outcome:
    """Run tests with a guard off; without a name, with all on."""
    words = ["-q", "-x", "-p", "tests.guards_off", "-p", "no:cacheprovider", "--durations=0"]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="dvor-sabotage-") as folder:
        notes = Path(folder) / "noticed"
        environment = {
            **os.environ,
            "DVOR_SABOTAGE": name,
            "DVOR_SABOTAGE_NOTICED": str(notes),
            "DVOR_TEST_DATABASE_URL": database_url,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
        }
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", *words, "-m", "not nightly", *tests],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
        noticed = notes.read_text().splitlines()[0] if notes.exists() else ""
    return Outcome(noticed, time.perf_counter() - begun, done.returncode, done.stdout)


def score(names: Sequence[str], database_url: str) -> int:
    """Print the table; answers how many were not noticed. Green ones first, or nothing counts."""
    everybody = sorted({test for name in names for test in SABOTAGES[name].caught_by})
    control = run("", everybody, database_url)
    if control.exit_code:
        print(control.said)
        print("With every guard on, these tests fail: nothing can be said of the sabotages.")
        return len(names)
    print(f"with every guard on: {len(everybody)} tests green ({control.seconds:.0f} s)")
    missed = 0
    for name in names:
        sabotage = SABOTAGES[name]
        outcome = run(name, sabotage.caught_by, database_url)
        sign = "✓" if outcome.noticed else "✗"
        print(f"{sign} {sabotage.number:4} {name:26} {outcome.seconds:5.1f} s  {sabotage.says}")
        if outcome.noticed:
            when, _, test = outcome.noticed.partition(" ")
            print(f"       {'by the audit after ' if when == 'teardown' else ''}{test}", flush=True)
        else:
            missed += 1
            print(f"{outcome.said}\nnot noticed by {', '.join(sabotage.caught_by)}", flush=True)
    print(f"sabotage score: {len(names) - missed}/{len(names)}")
    return missed


def main(names: Sequence[str]) -> int:
    """Exit code 1 where one of these (none: of all) was not noticed."""
    with (
        tempfile.TemporaryDirectory(prefix="dvor-sabotage-") as folder,
        EmbeddedPostgres(Path(folder) / "pg", fsync=False, max_connections=400) as server,
    ):
        return 1 if score(list(names) or list(SABOTAGES), server.dsn) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
