"""Units, holds and availability: the only place where a unit is promised to somebody."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from dvor.contracts.availability import AvailabilitySearch, AvailableOffers, Explanation
from dvor.contracts.calendars import (
    CalendarFile,
    CalendarImport,
    CalendarSource,
    Feed,
    OfferCalendars,
    UnknownImport,
)
from dvor.contracts.catalog import Catalog, Kind, ListingStatus, OfferFacts
from dvor.contracts.closures import Bookings, Closure, Closures, Occupancies, UnknownClosure
from dvor.contracts.hours import DayHours, HourDays
from dvor.contracts.inventory import (
    Calendar,
    Claim,
    Claims,
    Day,
    Free,
    FreeList,
    Hold,
    NeedsDates,
    NeedsSeats,
    OfferIds,
    OfferRules,
    OfferRulesList,
    Quantity,
    Rules,
    Supplies,
    Supply,
    UnknownHold,
    UnknownSupply,
)
from dvor.contracts.seating import (
    BestSeats,
    SeatMap,
    SeatMapVersion,
    SeatStates,
)
from dvor.contracts.waiting import Waiting, WaitingLines, WaitingList
from dvor.kernel import clock, ids, metrics
from dvor.kernel.caller import current, require_service, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from dvor.kernel.errors import Forbidden
from dvor.kernel.idempotency import KeyMissing
from dvor.kernel.messages import Bool, Count, Int
from dvor.kernel.periods import DateRange, HourRange
from dvor.services.inventory import (
    availability,
    explaining,
    hold_queries,
    queries,
    slots,
    waiting_queries,
)
from dvor.services.inventory import hours as hours_of
from dvor.services.inventory.allocation import Confirm, Expire, Extend, Release
from dvor.services.inventory.calendars import Calendars
from dvor.services.inventory.changing import Changing
from dvor.services.inventory.closures import ClosureDesk
from dvor.services.inventory.engine import Engine
from dvor.services.inventory.rules import StoredHold
from dvor.services.inventory.seats import Seats
from dvor.services.inventory.waiting_list import WaitingRoom

EXPIRED_AT_ONCE = 200
"""Holds that the sweeper ends at once."""


class InventoryService:
    """Implements `dvor.contracts.inventory.Inventory`."""

    def __init__(self, db: Database, settings: Settings, catalog: Catalog) -> None:
        self.db = db
        self.settings = settings
        self.catalog = catalog
        self.engine = Engine(db, settings)
        self.waiting_room = WaitingRoom(db, settings, catalog, self.engine)
        self.seats = Seats(db, catalog)
        self.desk = ClosureDesk(db, settings)
        self.shelf = Calendars(db, self.desk)

    async def measure(self) -> None:
        """Say how many holds live, and whether somebody ends them in time."""
        row = await hold_queries.standing(self.db)
        metrics.HOLDS_LIVE.set(row["live"])
        metrics.HOLDS_OVERDUE.set(row["overdue"])
        metrics.HOLDS_OVERDUE_AGE.set(row["overdue_seconds"])

    async def stop(self) -> None:
        """Answer those who wait for a hold."""
        await self.engine.close()

    async def set_supply(self, offer_id: UUID, quantity: Count) -> Supply:
        """Say how many units there are; past days keep what they had."""
        facts = await self._own(offer_id)
        stated = replace(_stated(facts), quantity=quantity)
        await self.engine.resize(stated, facts.listing_id)
        return (await self.supplies((offer_id,))).items[0]

    async def _own(self, offer_id: UUID) -> OfferFacts:
        """An offer of the caller's. Raises UnknownSupply, Forbidden."""
        user = require_user()
        found = await self.catalog.offers((offer_id,))
        if not found.items:
            raise UnknownSupply(offer_id=offer_id)
        facts = found.items[0]
        if facts.seller_id != user and not current().is_admin():
            # Strangers cannot tell a draft from nothing.
            draft = facts.status is ListingStatus.DRAFT
            raise UnknownSupply(offer_id=offer_id) if draft else Forbidden
        return facts

    async def set_rules(self, offer_id: UUID, rules: Rules) -> OfferRules:
        """Say what may be booked from now on; what was booked before stays booked."""
        facts = await self._own(offer_id)
        async with self.db.tx() as tx:
            stated = replace(_stated(facts), rules=rules)
            offer = await queries.state_rules(tx, stated, facts.listing_id)
        await self.engine.serve(offer_id)
        return OfferRules(offer_id=offer_id, unit=offer.unit, rules=offer.rules)

    async def rules(self, offer_ids: OfferIds) -> OfferRulesList:
        """What may be booked of offers."""
        found = {offer.id: offer for offer in await queries.offers(self.db, offer_ids)}
        offers = [found[i] for i in dict.fromkeys(offer_ids) if i in found]
        items = tuple(OfferRules(offer_id=o.id, unit=o.unit, rules=o.rules) for o in offers)
        return OfferRulesList(items=items)

    async def supplies(self, offer_ids: OfferIds) -> Supplies:
        """How many units offers have."""
        found: dict[UUID, Supply] = {}
        for row in await queries.supplies(self.db, offer_ids):
            offer = queries.offer(row)
            found[offer.id] = Supply(
                offer_id=offer.id,
                quantity=offer.quantity,
                free=max(row["free"], 0),
                open=offer.open,
                unit=offer.unit,
            )
        return Supplies(items=tuple(found[i] for i in dict.fromkeys(offer_ids) if i in found))

    async def calendar(self, offer_id: UUID, dates: DateRange) -> Calendar:
        """Free units of each day."""
        rows = await queries.calendar(self.db, offer_id, slots.slots(dates))
        if not rows:
            raise UnknownSupply(offer_id=offer_id)
        if not slots.is_dated(Kind(rows[0]["kind"])):
            raise NeedsDates(offer_id=offer_id)
        free = [max(row["free"], 0) for row in rows]
        days = tuple(Day(day=day, free=n) for day, n in zip(dates.days(), free, strict=True))
        return Calendar(offer_id=offer_id, days=days)

    async def free(
        self,
        offer_ids: OfferIds,
        dates: DateRange | None = None,
        hours: HourRange | None = None,
    ) -> FreeList:
        """Free units during all of `dates` or `hours`, or now; 0 where its rules refuse it."""
        asked, now = list(dict.fromkeys(offer_ids)), clock.now()
        offers = {offer.id: offer for offer in await queries.offers(self.db, asked)}
        known = [offer_id for offer_id in asked if offer_id in offers]
        spans = [_span(offers[offer_id], dates, hours, now) for offer_id in known]
        found = await queries.free(self.db, known, spans)
        if dates or hours:
            horizon = self.settings.horizon_days
            barred = availability.barred(offers.values(), dates, hours, now, horizon)
            found |= dict.fromkeys(barred, 0)
        return FreeList(items=tuple(Free(offer_id=i, free=max(found.get(i, 0), 0)) for i in asked))

    async def hours(self, offer_id: UUID, day: date, days: HourDays = 1) -> DayHours:
        """Free units of each hour of local days."""
        now, horizon = clock.now(), self.settings.horizon_days
        return await hours_of.of_days(self.db, offer_id, day, days, now, horizon)

    async def available(self, search: AvailabilitySearch) -> AvailableOffers:
        """Which offers on sale can be had."""
        return await availability.find(self.db, search, clock.now(), self.settings.horizon_days)

    async def explain(self, claim: Claim) -> Explanation:
        """Whether a claim can be had now, else why not and what instead."""
        now, horizon = clock.now(), self.settings.horizon_days
        return await explaining.explain(self.db, self.seats, claim, now, horizon)

    async def hold(
        self,
        hold_id: UUID,
        claims: Claims,
        customer_id: UUID | None = None,
        instead_of: UUID | None = None,
    ) -> Hold:
        """Make the hold consist of exactly these claims, all or nothing, with a fresh deadline."""
        require_service("orders")

        for claim in claims:
            if claim.seats:
                await self.seats.check_choices(hold_id, claims)
                break
        try:
            stored = await self.engine.take(hold_id, claims, customer_id, instead_of)
        except NeedsSeats:

            def take(asked: Claims) -> Awaitable[StoredHold]:
                return self.engine.take(hold_id, asked, customer_id, instead_of)

            stored, claims = await self.seats.hold_best(hold_id, claims, take)
        return _shown(stored, claims)

    async def restate(self, hold_id: UUID, claims: Claims, instead_of: UUID | None = None) -> Hold:
        """Make a confirmed hold consist of exactly these claims."""
        require_service("orders")
        customer_id = await self._customer_of(hold_id)
        changing = Changing(hold_id, claims, customer_id, instead_of)
        return _shown(await self.engine.change(changing), claims)

    async def hold_beyond(self, hold_id: UUID, claims: Claims, beyond: UUID) -> Hold:
        """Hold what a confirmed hold lacks to consist of these claims."""
        require_service("orders")
        changing = Changing(hold_id, claims, await self._customer_of(beyond), beyond=beyond)
        return _shown(await self.engine.change(changing))

    async def _customer_of(self, hold_id: UUID) -> UUID | None:
        """Whose hold it is: that never changes while it is booked. Raises UnknownHold."""
        stored = await hold_queries.hold(self.db, hold_id)
        if stored is None:
            raise UnknownHold
        return stored.customer_id

    async def reserve(self, claims: Claims) -> Hold:
        """Hold units for the signed-in person; the key names the hold, so it is taken once."""
        user, key = require_user(), current().key
        if key is None:
            raise KeyMissing
        hold_id = ids.derived("reserved", user, key)
        return _shown(await self.engine.take(hold_id, claims, user, once=True), claims)

    async def let_go(self, key: UUID) -> Hold:
        """Free what the caller has reserved under a key."""
        hold_id = ids.derived("reserved", require_user(), key)
        return _shown(await self.engine.ask(Release(hold_id)))

    async def get_hold(self, hold_id: UUID) -> Hold:
        """A hold; one past its deadline shows as expired even before the sweeper came by."""
        require_service("orders")
        async with self.db.snapshot() as moment:
            stored = await hold_queries.hold(moment, hold_id)
        if stored is None:
            raise UnknownHold
        return _shown(stored._replace(status=stored.status_at(clock.now())))

    async def confirm(self, hold_id: UUID) -> Hold:
        """Turn held units into sold ones."""
        require_service("orders")
        return _shown(await self.engine.ask(Confirm(hold_id)))

    async def extend(self, hold_id: UUID, seconds: Count) -> Hold:
        """Let a hold live longer than a cart may."""
        require_service("orders")
        return _shown(await self.engine.ask(Extend(hold_id, seconds)))

    async def release(self, hold_id: UUID) -> Hold:
        """Free the units of a hold, also a confirmed one."""
        require_service("orders")
        return _shown(await self.engine.ask(Release(hold_id)))

    async def set_seat_map(
        self, listing_id: UUID, version: Int, seat_map: SeatMap
    ) -> SeatMapVersion:
        """Draw the seats of an event."""
        drawn = await self.seats.draw(listing_id, version, seat_map)
        await self.serve_line({placed.seat.offer_id for placed in seat_map.placed()})
        return drawn

    async def seat_map(self, listing_id: UUID) -> SeatMapVersion:
        """The seats of an event; an empty map where they have no numbers."""
        return await self.seats.drawn(listing_id)

    async def seat_states(self, listing_id: UUID) -> SeatStates:
        """Which seats of an event are taken now."""
        return await self.seats.states(listing_id)

    async def best_seats(
        self, offer_id: UUID, quantity: Quantity, accessible: Bool = False
    ) -> BestSeats:
        """Free seats of a tier that go together best."""
        return await self.seats.best(offer_id, quantity, accessible=accessible)

    async def close_dates(
        self,
        offer_id: UUID,
        dates: DateRange,
        units: int = 1,
        note: str = "",
        room_id: UUID | None = None,
    ) -> Closure:
        """Close units; what is promised stays promised."""
        await self._own(offer_id)
        return await self.desk.close(offer_id, dates, units, note, room_id)

    async def reopen(self, closure_id: UUID) -> None:
        """End a closure; a foreign one does not exist."""
        require_user()
        closure = await self.desk.stored(closure_id)
        try:
            await self._own(closure.offer_id)
        except (UnknownSupply, Forbidden):
            raise UnknownClosure from None
        await self.desk.reopen(closure)

    async def closures(self, offer_id: UUID, dates: DateRange) -> Closures:
        """What is closed, with conflicts."""
        await self._own(offer_id)
        return await self.desk.closures(offer_id, dates)

    async def occupancy(self, offer_id: UUID, dates: DateRange) -> Occupancies:
        """What is closed, promised and free day by day."""
        await self._own(offer_id)
        return await self.desk.occupancy(offer_id, dates)

    async def bookings(self, offer_id: UUID, dates: DateRange) -> Bookings:
        """What is held and booked."""
        await self._own(offer_id)
        return await self.desk.bookings(offer_id, dates)

    async def set_feed(self, offer_id: UUID, shared: Bool) -> Feed:
        """Give the calendar a new address, or none."""
        await self._own(offer_id)
        return await self.shelf.set_feed(offer_id, shared=shared)

    async def calendar_file(self, token: str) -> CalendarFile:
        """When nothing is free; the address is the secret."""
        return await self.shelf.file(token)

    async def import_calendar(
        self, offer_id: UUID, source: CalendarSource, import_id: UUID | None = None
    ) -> CalendarImport:
        """Close a unit for each event."""
        await self._own(offer_id)
        return await self.shelf.bring(offer_id, source, import_id)

    async def calendars(self, offer_id: UUID) -> OfferCalendars:
        """The feed and the imported calendars."""
        await self._own(offer_id)
        return await self.shelf.of(offer_id)

    async def remove_import(self, import_id: UUID) -> None:
        """End an import; a foreign one does not exist."""
        require_user()
        try:
            await self._own(await self.shelf.offer_of(import_id))
        except (UnknownSupply, Forbidden):
            raise UnknownImport from None
        await self.shelf.remove(import_id)

    async def wait(self, claim: Claim) -> Waiting:
        """Stand in line for what is sold out."""
        return await self.waiting_room.join(claim)

    async def waiting(self) -> WaitingList:
        """What the caller waits for."""
        return await self.waiting_room.mine()

    async def waiting_entry(self, waiting_id: UUID, token: str = "") -> Waiting:
        """A place in a line."""
        return await self.waiting_room.entry(waiting_id, token)

    async def stop_waiting(self, waiting_id: UUID, token: str = "") -> Waiting:
        """Leave the line or decline the offer."""
        return await self.waiting_room.stop(waiting_id, token)

    async def waiting_lines(self, offer_ids: OfferIds) -> WaitingLines:
        """How many wait for the caller's own offers."""
        return await self.waiting_room.lines(offer_ids)

    async def end_waiting_for_past(self) -> None:
        """Nobody waits for what has begun. For the timer."""
        await waiting_queries.end_begun(self.db)

    async def expire_due(self) -> int:
        """End one batch of holds past their deadline; answers how many. For the sweeper."""
        due = await hold_queries.due_holds(self.db, EXPIRED_AT_ONCE)
        await asyncio.gather(*(self.engine.ask(Expire(hold_id)) for hold_id in due))
        return len(due)

    async def learn_facts(self, offer_ids: Iterable[UUID]) -> None:
        """Ask the catalogue where offers are; who waits for them may fit now. For the task that follows a change of a listing."""
        offer_ids = tuple(offer_ids)
        found = await self.catalog.offers(offer_ids)
        async with self.db.tx() as tx:
            for facts in sorted(found.items, key=lambda facts: facts.id):
                timezone = slots.known_timezone(facts.timezone)
                await queries.set_facts(tx, facts.id, timezone, by_hour=facts.by_hour)
        await self.serve_line(offer_ids)

    async def serve_line(self, offer_ids: Iterable[UUID]) -> None:
        """Offer those who wait for it what fits by now. For tasks."""
        for offer_id in offer_ids:
            await self.engine.serve(offer_id)


def _span(
    offer: slots.Offer, dates: DateRange | None, hours: HourRange | None, now: datetime
) -> range:
    """The slots that a claim of these would take, its buffer included, or those of now."""
    if not dates and not hours:
        return slots.slots_now(offer, now)
    asked = slots.hour_slots(hours, offer.timezone) if hours else slots.slots(dates)
    return range(asked.start, asked.stop + offer.rules.buffer)


def _stated(facts: OfferFacts) -> slots.Offer:
    """An offer as the catalogue knows it, with nothing to sell."""
    return slots.Offer(
        id=facts.id,
        seller_id=facts.seller_id,
        kind=facts.kind,
        quantity=0,
        timezone=slots.known_timezone(facts.timezone),
        open=facts.status is ListingStatus.PUBLISHED,
        by_hour=facts.by_hour,
    )


def _shown(stored: StoredHold, claims: Claims | None = None) -> Hold:
    shown = tuple(slots.claim(line) for line in stored.claims) if claims is None else claims
    return Hold.trusted(
        id=stored.id, status=stored.status, claims=shown, expires_at=stored.expires_at
    )
