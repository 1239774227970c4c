"""Parties in line for numbered seats: so many of a tier, together as well as can be. Pure.

Which seats they get is decided when it is their turn, from what is free at that moment. So all
seats of the tier are locked while anybody waits for some of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from dvor.contracts.inventory import Claim, SoldOut
from dvor.services.inventory import seating, slots
from dvor.services.inventory.allocation import Meaning, Take
from dvor.services.inventory.rules import Cell
from dvor.services.inventory.seating import SeatCell, StoredSeat
from dvor.services.inventory.slots import Key, Offer


@dataclass(frozen=True, slots=True)
class Hall:
    """The seats of a tier."""

    offer: Offer
    seats: Sequence[StoredSeat]

    def cells(self) -> list[Key]:
        """Every cell of the tier, also the one without a number at which customers' choices meet."""
        number = self.offer.id.int
        return [(number, slots.TIMELESS_SLOT), *((number, seat.slot) for seat in self.seats)]

    def together(self, cells: Mapping[Key, Cell], quantity: int) -> tuple[str, ...] | None:
        """The names of the best of what is free; None where that is too little."""
        number = self.offer.id.int
        free = [seat for seat in self.seats if cells[number, seat.slot].free > 0]
        if len(free) < quantity:
            return None
        places = (
            SeatCell(seat.name, seat.row_place, seat.place, seat.centre, seat.accessible)
            for seat in free
        )
        try:
            best = seating.best_together(self.offer.id, places, quantity)[0]
        except SoldOut:
            return None
        return tuple(seat.name for seat in best)


@dataclass(frozen=True, slots=True)
class Party:
    """What somebody in line wants, as `allocation.Take` is for what needs no choice."""

    hold_id: UUID
    claims: tuple[Claim, ...]
    customer_id: UUID
    hall: Hall
    needed: Mapping[Key, int]
    """The cells to look at; no units, for it is open which."""

    @staticmethod
    def of(hold_id: UUID, claim: Claim, customer_id: UUID, hall: Hall) -> "Party":
        """Somebody who wants some seats of a hall."""
        return Party(hold_id, (claim,), customer_id, hall, dict.fromkeys(hall.cells(), 0))

    @property
    def offers(self) -> Mapping[int, Offer]:
        """What it was made with."""
        return {self.hall.offer.id.int: self.hall.offer}

    @property
    def limited(self) -> bool:
        """Whether it counts against a limit per customer."""
        return bool(self.hall.offer.per_customer)

    def fitting(self, cells: Mapping[Key, Cell], short: dict[int, int]) -> Take | None:
        """The seats they get; None where too few are free.

        `short`: by tier the smallest party that found too few in this round.
        """
        (claim,) = self.claims
        number = claim.offer_id.int
        if claim.quantity >= short.get(number, claim.quantity + 1):
            return None
        names = self.hall.together(cells, claim.quantity)
        if names is None:
            short[number] = claim.quantity
            return None
        seats = {seat.name: seat.slot for seat in self.hall.seats}
        chosen = (claim.model_copy(update={"seats": names}),)
        meaning = Meaning.of(chosen, self.offers, {number: seats})
        return Take(self.hold_id, chosen, *meaning, self.customer_id)


Wanted = Take | Party
"""What somebody in line wants."""
