"""The line for what is sold out: joining and leaving it. The engine serves it."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from dvor.contracts.catalog import Catalog
from dvor.contracts.inventory import Claim, LimitReached, NeedsDates, UnknownSupply
from dvor.contracts.waiting import (
    AlreadyWaiting,
    LineTooLong,
    NothingToWaitFor,
    UnknownWaiting,
    Waiting,
    WaitingForTooMuch,
    WaitingLine,
    WaitingLines,
    WaitingList,
    WaitingStatus,
    WaitsForAnySeats,
)
from dvor.kernel import clock
from dvor.kernel.caller import caller_key, current, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record, Tx
from dvor.services.inventory import (
    hold_queries,
    queries,
    rules,
    seat_queries,
    slots,
    waiting_queries,
)
from dvor.services.inventory.allocation import Release
from dvor.services.inventory.engine import Engine
from dvor.services.inventory.parties import Hall
from dvor.services.inventory.rules import Cell
from dvor.services.inventory.seats import SEATS_MAX
from dvor.services.inventory.serving import token_of
from dvor.services.inventory.slots import Offer

ENTRIES_MAX = 20
"""Lines one customer may stand in at once."""
LINE_MAX = 5_000
"""Entries that may wait for one offer: whoever frees it reads them all."""
SHOWN_MAX = 100


@dataclass(frozen=True)
class WaitingRoom:
    """What can be done with lines."""

    db: Database
    settings: Settings
    catalog: Catalog
    engine: Engine

    async def join(self, claim: Claim) -> Waiting:
        """Stand at the end of the line, unless there is none to stand in."""
        user = require_user()
        waiting_id = caller_key("waiting")
        if current().key and await waiting_queries.entry(self.db, waiting_id):
            return await self.entry(waiting_id)
        found = await self.catalog.offers((claim.offer_id,))
        if not found.items:
            raise UnknownSupply(offer_id=claim.offer_id)
        facts = found.items[0]
        async with self.db.tx() as tx:
            line, cells = await self._locked(tx, claim, user)
            async with tx.refusing(waiting_once=AlreadyWaiting(offer_id=claim.offer_id)):
                await waiting_queries.join(tx, waiting_id, user, line, facts.title, facts.name)
            await waiting_queries.mark(tx, cells, waited=True)
        return await self.entry(waiting_id)

    async def _locked(
        self, tx: Tx, claim: Claim, user: UUID
    ) -> tuple[slots.Line, hold_queries.Columns]:
        """The claim in slots and its cells, locked: who competes for them joins in turn.

        Raises what refuses to join.
        """
        offer_id = claim.offer_id
        offers = await queries.lock_offers(tx, [offer_id], exclusive=False)
        if not offers:
            raise UnknownSupply(offer_id=offer_id)
        (offer,) = offers
        line = _line(claim, offer)
        rules.check_rules(claim, offer, clock.now(), self.settings.horizon_days)
        limit = offer.rules.per_customer
        if limit and claim.quantity > limit:
            raise LimitReached(offer_id=offer_id, limit=limit)
        already = await waiting_queries.counts(tx, user, offer_id)
        if already.mine >= ENTRIES_MAX:
            raise WaitingForTooMuch(most=ENTRIES_MAX)
        if already.in_line >= LINE_MAX:
            raise LineTooLong(offer_id=offer_id)
        hall = await _hall(tx, offer) if offer.seated else None
        cells = _columns(line, hall)
        if not hall:
            await hold_queries.make_cells(tx, cells, [offer.quantity] * len(cells[1]))
        rows = await hold_queries.lock_cells(tx, cells)
        if _fits(line, rows, cells, hall):
            raise NothingToWaitFor(offer_id=offer_id)
        return line, cells

    async def mine(self) -> WaitingList:
        """The caller's own entries."""
        items = await waiting_queries.entries_of(self.db, require_user(), SHOWN_MAX)
        return WaitingList(items=tuple(items))

    async def entry(self, waiting_id: UUID, token: str = "") -> Waiting:
        """An entry, for its owner and who knows its token."""
        if not token:
            require_user()
        found = await waiting_queries.entry(self.db, waiting_id)
        if found is None:
            raise UnknownWaiting
        owner, entry = found
        secret = token_of(self.settings.secret, waiting_id)
        known = bool(token) and hmac.compare_digest(token.encode(), secret.encode())
        if not known and owner != current().user_id:
            raise UnknownWaiting
        return entry

    async def stop(self, waiting_id: UUID, token: str = "") -> Waiting:
        """Leave the line, or give back what is offered, which goes to the next at once."""
        entry = await self.entry(waiting_id, token)
        left = entry.status is WaitingStatus.WAITING and await waiting_queries.leave(
            self.db, waiting_id
        )
        if not left and entry.status in (WaitingStatus.WAITING, WaitingStatus.OFFERED):
            await self.engine.ask(Release(waiting_id, declined=True))
        return await self.entry(waiting_id, token)

    async def lines(self, offer_ids: Sequence[UUID]) -> WaitingLines:
        """How many wait for the caller's own offers; for admins: for any."""
        user = require_user()
        seller = None if current().is_admin() else user
        rows = await waiting_queries.lines(self.db, offer_ids, seller)
        return WaitingLines(items=tuple(WaitingLine(**row) for row in rows))


def _line(claim: Claim, offer: Offer) -> slots.Line:
    """The claim in slots: of numbered seats how many, for any will do. Raises what slots.line does."""
    if not offer.seated:
        return slots.line(claim, offer, {})
    if claim.dates is not None or claim.hours is not None:
        raise NeedsDates(offer_id=offer.id)
    if claim.seats:
        raise WaitsForAnySeats(offer_id=offer.id)
    if claim.quantity > SEATS_MAX:
        raise LimitReached(offer_id=offer.id, limit=SEATS_MAX)
    first = slots.TIMELESS_SLOT
    return slots.Line(offer.id, first, first + 1, 0, claim.quantity)


async def _hall(tx: Tx, offer: Offer) -> Hall:
    found = await seat_queries.seats_of(tx, [offer.id])
    return Hall(offer, found.get(offer.id, ()))


def _columns(line: slots.Line, hall: Hall | None) -> hold_queries.Columns:
    taken = sorted(slot for _, slot in hall.cells()) if hall else list(line.slots())
    return [line.offer_id] * len(taken), taken


def _fits(
    line: slots.Line, rows: Sequence[Record], cells: hold_queries.Columns, hall: Hall | None
) -> bool:
    """Whether there is nothing to wait for, by the same measure as whoever waits is served by."""
    found = {
        (line.offer_id.int, cells[1][row["number"] - 1]): Cell(
            row["capacity"], row["held"], row["sold"]
        )
        for row in rows
    }
    if hall:
        return hall.together(found, line.quantity) is not None
    return all(cell.free >= line.quantity for cell in found.values())
