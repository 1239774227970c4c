"""What a process remembers of offers, so that most holds need not ask: checked, never trusted.

Versions of offers are compared with the rows when cells are locked; a sold-out cell may only say no.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from dvor.contracts.inventory import Claim, SoldOut
from dvor.kernel.db import Database
from dvor.kernel.errors import Refusal
from dvor.services.inventory import hold_queries, queries, rules
from dvor.services.inventory.allocation import Meaning, Refused, Take
from dvor.services.inventory.changing import Changing
from dvor.services.inventory.rules import Cell
from dvor.services.inventory.slots import Key, Offer

OFFERS_MAX = 100_000
"""Offers a process remembers."""
MEANINGS_MAX = 50_000
"""Claims of which a process remembers what they mean."""


class Wish(NamedTuple):
    """A hold as it was asked for; what it means in cells is worked out when it is its turn."""

    hold_id: UUID
    claims: tuple[Claim, ...]
    customer_id: UUID | None
    instead_of: UUID | None = None
    once: bool = False


class Memory:
    """Offers as they were last read, and what claims mean by them."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._offers: dict[int, Offer] = {}
        self._seats: dict[int, Mapping[str, int]] = {}
        self._meanings: dict[tuple[int, int, tuple[date, date] | None], Meaning] = {}

    async def learn(self, offer_ids: Collection[UUID]) -> None:
        """Read what the lines of claims depend on."""
        if len(self._offers) > OFFERS_MAX:
            self._offers.clear()
            self._seats.clear()
        found = await queries.offers(self._db, list(offer_ids))
        seats = {o.id.int: await hold_queries.seats(self._db, o.id) for o in found if o.seated}
        self._meanings.clear()  # all at once: other batches read them meanwhile
        for offer_id in offer_ids:
            self._offers.pop(offer_id.int, None)
        self._seats.update(seats)
        self._offers.update((offer.id.int, offer) for offer in found)

    def unknown(self, claims: Iterable[Claim]) -> set[UUID]:
        """The offers of these claims that were never read."""
        known = self._offers
        return {claim.offer_id for claim in claims if claim.offer_id.int not in known}

    @property
    def offers(self) -> Mapping[int, Offer]:
        """Those that were read, by their numbers."""
        return self._offers

    def meant(self, wish: Wish | Changing) -> Take | Refused:
        """What a wish asks of cells, or why it cannot be had."""
        try:
            return Take(
                wish.hold_id,
                wish.claims,
                *self._meaning(wish.claims),
                wish.customer_id,
                wish.instead_of,
                wish.once,
            )
        except Refusal as refusal:
            return Refused(refusal)

    def _meaning(self, claims: tuple[Claim, ...]) -> Meaning:
        """Remembered for plain claims: what everybody wants is worked out once."""
        claim = claims[0]
        if len(claims) > 1 or claim.seats or claim.hours:
            return Meaning.of(claims, self._offers, self._seats)
        dates = claim.dates
        period = (dates.start, dates.end) if dates else None
        key = (claim.offer_id.int, claim.quantity, period)
        meaning = self._meanings.get(key)
        if meaning is None:
            if len(self._meanings) >= MEANINGS_MAX:
                self._meanings.clear()
            meaning = self._meanings[key] = Meaning.of(claims, self._offers)
        return meaning


class SoldOutCells:
    """Cells that were sold out when last seen: who is new and wants one need not lock it.

    It may only say no, only to new holds, and forgets after `seconds`: a unit that another process
    frees is on sale again by then.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[Key, float] = {}

    def refusals(self, takes: Iterable[Take]) -> dict[int, Refused]:
        """Those of new holds that need a sold-out cell, by their place in the batch."""
        if not self._until:
            return {}
        now = time.monotonic()
        self._until = {key: until for key, until in self._until.items() if until > now}
        found = enumerate(_refusal(take, self._until) for take in takes)
        return {n: Refused(refusal) for n, refusal in found if refusal}

    def learn(self, cells: Mapping[Key, Cell]) -> None:
        """See how cells are after a commit."""
        if not self._seconds:
            return
        until = time.monotonic() + self._seconds
        for key, cell in cells.items():
            if cell.held + cell.sold >= cell.capacity > 0:
                self._until[key] = until
            elif self._until:
                self._until.pop(key, None)


def _refusal(take: Take, full: Collection[Key]) -> SoldOut | None:
    """The refusal of a new hold that needs one of the cells that are `full`."""
    for key, units in take.needed.items():
        if key in full and units:
            return rules.lacking(take.offers[key[0]], key[1], 0, take.lines)
    return None
