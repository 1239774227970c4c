"""Seat maps of the demo world."""

from collections.abc import Callable, Sequence
from uuid import UUID

from dvor.contracts.seating import Seat, SeatMap, SeatRow, Section

Hall = Callable[[Sequence[UUID]], SeatMap]
"""Draws a map for these tiers."""


def _row(
    label: int, tier: UUID, columns: Sequence[int], wheelchairs: Sequence[int] = ()
) -> SeatRow:
    return SeatRow(
        label=str(label),
        seats=tuple(
            Seat(number=str(number), column=column, offer_id=tier, accessible=number in wheelchairs)
            for number, column in enumerate(columns, 1)
        ),
    )


def philharmonic(tiers: Sequence[UUID]) -> SeatMap:
    """152 seats: stalls with an aisle in the middle, the first three rows dearer, and a balcony."""
    front, stalls, balcony = tiers
    beside_the_aisle = (*range(1, 7), *range(8, 14))
    return SeatMap(
        sections=(
            Section(
                name="Партер",
                rows=tuple(
                    _row(
                        label,
                        front if label <= 3 else stalls,
                        beside_the_aisle,
                        (1, 12) if label == 8 else (),
                    )
                    for label in range(1, 9)
                ),
            ),
            Section(
                name="Балкон",
                rows=tuple(_row(label, balcony, range(1, 15)) for label in range(1, 5)),
            ),
        )
    )
