"""How much there is of everything, and who holds it: the promise never to sell a unit twice."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field, model_validator

from dvor.contracts.availability import AvailabilitySearch, AvailableOffers, Explanation
from dvor.contracts.calendars import (
    CalendarFile,
    CalendarImport,
    CalendarSource,
    Feed,
    OfferCalendars,
)
from dvor.contracts.closures import Bookings, Closure, Closures, Occupancies
from dvor.contracts.hours import DayHours, HourDays
from dvor.contracts.seating import BestSeats, SeatMap, SeatMapVersion, SeatName, SeatStates
from dvor.contracts.waiting import Waiting, WaitingLines, WaitingList
from dvor.kernel.errors import Conflict, Gone, Invalid, NotFound
from dvor.kernel.events import Event
from dvor.kernel.messages import Bool, Count, Instant, Int, Line, Message
from dvor.kernel.periods import DateRange, HourRange, Weekday

OfferIds = Annotated[tuple[UUID, ...], Field(max_length=500)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=1000)]


class HoldStatus(StrEnum):
    """held -> confirmed | released | expired; confirmed -> released (a cancelled order)."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"


class Unit(StrEnum):
    """What an offer is counted in: its slots."""

    TIMELESS = "timeless"
    """Goods, and tickets without a number: one slot."""
    HOUR = "hour"
    """Rented by the hour."""
    DAY = "day"
    """Rented by the day, let by the night."""
    SEAT = "seat"
    """Tickets with a number: one slot per seat."""


