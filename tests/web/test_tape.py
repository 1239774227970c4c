"""Charts as rows of cells."""

from datetime import date
from uuid import UUID

from dvor.contracts.rooms import Chart, Room, RoomClosure, Stay
from dvor.kernel.periods import DateRange
from dvor.web import tape

OFFER, ONE, TWO = (UUID(int=n) for n in range(1, 4))


def june(first: int, end: int) -> DateRange:
    return DateRange(start=date(2027, 6, first), end=date(2027, 6, end))


def stay(number: int, first: int, end: int, room: UUID | None = None, *, paid: bool = True) -> Stay:
    return Stay(
        id=UUID(int=100 + number),
        hold_id=UUID(int=200 + number),
        dates=june(first, end),
        confirmed=paid,
        room_id=room,
    )


def chart(*stays: Stay, closures: tuple[RoomClosure, ...] = ()) -> Chart:
    rooms = tuple(Room(id=n, offer_id=OFFER, name=str(n.int)) for n in (ONE, TWO))
    dates = tape.window(date(2027, 6, 10))
    return Chart(
        offer_id=OFFER, dates=dates, quantity=2, rooms=rooms, stays=stays, closures=closures
    )


def spans(row: tape.Row) -> list[tuple[int, int]]:
    return [(c.first.day, c.days) for c in row.cells if c.stay or c.closure]


class TestTape:
    def test_every_row_is_as_long_as_the_chart(self) -> None:
        closed = RoomClosure(id=OFFER, room_id=TWO, dates=june(12, 14), units=1, note="")
        made = tape.tape(
            chart(
                stay(1, 8, 12, ONE), stay(2, 20, 29, ONE), stay(3, 11, 13, TWO), closures=(closed,)
            )
        )
        for row in made.rows:
            assert sum(cell.days for cell in row.cells) == tape.DAYS
        assert spans(made.rows[0]) == [(10, 2), (20, 4)]
        assert [(c.earlier, c.later) for c in made.rows[0].cells if c.stay] == [
            (True, False), (False, True),
        ]  # fmt: skip
        assert spans(made.rows[1]) == [(11, 2), (13, 1)]

    def test_stays_without_a_room_wait_in_as_few_rows_as_they_fit_into(self) -> None:
        made = tape.tape(chart(stay(1, 11, 13), stay(2, 12, 15), stay(3, 13, 14)))
        assert [spans(row) for row in made.waiting] == [[(11, 2), (13, 1)], [(12, 3)]]

    def test_nights_with_more_guests_than_rooms_are_named(self) -> None:
        found = chart(
            stay(1, 11, 13), stay(2, 12, 15), stay(3, 12, 14), stay(4, 12, 13, paid=False)
        )
        assert tape.tape(found).crowded == (date(2027, 6, 12),)

    def test_free_rooms_are_offered_first(self) -> None:
        mine = stay(1, 11, 13)
        found = tape.fitting(chart(mine, stay(2, 12, 15, ONE)), mine)
        assert [(room.id, free) for room, free in found] == [(TWO, True), (ONE, False)]
