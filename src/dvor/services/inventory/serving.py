"""Who waits, for the engine: read before it decides, written in the transaction that decided."""

import hmac
from collections.abc import Iterable, Mapping
from hashlib import sha256
from uuid import UUID

from dvor.contracts.inventory import WaitingLapsed, WaitingOffered
from dvor.contracts.waiting import WaitingStatus
from dvor.kernel.db import Tx
from dvor.services.inventory import seat_queries, waiting_queries
from dvor.services.inventory.allocation import Books, Decided, Resize, Serve
from dvor.services.inventory.hold_queries import Columns
from dvor.services.inventory.parties import Hall, Party
from dvor.services.inventory.slots import Key, Offer
from dvor.services.inventory.waiting_queries import Queued


async def queued(
    tx: Tx, requests: Iterable[Decided], ids: dict[int, UUID], asked: set[Key]
) -> list[Queued]:
    """Who waits for some of the cells that are asked for, in the order they came.

    Adds to these cells those of offers of which something may fit that did not before.
    """
    for request in requests:
        if isinstance(request, Serve | Resize):
            offer_id = request.offer_id if isinstance(request, Serve) else request.stated.id
            ids[offer_id.int] = offer_id
            there = await waiting_queries.waited_slots(tx, offer_id)
            asked.update((offer_id.int, slot) for slot in there)
    return await waiting_queries.in_line(tx, _columns(ids, asked))


async def parties(
    tx: Tx, queued: Iterable[Queued], offers: Mapping[int, Offer]
) -> dict[UUID, Party]:
    """Those in line who want numbered seats, by their entries."""
    wanted = {one.claim.offer_id: offers[one.claim.offer_id.int] for one in queued}
    seated = [offer_id for offer_id, offer in wanted.items() if offer.seated]
    seats = await seat_queries.seats_of(tx, seated) if seated else {}
    halls = {offer_id: Hall(wanted[offer_id], seats.get(offer_id, ())) for offer_id in seated}
    return {
        one.id: Party.of(one.id, one.claim, one.customer_id, halls[one.claim.offer_id])
        for one in queued
        if one.claim.offer_id in halls
    }


def known(books: Books) -> bool:
    """Whether everything is locked that those in line want; who has just joined may want more."""
    return all(
        key in books.cells and key[0] in books.offers for take in books.line for key in take.needed
    )


async def write(
    tx: Tx, books: Books, secret: bytes, ids: Mapping[int, UUID], waited: set[Key]
) -> bool:
    """Write who is offered what, and how offers ended; cells nobody waits for lose their mark.

    False where somebody has left the line meanwhile: what they were given belongs to the next.
    """
    if books.offered:
        offered = [hold.id for hold in books.offered]
        untils = [hold.expires_at for hold in books.offered]
        if await waiting_queries.write_offered(tx, offered, untils) < len(offered):
            return False
        for owner, entry in await waiting_queries.entries(tx, offered):
            token = token_of(secret, entry.id)
            tx.emit(
                WaitingOffered(waiting_id=entry.id, customer_id=owner, entry=entry, token=token)
            )
    lapsed = await _end(tx, books.expired, WaitingStatus.LAPSED)
    for owner, entry in await waiting_queries.entries(tx, lapsed) if lapsed else ():
        tx.emit(WaitingLapsed(waiting_id=entry.id, customer_id=owner, entry=entry))
    await _end(tx, books.declined, WaitingStatus.DECLINED)
    await _end(tx, books.taken_over, WaitingStatus.TAKEN)
    idle = waited.difference(*(take.needed for take in books.line))
    if idle:
        await waiting_queries.mark(tx, _columns(ids, idle), waited=False)
    return True


async def _end(tx: Tx, hold_ids: Iterable[UUID], status: WaitingStatus) -> list[UUID]:
    ended = list(hold_ids)
    return await waiting_queries.write_ended(tx, ended, status) if ended else []


def token_of(secret: bytes, waiting_id: UUID) -> str:
    """What the mail of an offer proves its reader with. Nobody can guess it; it only declines."""
    return hmac.new(secret, b"waiting" + waiting_id.bytes, sha256).hexdigest()


def _columns(ids: Mapping[int, UUID], keys: Iterable[Key]) -> Columns:
    ordered = sorted(keys)
    return [ids[number] for number, _ in ordered], [slot for _, slot in ordered]
