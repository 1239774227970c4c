"""Decides about units, many requests in one transaction: the only writer of holds and counters.

Requests that wait go together (`kernel.batch`): lock, decide in order of arrival (`allocation`),
write the difference, commit, answer everybody. A row that everybody wants is locked once for
hundreds of them. Several processes may do so on one database: what decides is locked.
"""

from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from dvor.contracts.inventory import Claim, HoldExpired, SupplyChanged
from dvor.kernel.batch import Batcher, Busy
from dvor.kernel.config import Settings
from dvor.kernel.db import Contended, Database, Tx, violating
from dvor.kernel.errors import Refusal
from dvor.services.inventory import closure_queries, hold_queries, queries, rules, serving, slots
from dvor.services.inventory.allocation import (
    LIVE,
    Books,
    Confirm,
    Expire,
    Extend,
    Refused,
    Release,
    Request,
    Resize,
    Serve,
    Take,
    Terms,
    allocate,
)
from dvor.services.inventory.changing import Change, Changing, hold_ids, take_of
from dvor.services.inventory.memory import Memory, SoldOutCells, Wish
from dvor.services.inventory.parties import Wanted
from dvor.services.inventory.rules import Cell, StoredHold
from dvor.services.inventory.slots import Key, Offer

BATCH_MAX = 512
"""Requests in one transaction."""
QUEUE_MAX = 10_000
"""Requests that may wait: about a second's work of a small machine."""
QUEUE_MAX_OF_ONE = 100
"""Holds of one customer that may wait at once: nobody's program fills the queue before the others."""
LANES = 2
"""Transactions at once: while one commits, the next is being decided."""

_WISHES = (Wish, Changing)


