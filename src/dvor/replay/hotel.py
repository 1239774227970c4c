"""The bookings of a recorded hotel, made and cancelled again through the public contracts.

The rules of a day, on the virtual clock: in the morning guests cancel what they booked on earlier
days; at noon the day's bookings come in, each held, ordered and paid; in the evening guests take
back what they booked that same day. Bookings of one room type are placed one after another in the
order of the file, since they may want the same last room; types, payments and cancellations go
side by side, which cannot change who gets a room. When all of a day has settled the next begins.
"""

import asyncio
import contextlib
import secrets
import socket
import tempfile
import time as wall
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import uvloop
from pydantic import SecretStr

from dvor import topology
from dvor.audit import audit
from dvor.contracts.catalog import (
    Catalog,
    Kind,
    ListingDraft,
    OfferDraft,
    Place,
    Search,
    Season,
    Text,
)
from dvor.contracts.identity import Identity, Registration
from dvor.contracts.inventory import Inventory, SoldOut, TooFarAhead
from dvor.contracts.orders import Orders, OrderSearch, OrderStatus, Viewpoint, Wish
from dvor.contracts.payments import Payments
from dvor.kernel import ids
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.config import Settings
from dvor.kernel.errors import Conflict, Refusal, Unavailable
from dvor.kernel.periods import DateRange
from dvor.kernel.postgres import EmbeddedPostgres
from dvor.kernel.process import Process
from dvor.replay import hotel_plan
from dvor.replay.hotel_books import Books, Stay, differences
from dvor.replay.hotel_file import Booking, Recording, WrongFile, read, sample
from dvor.replay.hotel_plan import NO_SUCH_ROOM, Day, RoomType
from dvor.replay.outcome import Outcome

__all__ = ["NotEmpty", "Outcome", "Recording", "WrongFile", "read", "replay", "replay_on", "sample"]

ZONE = ZoneInfo("Europe/Lisbon")
"""The hotel stands in the Algarve."""
CARD = "4242424242424242"
"""The simulated bank approves it."""
GUESTS = 16
"""Accounts that the bookings are spread over: the file names nobody."""
AT_ONCE = 16
"""Payments and cancellations side by side."""
PARTS = frozenset({"identity", "catalog", "inventory", "payments", "orders"})
"""What a replay of its own runs: all that books and pays, without telling anybody."""

_TRIES = 6
_STUCK_SECONDS = 60
_PAUSE_SECONDS = 0.02

Progress = Callable[[int, int], None]
"""Called with how many rows are done, and how many there are."""

T = TypeVar("T")


@dataclass
class _Score:
    """What has happened so far."""

    stays: dict[int, Stay] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    turned_away: int = 0
    """Refused bookings whose guests really came."""
    done: int = 0


def replay(recording: Recording, progress: Progress, settings: Settings | None = None) -> Outcome:
    """Replay on the empty databases of `settings`, or on some that are thrown away.

    Raises NotEmpty, and what Dvor refuses of the hotel itself.
    """
    if settings is not None:
        return uvloop.run(replay_on(settings, recording, progress))
    with (
        tempfile.TemporaryDirectory(prefix="dvor-replay-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", fsync=False) as server,
    ):
        passing = Settings(
            database_url=server.dsn, secret=secrets.token_bytes(32), run=PARTS, log_level="error"
        )
        return uvloop.run(replay_on(passing, recording, progress))


async def replay_on(settings: Settings, recording: Recording, progress: Progress) -> Outcome:
    """Replay within a running loop. Raises as `replay` does."""
    started = wall.monotonic()
    async with _house(settings) as process:
        hotel = _Hotel(process, recording, progress)
        await hotel.open()
        for day in hotel.days:
            await hotel.live(day)
        await process.settle()
        outcome = await hotel.outcome()
        names = [service.name for service in process.here]
        report = await audit({name: process.settings.database(name) for name in names})
    return replace(outcome, report=report, seconds=wall.monotonic() - started)


