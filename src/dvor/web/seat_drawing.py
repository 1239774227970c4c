"""Seat maps as lines of text that people edit: `5: AAAAAA_AAAAAA`.

A letter is a seat of a tier (A is the event's first one), a small letter a place for a wheelchair,
`_` an aisle, `.` a seat that was taken away and keeps its number. Seats are numbered along the row.
An empty line is a passage between rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from uuid import UUID

from pydantic import ValidationError

from dvor.contracts.seating import Seat, SeatMap, SeatRow, Section
from dvor.kernel.texts import gettext as _

AISLE, GONE = "_", "."
LETTERS = ascii_uppercase
ROWS_MAX, SEATS_MAX, SECTIONS_MAX = 100, 200, 30


@dataclass(frozen=True)
class Drawn:
    """A section as text."""

    name: str
    text: str
    backwards: bool = False
    """Seats are numbered from right to left."""


class Unreadable(Exception):
    """What is wrong with a drawing, in the reader's language. `section`: which; None: the whole."""

    def __init__(self, section: int | None, words: str) -> None:
        super().__init__(words)
        self.section = section
        self.words = words


def block(rows: int, seats: int, aisle: int, letter: str) -> str:
    """Lines of a new section: `aisle` is the seat that one comes after, 0 for none."""
    gap = AISLE if 0 < aisle < seats else ""
    line = letter * (aisle if gap else 0) + gap + letter * (seats - (aisle if gap else 0))
    return "\n".join(f"{row}: {line}" for row in range(1, rows + 1))


def read(sections: Sequence[Drawn], tiers: Sequence[UUID]) -> SeatMap:
    """The map that the texts draw. Raises Unreadable."""
    made = []
    for number, drawn in enumerate(sections):
        lines = drawn.text.strip("\n").split("\n")
        if len(lines) > ROWS_MAX:
            raise Unreadable(number, _("A section has up to {most} rows.", most=ROWS_MAX))
        try:
            rows = tuple(_row(line.strip(), drawn.backwards, tiers) for line in lines)
        except ValueError as problem:
            raise Unreadable(number, str(problem)) from None
        if not any(row.seats for row in rows):
            raise Unreadable(number, _("Draw at least one seat, or remove the section."))
        made.append(Section(name=drawn.name, rows=rows))
    try:
        return SeatMap(sections=tuple(made))
    except ValidationError as problem:
        if "same name" in str(problem):
            words = _("Two seats have the same name: give sections or rows different names.")
            raise Unreadable(None, words) from None
        raise Unreadable(None, _("The seat map is too large.")) from None


def _row(line: str, backwards: bool, tiers: Sequence[UUID]) -> SeatRow:
    if not line:
        return SeatRow()
    label, _sep, pattern = (part.strip() for part in line.rpartition(":"))
    if len(label) > 10:
        raise ValueError(_("The name of a row has up to 10 characters: {line}", line=line[:40]))
    if len(pattern) > SEATS_MAX:
        raise ValueError(_("A row has up to {most} places: {line}", most=SEATS_MAX, line=line[:40]))
    columns = list(enumerate(pattern, 1))
    if backwards:
        columns.reverse()
    number, seats = 0, []
    for column, sign in columns:
        if sign == AISLE:
            continue
        number += 1
        if sign == GONE:
            continue
        tier = LETTERS.find(sign.upper())
        if not 0 <= tier < len(tiers):
            raise ValueError(
                _("“{sign}” is no tier of this event: {line}", sign=sign, line=line[:40])
            )
        seats.append(
            Seat(
                number=str(number),
                column=column,
                offer_id=tiers[tier],
                accessible=sign.islower(),
            )
        )
    return SeatRow(label=label, seats=tuple(sorted(seats, key=lambda seat: seat.column)))


def written(seat_map: SeatMap, tiers: Sequence[UUID]) -> tuple[Drawn, ...] | None:
    """The texts that draw this map; None where it has numbers or tiers that no text gives."""
    found = []
    for section in seat_map.sections:
        for backwards in (False, True):
            lines = [_line(row, tiers, backwards) for row in section.rows]
            drawn = Drawn(section.name, "\n".join(line or "" for line in lines), backwards)
            if None not in lines and _same(drawn, section, tiers):
                found.append(drawn)
                break
        else:
            return None
    return tuple(found)


def _same(drawn: Drawn, section: Section, tiers: Sequence[UUID]) -> bool:
    try:
        return read((drawn,), tiers).sections == (section,)
    except Unreadable:
        return False


def _line(row: SeatRow, tiers: Sequence[UUID], backwards: bool) -> str | None:
    if not row.seats:
        return ""
    signs = [AISLE] * row.seats[-1].column
    last, before = 0, 0
    seats = list(reversed(row.seats)) if backwards else list(row.seats)
    edge = _missing_before(seats[0].number) if backwards else 0
    signs += [GONE] * edge
    last = edge
    before = len(signs) - edge + 1 if backwards else 0
    for seat in seats:
        if not seat.number.isdecimal() or seat.offer_id not in tiers[: len(LETTERS)]:
            return None
        missing = int(seat.number) - last - 1
        between = list(_between(before, seat.column))
        if not 0 <= missing <= len(between):
            return None
        for column in between[len(between) - missing :]:
            signs[column - 1] = GONE
        letter = LETTERS[tiers.index(seat.offer_id)]
        signs[seat.column - 1] = letter.lower() if seat.accessible else letter
        last, before = int(seat.number), seat.column
    return f"{row.label}: {''.join(signs)}"


def _missing_before(first: str) -> int:
    """How many seats were taken away before the first one of a row."""
    return min(int(first) - 1, SEATS_MAX) if first.isdecimal() and int(first) else 0


def _between(before: int, column: int) -> Iterator[int]:
    """The columns after `before` up to `column`, in the direction of the numbers."""
    if before <= column:
        yield from range(before + 1, column)
    else:
        yield from range(before - 1, column, -1)
