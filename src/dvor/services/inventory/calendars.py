"""Feeds of what is taken, and calendars of other places whose events close units."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import sha256
from uuid import UUID

from dvor.contracts.calendars import (
    BadCalendarAddress,
    BrokenEvent,
    CalendarFile,
    CalendarImport,
    CalendarSource,
    Feed,
    NotACalendar,
    OfferCalendars,
    TooManyImports,
    UnknownFeed,
    UnknownImport,
)
from dvor.contracts.closures import Shortfall
from dvor.contracts.inventory import UnknownSupply
from dvor.kernel import clock, ids, outbound
from dvor.kernel.caller import caller_key
from dvor.kernel.db import Database, Record, Tx
from dvor.kernel.periods import DateRange
from dvor.services.inventory import calendar_queries, closure_queries, closure_rules, ical, queries
from dvor.services.inventory.closures import ClosureDesk
from dvor.services.inventory.ical import Event
from dvor.services.inventory.slots import Offer, today
from dvor.services.inventory.tasks import Fetch, fetch_import

IMPORTS_MAX = 10
"""Imported calendars of one offer."""
FETCH_EVERY = timedelta(minutes=30)
FETCH_TIMEOUT_SECONDS = 15
FETCH_BYTES_MAX = 300_000
FETCHES_AT_ONCE = 50
BEGUN = timedelta(days=31)
"""How long ago an event that repeats may have begun and still go on."""
_SLOTS_MAX = 20_000


class Calendars:
    """Feeds and imports; whoever asks for an offer's was let in by the service."""

    def __init__(self, db: Database, desk: ClosureDesk) -> None:
        self.db = db
        self.desk = desk

    async def feed(self, offer_id: UUID) -> Feed:
        """The secret of an offer's feed."""
        return Feed(offer_id=offer_id, token=await calendar_queries.token(self.db, offer_id))

    async def set_feed(self, offer_id: UUID, *, shared: bool) -> Feed:
        """A new secret, or none: what was given away before leads nowhere."""
        closure_rules.check_dated(await self._offer(self.db, offer_id))
        if shared:
            await calendar_queries.set_token(self.db, offer_id, secrets.token_urlsafe(24))
        else:
            await calendar_queries.drop_token(self.db, offer_id)
        return await self.feed(offer_id)

    async def file(self, token: str) -> CalendarFile:
        """What is taken, for who has the secret."""
        offer_id = await calendar_queries.offer_of_token(self.db, token)
        if offer_id is None:
            raise UnknownFeed
        offer = await self._offer(self.db, offer_id)
        horizon = self._horizon(offer)
        taken: Sequence[int] = horizon
        if offer.quantity:
            taken = await calendar_queries.taken(self.db, offer, horizon, _SLOTS_MAX)
        stretches = ical.stretches(taken)[: ical.EVENTS_MAX]
        version = sha256(repr((offer.timezone, stretches)).encode()).hexdigest()[:32]
        return CalendarFile(content=ical.write(offer, stretches, clock.now()), version=version)

    async def bring(
        self, offer_id: UUID, source: CalendarSource, import_id: UUID | None
    ) -> CalendarImport:
        """Import a text at once, an address within seconds."""
        events, broken = await asyncio.to_thread(_read, source, self._window())
        async with self.db.tx() as tx:
            offer = await self._locked(tx, offer_id)
            closure_rules.check_dated(offer)
            import_id = await self._entered(tx, offer, import_id)
            every = FETCH_EVERY if source.url else None
            await calendar_queries.name_import(tx, import_id, source.name, source.url, every)
            if source.url:
                tx.enqueue(fetch_import, Fetch(import_id=import_id), key=str(ids.new()))
            else:
                await self._apply(tx, offer, import_id, events, broken)
        return (await self._shown(offer, [await self._import(import_id)]))[0]

    async def _entered(self, tx: Tx, offer: Offer, import_id: UUID | None) -> UUID:
        """The id of this import: one that is there, or a new one."""
        there = {row["id"] for row in await calendar_queries.imports(tx, offer.id)}
        if import_id is not None and import_id not in there:
            raise UnknownImport
        import_id = import_id or caller_key("import")
        if import_id not in there and len(there) >= IMPORTS_MAX:
            raise TooManyImports(most=IMPORTS_MAX)
        await calendar_queries.insert_import(tx, import_id, offer.id)
        return import_id

    async def of(self, offer_id: UUID) -> OfferCalendars:
        """The feed of an offer, and its imports with what stands in their way."""
        offer = await self._offer(self.db, offer_id)
        rows = await calendar_queries.imports(self.db, offer_id)
        return OfferCalendars(
            feed=await self.feed(offer_id), imports=await self._shown(offer, rows)
        )

    async def offer_of(self, import_id: UUID) -> UUID:
        """To ask whose an import is. Raises UnknownImport."""
        return (await self._import(import_id))["offer_id"]

    async def remove(self, import_id: UUID) -> None:
        """End an import; what its events closed is open again."""
        row = await self._import(import_id)
        async with self.db.tx() as tx:
            offer = await self._locked(tx, row["offer_id"])
            await self._apply(tx, offer, import_id, [], [])
            await calendar_queries.delete_import(tx, import_id)

    async def enqueue_due(self) -> None:
        """Have the addresses looked at whose time has come. For the timer."""
        async with self.db.tx() as tx:
            for row in await calendar_queries.take_due(tx, FETCH_EVERY, FETCHES_AT_ONCE):
                work = Fetch(import_id=row["id"])
                tx.enqueue(fetch_import, work, key=f"{row['id']} {row['fetch_at']}")

    async def fetch(self, import_id: UUID) -> None:
        """Look at the address of an import; what was imported stays where that fails."""
        row = await calendar_queries.stored_import(self.db, import_id)
        if row is None or not row["url"]:
            return
        text, problem = await _fetched(row["url"])
        events: list[Event] = []
        broken: list[BrokenEvent] = []
        if not problem:
            try:
                events, broken = await asyncio.to_thread(ical.read, text, self._window())
            except NotACalendar:
                problem = "not_a_calendar"
        async with self.db.tx() as tx:
            offer = await self._locked(tx, row["offer_id"])
            now = await calendar_queries.stored_import(tx, import_id)
            if now is None or now["url"] != row["url"]:
                return
            if problem:
                await calendar_queries.note_import(tx, import_id, problem, None)
            else:
                await self._apply(tx, offer, import_id, events, broken)

    async def _apply(
        self,
        tx: Tx,
        offer: Offer,
        import_id: UUID,
        events: Sequence[Event],
        broken: Sequence[BrokenEvent],
    ) -> None:
        """Make the closures of an import those of its events: new, moved and vanished ones."""
        wanted, left = ical.closures_of(offer, import_id, events, self._horizon(offer))
        rows = await calendar_queries.closures_of(tx, f"ical:{import_id}", offer.id)
        there = {row["id"]: closure_queries.stored(row) for row in rows}
        gone = [closure for closure in there.values() if closure.id not in {w.id for w in wanted}]
        changed = [closure for closure in wanted if there.get(closure.id) != closure]
        await self.desk.check_room_for_more(tx, offer, len(wanted) - len(there))
        await calendar_queries.replace_closures(tx, [closure.id for closure in gone], changed)
        before = [there[closure.id] for closure in changed if closure.id in there]
        if touched := [closure.slots for closure in (*gone, *changed, *before)]:
            first, end = min(s.start for s in touched), max(s.stop for s in touched)
            await self.desk.apply(tx, offer, range(first, end))
        listed = [*broken, *left][: ical.BROKEN_MAX]
        await calendar_queries.note_import(tx, import_id, "", [b.model_dump() for b in listed])

    def _window(self) -> tuple[date, date]:
        """The days on which events matter that repeat: what has begun counts until it ends."""
        today = clock.now().date()
        return today - BEGUN, today + timedelta(days=self.desk.settings.horizon_days)

    def _horizon(self, offer: Offer) -> range:
        """The slots from today on as far as anything is sold."""
        first = today(offer.timezone, clock.now())
        last = first + timedelta(days=self.desk.settings.horizon_days)
        return range(
            closure_rules.first_open(offer, clock.now()),
            closure_rules.slots_of(offer, DateRange(start=last - timedelta(days=1), end=last)).stop,
        )

    async def _locked(self, tx: Tx, offer_id: UUID) -> Offer:
        offer = await closure_queries.lock_offer(tx, offer_id)
        if offer is None:
            raise UnknownSupply(offer_id=offer_id)
        return offer

    async def _offer(self, db: Database, offer_id: UUID) -> Offer:
        found = await queries.offers(db, [offer_id])
        if not found:
            raise UnknownSupply(offer_id=offer_id)
        return found[0]

    async def _import(self, import_id: UUID) -> Record:
        row = await calendar_queries.stored_import(self.db, import_id)
        if row is None:
            raise UnknownImport
        return row

    async def _shown(self, offer: Offer, rows: Sequence[Record]) -> tuple[CalendarImport, ...]:
        found = []
        for row in rows:
            source = f"ical:{row['id']}"
            stored = await calendar_queries.closures_of(self.db, source, offer.id)
            closures = await self.desk.shown(offer, [closure_queries.stored(r) for r in stored])
            worst: dict[object, Shortfall] = {}
            for short in (short for closure in closures for short in closure.conflicts):
                worst.setdefault(short.day, short)
            found.append(
                CalendarImport(
                    id=row["id"],
                    offer_id=offer.id,
                    name=row["name"],
                    url=row["url"],
                    fetched_at=row["fetched_at"],
                    problem=row["problem"],
                    events=len(closures),
                    broken=tuple(BrokenEvent(**broken) for broken in row["broken"]),
                    conflicts=tuple(sorted(worst.values(), key=lambda short: short.day)),
                )
            )
        return tuple(found)


def _read(
    source: CalendarSource, window: tuple[date, date]
) -> tuple[list[Event], list[BrokenEvent]]:
    """The events of a text. Raises NotACalendar, BadCalendarAddress."""
    if not source.url:
        return ical.read(source.text, window)
    if not outbound.may_be_public(source.url):
        raise BadCalendarAddress
    return [], []


async def _fetched(url: str) -> tuple[str, str]:
    """The text at an address, or why there is none."""
    try:
        answer = await outbound.fetch(
            url, timeout_seconds=FETCH_TIMEOUT_SECONDS, bytes_max=FETCH_BYTES_MAX
        )
    except outbound.NotPublic:
        return "", "not_public"
    except outbound.TooLong:
        return "", "too_large"
    except TimeoutError:
        return "", "slow"
    except ConnectionError:
        return "", "unreachable"
    if answer.status != 200:
        return "", f"status_{answer.status}"
    return answer.body.decode("utf-8", "replace"), ""
