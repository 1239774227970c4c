"""What owners do with closures, and the following up of what they could not take at once."""

from collections.abc import Sequence
from uuid import UUID

from dvor.contracts.closures import (
    Booking,
    Bookings,
    ClosedElsewhere,
    Closure,
    Closures,
    Occupancies,
    TooManyClosures,
    UnknownClosure,
)
from dvor.contracts.inventory import UnknownSupply
from dvor.kernel import clock, ids
from dvor.kernel.caller import caller_key
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Tx
from dvor.kernel.periods import DateRange
from dvor.services.inventory import closure_queries, closure_rules, queries, waiting_queries
from dvor.services.inventory.closure_queries import ALL_SLOTS_END
from dvor.services.inventory.closure_rules import OWNER, StoredClosure
from dvor.services.inventory.slots import Offer, today
from dvor.services.inventory.tasks import Offers, serve_line

BOOKINGS_MAX = 2000
"""Bookings shown at once."""

OFFERS_AT_ONCE = 50
"""Offers whose closures are followed up in one round."""


class ClosureDesk:
    """Closes and reopens; whoever asks here was let in by the service."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.db = db
        self.settings = settings

    async def close(
        self, offer_id: UUID, dates: DateRange, units: int, note: str, room_id: UUID | None
    ) -> Closure:
        """Close what is free at once; the rest is followed up. The same request closes once."""
        source = f"room:{room_id}" if room_id else OWNER
        async with self.db.tx() as tx:
            offer = await closure_queries.lock_offer(tx, offer_id)
            if offer is None:
                raise UnknownSupply(offer_id=offer_id)
            slots = closure_rules.slots_of(offer, dates)
            now = clock.now()
            first = today(offer.timezone, now)
            closure_rules.check_dates(offer, dates, first, self.settings.horizon_days)
            await self.check_room_for_more(tx, offer, 1)
            made = StoredClosure(caller_key("closure"), offer_id, slots, units, source, note)
            await closure_queries.insert_closure(tx, made)
            await self.apply(tx, offer, slots)
        (shown,) = await self.shown(offer, [made])
        return shown

    async def check_room_for_more(self, tx: Tx, offer: Offer, more: int) -> None:
        """Raises TooManyClosures for an offer that has its fill."""
        first = closure_rules.first_open(offer, clock.now())
        there = await closure_queries.count_closures(tx, offer.id, first)
        if there + more > closure_rules.CLOSURES_MAX:
            raise TooManyClosures(most=closure_rules.CLOSURES_MAX)

    async def apply(self, tx: Tx, offer: Offer, slots: range) -> None:
        """Fit the cells of these slots that can still be promised to what is closed there."""
        first = closure_rules.first_open(offer, clock.now())
        slots = range(max(slots.start, first), slots.stop)
        if slots:
            await closure_queries.lock_span(tx, offer, slots)
            await closure_queries.fit_cells(tx, offer.id, slots, first)
            if await waiting_queries.waited_slots(tx, offer.id):
                tx.enqueue(serve_line, Offers(offer_ids=(offer.id,)), key=str(ids.new()))

    async def stored(self, closure_id: UUID) -> StoredClosure:
        """A closure. Raises UnknownClosure."""
        found = await closure_queries.closure(self.db, closure_id)
        if found is None:
            raise UnknownClosure
        return found

    async def reopen(self, closure: StoredClosure) -> None:
        """End a closure that its owner made."""
        if closure.source.startswith("ical:"):
            raise ClosedElsewhere
        async with self.db.tx() as tx:
            offer = await closure_queries.lock_offer(tx, closure.offer_id)
            assert offer is not None
            await closure_queries.delete_closure(tx, closure.id)
            await self.apply(tx, offer, closure.slots)

    async def closures(self, offer_id: UUID, dates: DateRange) -> Closures:
        """What is closed on some of `dates`."""
        offer = await self._offer(offer_id)
        found = await closure_queries.closures(
            self.db, offer_id, closure_rules.slots_of(offer, dates)
        )
        return Closures(items=await self.shown(offer, found))

    async def occupancy(self, offer_id: UUID, dates: DateRange) -> Occupancies:
        """What is closed, promised and free day by day."""
        offer = await self._offer(offer_id)
        slots = closure_rules.slots_of(offer, dates)
        usage = await closure_queries.usage(self.db, offer_id, slots)
        return Occupancies(offer_id=offer_id, days=closure_rules.occupancy(offer, slots, usage))

    async def bookings(self, offer_id: UUID, dates: DateRange) -> Bookings:
        """What is held and booked on some of `dates`."""
        offer = await self._offer(offer_id)
        slots = closure_rules.slots_of(offer, dates)
        rows = await closure_queries.bookings(self.db, offer_id, slots, BOOKINGS_MAX)
        items = tuple(
            Booking(
                hold_id=row["hold_id"],
                dates=closure_rules.dates_at(offer, range(row["first_slot"], row["end_slot"])),
                quantity=row["quantity"],
                confirmed=row["confirmed"],
            )
            for row in rows
        )
        return Bookings(items=items)

    async def follow_up(self) -> None:
        """Let closures take what has become free since they were made. For the timer."""
        for offer_id in await closure_queries.takeable(self.db, OFFERS_AT_ONCE):
            async with self.db.tx() as tx:
                offer = await closure_queries.lock_offer(tx, offer_id)
                assert offer is not None
                first = closure_rules.first_open(offer, clock.now())
                await closure_queries.lock_cells_from(tx, offer_id, first)
                await closure_queries.fit_cells(tx, offer_id, range(first, ALL_SLOTS_END), first)

    async def _offer(self, offer_id: UUID) -> Offer:
        found = await queries.offers(self.db, [offer_id])
        if not found:
            raise UnknownSupply(offer_id=offer_id)
        return found[0]

    async def shown(self, offer: Offer, found: Sequence[StoredClosure]) -> tuple[Closure, ...]:
        """Closures with what stands in their way from today on."""
        first = closure_rules.first_open(offer, clock.now())
        end = max((closure.slots.stop for closure in found), default=first)
        usage = await closure_queries.usage(self.db, offer.id, range(first, max(end, first)))
        return tuple(
            Closure(
                id=closure.id,
                offer_id=closure.offer_id,
                dates=closure_rules.dates_at(offer, closure.slots),
                units=closure.units,
                source=closure.source,
                note=closure.note,
                conflicts=closure_rules.shortfalls(offer, closure.slots, usage, closure.units),
            )
            for closure in found
        )
