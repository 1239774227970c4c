"""The `dvor` script on a machine that has nothing but Python."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from dvor.cli import ROOT
from tests.cli.running import environment

PROGRAM = "import sys\nprint('dvor ran with', *sys.argv[1:])\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose requirements are empty, so that installing them takes no time."""
    clone = tmp_path / "clone"
    package = clone / "src" / "dvor"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PROGRAM)
    shutil.copy(ROOT / "dvor", clone / "dvor")
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-node.txt"):
        (clone / name).write_text("# nothing\n")
    return clone


@pytest.fixture(scope="module")
def bare_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with a Python that has no pip, and no other program."""
    folder = tmp_path_factory.mktemp("bare")
    venv.EnvBuilder(symlinks=True).create(folder / "python")
    return str(folder / "python" / "bin")


def start(
    clone: Path, *arguments: str, path: str | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    variables = environment(**({"PATH": path} if path else {}), **more)
    python = str(Path(path) / "python3") if path else sys.executable
    return subprocess.run(
        [python, str(clone / "dvor"), *arguments],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


class TestFirstStart:
    def test_prepares_and_runs_with_all_arguments(self, clone: Path) -> None:
        unasked = {"PYTHONPYCACHEPREFIX": "", "PYTHONDONTWRITEBYTECODE": "1"}
        done = start(clone, "version", "--loud", "a b", **unasked)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "dvor ran with version --loud a b\n"
        # What was compiled is kept for later starts, but not between the sources.
        assert list((clone / ".venv" / "compiled").rglob("dvor/__init__.*.pyc"))
        assert not list((clone / "src").rglob("*.pyc"))
        assert "Installing" in done.stderr

    @pytest.mark.nightly
    def test_works_from_anywhere_and_keeps_the_folder(self, clone: Path, tmp_path: Path) -> None:
        (clone / "src" / "dvor" / "__main__.py").write_text("import os\nprint(os.getcwd())\n")
        done = subprocess.run(
            [sys.executable, clone / "dvor", "version"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str(tmp_path)

    def test_needs_uv_or_pip_and_says_so(self, clone: Path, bare_path: str, tmp_path: Path) -> None:
        (tmp_path / "ensurepip.py").write_text("raise SystemExit('not on this machine')\n")
        done = start(clone, "version", path=bare_path, PYTHONPATH=str(tmp_path))
        assert done.returncode == 1
        assert "needs uv or pip" in done.stderr
        assert "apt-get install" in done.stderr


class TestLaterStarts:
    def test_do_nothing_but_run(self, clone: Path, bare_path: str) -> None:
        start(clone, "version")
        stamp = clone / ".venv" / "dvor-stamp"
        before = stamp.stat().st_mtime_ns
        done = start(clone, "version", path=bare_path)  # could not install anything
        assert done.stdout == "dvor ran with version\n"
        assert done.stderr == ""
        assert stamp.stat().st_mtime_ns == before

    @pytest.mark.nightly
    def test_work_after_the_folder_has_moved(self, clone: Path, tmp_path: Path) -> None:
        start(clone, "version")
        moved = clone.rename(tmp_path / "moved")
        done = start(moved, "version")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""

    @pytest.mark.nightly
    def test_install_again_when_the_pins_have_changed(self, clone: Path) -> None:
        start(clone, "version")
        (clone / "requirements.txt").write_text("# nothing new\n")
        assert "Installing" in start(clone, "version").stderr
        assert start(clone, "version").stderr == ""

    @pytest.mark.nightly
    def test_install_what_tests_need_only_for_tests(self, clone: Path) -> None:
        start(clone, "version")
        assert "Installing" in start(clone, "check").stderr
        assert start(clone, "check").stderr == ""
        assert start(clone, "version").stderr == ""


class TestRepair:
    @pytest.mark.nightly
    def test_of_an_interrupted_installation(self, clone: Path) -> None:
        start(clone, "version")
        (clone / ".venv" / "dvor-unfinished").touch()
        done = start(clone, "version")
        assert "Installing" in done.stderr
        assert done.stdout == "dvor ran with version\n"
        assert not (clone / ".venv" / "dvor-unfinished").exists()

    @pytest.mark.nightly
    def test_of_an_environment_without_its_python(self, clone: Path) -> None:
        start(clone, "version")
        for program in (clone / ".venv" / "bin").glob("python*"):
            program.unlink()
        assert start(clone, "version").stdout == "dvor ran with version\n"

    def test_of_an_empty_folder_in_its_place(self, clone: Path) -> None:
        (clone / ".venv").mkdir()
        assert start(clone, "version").stdout == "dvor ran with version\n"


class TestChoiceOfPython:
    """The Python that starts it, and another one on the path, are scripts that say who they are."""

    @pytest.mark.parametrize(
        ("started_by", "in_a_venv", "goes_on"),
        [("plain", False, True), ("optimised", False, False), ("plain", True, False)],
    )
    def test_goes_on_by_an_optimised_one_unless_this_is_or_was_chosen(
        self, clone: Path, tmp_path: Path, started_by: str, in_a_venv: bool, goes_on: bool
    ) -> None:
        own, path = tmp_path / "own", tmp_path / "path"
        for folder, built in ((own, started_by), (path, "optimised")):
            folder.mkdir()
            says = 'echo "$0"' if built == "optimised" else "echo"
            script = f'#!/bin/sh\nif [ "$1" = -c ]; then {says}; else echo "went on with $*"; fi\n'
            (folder / "python3").write_text(script)
            (folder / "python3").chmod(0o755)
        (clone / ".venv").touch()  # no further: where it does not go on, it says that
        prefix = "'/a/venv'" if in_a_venv else "sys.base_prefix"
        code = (
            f"import runpy, sys; sys.executable = {str(own / 'python3')!r}; sys.prefix = {prefix};"
            f"sys.argv = ['dvor', 'version']; runpy.run_path({str(clone / 'dvor')!r},"
            " run_name='__main__')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment(), "PATH": str(path)},
            capture_output=True,
            text=True,
            check=False,
        )
        if goes_on:
            assert done.stdout == f"went on with {clone / 'dvor'} version\n", done.stderr
        else:
            assert done.stdout == ""
            assert "in the way: remove it" in done.stderr


class TestRefusal:
    def test_of_an_old_python_names_what_it_needs(self, clone: Path) -> None:
        code = (
            "import runpy, sys; sys.version_info = (3, 9, 2); sys.argv = ['dvor'];"
            f"runpy.run_path({str(clone / 'dvor')!r}, run_name='__main__')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment(), "PATH": str(clone)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "needs Python 3.11 or newer, this is 3.9" in done.stderr

    def test_of_packages_that_cannot_be_had_and_recovery_from_it(self, clone: Path) -> None:
        (clone / "requirements.txt").write_text(
            f"no-such-package-of-dvor @ file://{clone}/nowhere.whl --hash=sha256:{'0' * 64}\n"
        )
        done = start(clone, "version")
        assert done.returncode == 1
        first = done.stderr.partition("dvor: ")[2].splitlines()[0]
        assert "requirements.txt could not be installed" in first
        (clone / "requirements.txt").write_text("# nothing\n")
        assert start(clone, "version").stdout == "dvor ran with version\n"

    def test_of_a_file_in_the_way(self, clone: Path) -> None:
        (clone / ".venv").touch()
        done = start(clone, "version")
        assert done.returncode == 1
        assert "in the way: remove it" in done.stderr


@pytest.mark.nightly
def test_several_at_once_install_once(clone: Path) -> None:
    words = [sys.executable, str(clone / "dvor"), "version"]
    started = [
        subprocess.Popen(
            words,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert sum("Installing" in told for _, told in answers) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_somebody_elses_environment_is_left_alone(clone: Path, tmp_path: Path) -> None:
    python = Path("/usr/bin/python3")
    if not python.exists():
        pytest.skip("there is no Python that another user may run")
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    (clone / ".venv").mkdir()
    done = subprocess.run(
        [python, clone / "dvor", "version"],
        env=environment(),
        user=65534,
        group=65534,
        extra_groups=(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot write to" in done.stderr
