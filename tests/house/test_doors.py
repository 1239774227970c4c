"""Rules of the house that a linter does not know, each proven on a planted breach."""

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.house.house_rules import LINES_MAX, LONG, NOUNS, ROOT, RULES, Source, written


class TestRules:
    @pytest.mark.parametrize("name", RULES)
    def test_it_holds(self, name: str) -> None:
        assert RULES[name].breaches(written()) == [], RULES[name].says

    @pytest.mark.parametrize("name", RULES)
    def test_it_finds_what_is_planted(self, name: str) -> None:
        for path, text in RULES[name].planted:
            assert RULES[name].breaches([Source(path, text)]), (path, text)

    def test_exceptions_are_still_needed(self) -> None:
        paths = {source.path for source in written()}
        sizes = {source.path: source.text.count("\n") for source in written()}
        assert {path for path in LONG if sizes.get(path, 0) <= LINES_MAX} == set()
        for rule in RULES.values():
            for pattern in rule.but:
                assert any(fnmatch(path, pattern) for path in paths), pattern
        for service, nouns in NOUNS.items():
            assert {f"src/dvor/services/{service}/{noun}" for noun in nouns} <= paths

    def test_every_requirement_is_hashed(self) -> None:
        for lock in ROOT.glob("requirements*.txt"):
            pinned = re.findall(r"^[a-z0-9][\w.-]*(?:\[\w+\])?==", lock.read_text(), re.MULTILINE)
            hashed = re.findall(r"==[^\n]*\\\n\s+--hash=sha256:", lock.read_text())
            assert pinned
            assert len(pinned) == len(hashed), lock.name

    def test_development_has_every_package_of_the_runtime(self) -> None:
        """A package pinned for the runtime alone is there on no clean machine that tests."""
        pins = [
            set(re.findall(r"^[a-z0-9][\w.-]*==[\w.]+", (ROOT / lock).read_text(), re.MULTILINE))
            for lock in ("requirements.txt", "requirements-dev.txt")
        ]
        assert pins[0]
        assert pins[0] <= pins[1]


def lint_imports(folder: Path, cache_folder: Path) -> tuple[int, str]:
    """Check the contracts of pyproject.toml on the packages of a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--config", ROOT / "pyproject.toml", "--cache-dir", cache_folder],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONUTF8": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


BREACHES = {
    "contracts/orders.py": "import dvor.services.orders.rules",
    "services/orders/views.py": "import dvor.services.payments.rules\nimport grpc\nimport argon2",
    "services/orders/service.py": "import asyncpg\nimport fastapi",
}


class TestImports:
    """Layers and doors, as import-linter reads them from pyproject.toml."""

    def test_they_hold(self, tmp_path: Path) -> None:
        status, said = lint_imports(ROOT / "src", tmp_path)
        assert status == 0, said

    def test_every_one_finds_what_is_planted(self, tmp_path: Path) -> None:
        copy = tmp_path / "src" / "dvor"
        for source in written():
            if source.path.startswith("src/dvor/") and source.path.endswith(".py"):
                target = copy / source.path.removeprefix("src/dvor/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(source.text)
        for path, lines in BREACHES.items():
            target = copy / path
            target.write_text(f"{target.read_text()}\n{lines}\n")
        status, said = lint_imports(copy.parent, tmp_path / "cache")
        assert status == 1
        assert re.search(r"Contracts: 0 kept, \d+ broken", said), said
        shutil.rmtree(copy)
