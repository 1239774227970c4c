"""What instead: nearest, and possible, for any calendar."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dvor.contracts.inventory import Claim
from dvor.kernel import ids
from dvor.kernel.periods import DateRange
from dvor.services.inventory import alternatives

FIRST = date(2027, 1, 1)
OFFER, OTHER = ids.new(), ids.new()


def stay(start: int, length: int, quantity: int = 1) -> Claim:
    dates = DateRange(
        start=FIRST + timedelta(days=start), end=FIRST + timedelta(days=start + length)
    )
    return Claim(offer_id=OFFER, quantity=quantity, dates=dates)


calendars = st.lists(st.integers(0, 3), min_size=200, max_size=200)


class TestNearest:
    @given(calendars, calendars, st.integers(70, 110), st.integers(1, 7), st.integers(1, 4))
    def test_each_is_possible_and_none_is_nearer(
        self, free: list[int], beside: list[int], start: int, length: int, quantity: int
    ) -> None:
        def left(claim: Claim) -> int:
            days = beside if claim.offer_id == OTHER else free
            assert claim.dates
            return min(days[(day - FIRST).days] for day in claim.dates.days())

        def possible(claim: Claim) -> bool:
            return left(claim) >= claim.quantity

        claim = stay(start, length, quantity)
        found = alternatives.nearest(claim, length, [OTHER], left(claim), possible)
        assert all(possible(instead) for instead in found)
        far = range(1, alternatives.REACH_DAYS + 1)
        for shifts in (far, [-by for by in far]):
            able = [by for by in shifts if possible(stay(start + by, length, quantity))]
            wanted = stay(start + able[0], length, quantity) if able else None
            sign = 1 if shifts[0] > 0 else -1
            ours = [
                instead for instead in found
                if instead.offer_id == OFFER and instead.dates and claim.dates
                and (instead.dates.start - claim.dates.start).days * sign > 0
            ]  # fmt: skip
            assert ours == ([wanted] if wanted else [])
        others = [instead for instead in found if instead.offer_id == OTHER]
        assert bool(others) is possible(claim.model_copy(update={"offer_id": OTHER}))
        fewer = [instead for instead in found if instead.quantity != quantity]
        assert [instead.quantity for instead in fewer] == (
            [left(claim)] if 0 < left(claim) < quantity else []
        )

    def test_another_length_may_begin_on_the_same_day(self) -> None:
        def all_of_three(claim: Claim) -> bool:
            return alternatives.length(claim) == 3

        found = alternatives.nearest(stay(5, 2), 3, [], 0, all_of_three)
        assert found == [stay(5, 3), stay(4, 3)]

    def test_goods_have_no_other_times(self) -> None:
        mug = Claim(offer_id=OFFER, quantity=5)
        found = alternatives.nearest(mug, 0, [OTHER], 2, lambda claim: True)
        assert found == [
            mug.model_copy(update={"offer_id": OTHER}),
            Claim(offer_id=OFFER, quantity=2),
        ]