class Claim(Message):
    """A quantity of an offer: for all of `dates` or `hours` where it is let by them, or `seats`."""

    offer_id: UUID
    quantity: Quantity
    dates: DateRange | None = None
    hours: HourRange | None = None
    seats: Annotated[tuple[SeatName, ...], Field(max_length=50)] = ()
    """Chosen seats, as many as `quantity`. Empty where seats have numbers: the best together."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Claim":
        if (self.dates is not None) + (self.hours is not None) + bool(self.seats) > 1:
            raise ValueError("dates, hours and seats exclude each other")
        if self.seats and len(set(self.seats)) != self.quantity:
            raise ValueError("as many different seats as the quantity")
        return self


Claims = Annotated[tuple[Claim, ...], Field(min_length=1, max_length=51)]
"""As many as a cart has lines, and the use of a promo code."""


class Hold(Message):
    """A set of claims, all or nothing, until a deadline."""

    id: UUID
    status: HoldStatus
    claims: tuple[Claim, ...]
    expires_at: Instant


class Supply(Message):
    """How many units of an offer exist, and how many are free of a timeless offer."""

    offer_id: UUID
    quantity: Count
    """Units on hand, identical things, rooms of the type, tickets."""
    free: Count
    """Free now (goods, tickets); equals `quantity` for what is let by dates."""
    open: Bool
    """Whether it is on sale."""
    unit: Unit = Unit.TIMELESS


class Rules(Message):
    """What an offer's seller asks of bookings. Lengths are in the offer's unit; 0: no limit."""

    length_min: Annotated[int, Field(strict=True, ge=0, le=366)] = 0
    length_max: Annotated[int, Field(strict=True, ge=0, le=744)] = 0
    notice_hours: Annotated[int, Field(strict=True, ge=0, le=8784)] = 0
    """How long before its beginning (for days: before the day begins there) at the latest."""
    horizon_days: Annotated[int, Field(strict=True, ge=0, le=1098)] = 0
    """How far ahead; 0: as far as the site allows."""
    buffer: Annotated[int, Field(strict=True, ge=0, le=48)] = 0
    """Units after each rental that are taken, too: to clean, to charge."""
    arrival_weekdays: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    """Days on which it may begin; empty: any."""
    departure_weekdays: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    """Days on which it may end: the day the guest leaves; empty: any."""
    closed: Annotated[tuple[DateRange, ...], Field(max_length=100)] = ()
    """Dates on which nothing can be had."""
    per_customer: Annotated[int, Field(strict=True, ge=0, le=1000)] = 0
    """Units one customer may have held and bought: of goods and tickets ever, else in each slot."""
    no_single_seats: Bool = False
    """Refuse a choice of seats that leaves a single free seat beside it."""


class OfferRules(Message):
    """The rules of an offer."""

    offer_id: UUID
    unit: Unit
    rules: Rules


class OfferRulesList(Message):
    """Rules of the offers that exist."""

    items: tuple[OfferRules, ...]


class Supplies(Message):
    """Supplies of the offers that have one."""

    items: tuple[Supply, ...]


class Day(Message):
    """One day of an offer let by dates."""

    day: date
    free: Count


class Calendar(Message):
    """Free units day by day."""

    offer_id: UUID
    days: tuple[Day, ...]


class Free(Message):
    """How many units are free during all of the dates asked for."""

    offer_id: UUID
    free: Count


class FreeList(Message):
    """Free units of each offer that was asked for; 0 for unknown ones."""

    items: tuple[Free, ...]


class SoldOut(Conflict):
    """Not enough is left."""

    offer_id: UUID
    left: Count
    """What is left (on the scarcest day)."""
    day: date | None = None
    """The scarcest day, for what is let by dates."""
    hour: Instant | None = None
    """The scarcest hour, for what is let by the hour."""
    seat: str = ""
    """A chosen seat that somebody else has."""


class Closed(Conflict):
    """This is not on sale now."""

    offer_id: UUID


class ClosedDates(Conflict):
    """It cannot be had on {day}."""

    offer_id: UUID
    day: date


class TooShort(Invalid):
    """This is too short: {least} at least."""

    offer_id: UUID
    least: Count


class TooLong(Invalid):
    """This is too long: {most} at most."""

    offer_id: UUID
    most: Count


class TooLate(Conflict):
    """It is too late for this beginning: {hours} hours of notice are needed."""

    offer_id: UUID
    hours: Count


class WrongWeekday(Invalid):
    """It cannot begin or end on this day of the week."""

    offer_id: UUID
    day: date


class LimitReached(Conflict):
    """One customer can have {limit} of it."""

    offer_id: UUID
    limit: Count


class UnknownSeat(NotFound):
    """There is no seat {seat}."""

    offer_id: UUID
    seat: str


class LeavesSingleSeat(Conflict):
    """This choice leaves seat {seat} alone. Choose seats beside each other."""

    offer_id: UUID
    seat: str


class InThePast(Invalid):
    """These dates have passed."""

    offer_id: UUID


class TooFarAhead(Invalid):
    """These dates are too far ahead."""

    offer_id: UUID


class NeedsDates(Invalid):
    """Rentals and rooms need dates, goods and tickets have none."""

    offer_id: UUID


class NeedsHours(Invalid):
    """This is let by the hour: say from when to when."""

    offer_id: UUID


class NeedsSeats(Invalid):
    """The places of this offer have numbers: choose seats."""

    offer_id: UUID


class NoSeats(Invalid):
    """The places of this offer have no numbers."""

    offer_id: UUID


class UnknownSupply(NotFound):
    """This is not on offer."""

    offer_id: UUID


class UnknownHold(NotFound):
    """There is no such hold."""


class HoldEnded(Gone):
    """The time to pay has run out, and what was held is free again."""


class BelowPromised(Conflict):
    """{promised} are already promised to customers: there cannot be fewer."""

    offer_id: UUID
    promised: Count
    day: date | None = None


class SupplyChanged(Event):
    """A seller set how many units there are."""

    aggregate = "offer_id"
    offer_id: UUID
    quantity: Count


class HoldExpired(Event):
    """A hold ran past its deadline and its units are free again."""

    aggregate = "hold_id"
    hold_id: UUID


class WaitingOffered(Event):
    """What somebody waited for came free and is held for them until `entry.offered_until`."""

    aggregate = "waiting_id"
    waiting_id: UUID
    customer_id: UUID
    entry: Waiting
    token: str
    """Whoever knows it may decline."""


class WaitingLapsed(Event):
    """An offer to somebody who waited was not answered in time: the next in line gets it."""

    aggregate = "waiting_id"
    waiting_id: UUID
    customer_id: UUID
    entry: Waiting


class Inventory(Protocol):
    """Units, holds, availability."""

    async def set_supply(self, offer_id: UUID, quantity: Count) -> Supply:
        """Say how many units there are. The offer's seller and admins.

        Raises BelowPromised; SeatsCounted where the seat map says how many.
        """
        ...

    async def supplies(self, offer_ids: OfferIds) -> Supplies:
        """How many units offers have."""
        ...

    async def set_rules(self, offer_id: UUID, rules: Rules) -> OfferRules:
        """Say what may be booked from now on. The offer's seller and admins."""
        ...

    async def rules(self, offer_ids: OfferIds) -> OfferRulesList:
        """What may be booked of offers."""
        ...

    async def calendar(self, offer_id: UUID, dates: DateRange) -> Calendar:
        """Free units of each day. Raises UnknownSupply, NeedsDates."""
        ...

    async def free(
        self,
        offer_ids: OfferIds,
        dates: DateRange | None = None,
        hours: HourRange | None = None,
    ) -> FreeList:
        """Free units during all of `dates` or `hours`, or now; 0 where an offer's rules refuse it."""
        ...

    async def hours(self, offer_id: UUID, day: date, days: HourDays = 1) -> DayHours:
        """Free units of each hour of local days. Raises UnknownSupply, NeedsDates where it is not
        let by the hour, InThePast, TooFarAhead.
        """
        ...

    async def available(self, search: AvailabilitySearch) -> AvailableOffers:
        """Which offers on sale can be had; those whose rules refuse the period are left out."""
        ...

    async def explain(self, claim: Claim) -> Explanation:
        """Whether it can be had now, else why not and what instead. Raises UnknownSupply."""
        ...

    async def hold(
        self,
        hold_id: UUID,
        claims: Claims,
        customer_id: UUID | None = None,
        instead_of: UUID | None = None,
    ) -> Hold:
        """Make the hold `hold_id` consist of exactly these claims, with a fresh deadline.

        All or nothing: on a refusal the hold stays as it was. Repeating the call is harmless. A
        hold that expired is taken anew. Limits per customer count for `customer_id`, or for this
        hold alone. What the hold `instead_of` has, if anything, is given back in the same moment,
        before these claims are judged: nobody comes in between. Services only.

        Raises SoldOut, Closed, ClosedDates, InThePast, TooFarAhead, TooLate, TooShort, TooLong,
        WrongWeekday, LimitReached, NeedsDates, NeedsHours, NeedsSeats, NoSeats, UnknownSeat,
        LeavesSingleSeat, UnknownSupply; HoldEnded for a released one, Conflict for a confirmed one.
        """
        ...

    async def restate(self, hold_id: UUID, claims: Claims, instead_of: UUID | None = None) -> Hold:
        """Make a confirmed hold consist of exactly these claims; it stays confirmed.

        What it no longer has is free at once. What it had already is not judged again; the rest is,
        as in `hold`, all or nothing. What the hold `instead_of` has, held or confirmed, goes over in
        the same moment. Harmless when repeated. Services only.

        Raises what `hold` raises; UnknownHold; HoldEnded unless it is confirmed.
        """
        ...

    async def hold_beyond(self, hold_id: UUID, claims: Claims, beyond: UUID) -> Hold:
        """Hold what the confirmed hold `beyond` lacks to consist of these claims, until a deadline.

        Nothing is taken of what it has, so that its own units never stand in its way. Harmless when
        repeated; `restate` takes it over. Services only.

        Raises what `hold` raises; UnknownHold; HoldEnded unless `beyond` is confirmed.
        """
        ...

    async def reserve(self, claims: Claims) -> Hold:
        """Hold units for the signed-in person, e.g. for a box office while it talks.

        The request's key names the hold for this person: the same request again answers the same
        hold. Raises what `hold` raises; KeyMissing; KeyReused where other claims were asked for
        under this key.
        """
        ...

    async def let_go(self, key: UUID) -> Hold:
        """Free what the caller has reserved under a key; harmless when repeated."""
        ...

    async def get_hold(self, hold_id: UUID) -> Hold:
        """A hold. Services only. Raises UnknownHold."""
        ...

    async def confirm(self, hold_id: UUID) -> Hold:
        """Turn held units into sold ones; harmless when repeated. Services only.

        Raises HoldEnded when the deadline has passed, UnknownHold.
        """
        ...

    async def extend(self, hold_id: UUID, seconds: Count) -> Hold:
        """Let a hold live `seconds` from now at least; harmless when repeated. Services only.

        For what is paid for and waits for an answer: there is no limit to its lifetime. Raises
        HoldEnded, UnknownHold.
        """
        ...

    async def release(self, hold_id: UUID) -> Hold:
        """Free the units of a hold, also a confirmed one; harmless when repeated. Services only."""
        ...

    async def set_seat_map(
        self, listing_id: UUID, version: Int, seat_map: SeatMap
    ) -> SeatMapVersion:
        """Draw the seats of an event; `version` is that of the map it started from, 0 for none.

        The number of seats becomes the supply of each tier; a tier without seats has no numbers.
        The event's seller and admins. Raises SeatMapOutdated, SeatPromised (a seat that is taken
        can be neither removed nor renamed nor put into another tier), TicketsPromised, NotATier.
        """
        ...

    async def seat_map(self, listing_id: UUID) -> SeatMapVersion:
        """The seats of an event; an empty map where they have no numbers."""
        ...

    async def seat_states(self, listing_id: UUID) -> SeatStates:
        """Which seats of an event are taken now."""
        ...

    async def best_seats(
        self, offer_id: UUID, quantity: Quantity, accessible: Bool = False
    ) -> BestSeats:
        """Free seats of a tier that go together best; `accessible`: places for wheelchairs.

        Raises SoldOut, UnknownSupply, NoSeats.
        """
        ...

    async def close_dates(
        self,
        offer_id: UUID,
        dates: DateRange,
        units: Quantity = 1,
        note: Line = "",
        room_id: UUID | None = None,
    ) -> Closure:
        """Close units on all of `dates`: what is free at once, the rest when it becomes free.

        `room_id` says which room. The offer's seller and admins. Raises UnknownSupply, NeedsDates,
        InThePast, TooFarAhead, TooManyClosures.
        """
        ...

    async def reopen(self, closure_id: UUID) -> None:
        """End a closure. The offer's seller and admins. Raises UnknownClosure, ClosedElsewhere."""
        ...

    async def closures(self, offer_id: UUID, dates: DateRange) -> Closures:
        """What is closed on some of `dates`, with conflicts. The offer's seller and admins."""
        ...

    async def occupancy(self, offer_id: UUID, dates: DateRange) -> Occupancies:
        """What is closed, promised and free day by day. The offer's seller and admins."""
        ...

    async def bookings(self, offer_id: UUID, dates: DateRange) -> Bookings:
        """What is held and booked on some of `dates`. The offer's seller and admins."""
        ...

    async def set_feed(self, offer_id: UUID, shared: Bool) -> Feed:
        """Give the calendar a new address, or none. The offer's seller and admins."""
        ...

    async def calendar_file(self, token: Line) -> CalendarFile:
        """When nothing is free; for who has the address. Raises UnknownFeed."""
        ...

    async def import_calendar(
        self, offer_id: UUID, source: CalendarSource, import_id: UUID | None = None
    ) -> CalendarImport:
        """Close a unit for each event; of an import that is there, follow what changed. Raises
        NotACalendar, BadCalendarAddress, TooManyImports, UnknownImport, NeedsDates.
        """
        ...

    async def calendars(self, offer_id: UUID) -> OfferCalendars:
        """The feed and the imported calendars. The offer's seller and admins."""
        ...

    async def remove_import(self, import_id: UUID) -> None:
        """End an import and its closures. The offer's seller and admins. Raises UnknownImport."""
        ...

    async def wait(self, claim: Claim) -> Waiting:
        """Stand in line for what is sold out, all of the claim or nothing; seats cannot be chosen.

        Who waits gets what comes free before anybody else, in the order they came; who does not
        fit keeps their place. Raises NothingToWaitFor, AlreadyWaiting, WaitingForTooMuch,
        LineTooLong, and what `hold` raises except SoldOut.
        """
        ...

    async def waiting(self) -> WaitingList:
        """What the caller waits for, is offered and waited for lately: up to 100."""
        ...

    async def waiting_entry(self, waiting_id: UUID, token: Line = "") -> Waiting:
        """A place in a line: its owner, or who knows its token. Raises UnknownWaiting."""
        ...

    async def stop_waiting(self, waiting_id: UUID, token: Line = "") -> Waiting:
        """Leave the line or decline the offer; harmless when repeated.

        Its owner, or who knows its token. Raises UnknownWaiting.
        """
        ...

    async def waiting_lines(self, offer_ids: OfferIds) -> WaitingLines:
        """How many wait for the caller's own offers; others are left out. Admins: for any."""
        ...
