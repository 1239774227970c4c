"""Decisions about units, without a database."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import (
    BelowPromised,
    Claim,
    Closed,
    HoldEnded,
    HoldStatus,
    InThePast,
    NeedsDates,
    SoldOut,
    TooFarAhead,
    UnknownSupply,
)
from dvor.kernel.errors import Conflict
from dvor.kernel.periods import DateRange
from dvor.services.inventory import rules, slots
from dvor.services.inventory.allocation import Meaning
from dvor.services.inventory.rules import Cell
from dvor.services.inventory.slots import Key, Line, Offer

A, B = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOON.date()


def nights(start: int, end: int) -> DateRange:
    return DateRange(start=TODAY + timedelta(days=start), end=TODAY + timedelta(days=end))


def offer(kind: Kind = Kind.STAY, *, open_: bool = True, timezone: str = "UTC") -> Offer:
    return Offer(id=A, seller_id=B, kind=kind, quantity=3, timezone=timezone, open=open_)


def check(claim: Claim, known: Offer | None = None, now: datetime = NOON) -> None:
    known = known or offer()
    Meaning.of((claim,), {known.id.int: known})
    rules.check_rules(claim, known, now, horizon_days=730)


def key(slot: int = 0) -> Key:
    return (A.int, slot)


def judge(needed: dict[Key, int], own: dict[Key, int], cells: dict[Key, Cell]) -> None:
    kind = Kind.STAY if any(slot for _, slot in needed) else Kind.PRODUCT
    rules.judge(needed, own, cells, (), {A.int: offer(kind)})


class TestSlots:
    def test_dates_are_half_open_days_since_1970(self) -> None:
        dates = DateRange(start=date(1970, 1, 2), end=date(1970, 1, 5))
        assert list(slots.slots(dates)) == [1, 2, 3]

    def test_goods_have_one_slot(self) -> None:
        assert list(slots.slots(None)) == [0]

    @pytest.mark.parametrize("during", [None, nights(0, 1), nights(3, 40)])
    def test_a_claim_comes_back_from_its_line(self, during: DateRange | None) -> None:
        known = offer(Kind.STAY if during else Kind.PRODUCT)
        claim = Claim(offer_id=A, quantity=2, dates=during)
        assert slots.claim(slots.line(claim, known, {})) == claim


class TestCheckClaims:
    def test_refuses_an_unknown_offer(self) -> None:
        with pytest.raises(UnknownSupply):
            check(Claim(offer_id=B, quantity=1))

    def test_refuses_a_closed_offer(self) -> None:
        with pytest.raises(Closed):
            check(Claim(offer_id=A, quantity=1, dates=nights(0, 1)), offer(open_=False))

    @pytest.mark.parametrize("kind", [Kind.STAY, Kind.RENTAL])
    def test_refuses_what_is_let_without_dates(self, kind: Kind) -> None:
        with pytest.raises(NeedsDates):
            check(Claim(offer_id=A, quantity=1), offer(kind))

    @pytest.mark.parametrize("kind", [Kind.PRODUCT, Kind.EVENT])
    def test_refuses_goods_and_tickets_with_dates(self, kind: Kind) -> None:
        with pytest.raises(NeedsDates):
            check(Claim(offer_id=A, quantity=1, dates=nights(0, 1)), offer(kind))

    def test_takes_today_and_refuses_yesterday(self) -> None:
        check(Claim(offer_id=A, quantity=1, dates=nights(0, 1)))
        with pytest.raises(InThePast):
            check(Claim(offer_id=A, quantity=1, dates=nights(-1, 1)))

    def test_today_is_the_date_where_the_offer_is(self) -> None:
        late = NOON.replace(hour=22)
        claim = Claim(offer_id=A, quantity=1, dates=nights(0, 1))
        check(claim, offer(timezone="UTC"), late)
        with pytest.raises(InThePast):
            check(claim, offer(timezone="Europe/Moscow"), late)

    def test_takes_the_last_day_of_the_horizon_and_refuses_the_next(self) -> None:
        check(Claim(offer_id=A, quantity=1, dates=nights(729, 730)))
        with pytest.raises(TooFarAhead):
            check(Claim(offer_id=A, quantity=1, dates=nights(729, 731)))


def line(first: int, end: int, units: int = 1, of: UUID = A, buffer: int = 0) -> Line:
    return Line(of, first, end, buffer, units)


class TestDemand:
    def test_sums_lines_on_the_same_cell(self) -> None:
        lines = [line(0, 1, of=B), line(0, 1, 2), line(0, 1, 5, of=B)]
        assert slots.demand(lines) == {(A.int, 0): 2, (B.int, 0): 6}

    def test_stays_that_touch_share_no_night(self) -> None:
        assert set(slots.demand([line(7, 9), line(9, 10)]).values()) == {1}

    def test_the_buffer_is_taken_with_the_period(self) -> None:
        assert slots.demand([line(7, 9, 2, buffer=1)]) == {key(7): 2, key(8): 2, key(9): 2}

    def test_seats_are_taken_one_by_one(self) -> None:
        chosen = Line(A, 0, 1, 0, 2, None, None, [4, 9], ["A4", "A9"])
        assert slots.demand([chosen]) == {key(4): 1, key(9): 1}


class TestJudge:
    def test_takes_exactly_what_is_free(self) -> None:
        judge({key(): 2}, {}, {key(): Cell(5, 1, 2)})

    def test_refuses_one_more_and_names_what_is_left(self) -> None:
        with pytest.raises(SoldOut) as refused:
            judge({key(): 3}, {}, {key(): Cell(5, 1, 2)})
        assert (refused.value.offer_id, refused.value.left, refused.value.day) == (A, 2, None)

    def test_names_the_scarcest_day(self) -> None:
        first = slots.slot_of(TODAY)
        cells = {key(first): Cell(5, 4, 0), key(first + 1): Cell(5, 5, 0)}
        with pytest.raises(SoldOut) as refused:
            judge({key(first): 2, key(first + 1): 2}, {}, cells)
        assert refused.value.details["left"] == 0
        assert refused.value.details["day"] == TODAY + timedelta(days=1)

    def test_counts_what_the_same_hold_gives_back(self) -> None:
        judge({key(): 3}, {key(): 1}, {key(): Cell(5, 1, 2)})


class TestDeadline:
    def test_each_renewal_gives_the_whole_time(self) -> None:
        later = NOON + timedelta(seconds=600)
        assert rules.deadline(NOON, later, 900, 3600) == later + timedelta(seconds=900)

    def test_no_renewal_reaches_beyond_the_life_of_a_hold(self) -> None:
        later = NOON + timedelta(seconds=3000)
        assert rules.deadline(NOON, later, 900, 3600) == NOON + timedelta(seconds=3600)


class TestCheckRenewable:
    def test_held_and_expired_ones_are(self) -> None:
        rules.check_renewable(HoldStatus.HELD)
        rules.check_renewable(HoldStatus.EXPIRED)

    def test_confirmed_and_released_ones_are_not(self) -> None:
        with pytest.raises(Conflict):
            rules.check_renewable(HoldStatus.CONFIRMED)
        with pytest.raises(HoldEnded):
            rules.check_renewable(HoldStatus.RELEASED)


class TestCheckCut:
    def test_down_to_what_is_promised_and_no_further(self) -> None:
        slot = slots.slot_of(TODAY)
        cells = {slot: Cell(5, 1, 2), slot + 1: Cell(5, 1, 0)}
        rules.check_cut(offer(), 3, cells)
        with pytest.raises(BelowPromised) as refused:
            rules.check_cut(offer(), 2, cells)
        assert refused.value.details == {"offer_id": A, "promised": 3, "day": TODAY}


class TestKnownTimezone:
    def test_keeps_names_and_replaces_nonsense(self) -> None:
        assert slots.known_timezone("Asia/Yekaterinburg") == "Asia/Yekaterinburg"
        assert [slots.known_timezone(n) for n in ("", "Mars/Base", "../etc")] == ["UTC"] * 3
