"""Seat maps as lines of text: what is drawn is what is written, and the other way round."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvor.contracts.seating import Seat, SeatMap, SeatRow, Section
from dvor.web.seat_drawing import Drawn, Unreadable, block, read, written

TIERS = (UUID(int=1), UUID(int=2))


def names(text: str, *, backwards: bool = False) -> list[str]:
    return [placed.name for placed in read((Drawn("", text, backwards),), TIERS).placed()]


class TestRead:
    def test_numbers_seats_along_the_row(self) -> None:
        assert names("5: AA_AA") == ["5-1", "5-2", "5-3", "5-4"]
        assert names("5: AA.A") == ["5-1", "5-2", "5-4"]
        assert names("5: AA_A", backwards=True) == ["5-3", "5-2", "5-1"]

    def test_knows_tiers_wheelchairs_aisles_and_passages(self) -> None:
        (section,) = read((Drawn("Stalls", "1: Ab_B\n\n2: A"),), TIERS).sections
        first, passage, _ = section.rows
        assert [(s.column, s.offer_id, s.accessible) for s in first.seats] == [
            (1, TIERS[0], False),
            (2, TIERS[1], True),
            (4, TIERS[1], False),
        ]
        assert not passage.seats

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("1: AC", "“C” is no tier"),
            ("1: A4", "“4” is no tier"),
            ("a very long name: A", "up to 10 characters"),
            ("1: __", "at least one seat"),
            ("\n".join(f"{n}: A" for n in range(101)), "up to 100 rows"),
            ("1: " + "A" * 201, "up to 200 places"),
        ],
    )
    def test_says_what_is_wrong_and_where(self, text: str, words: str) -> None:
        with pytest.raises(Unreadable, match=words) as refused:
            read((Drawn("One", "1: A"), Drawn("Two", text)), TIERS)
        assert refused.value.section == 1

    def test_two_sections_need_different_names(self) -> None:
        with pytest.raises(Unreadable, match="same name") as refused:
            read((Drawn("One", "1: A"), Drawn("One", "1: A")), TIERS)
        assert refused.value.section is None


class TestWritten:
    @given(
        st.lists(
            st.tuples(st.text("AaBb_.", min_size=1, max_size=12), st.booleans()),
            min_size=1,
            max_size=4,
        )
    )
    def test_draws_again_what_was_drawn(self, rows: list[tuple[str, bool]]) -> None:
        sections = [
            Drawn(f"S{n}", f"1: A{pattern}\n\n2: {pattern}B", backwards)
            for n, (pattern, backwards) in enumerate(rows)
        ]
        drawn = read(sections, TIERS)
        again = written(drawn, TIERS)
        assert again is not None
        assert read(again, TIERS) == drawn

    def test_is_none_for_numbers_that_no_text_gives(self) -> None:
        seat = Seat(number="7a", column=1, offer_id=TIERS[0])
        rows = (SeatRow(label="1", seats=(seat,)),)
        assert written(SeatMap(sections=(Section(rows=rows),)), TIERS) is None

    def test_is_none_for_a_tier_that_is_gone(self) -> None:
        assert written(read((Drawn("", "1: AB"),), TIERS), TIERS[:1]) is None


class TestBlock:
    def test_is_rows_of_seats_with_an_aisle(self) -> None:
        assert block(2, 5, 2, "B") == "1: BB_BBB\n2: BB_BBB"
        assert block(1, 3, 0, "A") == "1: AAA"
        assert block(1, 3, 3, "A") == "1: AAA"
