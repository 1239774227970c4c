"""What browsers load."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from dvor.cli import assets
from dvor.cli.problems import Problem


@pytest.fixture(scope="module")
def built() -> Path:
    assets.build()
    return Path(str(files("dvor.web"))) / "static"


class TestBuild:
    def test_costs_nothing_the_second_time(self, built: Path) -> None:
        assert assets.build() is False

    def test_names_every_file_in_the_manifest(self, built: Path) -> None:
        manifest = json.loads((built / "manifest.json").read_text())
        needed = {"app.css", "app.js", "swagger-ui.css", "swagger-ui-bundle.js"}
        assert needed <= manifest.keys()
        assert all((built / name).stat().st_size for name in manifest.values())

    def test_names_change_with_the_content(self, built: Path) -> None:
        manifest = json.loads((built / "manifest.json").read_text())
        for plain, name in manifest.items():
            assert re.fullmatch(rf"{re.escape(Path(plain).stem)}-\w{{8}}\.\w+", name), name

    def test_styles_load_nothing_from_elsewhere(self, built: Path) -> None:
        manifest = json.loads((built / "manifest.json").read_text())
        addresses = re.findall(r"url\(([^)]+)\)", (built / manifest["app.css"]).read_text())
        local = [a.strip("'\"") for a in addresses if not a.strip("'\"").startswith("data:")]
        assert local
        assert all((built / address).exists() for address in local)

    def test_brings_cyrillic_letters(self, built: Path) -> None:
        manifest = json.loads((built / "manifest.json").read_text())
        for font in ("onest", "unbounded"):
            assert f"{font}-cyrillic-wght-normal.woff2" in manifest


class TestRefusal:
    def test_without_npm_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(assets.shutil, "which", lambda _: None)
        monkeypatch.setattr(assets, "find_spec", lambda _: None)
        with pytest.raises(Problem, match=r"install Node\.js"):
            assets._npm()

    def test_of_npm_tells_what_it_said(self) -> None:
        with pytest.raises(Problem, match=r"(?s)no luck.*not today"):
            assets._run(["/bin/sh", "-c", "echo not today; exit 3"], "no luck")
