"""Seat maps, which of their seats are free, and seats for those who name none."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from dvor.contracts.catalog import Catalog, Kind
from dvor.contracts.inventory import (
    Claim,
    Claims,
    LimitReached,
    NoSeats,
    SoldOut,
    SupplyChanged,
    UnknownSupply,
)
from dvor.contracts.seating import (
    BestSeats,
    NotATier,
    SeatMap,
    SeatMapOutdated,
    SeatMapVersion,
    SeatStates,
)
from dvor.kernel.caller import current, require_user
from dvor.kernel.db import Contended, Database
from dvor.kernel.errors import Forbidden
from dvor.services.inventory import queries, seat_queries, seating, slots
from dvor.services.inventory.rules import StoredHold
from dvor.services.inventory.seating import SeatCell

SEATS_MAX = 50
"""Of one claim."""
TRIES_MAX = 12
"""How often seats are chosen again because somebody else was faster."""
CROWD_FACTOR = 3
"""After each loss so many times more choices are drawn from: a crowd spreads over the hall."""

TakeHold = Callable[[Claims], Awaitable[StoredHold]]
"""Makes the hold consist of these claims, as the engine does."""


@dataclass(frozen=True)
class Seats:
    """What can be done with numbered seats."""

    db: Database
    catalog: Catalog

    async def draw(self, listing_id: UUID, version: int, layout: SeatMap) -> SeatMapVersion:
        """Make `layout` the seats of an event, all of it or nothing."""
        user = require_user()
        listing = await self.catalog.listing(listing_id)
        if listing.seller_id != user and not current().is_admin():
            raise Forbidden
        tiers = {placed.seat.offer_id for placed in layout.placed()}
        if listing.kind is not Kind.EVENT or not tiers <= {offer.id for offer in listing.offers}:
            raise NotATier
        timezone = slots.known_timezone(listing.place.timezone if listing.place else "")
        async with self.db.tx() as tx:
            seated = await seat_queries.lock_offers(
                tx, listing_id, listing.seller_id, timezone, tiers
            )
            if await seat_queries.lock_map(tx, listing_id) != version:
                raise SeatMapOutdated
            known = await seat_queries.all_seats(tx, listing_id)
            change = seating.map_change(layout, known, seated)
            change.check(await seat_queries.lock_cells(tx, change.capacities))
            await seat_queries.set_capacities(tx, change.capacities)
            await seat_queries.write_seats(tx, listing_id, change.seats)
            await seat_queries.write_map(tx, listing_id, version + 1, layout)
            await seat_queries.count_seats(tx, change.counts)
            tx.emit(
                *(
                    SupplyChanged(offer_id=tier, quantity=count)
                    for tier, count in sorted(change.counts.items())
                )
            )
        return SeatMapVersion(listing_id=listing_id, version=version + 1, map=layout)

    async def drawn(self, listing_id: UUID) -> SeatMapVersion:
        """The seats of an event; an empty map where they have no numbers."""
        version, layout = await seat_queries.seat_map(self.db, listing_id)
        return SeatMapVersion(listing_id=listing_id, version=version, map=layout)

    async def states(self, listing_id: UUID) -> SeatStates:
        """Which seats of an event are taken now."""
        version, taken = await seat_queries.taken(self.db, listing_id)
        return SeatStates(listing_id=listing_id, version=version, taken=tuple(taken))

    async def best(self, offer_id: UUID, quantity: int, *, accessible: bool) -> BestSeats:
        """Free seats that go together best."""
        offers = await queries.offers(self.db, (offer_id,))
        if not offers:
            raise UnknownSupply(offer_id=offer_id)
        if not offers[0].seated:
            raise NoSeats(offer_id=offer_id)
        found = await seat_queries.seat_cells(self.db, (offer_id,))
        best = seating.best_together(
            offer_id, found.get(offer_id, ()), quantity, accessible=accessible
        )[0]
        return BestSeats(offer_id=offer_id, seats=tuple(seat.name for seat in best))

    async def hold_best(
        self, hold_id: UUID, claims: Claims, take: TakeHold
    ) -> tuple[StoredHold, Claims]:
        """Take a hold; whoever names no seats of a tier that has them gets the best together.

        The engine knows named seats only: they are chosen from what is free at this moment, and
        chosen again where somebody else was faster. Answers the claims with their seats.
        """
        named = {(claim.offer_id, seat) for claim in claims for seat in claim.seats}
        options = 1
        for _ in range(TRIES_MAX):
            filled = await self._filled(hold_id, claims, options)
            picked = {(claim.offer_id, seat) for claim in filled for seat in claim.seats} - named
            try:
                return await take(filled), filled
            except SoldOut as refused:
                lost = refused.offer_id, refused.seat
                if lost in named or refused.offer_id not in {offer_id for offer_id, _ in picked}:
                    raise
                options *= CROWD_FACTOR
        raise Contended

    async def check_choices(self, hold_id: UUID, claims: Claims) -> None:
        """Refuse with LeavesSingleSeat choices that leave one alone where the seller minds.

        Judged by what is free at this moment: two who choose at once can still leave one.
        """
        chosen: dict[UUID, set[str]] = {}
        for claim in claims:
            if claim.seats:
                chosen.setdefault(claim.offer_id, set()).update(claim.seats)
        offers = await queries.offers(self.db, list(chosen))
        strict = [offer.id for offer in offers if offer.rules.no_single_seats]
        if not strict:
            return
        found = await seat_queries.seat_cells(self.db, strict, hold_id)
        for offer_id in strict:
            seating.check_no_single_seat(offer_id, found.get(offer_id, ()), chosen[offer_id])

    async def _filled(self, hold_id: UUID, claims: Claims, options: int) -> Claims:
        """The claims with seats for those that name none. Raises SoldOut, LimitReached."""
        open_ids = sorted({claim.offer_id for claim in claims if not claim.seats})
        found = await seat_queries.seat_cells(self.db, open_ids, hold_id)
        used = {(claim.offer_id, seat) for claim in claims for seat in claim.seats}
        filled = []
        for claim in claims:
            seats = found.get(claim.offer_id)
            if claim.seats or seats is None:
                filled.append(claim)
                continue
            if claim.quantity > SEATS_MAX:
                raise LimitReached(offer_id=claim.offer_id, limit=SEATS_MAX)
            left = [seat for seat in seats if (claim.offer_id, seat.name) not in used]
            names = _picked(hold_id, claim, left, options)
            used |= {(claim.offer_id, name) for name in names}
            filled.append(claim.model_copy(update={"seats": names}))
        return tuple(filled)


def _picked(
    hold_id: UUID, claim: Claim, seats: Sequence[SeatCell], options: int
) -> tuple[str, ...]:
    """Those that the hold has already where they are as many: a repeated call changes nothing.

    Else one of the best few, another one for each hold.
    """
    own = [seat for seat in seats if seat.own]
    if len(own) != claim.quantity:
        best = seating.best_together(claim.offer_id, seats, claim.quantity, options=options)
        own = list(best[hold_id.int % len(best)])
    return tuple(seat.name for seat in own)
