"""Rooms, and who sleeps in which: decided late, over bookings that inventory keeps."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from dvor.contracts.catalog import Catalog, Kind, ListingStatus, OfferFacts
from dvor.contracts.closures import Bookings
from dvor.contracts.inventory import Inventory, UnknownSupply
from dvor.contracts.rooms import (
    Arranged,
    Chart,
    GuestsAhead,
    NoRooms,
    NotConfirmed,
    Room,
    RoomClosed,
    RoomClosure,
    RoomList,
    RoomTaken,
    Stay,
    UnknownRoom,
    UnknownStay,
)
from dvor.kernel import clock, ids
from dvor.kernel.caller import current, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Tx
from dvor.kernel.errors import Forbidden
from dvor.kernel.periods import DateRange
from dvor.services.rooms import queries, rules
from dvor.services.rooms.rules import Board, Guest

_LONGEST_STAY = timedelta(days=366)


@dataclass(frozen=True)
class Books:
    """What inventory says of an offer on some dates."""

    stays: dict[UUID, Stay]
    """Without rooms."""
    closures: tuple[RoomClosure, ...]


class RoomsService:
    """Implements `dvor.contracts.rooms.Rooms`."""

    def __init__(
        self, db: Database, settings: Settings, catalog: Catalog, inventory: Inventory
    ) -> None:
        self.db = db
        self.settings = settings
        self.catalog = catalog
        self.inventory = inventory

    async def set_rooms(self, offer_id: UUID, names: tuple[str, ...]) -> RoomList:
        """Rooms that are not named are taken out of use."""
        facts = await self._own(offer_id)
        today = clock.now().astimezone(ZoneInfo(facts.timezone)).date()
        wanted = list(dict.fromkeys(names))
        async with self.db.tx() as tx:
            await queries.lock_offer(tx, offer_id)
            there = {row["name"]: row["id"] for row in await queries.rooms(tx, offer_id)}
            gone = [room_id for name, room_id in there.items() if name not in wanted]
            if occupied := await queries.occupied_after(tx, gone, today):
                raise GuestsAhead(name=occupied[0])
            await queries.retire_rooms(tx, gone)
            await queries.add_rooms(tx, offer_id, [ids.new() for _ in wanted], wanted)
            return RoomList(items=await self._rooms(tx, offer_id))

    async def chart(self, offer_id: UUID, dates: DateRange) -> Chart:
        """Who sleeps where; beds of bookings that are gone are empty."""
        await self._own(offer_id)
        books = await self._books(offer_id, dates)
        supplies = await self.inventory.supplies((offer_id,))
        async with self.db.tx() as tx:
            placed = await self._placed(tx, offer_id, dates, books)
            rooms = await self._rooms(tx, offer_id)
        return Chart(
            offer_id=offer_id,
            dates=dates,
            quantity=sum(supply.quantity for supply in supplies.items),
            rooms=rooms,
            stays=tuple(_in(stay, placed.get(stay.id)) for stay in books.stays.values()),
            closures=books.closures,
        )

    async def assign(
        self, offer_id: UUID, dates: DateRange, stay_id: UUID, room_id: UUID | None
    ) -> Stay:
        """Give a stay a room; who is there changes places if they fit."""
        facts = await self._own(offer_id)
        stay = (await self._books(offer_id, dates)).stays.get(stay_id)
        if stay is None:
            raise UnknownStay
        if not stay.confirmed:
            raise NotConfirmed
        wide = _around([stay.dates])
        books = await self._books(offer_id, wide)
        async with self.db.tx() as tx:
            await queries.lock_offer(tx, offer_id)
            placed = await self._placed(tx, offer_id, wide, books)
            rooms = {room.id: room.name for room in await self._rooms(tx, offer_id)}
            if room_id is None:
                await queries.forget(tx, [stay_id])
                return stay
            if room_id not in rooms:
                raise UnknownRoom
            guests = _guests(books, placed, _today(facts))
            board = _board(list(rooms), guests.values(), books)
            guest = guests[stay_id]
            if board.closed(guest.nights, room_id):
                raise RoomClosed(name=rooms[room_id])
            others = rules.changing_places(board, guest, room_id)
            if others is None:
                raise RoomTaken(name=rooms[room_id])
            moves = [(stay_id, room_id, stay.dates)]
            if guest.room is not None:
                moves += [(o.id, guest.room, books.stays[o.id].dates) for o in others]
            await queries.forget(tx, [stay_id for stay_id, _, _ in moves])
            async with tx.refusing(nights_one_stay=RoomTaken(name=rooms[room_id])):
                await queries.put(tx, offer_id, moves)
        return _in(stay, room_id)

    async def arrange(self, offer_id: UUID, dates: DateRange) -> Arranged:
        """Find rooms for all; guests who have arrived stay where they are."""
        facts = await self._own(offer_id)
        books = await self._books(offer_id, dates)
        wide = _around([dates, *(stay.dates for stay in books.stays.values())])
        books = await self._books(offer_id, wide)
        async with self.db.tx() as tx:
            await queries.lock_offer(tx, offer_id)
            placed = await self._placed(tx, offer_id, wide, books)
            rooms = [room.id for room in await self._rooms(tx, offer_id)]
            guests = _guests(books, placed, _today(facts), rooms)
            found = rules.arrange(rooms, list(guests.values()), _closed(books))
            changed = {i: room for i, room in found.items() if placed.get(i) != room}
            # Also who has none now: somebody else found a place in that bed.
            await queries.forget(tx, [i for i in guests if found.get(i) != placed.get(i)])
            await queries.put(
                tx, offer_id, [(i, room, books.stays[i].dates) for i, room in changed.items()]
            )
        moved = sum(i in placed for i in changed)
        left = sum(guest_id not in found for guest_id in guests)
        return Arranged(placed=len(changed) - moved, moved=moved, left=left)

    async def close_room(self, room_id: UUID, dates: DateRange, note: str = "") -> None:
        """Close a room that nobody has on these nights: one unit less is sold."""
        require_user()
        row = await queries.room(self.db, room_id)
        if row is None:
            raise UnknownRoom
        try:
            await self._own(row["offer_id"])
        except (UnknownSupply, Forbidden):
            raise UnknownRoom from None
        books = await self._books(row["offer_id"], dates)
        async with self.db.tx() as tx:
            placed = await self._placed(tx, row["offer_id"], dates, books)
        if room_id in placed.values():
            raise RoomTaken(name=row["name"])
        await self.inventory.close_dates(row["offer_id"], dates, 1, note, room_id)

    async def _own(self, offer_id: UUID) -> OfferFacts:
        """A room type of the caller's. Raises UnknownSupply, Forbidden, NoRooms."""
        user = require_user()
        found = await self.catalog.offers((offer_id,))
        if not found.items:
            raise UnknownSupply(offer_id=offer_id)
        facts = found.items[0]
        if facts.seller_id != user and not current().is_admin():
            draft = facts.status is ListingStatus.DRAFT
            raise UnknownSupply(offer_id=offer_id) if draft else Forbidden
        if facts.kind is not Kind.STAY:
            raise NoRooms
        return facts

    async def _books(self, offer_id: UUID, dates: DateRange) -> Books:
        """What inventory says. Never inside a transaction."""
        bookings = await self.inventory.bookings(offer_id, dates)
        closures = await self.inventory.closures(offer_id, dates)
        return Books(
            stays={stay.id: stay for stay in _stays(offer_id, bookings)},
            closures=tuple(
                RoomClosure(
                    id=closure.id,
                    room_id=_room_of(closure.source),
                    dates=closure.dates,
                    units=closure.units,
                    note=closure.note,
                )
                for closure in closures.items
            ),
        )

    async def _placed(
        self, tx: Tx, offer_id: UUID, dates: DateRange, books: Books
    ) -> dict[UUID, UUID]:
        """Stay -> room; what was given to bookings that are gone is taken back."""
        placed = await queries.assignments(tx, offer_id, dates)
        if gone := placed.keys() - books.stays.keys():
            await queries.forget(tx, gone)
        return {stay_id: room for stay_id, room in placed.items() if stay_id not in gone}

    async def _rooms(self, tx: Tx, offer_id: UUID) -> tuple[Room, ...]:
        return tuple(Room(**row) for row in await queries.rooms(tx, offer_id))


