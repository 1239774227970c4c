"""Slots of closures, and what stands in their way."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.inventory import NeedsDates
from dvor.kernel.periods import DateRange
from dvor.services.inventory.closure_rules import (
    Usage,
    dates_at,
    first_open,
    occupancy,
    shortfalls,
    slots_of,
)
from dvor.services.inventory.slots import Offer, slot_of

JUNE = DateRange(start=date(2027, 6, 1), end=date(2027, 6, 4))


def offer(kind: Kind = Kind.STAY, *, by_hour: bool = False, timezone: str = "UTC") -> Offer:
    return Offer(UUID(int=1), UUID(int=2), kind, 3, timezone, open=True, by_hour=by_hour)


class TestSlotsOf:
    def test_days_are_their_own_slots(self) -> None:
        assert slots_of(offer(), JUNE) == range(slot_of(JUNE.start), slot_of(JUNE.end))

    def test_days_have_their_hours_there(self) -> None:
        moscow = offer(Kind.RENTAL, by_hour=True, timezone="Europe/Moscow")
        slots = slots_of(moscow, JUNE)
        assert len(slots) == 72
        assert slots.start == slot_of(JUNE.start) * 24 - 3

    def test_a_day_in_which_clocks_change_has_an_hour_less(self) -> None:
        berlin = offer(Kind.RENTAL, by_hour=True, timezone="Europe/Berlin")
        spring = DateRange(start=date(2027, 3, 28), end=date(2027, 3, 29))
        assert len(slots_of(berlin, spring)) == 23

    def test_goods_have_no_days(self) -> None:
        with pytest.raises(NeedsDates):
            slots_of(offer(Kind.PRODUCT), JUNE)

    @pytest.mark.parametrize("by_hour", [False, True])
    def test_slots_tell_their_days(self, by_hour: bool) -> None:
        kind = offer(Kind.RENTAL, by_hour=by_hour, timezone="America/New_York")
        assert dates_at(kind, slots_of(kind, JUNE)) == JUNE

    def test_today_begins_at_midnight_there(self) -> None:
        tokyo = offer(timezone="Asia/Tokyo")
        assert first_open(tokyo, datetime(2027, 5, 31, 16, tzinfo=UTC)) == slot_of(JUNE.start)


class TestShortfalls:
    def test_are_what_is_promised_beyond_what_is_left_open(self) -> None:
        first = slot_of(JUNE.start)
        usage = {
            first: Usage(2, 1, 1, 2),
            first + 1: Usage(2, 0, 1, 1),
            first + 2: Usage(9, 0, 3, 3),
        }
        found = shortfalls(offer(), range(first, first + 3), usage, 2)
        assert [(s.day.day, s.units) for s in found] == [(1, 1), (3, 2)]

    def test_of_a_day_let_by_the_hour_the_worst_hour_counts(self) -> None:
        hall = offer(Kind.RENTAL, by_hour=True)
        first = slots_of(hall, JUNE).start
        usage = {first + 3: Usage(3, 0, 1, 1), first + 5: Usage(3, 0, 2, 2)}
        found = shortfalls(hall, slots_of(hall, JUNE), usage, 3)
        assert [(s.day.day, s.units) for s in found] == [(1, 2)]


class TestOccupancy:
    def test_a_day_without_cells_is_free(self) -> None:
        days = occupancy(offer(), slots_of(offer(), JUNE), {})
        assert [(d.day, d.free) for d in days] == [(day, 3) for day in JUNE.days()]

    def test_the_fullest_hour_speaks_for_the_day(self) -> None:
        hall = offer(Kind.RENTAL, by_hour=True)
        slots = slots_of(hall, JUNE)
        days = occupancy(hall, slots, {slots.start + 30: Usage(1, 0, 1, 2)})
        assert [(d.closed, d.sold, d.free) for d in days] == [(0, 0, 3), (1, 1, 1), (0, 0, 3)]
