"""CR-1 and CR-2: killed at every named point, and anywhere. Nothing is lost, taken back or stuck."""

import os

import pytest

from tests.crashes.points import POINTS
from tests.crashes.runs import HEAL_SECONDS, LIVES, crash
from tests.seeds import fresh

RUNS = 500 if os.environ.get("DVOR_TEST_TIER") == "nightly" else 40


SECONDS_MAX = 30 * RUNS
"""Where the machine does much else; it takes two to three a run."""


class TestKilledAtNamedPoints:
    @pytest.mark.timeout(SECONDS_MAX)
    async def test_every_order_ends_booked_or_free(self, postgres: str) -> None:
        score = await crash(RUNS, postgres, fresh())
        print(score.table())
        assert not score.problems
        assert max(score.heal_seconds) <= HEAL_SECONDS
        assert sum(score.hits.values()) >= RUNS * LIVES
        assert not score.left(POINTS), "points that nobody reached"