@contextlib.asynccontextmanager
async def _house(settings: Settings) -> AsyncIterator[Process]:
    """Dvor in this process, with a port for the bank's webhooks."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = replace(
            settings, port=listening.getsockname()[1], payments_webhook_url="", poll_seconds=1.0
        )
        await topology.migrate(ours)
        async with topology.running(ours) as process:
            server = topology.http_server(process)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                yield process
            finally:
                server.should_exit = True
                await serving


class NotEmpty(Conflict):
    """A replay moves the clock and fills the databases: give it empty ones."""


class _Hotel:
    """The recorded hotel on Dvor."""

    def __init__(self, process: Process, recording: Recording, progress: Progress) -> None:
        self.process = process
        self.recording = recording
        self.progress = progress
        self.rooms = hotel_plan.room_types(recording.bookings)
        self.days = hotel_plan.days(
            [b for b in recording.bookings if b.room_type in {room.name for room in self.rooms}]
        )
        self.offers: dict[str, UUID] = {}
        self.guests: Sequence[Caller] = ()
        self.score = _Score()
        self._gate = asyncio.Semaphore(AT_ONCE)

    def contract(self, which: type[T]) -> T:
        """A contract as an outside client has it."""
        return self.process.proxy(which, "")

    async def open(self) -> None:
        """Open accounts, put the hotel on sale the day before the first booking."""
        with asking(Caller(user_id=ids.new(), roles=(Role.ADMIN,))):
            if (await self.contract(Catalog).search(Search(status=None, limit=1))).total:
                raise NotEmpty
        for refused in self.recording.refused:
            self._count_refused(refused.why)
        known = {room.name for room in self.rooms}
        for booking in self.recording.bookings:
            if booking.room_type not in known:
                self._count_refused(NO_SUCH_ROOM)
        if self.days:
            await self._move_clock(self.days[0].date - timedelta(days=1))
        self.hotelier = await self._account("hotelier", Role.SELLER)
        self.admin = await self._account("admin", Role.ADMIN)
        self.guests = [await self._account(f"guest{n}") for n in range(1, GUESTS + 1)]
        if self.rooms:
            with asking(self.hotelier):
                await self._put_on_sale()

    async def _account(self, name: str, *roles: Role) -> Caller:
        registration = Registration(
            email=f"{name}@replay.dvor.example",
            password=SecretStr(secrets.token_urlsafe(24)),
            name=name.capitalize(),
        )
        identity = self.process.proxy(Identity, "setup")
        user = await identity.ensure_user(registration, (Role.CUSTOMER, *roles))
        return Caller(user_id=user.id, roles=user.roles)

    async def _put_on_sale(self) -> None:
        catalog, inventory = self.contract(Catalog), self.contract(Inventory)
        listing = await catalog.create(_draft(self.rooms))
        for room, offer in zip(self.rooms, listing.offers, strict=True):
            self.offers[room.name] = offer.id
            await inventory.set_supply(offer.id, room.rooms)
        await catalog.publish(listing.id)
        await self.process.settle()

    async def live(self, day: Day) -> None:
        """One day, from its morning to its evening."""
        await self._move_clock(day.date)
        await self._side_by_side(self._cancel(booking) for booking in day.cancelled)
        if day.booked:
            lines = hotel_plan.by_type(day.booked).values()
            async with asyncio.TaskGroup() as paying:
                await asyncio.gather(*(self._book_in_turn(line, paying) for line in lines))
            await self._all_paid()
        await self._side_by_side(self._cancel(booking) for booking in day.taken_back)

    async def _move_clock(self, day: date) -> None:
        noon = datetime.combine(day, time(12), ZONE)
        await self.process.shift_clock(noon - datetime.now(UTC))
        for runner in self.process.runners.values():
            runner.notice()

    async def _side_by_side(self, works: Any) -> None:
        async def gated(work: Awaitable[None]) -> None:
            async with self._gate:
                await work

        await asyncio.gather(*(gated(work) for work in works))

    async def _book_in_turn(self, bookings: Sequence[Booking], paying: asyncio.TaskGroup) -> None:
        for booking in bookings:
            guest = self._guest_of(booking)
            with asking(guest):
                wish = Wish(
                    offer_id=self.offers[booking.room_type],
                    dates=DateRange(start=booking.arrival, end=booking.departure),
                )
                try:
                    order = await _tried(lambda w=wish: self.contract(Orders).place((w,)))
                except Unavailable:
                    raise
                except Refusal as refusal:
                    self._count_refused(_why(refusal), came=booking.came)
                    continue
            self.score.stays[booking.line] = Stay(booking, guest, order.id)
            paying.create_task(self._pay(order.pay_path, guest))

    def _guest_of(self, booking: Booking) -> Caller:
        guest = self.guests[booking.line % len(self.guests)]
        return guest.model_copy(update={"key": ids.derived("replay", booking.line)})

    async def _pay(self, pay_path: str, guest: Caller) -> None:
        async with self._gate:
            with asking(guest):
                token = pay_path.rpartition("/")[2]
                await _tried(lambda: self.contract(Payments).submit_card(token, CARD))
        self._advance()

    async def _cancel(self, booking: Booking) -> None:
        stay = self.score.stays.get(booking.line)
        if stay is not None:
            with asking(stay.guest):
                await _tried(lambda: self.contract(Orders).cancel(stay.order_id))

    async def _all_paid(self) -> None:
        """Wait until the bank has told and every order of the day is booked."""
        search = OrderSearch(viewpoint=Viewpoint.SELLER, status=OrderStatus.PROCESSING, limit=1)
        async with asyncio.timeout(_STUCK_SECONDS):
            while True:
                await self.process.settle()
                with asking(self.hotelier):
                    if not (await self.contract(Orders).orders(search)).items:
                        return
                await asyncio.sleep(_PAUSE_SECONDS)

    def _count_refused(self, why: str, *, came: bool = False) -> None:
        self.score.refused[why] += 1
        self.score.turned_away += came
        self._advance()

    def _advance(self) -> None:
        self.score.done += 1
        self.progress(self.score.done, self.recording.rows)

    async def outcome(self) -> Outcome:
        """The sum of it, read back through the contracts."""
        books = Books(
            orders=self.contract(Orders),
            payments=self.contract(Payments),
            inventory=self.contract(Inventory),
            hotelier=self.hotelier,
            admin=self.admin,
        )
        stays = self.score.stays.values()
        statuses = await books.statuses()
        wrong = differences(stays, statuses)
        return Outcome(
            source=self.recording.name,
            requested=self.recording.rows,
            booked=len(stays),
            refused=dict(self.score.refused.most_common()),
            turned_away=self.score.turned_away,
            cancelled=sum(status is OrderStatus.CANCELLED for status in statuses.values()),
            rooms=self.rooms,
            months=() if wrong else await books.months(stays, self.rooms, self.offers),
            wrong=wrong,
        )


def _why(refusal: Refusal) -> str:
    match refusal:
        case SoldOut():
            return "no room of this type was free on all nights"
        case TooFarAhead():
            return "too far ahead"
        case _:
            return refusal.message.rstrip(".").lower()


async def _tried(call: Callable[[], Awaitable[T]]) -> T:
    """The answer of a call; where something is busy it is tried again, as any client would."""
    for attempt in range(1, _TRIES):
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(0.1 * 2**attempt)
    return await call()


def _draft(rooms: Sequence[RoomType]) -> ListingDraft:
    return ListingDraft(
        kind=Kind.STAY,
        category="hotels",
        title=Text(en="A resort hotel in the Algarve", ru="Курортный отель в Алгарве"),
        description=Text(
            en="Its bookings are real ones, recorded from 2015 to 2017 and replayed here.",
            ru="Бронирования здесь настоящие: записаны с 2015 по 2017 год и прожиты заново.",
        ),
        place=Place(city="Algarve", timezone=ZONE.key),
        currency="EUR",
        offers=tuple(
            OfferDraft(
                name=Text(en=f"Room type {room.name}", ru=f"Номер типа {room.name}"),
                price=room.price,
                seasons=tuple(
                    Season(first=month.first, last=month.last, price=month.price)
                    for month in room.months
                ),
            )
            for room in rooms
        ),
    )