class Engine:
    """Decides about units for this process."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._secret = settings.secret
        self._terms = Terms(
            ttl_seconds=settings.hold_ttl_seconds,
            lifetime_seconds=settings.hold_lifetime_seconds,
            horizon_days=settings.horizon_days,
            waiting_offer_seconds=settings.waiting_offer_seconds,
        )
        self._batcher: Batcher[Request | Wish | Changing, Any] = Batcher(
            self._decide, batch_max=BATCH_MAX, queue_max=QUEUE_MAX, lanes=LANES
        )
        self._memory = Memory(db)
        self._sold_out = SoldOutCells(settings.sold_out_cache_ms / 1000)
        self._claim_type = 0
        self._waiting: dict[int, int] = {}

    def take(
        self,
        hold_id: UUID,
        claims: tuple[Claim, ...],
        customer_id: UUID | None,
        instead_of: UUID | None = None,
        *,
        once: bool = False,
    ) -> Awaitable[StoredHold]:
        """Make a hold consist of these claims. Raises Busy, and what `Inventory.hold` raises."""
        wish = Wish(hold_id, claims, customer_id, instead_of, once)
        if customer_id is None:
            return self._batcher.ask(wish)
        waiting = self._waiting.get(customer_id.int, 0)
        if waiting >= QUEUE_MAX_OF_ONE:
            raise Busy
        answer = self._batcher.ask(wish)
        self._waiting[customer_id.int] = waiting + 1
        answer.add_done_callback(lambda _: self._answered(customer_id.int))
        return answer

    def _answered(self, customer: int) -> None:
        left = self._waiting.pop(customer) - 1
        if left:
            self._waiting[customer] = left

    async def change(self, changing: Changing) -> StoredHold:
        """Change what is booked. Raises Busy, and what `Inventory.restate` and `hold_beyond` raise."""
        return await self._batcher.ask(changing)

    async def ask(self, request: Confirm | Extend | Release | Expire) -> StoredHold:
        """What became of the hold. Raises Busy, and what the request's `decide` raises."""
        return await self._batcher.ask(request)

    async def resize(self, stated: Offer, listing_id: UUID) -> Offer:
        """Give an offer another supply. Raises Busy, BelowPromised."""
        return await self._batcher.ask(Resize(stated, listing_id))

    async def serve(self, offer_id: UUID) -> None:
        """Offer those who wait for it what fits by now. Raises Busy."""
        await self._batcher.ask(Serve(offer_id))

    async def close(self) -> None:
        """Take no more and answer those who wait."""
        await self._batcher.close()

    async def _decide(self, asked: Sequence[Request | Wish | Changing]) -> Sequence[Any]:
        kinds = {type(one) for one in asked}
        wishes = [one for one in asked if isinstance(one, _WISHES)]
        if not self._claim_type:
            self._claim_type = await hold_queries.claim_type(self._db)
        swift = kinds == {Wish} and not any(wish.instead_of for wish in wishes)
        make, line, doubted = Resize in kinds, Serve in kinds, False
        for _ in range(5):
            requests = [self._request(one) for one in asked]
            kinds = {type(request) for request in requests}
            if Refused in kinds and not doubted:
                # An offer was never read, or what is known is old: seats have been drawn since.
                doubted = True
                meant = [self._memory.meant(wish) for wish in wishes]
                refused = [w for w, r in zip(wishes, meant, strict=True) if isinstance(r, Refused)]
                await self._memory.learn(
                    {claim.offer_id for wish in refused for claim in wish.claims}
                )
                continue
            try:
                with violating(holds_pkey=_Again):
                    if swift and kinds == {Take}:
                        return await self._swift(cast("list[Take]", requests))
                    return await self._thorough(requests, make_cells=make, line=line)
            except _Stale as stale:
                await self._memory.learn(stale.offer_ids)
            except _Missing:
                make, swift = True, False
            except _Waited:
                line, swift = True, False
            except _Again:
                swift = False
        raise Contended

    def _request(self, one: Request | Wish | Changing) -> Request | Change:
        if isinstance(one, Wish):
            return self._memory.meant(one)
        if not isinstance(one, Changing):
            return one
        take = self._memory.meant(one)
        return one.of(take) if isinstance(take, Take) else take

    async def _swift(self, takes: Sequence[Take]) -> Sequence[Any]:
        """New holds on cells that exist: one look, one writing. Raises _Again for anything else."""
        lost = self._sold_out.refusals(takes)
        asked = [take for n, take in enumerate(takes) if n not in lost] if lost else takes
        different = {id(take.lines): take for take in asked}.values()
        ids, keys = _keys([take.needed for take in different], different)
        async with self._db.tx("inventory.swift") as tx:
            now, known, rows = await hold_queries.open_books(
                tx, [take.hold_id for take in takes], _columns(ids, keys)
            )
            if known:
                raise _Again
            if len(rows) < len(keys):
                raise _Missing
            cells = _cells(keys, rows)
            waited = (key for key, row in zip(keys, rows, strict=True) if row["waited"])
            if any(cells[key].free > 0 for key in waited):
                raise _Waited
            books = Books(now, self._terms, {}, _offers(different, keys, rows), cells)
            await _read_limits(tx, asked, books)
            verdicts = allocate(
                books, [lost.get(n, take) for n, take in enumerate(takes)] if lost else takes
            )
            if len(asked) > len(books.holds):
                await _check_new(tx, asked, books.holds)
            await self._write(tx, books, {}, ids)
        self._sold_out.learn(cells)
        return verdicts

    async def _thorough(
        self, requests: Sequence[Request | Change], *, make_cells: bool, line: bool
    ) -> Sequence[Any]:
        """Whatever was asked: holds, then offers, then cells are locked, those missing made.

        With `line` those who wait for some of the cells are served.
        """
        takes = [take for request in requests if (take := take_of(request))]
        resizes = [request for request in requests if isinstance(request, Resize)]
        async with self._db.tx("inventory.thorough") as tx:
            now, holds = await hold_queries.lock_holds(tx, hold_ids(requests))
            ids, asked = _asked(takes, holds)
            waiting = await self._line(tx, requests, ids, asked) if line else []
            wanted = [*takes, *waiting]
            offers = await self._prepare(tx, wanted, resizes, now) if make_cells else {}
            closed = await _closed(tx, resizes, offers, ids, asked, now)
            keys = sorted({*asked, *(key for take in waiting for key in take.needed)})
            rows = await hold_queries.lock_cells(tx, _columns(ids, keys)) if keys else []
            if len(rows) < len(keys) and not make_cells:
                raise _Missing
            offers = offers or _offers(wanted, keys, rows)
            cells = _cells(keys, rows)
            books = Books(now, self._terms, dict(holds), offers, cells, closed=closed)
            waited = {keys[row["number"] - 1] for row in rows if row["waited"]}
            if waited and not line:
                raise _Waited
            if line:  # once more: nobody can join or leave unseen any more
                books.line = await self._line(tx, requests, ids, asked)
                if not serving.known(books):
                    raise _Again
            await _read_limits(tx, [*takes, *books.line], books)
            verdicts = allocate(books, requests)
            await _check_new(tx, takes, books.holds)
            await self._write(tx, books, holds, ids)
            if not await serving.write(tx, books, self._secret, ids, asked & waited):
                raise _Again
            for request, verdict in zip(requests, verdicts, strict=True):
                if isinstance(request, Resize) and isinstance(verdict, Offer):
                    await _write_supply(tx, request.stated, slots.first_open_slot(verdict, now))
        self._sold_out.learn(cells)
        return verdicts

    async def _write(
        self, tx: Tx, books: Books, holds: Mapping[UUID, StoredHold], ids: Mapping[int, UUID]
    ) -> None:
        """The difference that the verdicts made; holds in the order they are locked in."""
        changed = list(books.holds.values())
        if holds:
            changed = [hold for hold in changed if holds.get(hold.id) is not hold]
        changed.sort(key=lambda hold: hold.id.int)
        moved = {key: move for key, cell in books.cells.items() if any(move := cell.moved())}
        if changed or moved:
            new = [hold for hold in changed if hold.id not in holds] if holds else changed
            if len(new) < len(changed):
                await hold_queries.rewrite_holds(tx, [hold for hold in changed if hold.id in holds])
            columns, moves = _columns(ids, moved), list(moved.values())
            await hold_queries.write_batch(tx, columns, moves, new, self._claim_type)
        tx.emit(*(HoldExpired(hold_id=hold_id) for hold_id in books.expired))

    async def _line(
        self,
        tx: Tx,
        requests: Iterable[Request | Change],
        ids: dict[int, UUID],
        asked: set[Key],
    ) -> list[Wanted]:
        """What those want who wait for some of the cells that are asked for. Raises _Stale."""
        queued = await serving.queued(tx, requests, ids, asked)
        if unknown := self._memory.unknown(one.claim for one in queued):
            raise _Stale(unknown)
        parties = await serving.parties(tx, queued, self._memory.offers)
        meant = (parties.get(q.id) or self._memory.meant(Wish(*q.wish())) for q in queued)
        return [wanted for wanted in meant if not isinstance(wanted, Refused)]

    async def _prepare(
        self, tx: Tx, takes: Sequence[Wanted], resizes: Sequence[Resize], now: datetime
    ) -> dict[int, Offer]:
        """Lock the offers of these requests, and make the cells that acceptable ones need.

        Only those, so that nobody can fill the table with nonsense.
        """
        for resize in resizes:
            await queries.write_new_offer(tx, resize.stated, resize.listing_id)
        wanted = {offer.id for take in takes for offer in take.offers.values()}
        wanted |= {resize.stated.id for resize in resizes}
        found = await queries.lock_offers(tx, wanted, exclusive=bool(resizes))
        offers = {offer.id.int: offer for offer in found}
        _check_versions(takes, {number: offer.version for number, offer in offers.items()})
        capacities: dict[Key, int] = {}
        for take in takes:
            with suppress(Refusal):
                for claim in take.claims:
                    offer = offers[claim.offer_id.int]
                    rules.check_rules(claim, offer, now, self._terms.horizon_days)
                capacities.update((key, _capacity(offers[key[0]], key[1])) for key in take.needed)
        keys = sorted(capacities)
        ids = {number: offer.id for number, offer in offers.items()}
        await hold_queries.make_cells(tx, _columns(ids, keys), [capacities[key] for key in keys])
        return offers


