"""What comes back when something is cancelled: pure rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dvor.contracts.cancellation import (
    ANYTIME,
    CancellationStep,
    FeeFor,
    Policy,
    Preset,
    Until,
    begins,
    deadline,
    position,
    presets,
)
from dvor.services.orders.refunds import (
    Bought,
    by_policy,
    given_back,
    half_up,
    in_full,
    split,
)

BOUGHT = datetime(2027, 3, 1, 12, 30, tzinfo=UTC)
BEGINS = datetime(2027, 5, 13, 16, tzinfo=UTC)  # 19:00 in Moscow
MOSCOW = "Europe/Moscow"
SELLERS = [UUID(int=n) for n in (1, 2)]


def step(until: Until, count: int = 0, percent: int = 100, **more) -> CancellationStep:
    return CancellationStep(until=until, count=count, percent=percent, **more)


def line(policy: Policy = ANYTIME, paid: int = 100_000, **more) -> Bought:
    known = {"quantity": 1, "cancelled": 0, "bought_at": BOUGHT, "timezone": MOSCOW}
    known |= {"begins": BEGINS, "seller_id": SELLERS[0], "id": uuid4()}
    return Bought(paid=paid, policy=policy, **(known | more))


@st.composite
def steps(draw) -> CancellationStep:
    until = draw(st.sampled_from(list(Until)))
    count = 0 if until is Until.HANDOVER else draw(st.integers(0, 100))
    hour = draw(st.none() | st.integers(0, 23)) if until is Until.DAYS_BEFORE else None
    percent = draw(st.integers(0, 100))
    fee = draw(st.integers(0, 3_000)) if percent else 0
    return CancellationStep(until=until, count=count, hour=hour, percent=percent, fee=fee)


@st.composite
def policies(draw) -> Policy:
    """Policies as the contract takes them: sorted so that none gives more later."""
    found = draw(st.lists(steps(), max_size=5))
    percents = sorted((one.percent for one in found), reverse=True)
    fees = sorted(one.fee for one in found)
    last = [one for one in found if one.until is Until.HANDOVER][:1]
    ordered = [one for one in found if one.until is not Until.HANDOVER] + last
    made = [
        one.model_copy(update={"percent": percent, "fee": fee if percent else 0})
        for one, percent, fee in zip(ordered, percents, fees, strict=False)
    ]
    return Policy(steps=tuple(made), fee_for=draw(st.sampled_from(list(FeeFor))))


@st.composite
def bought(draw) -> Bought:
    quantity = draw(st.integers(1, 20))
    return line(
        policy=draw(policies()),
        paid=draw(st.integers(0, 10**12) | st.integers(0, 50)),
        quantity=quantity,
        begins=draw(st.none() | st.datetimes(datetime(2027, 3, 1), datetime(2027, 8, 1)))
        and BEGINS + timedelta(hours=draw(st.integers(-2000, 2000))),
        seller_id=draw(st.sampled_from(SELLERS)),
        timezone=draw(st.sampled_from([MOSCOW, "Asia/Tokyo", "America/New_York", "UTC"])),
    )


moments = st.integers(-1000, 6000).map(lambda hours: BOUGHT + timedelta(hours=hours))


def gone(lines: list[Bought], refunds) -> list[Bought]:
    """The lines after these refunds."""
    done = {refund.line_id: refund for refund in refunds}
    return [
        replace(one, cancelled=one.cancelled + d.quantity, fee_kept=one.fee_kept + d.fee)
        if (d := done.get(one.id))
        else one
        for one in lines
    ]


class TestDeadline:
    """Until when a step counts."""

    @pytest.mark.parametrize(
        ("asked", "until"),
        [
            (step(Until.DAYS_BEFORE, 1), datetime(2027, 5, 12, 16, tzinfo=UTC)),
            (step(Until.DAYS_BEFORE, 1, hour=18), datetime(2027, 5, 12, 15, tzinfo=UTC)),
            (step(Until.DAYS_BEFORE, 0, hour=9), datetime(2027, 5, 13, 6, tzinfo=UTC)),
            (step(Until.HOURS_BEFORE, 36), datetime(2027, 5, 12, 4, tzinfo=UTC)),
            (step(Until.DAYS_AFTER_PURCHASE, 14), datetime(2027, 3, 15, 12, 30, tzinfo=UTC)),
            (step(Until.HANDOVER), None),
        ],
    )
    def test_is_counted_where_the_place_is(self, asked: CancellationStep, until: datetime):
        assert deadline(asked, BEGINS, BOUGHT, MOSCOW) == until

    def test_days_are_days_of_the_calendar_when_clocks_change(self):
        """New York, 14 March 2027: the day has 23 hours."""
        beginning = begins("America/New_York", first_day=date(2027, 3, 15))
        day = deadline(step(Until.DAYS_BEFORE, 1), beginning, BOUGHT, "America/New_York")
        hours = deadline(step(Until.HOURS_BEFORE, 24), beginning, BOUGHT, "America/New_York")
        assert day == datetime(2027, 3, 14, 5, tzinfo=UTC)  # midnight before the change: UTC-5
        assert hours == datetime(2027, 3, 14, 4, tzinfo=UTC)

    def test_what_never_begins_has_no_time_before_it(self):
        policy = Policy(steps=(step(Until.DAYS_BEFORE, 1),))
        assert position(policy, None, BOUGHT, MOSCOW, BOUGHT) == 1

    @pytest.mark.parametrize("year", [1, 9999])
    def test_the_edges_of_the_calendar_are_no_trouble(self, year: int):
        edge = datetime(year, 6, 1, tzinfo=UTC)
        for until in (Until.DAYS_BEFORE, Until.HOURS_BEFORE):
            assert deadline(step(until, 8784), edge, edge, MOSCOW)

    def test_a_step_is_over_at_its_deadline(self):
        policy = Policy(steps=(step(Until.HOURS_BEFORE, 24),))
        at = BEGINS - timedelta(hours=24)
        assert position(policy, BEGINS, BOUGHT, MOSCOW, at - timedelta(seconds=1)) == 0
        assert position(policy, BEGINS, BOUGHT, MOSCOW, at) == 1


class TestPolicy:
    """What a policy may say."""

    @pytest.mark.parametrize(
        "wrong",
        [
            (step(Until.DAYS_BEFORE, 2, 50), step(Until.DAYS_BEFORE, 1, 60)),
            (step(Until.DAYS_BEFORE, 2, 50, fee=100), step(Until.DAYS_BEFORE, 1, 50, fee=99)),
            (step(Until.HANDOVER), step(Until.DAYS_BEFORE, 1)),
        ],
    )
    def test_waiting_never_pays(self, wrong: tuple[CancellationStep, ...]):
        with pytest.raises(ValidationError):
            Policy(steps=wrong)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"until": "hours_before", "hour": 4},
            {"until": "handover", "count": 1},
            {"until": "handover", "percent": 0, "fee": 1},
            {"until": "days_before", "percent": 101},
            {"until": "days_before", "count": -1},
        ],
    )
    def test_a_step_says_one_thing(self, wrong: dict):
        with pytest.raises(ValidationError):
            CancellationStep.model_validate(wrong)

    def test_every_preset_is_a_policy_of_its_kinds(self):
        assert set(presets(timed=True)) == set(Preset)
        goods = presets(timed=False).values()
        before = (Until.DAYS_BEFORE, Until.HOURS_BEFORE)
        assert not any(step.until in before for policy in goods for step in policy.steps)


class TestRefund:
    """What comes back."""

    def test_the_first_step_that_is_not_over_says_what_comes_back(self):
        policy = presets(timed=True)[Preset.MODERATE]
        one = line(policy, 100_001)
        told = []
        for days in (10, 3, 0):
            (refund,) = by_policy([one], {one.id: 1}, BEGINS - timedelta(days=days, hours=2))
            told.append((refund.rule, refund.back))
        assert told == [(1, 100_001), (2, 50_001), (0, 0)]

    def test_a_fee_is_kept_once_for_a_line(self):
        one = line(Policy(steps=(step(Until.HANDOVER, fee=300),)), 3_000, quantity=3)
        (first,) = by_policy([one], {one.id: 1}, BOUGHT)
        (rest,) = by_policy(gone([one], [first]), {one.id: 2}, BOUGHT)
        assert (first.back, first.fee, rest.back, rest.fee) == (700, 300, 2_000, 0)

    def test_a_fee_for_the_order_is_kept_once_for_each_seller(self):
        policy = Policy(steps=(step(Until.HANDOVER, fee=300),), fee_for=FeeFor.ORDER)
        lines = [line(policy, 200), line(policy, 1_000), line(policy, 1_000)]
        lines.append(line(policy, 1_000, seller_id=SELLERS[1]))
        refunds = by_policy(lines, {one.id: 1 for one in lines}, BOUGHT)
        assert [refund.back for refund in refunds] == [0, 900, 1_000, 700]

    def test_steps_that_are_over_stay_over(self):
        one = line(presets(timed=True)[Preset.MODERATE], least=1)
        (refund,) = by_policy([one], {one.id: 1}, BOUGHT)
        assert (refund.rule, refund.back) == (2, 50_000)

    @pytest.mark.parametrize(
        ("amount", "percent", "back"), [(1, 50, 1), (3, 50, 2), (5, 10, 1), (4, 10, 0)]
    )
    def test_halves_are_rounded_up(self, amount: int, percent: int, back: int):
        assert given_back(step(Until.HANDOVER, percent=percent), amount) == (back, 0)

    @given(st.lists(bought(), min_size=1, max_size=4), st.data())
    def test_all_parts_together_never_give_back_more_than_was_paid(self, lines, data):
        paid = {one.id: one.paid for one in lines}
        back = dict.fromkeys(paid, 0)
        worth = dict.fromkeys(paid, 0)
        now = BOUGHT
        while any(one.left for one in lines):
            now += timedelta(hours=data.draw(st.integers(0, 500)))
            cut = {one.id: data.draw(st.integers(0, one.left)) for one in lines}
            if not any(cut.values()):
                cut = {one.id: one.left for one in lines}
            full = in_full(lines, {i: n for i, n in cut.items() if n})
            refunds = by_policy(lines, cut, now)
            for refund, most in zip(refunds, full, strict=True):
                assert 0 <= refund.back <= refund.paid == most.back
                assert refund.back + refund.fee <= refund.paid
                back[refund.line_id] += refund.back
                worth[refund.line_id] += refund.paid
            lines = gone(lines, refunds)
        assert worth == paid
        assert all(back[i] <= paid[i] for i in paid)

    @given(bought(), st.lists(moments, min_size=2, max_size=6))
    def test_waiting_never_pays(self, one, times):
        found = [by_policy([one], {one.id: one.quantity}, now)[0] for now in sorted(times)]
        for earlier, later in pairwise(found):
            assert later.back <= earlier.back
            assert (earlier.rule or 99) <= (later.rule or 99)

    @given(bought(), moments, st.integers(0, 1_000))
    def test_who_paid_more_gets_no_less_back(self, one, now, more):
        dearer = replace(one, paid=one.paid + more)
        cut = {one.id: one.quantity}
        assert by_policy([one], cut, now)[0].back <= by_policy([dearer], cut, now)[0].back


class TestDividing:
    """Amounts divided and put together."""

    def test_the_latest_payment_gives_back_first(self):
        first, second = uuid4(), uuid4()
        assert split(150, {first: 100, second: 100}) == {second: 100, first: 50}
        assert split(0, {first: 100}) == {}
        with pytest.raises(AssertionError):
            split(201, {first: 100, second: 100})

    @given(st.integers(0, 10**15), st.integers(1, 10**6))
    def test_half_up_is_half_up(self, amount, parts):
        assert abs(2 * (half_up(amount, parts) * parts - amount)) <= parts
