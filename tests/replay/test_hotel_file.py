"""Every row of a file becomes a booking, or is refused with its reason."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dvor.replay import hotel_file
from dvor.replay.hotel_file import COLUMNS, WrongFile, read, sample

GOOD = {
    "lead_time": "10",
    "arrival_date_year": "2016",
    "arrival_date_month": "March",
    "arrival_date_day_of_month": "5",
    "stays_in_weekend_nights": "2",
    "stays_in_week_nights": "1",
    "adults": "2",
    "children": "1",
    "babies": "0",
    "reserved_room_type": "A",
    "adr": "75.5",
    "reservation_status": "Check-Out",
    "reservation_status_date": "3/8/2016",
}


def written(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "bookings.csv"
    lines = ["# a remark", ",".join(COLUMNS)]
    lines += [",".join((GOOD | row)[column] for column in COLUMNS) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class TestRead:
    def test_a_booking_was_made_before_its_arrival(self, tmp_path: Path) -> None:
        (booking,) = read(written(tmp_path, {})).bookings
        assert booking.line == 3
        assert (booking.made, booking.arrival) == (date(2016, 2, 24), date(2016, 3, 5))
        assert (booking.nights, booking.departure) == (3, date(2016, 3, 8))
        assert (booking.rate, booking.came, booking.cancelled) == (Decimal("75.5"), True, None)

    def test_a_cancelled_one_ends_on_its_status_date(self, tmp_path: Path) -> None:
        change = {"reservation_status": "Canceled", "reservation_status_date": "3/1/2016"}
        (booking,) = read(written(tmp_path, change)).bookings
        assert (booking.came, booking.cancelled) == (False, date(2016, 3, 1))

    def test_one_who_did_not_show_up_neither_came_nor_cancelled(self, tmp_path: Path) -> None:
        (booking,) = read(written(tmp_path, {"reservation_status": "No-Show"})).bookings
        assert (booking.came, booking.cancelled) == (False, None)

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"stays_in_weekend_nights": "0", "stays_in_week_nights": "0"}, "no nights"),
            ({"stays_in_week_nights": "400"}, "more than 366 nights"),
            ({"adults": "0", "children": "0"}, "no guests"),
            ({"adults": "55"}, "more than 8 guests in one room"),
            ({"adults": "-1"}, "a number or a date cannot be read"),
            ({"children": "NA"}, "a number or a date cannot be read"),
            ({"arrival_date_month": "Brumaire"}, "a number or a date cannot be read"),
            ({"arrival_date_day_of_month": "31", "arrival_date_month": "June"},
             "a number or a date cannot be read"),
            ({"lead_time": "-3"}, "made after the arrival"),
            ({"lead_time": "9999999999"}, "a number or a date cannot be read"),
            ({"adr": "-6.38"}, "a rate that is none"),
            ({"adr": "NaN"}, "a rate that is none"),
            ({"reserved_room_type": " "}, "no type of room"),
            ({"reservation_status": "Maybe"}, "neither cancelled nor stayed nor missed"),
            ({"reservation_status": "Canceled", "reservation_status_date": "2/1/2016"},
             "cancelled before it was made or after the stay began"),
            ({"reservation_status": "Canceled", "reservation_status_date": "3/6/2016"},
             "cancelled before it was made or after the stay began"),
        ],
    )  # fmt: skip
    def test_a_row_that_cannot_be_is_refused_alone(
        self, tmp_path: Path, change: dict[str, str], why: str
    ) -> None:
        recording = read(written(tmp_path, {}, change, {}))
        assert [booking.line for booking in recording.bookings] == [3, 5]
        assert [(refused.line, refused.why) for refused in recording.refused] == [(4, why)]
        assert recording.rows == 3

    def test_a_short_row_is_refused(self, tmp_path: Path) -> None:
        path = written(tmp_path, {})
        path.write_text(path.read_text() + "7,2016\n")
        assert [refused.line for refused in read(path).refused] == [4]

    def test_other_files_are_named_as_such(self, tmp_path: Path) -> None:
        path = tmp_path / "shop.csv"
        path.write_text("InvoiceNo,StockCode\n1,2\n")
        with pytest.raises(WrongFile, match="no column lead_time"):
            read(path)
        path.write_bytes(b"\xff\xfe\x00PNG")
        with pytest.raises(WrongFile):
            read(path)
        with pytest.raises(WrongFile):
            read(tmp_path / "absent.csv")


class TestSample:
    def test_it_says_where_it_is_from_and_shows_every_case(self) -> None:
        text = (Path(hotel_file.__file__).parent / "samples" / "hotel_bookings.csv").read_text()
        assert "CC BY 4.0" in text
        assert "10.1016/j.dib.2018.11.126" in text
        recording = sample()
        assert recording.rows == 400
        assert {r.why for r in recording.refused} == {
            "no nights",
            "no guests",
            "more than 8 guests in one room",
        }
        assert any(b.cancelled == b.made for b in recording.bookings)
        assert any(b.cancelled is None and not b.came for b in recording.bookings)
