"""The hotel that recorded bookings need."""

from datetime import date, timedelta
from decimal import Decimal

from dvor.replay.hotel_file import Booking
from dvor.replay.hotel_plan import days, room_counts, room_types

ARRIVAL = date(2016, 3, 5)


def booking(
    line: int = 1,
    *,
    made: int = -10,
    arrival: int = 0,
    nights: int = 2,
    room: str = "A",
    rate: str = "80",
    cancelled: int | None = None,
    came: bool = True,
) -> Booking:
    """Days are counted from 5 March 2016."""
    return Booking(
        line=line,
        made=ARRIVAL + timedelta(days=made),
        arrival=ARRIVAL + timedelta(days=arrival),
        nights=nights,
        room_type=room,
        rate=Decimal(rate),
        cancelled=None if cancelled is None else ARRIVAL + timedelta(days=cancelled),
        came=came and cancelled is None,
    )


class TestRoomCounts:
    def test_are_the_most_guests_of_one_night(self) -> None:
        stays = [booking(arrival=0, nights=2), booking(arrival=1, nights=2), booking(arrival=2)]
        assert room_counts(stays) == {"A": 2}

    def test_leave_out_who_cancelled_or_did_not_show_up(self) -> None:
        stays = [
            booking(),
            booking(cancelled=-1),
            booking(came=False),
            booking(room="B", came=False),
        ]
        assert room_counts(stays) == {"A": 1}


class TestRoomTypes:
    def test_a_night_costs_the_median_of_its_month_without_what_was_free(self) -> None:
        rates = ["0", "70", "80.005", "500"]
        march = [booking(rate=rate) for rate in rates]
        april = [booking(arrival=30, rate="100")]
        (room,) = room_types([*march, *april])
        assert (room.name, room.price) == ("A", 9000)
        assert [(m.first, m.last, m.price) for m in room.months] == [
            (date(2016, 3, 1), date(2016, 3, 31), 8001),
            (date(2016, 4, 1), date(2016, 4, 30), 10_000),
        ]

    def test_what_was_always_free_costs_nothing(self) -> None:
        (room,) = room_types([booking(rate="0")])
        assert (room.price, room.months) == (0, ())

    def test_where_nobody_ever_stayed_there_is_no_room(self) -> None:
        assert room_types([booking(cancelled=0)]) == ()


class TestDays:
    def test_cancellations_come_before_bookings_and_second_thoughts_after(self) -> None:
        early, other = booking(1, made=-9, cancelled=-3), booking(2, made=-3)
        back = booking(3, made=-3, cancelled=-3)
        last = booking(4, made=-3)
        first_day, second_day = days([early, other, back, last])
        assert (first_day.booked, first_day.date) == ((early,), early.made)
        assert second_day.cancelled == (early,)
        assert second_day.booked == (other, back, last)
        assert second_day.taken_back == (back,)
