"""Decides about holds, many in one transaction: the only writer of holds, claims and counters.

Requests that wait go together (`kernel.batch`): lock, decide in order of arrival (`allocation`),
write the difference, commit, answer everybody. A row that everybody wants is locked once for
hundreds of them. Several processes may do so on one database: what decides is locked.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from dvor.contracts.inventory import HoldExpired, HoldStatus
from dvor.kernel.batch import Batcher
from dvor.kernel.config import Settings
from dvor.kernel.db import Contended, Database, Tx, violating
from dvor.kernel.errors import Refusal
from dvor.services.inventory import queries, rules
from dvor.services.inventory.allocation import Books, Request, Take, Terms, allocate, changes
from dvor.services.inventory.rules import Key, Offer, StoredHold

BATCH_MAX = 256
"""Requests in one transaction."""
QUEUE_MAX = 10_000
"""Requests that may wait: about a second's work of a small machine."""
LANES = 2
"""Transactions at once: while one commits, the next is being decided."""


class Engine:
    """Decides about holds for this process."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._terms = Terms(
            ttl_seconds=settings.hold_ttl_seconds,
            lifetime_seconds=settings.hold_lifetime_seconds,
            horizon_days=settings.horizon_days,
        )
        self._batcher: Batcher[Request, StoredHold] = Batcher(
            self._decide, batch_max=BATCH_MAX, queue_max=QUEUE_MAX, lanes=LANES
        )

    async def ask(self, request: Request) -> StoredHold:
        """What became of the hold. Raises Busy, and what the request's `decide` raises."""
        return await self._batcher.ask(request)

    async def close(self) -> None:
        """Take no more and answer those who wait."""
        await self._batcher.close()

    async def _decide(self, requests: Sequence[Request]) -> list[StoredHold | Refusal]:
        for prepare in (False, True, True):
            try:
                with violating(holds_pkey=_Again, claims_pkey=_Again):
                    return await self._attempt(requests, prepare=prepare)
            except _Again:
                continue
        raise Contended

    async def _attempt(
        self, requests: Sequence[Request], *, prepare: bool
    ) -> list[StoredHold | Refusal]:
        async with self._db.tx() as tx:
            now, holds = await queries.lock_holds(tx, {request.hold_id for request in requests})
            keys = _keys(requests, holds)
            known = await self._prepare(tx, requests, now) if prepare else {}
            cells, offers = await queries.lock_cells(tx, keys) if keys else ({}, {})
            if len(cells) < len(keys) and not prepare:
                # Cells are made before any is locked: in the other order two who each lack what
                # the other has locked would wait for each other.
                raise _Again
            books = Books(now, self._terms, dict(holds), offers | known, dict(cells))
            verdicts = allocate(books, requests)
            if await queries.any_hold(tx, _refused_anew(requests, verdicts, holds)):
                # Made by somebody else between our two looks: its own units stand in its way.
                raise _Again
            made = changes(holds, cells, books)
            if made.renewed:
                await queries.rewrite_holds(tx, made.renewed, made.reclaimed)
            if made.moves or made.new or made.reclaimed:
                await queries.write_batch(tx, made.moves, made.new, made.reclaimed)
            tx.emit(*(HoldExpired(hold_id=hold_id) for hold_id in books.expired))
        return verdicts

    async def _prepare(
        self, tx: Tx, requests: Sequence[Request], now: datetime
    ) -> dict[UUID, Offer]:
        """Make the cells that acceptable requests need; the offers of all, locked."""
        takes = [request for request in requests if isinstance(request, Take)]
        wanted = {claim.offer_id for take in takes for claim in take.claims}
        offers = await queries.share_offers(tx, wanted)
        keys: set[Key] = set()
        for take in takes:
            with suppress(Refusal):
                rules.check_claims(take.claims, offers, now, self._terms.horizon_days)
                keys.update(take.needed)
        await queries.materialise_cells(tx, sorted(keys), offers)
        return offers


class _Again(Exception):
    """The transaction trusted in something that is not so: cells that are missing, a new hold
    that is not new. Another one knows better.
    """


def _refused_anew(
    requests: Sequence[Request],
    verdicts: Sequence[StoredHold | Refusal],
    holds: Mapping[UUID, StoredHold],
) -> set[UUID]:
    """New holds that cannot be had: nothing is written of them, so no constraint would tell."""
    return {
        request.hold_id
        for request, verdict in zip(requests, verdicts, strict=True)
        if isinstance(request, Take)
        and isinstance(verdict, Refusal)
        and request.hold_id not in holds
    }


def _keys(requests: Sequence[Request], holds: Mapping[UUID, StoredHold]) -> list[Key]:
    """The cells that the requests may change, in the order they are locked in."""
    keys: set[Key] = set()
    for request in requests:
        if isinstance(request, Take):
            keys.update(request.needed)
    for hold in holds.values():
        if hold.status in (HoldStatus.HELD, HoldStatus.CONFIRMED):
            keys.update(rules.demand(hold.claims))
    return sorted(keys)
