"""The sabotage score: what it says is so."""

import re
from pathlib import Path

import pytest

from tests import score
from tests.sabotage import SABOTAGES

CHEAP = ("no_replay_of_batches",)
"""Noticed within seconds; the others are tried by `./dvor test sabotage`."""


class TestSabotages:
    @pytest.mark.parametrize("name", SABOTAGES)
    def test_it_names_tests_that_are_there(self, name: str) -> None:
        for test in SABOTAGES[name].caught_by:
            path, *names = re.sub(r"\[.*", "", test).split("::")
            text = (score.ROOT / path).read_text()
            assert all(re.search(rf"\b(class|def) {each}\b", text) for each in names), test


class TestScore:
    def test_a_guard_that_is_missing_is_noticed(
        self, postgres: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert score.score(CHEAP, postgres) == 0
        assert f"sabotage score: {len(CHEAP)}/{len(CHEAP)}" in capsys.readouterr().out

    def test_what_nobody_notices_is_a_miss(self, postgres: str) -> None:
        outcome = score.run("", SABOTAGES[CHEAP[0]].caught_by, postgres)
        assert (outcome.noticed, outcome.exit_code) == ("", 0)

    def test_a_test_that_cannot_begin_notices_nothing(self, postgres: str, tmp_path: Path) -> None:
        broken = tmp_path / "test_broken.py"
        broken.write_text("def test_it(no_such_fixture): ...\n")
        outcome = score.run(CHEAP[0], [str(broken)], postgres)
        assert (outcome.noticed, outcome.exit_code) == ("", 1)