class _Again(Exception):
    """The transaction trusted in something that is not so, e.g. that a new hold is new."""


class _Missing(_Again):
    """Cells are missing. They are made before any is locked: in the other order two who each lack
    what the other has locked would wait for each other.
    """


class _Waited(_Again):
    """Somebody waits for cells that may come free: they are to be served first."""


class _Stale(Exception):
    """Offers have changed since the lines of claims were made of them."""

    def __init__(self, offer_ids: Collection[UUID]) -> None:
        super().__init__()
        self.offer_ids = offer_ids


def _asked(
    takes: Sequence[Take], holds: Mapping[UUID, StoredHold]
) -> tuple[dict[int, UUID], set[Key]]:
    """The cells that takes and what becomes of holds may change, and the ids of their offers."""
    live = [slots.demand(hold.claims) for hold in holds.values() if hold.status in LIVE]
    ids, keys = _keys([*(take.needed for take in takes), *live], takes)
    for hold in holds.values():
        ids.update((line.offer_id.int, line.offer_id) for line in hold.claims)
    return ids, set(keys)


async def _closed(
    tx: Tx,
    resizes: Iterable[Resize],
    offers: Mapping[int, Offer],
    ids: dict[int, UUID],
    asked: set[Key],
    now: datetime,
) -> dict[int, dict[int, int]]:
    """What is closed of offers that get another supply; adds all their open cells to those asked."""
    closed: dict[int, dict[int, int]] = {}
    for resize in resizes:
        offer = offers[resize.stated.id.int]
        first = slots.first_open_slot(offer, now)
        there = await queries.slots_from(tx, offer.id, first)
        asked.update((offer.id.int, slot) for slot in there)
        ids[offer.id.int] = offer.id
        closed[offer.id.int] = await closure_queries.closed_units(tx, offer.id, first)
    return closed


