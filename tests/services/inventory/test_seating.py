"""Which seats go together, and what a choice may leave; all without a database."""

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dvor.contracts.inventory import LeavesSingleSeat, SoldOut
from dvor.contracts.seating import Seat, SeatMap, SeatRow, Section, seat_name
from dvor.services.inventory.seating import (
    SeatCell,
    StoredSeat,
    best_together,
    check_no_single_seat,
    map_change,
)

TIER, OTHER = UUID(int=1), UUID(int=2)


def plan(*rows: str) -> list[SeatCell]:
    """`o` free, `x` taken, `a` free for a wheelchair, ` ` an aisle; named `row-column`."""
    width = max(map(len, rows))
    return [
        SeatCell(f"{row}-{column}", row, column, width + 1, sign == "a", sign != "x")
        for row, line in enumerate(rows, 1)
        for column, sign in enumerate(line, 1)
        if sign != " "
    ]


def best(seats: list[SeatCell], quantity: int, *, accessible: bool = False) -> list[str]:
    chosen = best_together(TIER, seats, quantity, accessible=accessible)[0]
    return [seat.name for seat in chosen]


def left_alone(seats: list[SeatCell], *chosen: str) -> str | None:
    try:
        check_no_single_seat(TIER, seats, chosen)
    except LeavesSingleSeat as refused:
        return str(refused.seat)
    return None


def allowed(seats: list[SeatCell], *chosen: str) -> bool:
    return left_alone(seats, *chosen) is None


lines = st.lists(st.text("oxa ", min_size=1, max_size=9), min_size=1, max_size=5)


class TestBestTogether:
    @pytest.mark.parametrize(
        ("rows", "quantity", "expected"),
        [
            (["ooooo"], 1, ["1-3"]),
            (["oooooo"], 2, ["1-3", "1-4"]),
            (["xxxxx", "ooooo"], 1, ["2-3"]),
            (["oxxxxxxxo", "ooooooooo"], 1, ["2-5"]),  # a row back, but eight half columns nearer
            (["xxoxx", "ooooo"], 2, ["2-1", "2-2"]),  # 2-2 and 2-3 would leave 2-1 alone
            (["oo oo"], 2, ["1-1", "1-2"]),
            (["oo oo"], 3, ["1-1", "1-2", "1-4"]),
            (["oaaoo"], 2, ["1-4", "1-5"]),
            (["xxx", "oo ", "oo "], 4, ["2-1", "2-2", "3-1", "3-2"]),
            (["ooo", "ooo"], 4, ["1-1", "1-2", "2-1", "2-2"]),  # 3 and 1 would leave one alone
        ],
    )
    def test_is_near_to_the_middle_and_the_stage(
        self, rows: list[str], quantity: int, expected: list[str]
    ) -> None:
        assert best(plan(*rows), quantity) == expected

    def test_leaves_wheelchair_places_to_those_who_ask(self) -> None:
        seats = plan("oaao")
        assert best(seats, 2, accessible=True) == ["1-2", "1-3"]
        assert best(seats, 2) == ["1-1", "1-4"]
        assert best(seats, 3) == ["1-1", "1-2", "1-3"]

    def test_says_how_many_are_left(self) -> None:
        with pytest.raises(SoldOut) as refused:
            best(plan("oxo"), 3)
        assert refused.value.left == 2

    @given(lines, st.integers(1, 12), st.booleans())
    def test_every_party_that_fits_gets_different_free_seats(
        self, rows: list[str], quantity: int, accessible: bool
    ) -> None:
        seats = plan(*rows)
        free = {s.name for s in seats if s.free and (s.accessible or not accessible)}
        if len(free) < quantity:
            with pytest.raises(SoldOut) as refused:
                best_together(TIER, seats, quantity, accessible=accessible)
            assert refused.value.left == len(free)
            return
        options = best_together(TIER, seats, quantity, accessible=accessible, options=5)
        for chosen in options:
            names = {seat.name for seat in chosen}
            assert len(names) == len(chosen) == quantity
            assert names <= free

    @given(lines, st.integers(1, 6))
    def test_no_party_is_parted_that_fits_into_a_row(self, rows: list[str], quantity: int) -> None:
        seats = plan(*rows)
        if any("o" * quantity in row for row in rows):
            (chosen,) = best_together(TIER, seats, quantity)
            assert all(
                (left.row, left.place + 1) == (right.row, right.place)
                for left, right in pairwise(chosen)
            )

    @given(lines, st.integers(1, 6))
    def test_its_choice_in_one_row_is_one_that_a_customer_may_make(
        self, rows: list[str], quantity: int
    ) -> None:
        seats = plan(*rows)
        if any("o" * quantity in row for row in rows):
            assert allowed(seats, *best(seats, quantity))


