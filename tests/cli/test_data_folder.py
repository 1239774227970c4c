"""The data folder: one Dvor at a time, and nothing of anybody else's."""

import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from dvor.cli.data_folder import DataFolder, InUse
from dvor.cli.problems import Problem


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "data"


class TestOpen:
    def test_makes_the_folder_and_says_which_format_it_has(self, path: Path) -> None:
        with DataFolder(path) as folder:
            assert folder.exists
            assert (path / "VERSION").read_text() == "1\n"

    def test_goes_on_where_an_interrupted_first_start_stopped(self, path: Path) -> None:
        path.mkdir(parents=True)
        (path / "lock").touch()
        with DataFolder(path) as folder:
            assert folder.exists

    def test_refuses_a_folder_in_use_and_tells_how_to_reach_its_user(self, path: Path) -> None:
        with DataFolder(path) as folder:
            folder.tell(port=8123, database_url="postgresql://somewhere")
            with pytest.raises(InUse, match=r"process \d+, http://localhost:8123") as refused:
                DataFolder(path).open()
        assert refused.value.database_url == "postgresql://somewhere"
        assert refused.value.port == 8123

    def test_takes_over_from_a_dvor_that_ended(self, path: Path) -> None:
        with DataFolder(path):
            pass
        with DataFolder(path) as folder:
            assert folder.exists

    @pytest.mark.parametrize(
        ("version", "said"), [("2", "newer Dvor"), ("x", "damaged"), ("", "damaged")]
    )
    def test_refuses_other_formats(self, path: Path, version: str, said: str) -> None:
        path.mkdir(parents=True)
        (path / "VERSION").write_text(version)
        with pytest.raises(Problem, match=said):
            DataFolder(path).open()
        assert [entry.name for entry in path.iterdir()] == ["VERSION"]

    def test_refuses_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(Problem, match="not a folder"):
            DataFolder(tmp_path / "file").open()

    def test_refuses_what_stands_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(Problem, match="--data"):
            DataFolder(tmp_path / "file" / "data").open()

    def test_refuses_an_almost_full_disk(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
        with pytest.raises(Problem, match="200 MB"):
            DataFolder(path).open()


class TestSecret:
    def test_is_made_once_and_for_its_owner_only(self, path: Path) -> None:
        with DataFolder(path) as folder:
            secret = folder.secret()
            assert len(secret) == 32
            assert folder.secret() == secret
            assert stat.S_IMODE((path / "secret").stat().st_mode) == 0o600

    def test_of_another_length_is_damaged(self, path: Path) -> None:
        with DataFolder(path) as folder:
            (path / "secret").write_bytes(b"short")
            with pytest.raises(Problem, match="damaged"):
                folder.secret()
