"""Seat maps, which of their seats are free, and seats for those who name none."""

from dataclasses import dataclass
from uuid import UUID

from dvor.contracts.catalog import Catalog, Kind
from dvor.contracts.inventory import NoSeats, SupplyChanged, UnknownSupply
from dvor.contracts.seating import (
    BestSeats,
    NotATier,
    SeatMap,
    SeatMapOutdated,
    SeatMapVersion,
    SeatStates,
)
from dvor.kernel.caller import current, require_user
from dvor.kernel.db import Database
from dvor.kernel.errors import Forbidden
from dvor.services.inventory import queries, seat_queries, seating, slots


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
