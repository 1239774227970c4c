"""Checkouts on a virtual clock, with everything going wrong; a seed tells them again."""

import pytest

from dvor.kernel.config import Settings
from tests.seeds import fresh
from tests.simulation.runs import Telling, tell, told_aside

CHECKOUTS = 300
"""By default; each takes a tenth of a second of a processor. `./dvor test simulation`: 1,000."""
NEVER_MISSING = {
    *("crash", "lost", "unanswered", "twice", "old webhook"),
    *("paid", "cancelled", "refunded", "payment_declined", "SoldOut"),
    *("deposit held", "deposit captured", "deposit released", "deposit declined"),
}
"""What never happened proves nothing."""


def judge(telling: Telling) -> None:
    """Every order of a story ended well, and soon."""
    assert not telling.problems, "\n".join(telling.problems)
    assert telling.slowest_seconds <= 30


class TestSimulation:
    def test_every_order_of_every_story_ends_well(self, template: Settings) -> None:
        telling = told_aside(template, fresh(), CHECKOUTS)
        judge(telling)
        assert not NEVER_MISSING - set(telling.seen)

    @pytest.mark.nightly
    @pytest.mark.parametrize("night", range(100))
    def test_nor_does_any_of_100_000(self, template: Settings, night: int) -> None:
        judge(told_aside(template, fresh() + night, 1_000))

    async def test_a_seed_tells_the_same_story_again(self, template: Settings) -> None:
        stories = [await tell(template, number, 12, customers=12) for number in (7, 7, 8)]
        for story in stories:
            judge(story)
        first, again, other = (one.print for one in stories)
        assert first == again
        assert first != other
