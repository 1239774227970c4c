"""Whether a claim can be had now, as the engine would judge it; else why not, and what instead."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dvor.contracts.availability import Alternative, Explanation
from dvor.contracts.inventory import (
    Claim,
    NeedsSeats,
    SoldOut,
    TooLong,
    TooShort,
    UnknownSupply,
)
from dvor.kernel import texts
from dvor.kernel.db import Database
from dvor.kernel.errors import Refusal
from dvor.services.inventory import (
    alternatives,
    queries,
    rules,
    search_queries,
    seat_queries,
    slots,
)
from dvor.services.inventory.availability import refused
from dvor.services.inventory.seats import Seats
from dvor.services.inventory.slots import Offer


@dataclass(frozen=True)
class Shelf:
    """What is free of a listing's offers around a claim."""

    offers: Mapping[UUID, Offer]
    cells: Mapping[tuple[UUID, int], int]
    now: datetime
    horizon_days: int

    def left(self, claim: Claim) -> tuple[int, int]:
        """Units free in the scarcest slot, and that slot."""
        offer = self.offers[claim.offer_id]
        taken = slots.line(claim, offer, {}).slots()
        return min((self.cells.get((offer.id, slot), offer.quantity), slot) for slot in taken)

    def refusal(self, claim: Claim) -> Refusal | None:
        """Why it would be refused now."""
        offer = self.offers[claim.offer_id]
        problem = _unfit(claim, offer, {}) or refused(claim, offer, self.now, self.horizon_days)
        if problem:
            return problem
        left, slot = self.left(claim)
        return None if left >= claim.quantity else rules.lacking(offer, slot, left, ())

    def possible(self, claim: Claim) -> bool:
        """Whether it would be granted now."""
        return self.refusal(claim) is None


async def explain(
    db: Database, seats: Seats, claim: Claim, now: datetime, horizon_days: int
) -> Explanation:
    """Whether a claim can be had now, else why not and what instead. Raises UnknownSupply."""
    ids = await search_queries.siblings(db, claim.offer_id)
    offers = {offer.id: offer for offer in await queries.offers(db, ids)}
    if claim.offer_id not in offers:
        raise UnknownSupply(offer_id=claim.offer_id)
    offer = offers[claim.offer_id]
    if offer.seated:
        return await _seated(seats, claim, Shelf(offers, {}, now, horizon_days))
    if unfit := _unfit(claim, offer, {}):
        return _explained(unfit)
    # Offers counted in something else cannot take the place of this one.
    alike = {i: other for i, other in offers.items() if other.unit is offer.unit}
    cells = await search_queries.free_between(db, list(alike), _around(claim, alike))
    shelf = Shelf(alike, cells, now, horizon_days)
    problem = shelf.refusal(claim)
    if problem is None:
        return Explanation(possible=True)
    left = shelf.left(claim)[0] if isinstance(problem, SoldOut) else 0
    others = [i for i in alike if i != claim.offer_id]
    found = alternatives.nearest(claim, _length(claim, problem), others, left, shelf.possible)
    return _explained(problem, *(_alternative(instead) for instead in found))


def _unfit(claim: Claim, offer: Offer, seats: Mapping[str, int]) -> Refusal | None:
    """Dates where hours are asked for, and the like. `seats`: slots by name."""
    try:
        slots.line(claim, offer, seats)
    except Refusal as refusal:
        return refusal
    return None


def _around(claim: Claim, offers: Mapping[UUID, Offer]) -> range:
    """The slots of every time that is looked at."""
    units, far = alternatives.length(claim), alternatives.reach(claim)
    if not far:
        return slots.slots(None)
    longest = max(units, *(offer.rules.length_min for offer in offers.values()))
    spans = [
        slots.line(each, offer, {}).slots()
        for offer in offers.values()
        for each in (
            alternatives.moved(claim, -far, units),
            alternatives.moved(claim, far, longest),
        )
    ]
    return range(min(span[0] for span in spans), max(span[-1] for span in spans) + 1)


def _length(claim: Claim, problem: Refusal) -> int:
    if isinstance(problem, TooShort):
        return problem.least
    return problem.most if isinstance(problem, TooLong) else alternatives.length(claim)


async def _seated(seats: Seats, claim: Claim, shelf: Shelf) -> Explanation:
    """Chosen seats, or any that go together; instead of them as many that go together."""
    offer = shelf.offers[claim.offer_id]
    cells = (await seat_queries.seat_cells(seats.db, (offer.id,))).get(offer.id, ())
    problem = _unfit(claim, offer, {cell.name: number for number, cell in enumerate(cells)})
    if isinstance(problem, NeedsSeats):  # whoever names none gets the best
        problem = None
    problem = problem or refused(claim, offer, shelf.now, shelf.horizon_days)
    if problem is None and not claim.seats:
        return await _any_seats(seats, claim)
    if problem is None:
        free = {cell.name for cell in cells if cell.free}
        gone = next((name for name in sorted(claim.seats) if name not in free), None)
        if gone is None:
            return Explanation(possible=True)
        problem = SoldOut(offer_id=offer.id, left=0, seat=gone)
    if not offer.open:
        return _explained(problem)
    try:
        best = await seats.best(offer.id, claim.quantity, accessible=False)
    except SoldOut:
        return _explained(problem)
    return _explained(problem, _alternative(claim.model_copy(update={"seats": best.seats})))


async def _any_seats(seats: Seats, claim: Claim) -> Explanation:
    try:
        await seats.best(claim.offer_id, claim.quantity, accessible=False)
    except SoldOut as problem:
        return _explained(problem)
    return Explanation(possible=True)


def _alternative(claim: Claim) -> Alternative:
    return Alternative(
        offer_id=claim.offer_id,
        quantity=claim.quantity,
        dates=claim.dates,
        hours=claim.hours,
        seats=claim.seats,
    )


def _explained(problem: Refusal, *instead: Alternative) -> Explanation:
    return Explanation(
        possible=False,
        code=problem.code,
        detail=texts.refusal(problem),
        details=problem.dump(),
        alternatives=instead,
    )
