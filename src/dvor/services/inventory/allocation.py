"""What becomes of holds: requests decided one after the other, as if each were alone.

Pure: the engine reads the books, has them decided here, and writes what changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from dvor.contracts.inventory import Claim, HoldEnded, HoldStatus, UnknownHold
from dvor.kernel.errors import Refusal
from dvor.services.inventory import rules
from dvor.services.inventory.rules import Cell, Key, Offer, StoredHold


@dataclass(frozen=True, slots=True)
class Terms:
    """How long holds live and how far ahead they reach."""

    ttl_seconds: int
    lifetime_seconds: int
    horizon_days: int


@dataclass(slots=True)
class Books:
    """Holds, offers and cells that requests are about, as they stand `now`."""

    now: datetime
    terms: Terms
    holds: dict[UUID, StoredHold]
    offers: Mapping[UUID, Offer]
    cells: dict[Key, Cell]
    expired: list[UUID] = field(default_factory=list)

    def move(self, held: Mapping[Key, int], sold: Mapping[Key, int] | None = None) -> None:
        """Add to (or, negative, take from) counters."""
        cells, sold = self.cells, sold or {}
        for key, units in held.items():
            cell = cells[key]
            cells[key] = Cell(cell.capacity, cell.held + units, cell.sold)
        for key, units in sold.items():
            cell = cells[key]
            cells[key] = Cell(cell.capacity, cell.held, cell.sold + units)

    def end(self, hold: StoredHold, status: HoldStatus) -> StoredHold:
        """Write that a hold is over; its units are free."""
        units = _negative(rules.demand(hold.claims))
        if hold.status is HoldStatus.HELD:
            self.move(units)
        else:
            self.move({}, units)
        return self.become(hold, status)

    def become(self, hold: StoredHold, status: HoldStatus) -> StoredHold:
        """Write a hold's status."""
        changed = StoredHold(hold.id, status, hold.made_at, hold.expires_at, hold.claims)
        self.holds[hold.id] = changed
        return changed


@dataclass(frozen=True, slots=True)
class Take:
    """Make the hold consist of exactly these claims, all or nothing, with a fresh deadline."""

    hold_id: UUID
    claims: tuple[Claim, ...]
    needed: Mapping[Key, int]
    """Units per cell."""

    @staticmethod
    def of(hold_id: UUID, claims: tuple[Claim, ...]) -> "Take":
        """With the units that these claims need."""
        return Take(hold_id, claims, rules.demand(claims))

    def decide(self, books: Books) -> StoredHold:
        """Give back what the hold has, then judge. Raises what `Inventory.hold` raises."""
        now, terms = books.now, books.terms
        stored = books.holds.get(self.hold_id)
        own: Mapping[Key, int] = {}
        made_at = now
        if stored is not None:
            rules.check_renewable(stored.status)
            if stored.status is HoldStatus.HELD:
                own = rules.demand(stored.claims)
            if stored.status_at(now) is HoldStatus.HELD:
                made_at = stored.made_at
        rules.check_claims(self.claims, books.offers, now, terms.horizon_days)
        rules.judge(self.needed, own, books.cells)
        books.move(rules.change(self.needed, own) if own else self.needed)
        expires_at = rules.deadline(made_at, now, terms.ttl_seconds, terms.lifetime_seconds)
        taken = StoredHold(self.hold_id, HoldStatus.HELD, made_at, expires_at, self.claims)
        books.holds[self.hold_id] = taken
        return taken


@dataclass(frozen=True, slots=True)
class Confirm:
    """Turn held units into sold ones."""

    hold_id: UUID

    def decide(self, books: Books) -> StoredHold:
        """Harmless when repeated. Raises UnknownHold, HoldEnded."""
        stored = books.holds.get(self.hold_id)
        if stored is None:
            raise UnknownHold
        if stored.status is HoldStatus.CONFIRMED:
            return stored
        if stored.status_at(books.now) is not HoldStatus.HELD:
            raise HoldEnded
        units = rules.demand(stored.claims)
        books.move(_negative(units), units)
        return books.become(stored, HoldStatus.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Release:
    """Free the units of a hold, also a confirmed one."""

    hold_id: UUID

    def decide(self, books: Books) -> StoredHold:
        """Harmless when repeated.

        A hold that does not exist is written as released: whoever gives up on it may be faster
        than its `hold`, which is then refused and leaves nothing behind.
        """
        now = books.now
        stored = books.holds.get(self.hold_id)
        if stored is None:
            stored = StoredHold(self.hold_id, HoldStatus.RELEASED, now, now, ())
            books.holds[self.hold_id] = stored
        if stored.status not in (HoldStatus.HELD, HoldStatus.CONFIRMED):
            return stored
        return books.end(stored, HoldStatus.RELEASED)


@dataclass(frozen=True, slots=True)
class Expire:
    """End a hold if its deadline has passed."""

    hold_id: UUID

    def decide(self, books: Books) -> StoredHold:
        """Leaves alone what was renewed or ended meanwhile. Raises UnknownHold."""
        stored = books.holds.get(self.hold_id)
        if stored is None:
            raise UnknownHold
        if stored.status is not HoldStatus.HELD or stored.expires_at > books.now:
            return stored
        books.expired.append(stored.id)
        return books.end(stored, HoldStatus.EXPIRED)


Request = Take | Confirm | Release | Expire


def allocate(books: Books, requests: Iterable[Request]) -> list[StoredHold | Refusal]:
    """Decide in order of arrival; a refused request leaves the books as they were."""
    verdicts: list[StoredHold | Refusal] = []
    for request in requests:
        try:
            verdicts.append(request.decide(books))
        except Refusal as refusal:
            verdicts.append(refusal)
    return verdicts


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written after a batch."""

    moves: list[tuple[Key, int, int]]
    """By how much held and sold of a cell change."""
    new: list[StoredHold]
    renewed: list[StoredHold]
    """Holds that were there before, with whatever became of them."""
    reclaimed: list[StoredHold]
    """Those of `renewed` that consist of other claims now."""


def changes(holds: Mapping[UUID, StoredHold], cells: Mapping[Key, Cell], after: Books) -> Changes:
    """The difference that `allocate` made; holds in the order they are locked in."""
    changed = sorted(
        (hold for hold in after.holds.values() if holds.get(hold.id) is not hold),
        key=lambda hold: hold.id,
    )
    renewed = [hold for hold in changed if hold.id in holds]
    return Changes(
        moves=[
            (key, cell.held - cells[key].held, cell.sold - cells[key].sold)
            for key, cell in after.cells.items()
            if cell is not cells[key]
        ],
        new=[hold for hold in changed if hold.id not in holds],
        renewed=renewed,
        reclaimed=[hold for hold in renewed if hold.claims != holds[hold.id].claims],
    )


def _negative(units: Mapping[Key, int]) -> dict[Key, int]:
    return {key: -count for key, count in units.items()}