class TestNoSingleSeats:
    @pytest.mark.parametrize(
        ("row", "chosen", "fine"),
        [
            ("ooooo", (1, 2), True),
            ("ooooo", (2, 3), False),  # leaves 1 at the aisle
            ("ooooo", (1, 2, 4), False),
            ("xooox", (2, 3), True),  # two of three: one is left however they choose
            ("xooox", (3,), False),
            ("xooox", (2,), True),
            ("oo oo", (1,), True),
            ("oooo", (1, 4), True),
            ("oooo", (1, 3), False),
            ("oxooo", (3, 4, 5), True),  # 1 was alone before
            ("aoox", (2, 3), True),
            ("aooo", (1,), True),
            ("oooa", (2, 3), True),
            ("ooooa", (2, 3), False),
        ],
    )
    def test_the_rule(self, row: str, chosen: tuple[int, ...], *, fine: bool) -> None:
        assert allowed(plan(row), *(f"1-{n}" for n in chosen)) is fine

    @given(st.text("oxa ", min_size=1, max_size=10), st.data())
    def test_whoever_is_refused_could_have_chosen_otherwise(
        self, row: str, data: st.DataObject
    ) -> None:
        seats = plan(row)
        free = [seat.name for seat in seats if seat.free]
        chosen = data.draw(st.lists(st.sampled_from(free), unique=True)) if free else []
        left = left_alone(seats, *chosen)
        if left is None:
            return
        # The run around the seat that would be left, and how many were taken of it.
        first = last = int(left.partition("-")[2])
        while first > 1 and row[first - 2] == "o":
            first -= 1
        while last < len(row) and row[last] == "o":
            last += 1
        run = [f"1-{n}" for n in range(first, last + 1)]
        taken = sum(name in chosen for name in run)
        assert 0 < taken < len(run) - 1
        assert allowed(seats, *run[:taken])


class TestMapChange:
    def test_keeps_slots_for_names(self) -> None:
        old = [StoredSeat(TIER, n, f"1-{n}", 0, n, 4, accessible=False) for n in (1, 2)]
        change = map_change(drawn((2, TIER), (3, TIER)), old, {TIER: True})
        assert [(seat.name, seat.slot) for seat in change.seats] == [("1-2", 2), ("1-3", 3)]
        assert change.capacities == {(TIER, 1): 0, (TIER, 3): 1}
        assert change.counts == {TIER: 2}

    def test_a_slot_is_never_given_to_another_name(self) -> None:
        old = [StoredSeat(TIER, 7, "1-9", 0, 9, 4, accessible=False, active=False)]
        (seat,) = map_change(drawn((1, TIER)), old, {TIER: True}).seats
        assert seat.slot == 8

    def test_a_tier_that_gets_its_first_seats_loses_its_tickets(self) -> None:
        change = map_change(drawn((1, TIER)), [], {TIER: False, OTHER: False})
        assert change.capacities == {(TIER, 0): 0, (TIER, 1): 1}
        assert change.counts == {TIER: 1}


class TestSeatMapMessage:
    def test_refuses_two_seats_of_one_name(self) -> None:
        with pytest.raises(ValidationError, match="same name: 1-1"):
            SeatMap(sections=(*drawn((1, TIER)).sections, *drawn((1, OTHER)).sections))

    def test_refuses_two_seats_in_one_place(self) -> None:
        with pytest.raises(ValidationError, match="left to right"):
            drawn((2, TIER), (2, TIER))

    def test_names_what_stands_on_the_ticket(self) -> None:
        assert seat_name("Stalls", "5", "12") == "Stalls 5-12"
        assert seat_name("", "5", "12") == "5-12"
        assert seat_name("Box", "", "3") == "Box 3"


def drawn(*seats: tuple[int, UUID]) -> SeatMap:
    """One row: columns and tiers."""
    row = tuple(Seat(number=str(n), column=n, offer_id=tier) for n, tier in seats)
    return SeatMap(sections=(Section(rows=(SeatRow(label="1", seats=row),)),))
