"""Colouring of intervals: everybody finds a room exactly when no night has too many guests."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from dvor.services.rooms.rules import Board, Guest, arrange, changing_places, overlap

ROOMS = [UUID(int=n) for n in range(1, 5)]


def guest(
    number: int, start: int, end: int, room: int | None = None, *, fixed: bool = False
) -> Guest:
    return Guest(
        UUID(int=100 + number), range(start, end), UUID(int=room) if room else None, fixed=fixed
    )


spans = st.tuples(st.integers(0, 20), st.integers(1, 8)).map(lambda s: (s[0], s[0] + s[1]))
houses = st.tuples(st.integers(1, 4), st.lists(spans, max_size=14))


def fullest(guests: list[Guest]) -> int:
    """Guests of the night that has most."""
    return max((sum(night in g.nights for g in guests) for night in range(30)), default=0)


def check_beds(found: dict[UUID, UUID], guests: list[Guest]) -> None:
    """Nobody shares a bed."""
    placed = [(g, found[g.id]) for g in guests if g.id in found]
    for i, (one, room) in enumerate(placed):
        for other, another in placed[i + 1 :]:
            assert room != another or not overlap(one.nights, other.nights)


class TestArrange:
    @settings(max_examples=300, deadline=None)
    @given(houses)
    def test_everybody_finds_a_room_exactly_when_no_night_has_too_many(
        self, house: tuple[int, list[tuple[int, int]]]
    ) -> None:
        rooms, wanted = ROOMS[: house[0]], house[1]
        guests = [guest(n, *span) for n, span in enumerate(wanted)]
        found = arrange(rooms, guests, {})
        check_beds(found, guests)
        assert (len(found) == len(guests)) is (fullest(guests) <= len(rooms))

    @settings(max_examples=300, deadline=None)
    @given(houses, st.randoms(use_true_random=False))
    def test_the_same_where_some_have_rooms_already_however_badly_chosen(
        self, house: tuple[int, list[tuple[int, int]]], chance: st.DataObject
    ) -> None:
        rooms, guests = ROOMS[: house[0]], list[Guest]()
        for n, span in enumerate(house[1]):
            made = guest(n, *span)
            board = Board(rooms, {})
            for other in guests:
                if other.room:
                    board.put(other, other.room)
            free = [r for r in rooms if not board.in_the_way(made.nights, r)]
            room = chance.choice([*free, None])  # type: ignore[attr-defined]
            guests.append(Guest(made.id, made.nights, room))
        found = arrange(rooms, guests, {})
        check_beds(found, guests)
        assert (len(found) == len(guests)) is (fullest(guests) <= len(rooms))

    @settings(max_examples=200, deadline=None)
    @given(houses)
    def test_fixed_guests_and_closed_rooms_stay(
        self, house: tuple[int, list[tuple[int, int]]]
    ) -> None:
        rooms = ROOMS[: house[0]]
        guests = [guest(n, *span) for n, span in enumerate(house[1])]
        guests = [guest(50, 3, 9, 1, fixed=True), *guests]
        closed = {rooms[-1]: [range(10, 14)]}
        found = arrange(rooms, guests, closed)
        check_beds(found, guests)
        assert found[guests[0].id] == rooms[0]
        for g in guests:
            assert found.get(g.id) != rooms[-1] or not overlap(g.nights, range(10, 14))

    def test_nobody_moves_without_need(self) -> None:
        guests = [guest(1, 0, 3, 2), guest(2, 4, 6, 1), guest(3, 0, 4)]
        found = arrange(ROOMS[:2], guests, {})
        assert found == {guests[0].id: ROOMS[1], guests[1].id: ROOMS[0], guests[2].id: ROOMS[0]}

    def test_one_moves_where_that_is_enough(self) -> None:
        guests = [guest(1, 0, 2, 1), guest(2, 3, 5, 2), guest(3, 6, 9, 3), guest(4, 0, 9, None)]
        found = arrange(ROOMS[:3], guests, {})
        assert len(found) == len(guests)
        assert sum(found[g.id] != g.room for g in guests[:3]) == 1

    def test_short_gaps_are_filled_first(self) -> None:
        guests = [guest(1, 0, 5, 1), guest(2, 0, 2, 2), guest(3, 5, 7)]
        assert arrange(ROOMS[:2], guests, {})[guests[2].id] == ROOMS[0]


class TestChangingPlaces:
    def board(self, *guests: Guest) -> Board:
        board = Board(ROOMS, {ROOMS[3]: [range(9)]})
        for one in guests:
            if one.room:
                board.put(one, one.room)
        return board

    def test_who_is_there_goes_where_the_guest_was(self) -> None:
        one, other = guest(1, 0, 4, 1), guest(2, 2, 4, 2)
        found = changing_places(self.board(one, other), one, ROOMS[1])
        assert found is not None
        assert [g.id for g in found] == [other.id]

    def test_not_if_they_do_not_fit(self) -> None:
        one, other, third = guest(1, 0, 4, 1), guest(2, 2, 6, 2), guest(3, 4, 6, 1)
        assert changing_places(self.board(one, other, third), one, ROOMS[1]) is None

    def test_not_if_they_have_arrived_or_the_guest_has_no_room(self) -> None:
        one, other = guest(1, 0, 4, 1), guest(2, 2, 4, 2, fixed=True)
        assert changing_places(self.board(one, other), one, ROOMS[1]) is None
        assert changing_places(self.board(other), guest(1, 0, 4), ROOMS[1]) is None

    def test_a_free_room_asks_nobody(self) -> None:
        one = guest(1, 0, 4, 1)
        assert changing_places(self.board(one), one, ROOMS[2]) == []