def _keys(
    needed: Iterable[Mapping[Key, int]], takes: Iterable[Take]
) -> tuple[dict[int, UUID], list[Key]]:
    """The ids of offers by their numbers; the cells, in the order they are locked in."""
    keys: set[Key] = set()
    for each in needed:
        keys.update(each)
    offers: dict[int, Offer] = {}
    for take in takes:
        offers.update(take.offers)
    return {number: offer.id for number, offer in offers.items()}, sorted(keys)


def _columns(ids: Mapping[int, UUID], keys: Iterable[Key]) -> tuple[list[UUID], list[int]]:
    keys = list(keys)
    return [ids[number] for number, _ in keys], [slot for _, slot in keys]


def _capacity(offer: Offer, slot: int) -> int:
    """What a cell has that is not there yet."""
    return 1 if offer.seated and slot != slots.TIMELESS_SLOT else offer.quantity


def _cells(keys: Sequence[Key], rows: Sequence[Any]) -> dict[Key, Cell]:
    """Locked cells by their keys."""
    return {
        keys[row["number"] - 1]: Cell(row["capacity"], row["held"], row["sold"]) for row in rows
    }


def _offers(
    takes: Collection[Wanted], keys: Sequence[Key], rows: Sequence[Any]
) -> dict[int, Offer]:
    """The offers of takes, as their cells were found with. Raises _Stale."""
    versions = {keys[row["number"] - 1][0]: row["version"] for row in rows}
    return _check_versions(takes, versions)


def _check_versions(takes: Collection[Wanted], versions: Mapping[int, int]) -> dict[int, Offer]:
    offers: dict[int, Offer] = {}
    for take in takes:  # all of one moment: each offer is the same in all of them
        offers.update(take.offers)
    stale = {offer.id for n, offer in offers.items() if versions.get(n) != offer.version}
    if stale:
        raise _Stale(stale)
    return offers


async def _check_new(tx: Tx, takes: Iterable[Take], holds: Mapping[UUID, StoredHold]) -> None:
    """Raises _Again where a refused new hold exists by now: its own units stood in its way.

    Somebody else has made it since it was looked for; nothing is written of a refused one, so no
    constraint would tell.
    """
    refused = [take.hold_id for take in takes if take.hold_id not in holds]
    if refused and await hold_queries.any_hold(tx, refused):
        raise _Again


async def _read_limits(tx: Tx, takes: Iterable[Wanted], books: Books) -> None:
    """What customers have already, where a limit asks. Read with their cells locked: exact."""
    asked = {take.customer_id for take in takes if take.limited and take.customer_id}
    if asked:
        books.customers.update({customer: {} for customer in asked})
        for hold in await hold_queries.limited_holds(tx, asked):
            assert hold.customer_id is not None
            books.customers[hold.customer_id][hold.id] = hold.claims


async def _write_supply(tx: Tx, stated: Offer, first_open: int) -> None:
    await queries.write_supply(tx, stated)
    ahead = range(first_open, closure_queries.ALL_SLOTS_END)
    await closure_queries.fit_cells(tx, stated.id, ahead, first_open)
    tx.emit(SupplyChanged(offer_id=stated.id, quantity=stated.quantity))