def _today(facts: OfferFacts) -> date:
    return clock.now().astimezone(ZoneInfo(facts.timezone)).date()


def _stays(offer_id: UUID, bookings: Bookings) -> Iterable[Stay]:
    """A stay for each unit of each booking."""
    seen: Counter[tuple[UUID, DateRange]] = Counter()
    for booking in bookings.items:
        for _ in range(booking.quantity):
            number = seen[booking.hold_id, booking.dates]
            seen[booking.hold_id, booking.dates] += 1
            dates = booking.dates
            yield Stay(
                id=ids.derived("stay", offer_id, booking.hold_id, dates.start, dates.end, number),
                hold_id=booking.hold_id,
                dates=dates,
                confirmed=booking.confirmed,
                room_id=None,
            )


def _in(stay: Stay, room_id: UUID | None) -> Stay:
    return stay.model_copy(update={"room_id": room_id})


def _room_of(source: str) -> UUID | None:
    kind, _, identifier = source.partition(":")
    return UUID(identifier) if kind == "room" else None


def _nights(dates: DateRange) -> range:
    return range(dates.start.toordinal(), dates.end.toordinal())


def _around(spans: Iterable[DateRange]) -> DateRange:
    """All of these dates, of which a year at most."""
    spans = list(spans)
    start = min(span.start for span in spans)
    return DateRange(start=start, end=min(max(s.end for s in spans), start + _LONGEST_STAY))


def _guests(
    books: Books, placed: dict[UUID, UUID], today: date, rooms: Iterable[UUID] | None = None
) -> dict[UUID, Guest]:
    """Confirmed stays; who has arrived, and who has a room that is out of use, stays there."""
    known = None if rooms is None else set(rooms)
    return {
        stay.id: Guest(
            stay.id,
            _nights(stay.dates),
            placed.get(stay.id),
            fixed=stay.id in placed
            and (stay.dates.start < today or (known is not None and placed[stay.id] not in known)),
        )
        for stay in books.stays.values()
        if stay.confirmed
    }


def _closed(books: Books) -> dict[UUID, list[range]]:
    closed: dict[UUID, list[range]] = {}
    for closure in books.closures:
        if closure.room_id is not None:
            closed.setdefault(closure.room_id, []).append(_nights(closure.dates))
    return closed


def _board(rooms: list[UUID], guests: Iterable[Guest], books: Books) -> Board:
    board = Board(rooms, _closed(books))
    for guest in guests:
        if guest.room is not None:
            board.put(guest, guest.room)
    return board
