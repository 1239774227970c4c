"""What becomes of holds: requests decided one after the other, as if each were alone.

Pure: the engine reads the books, has them decided here, and writes what changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol
from uuid import UUID

from dvor.contracts.inventory import (
    Claim,
    HoldEnded,
    HoldStatus,
    UnknownHold,
    UnknownSupply,
)
from dvor.contracts.seating import SeatsCounted
from dvor.kernel.errors import Refusal
from dvor.kernel.idempotency import KeyReused
from dvor.services.inventory import rules, slots
from dvor.services.inventory.rules import Cell, StoredHold
from dvor.services.inventory.slots import Key, Line, Offer

if TYPE_CHECKING:
    from dvor.services.inventory.parties import Party

_NOTHING: Mapping[Key, int] = {}

LIVE = (HoldStatus.HELD, HoldStatus.CONFIRMED)
"""Statuses in which a hold has units."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long holds live and how far ahead they reach."""

    ttl_seconds: int
    lifetime_seconds: int
    horizon_days: int
    waiting_offer_seconds: int = 43_200


@dataclass(slots=True)
class Books:
    """Holds, offers and cells that requests are about, as they stand `now`."""

    now: datetime
    terms: Terms
    holds: dict[UUID, StoredHold]
    offers: Mapping[int, Offer]
    """By the number of their id."""
    cells: Mapping[Key, Cell]
    customers: dict[UUID, dict[UUID, Sequence[Line]]] = field(default_factory=dict)
    """Of customers of whom a limit is asked: what each of their limited holds has."""
    closed: dict[int, dict[int, int]] = field(default_factory=dict)
    """Of offers that get another supply: units their owner has closed, by slot."""
    expired: list[UUID] = field(default_factory=list)
    line: "list[Take | Party]" = field(default_factory=list)
    """What those want who wait for some of the cells, in the order they came."""
    freed: bool = True
    """Whether something may fit that did not before: a unit was given back, a rule was changed."""
    offered: list[StoredHold] = field(default_factory=list)
    """To those who waited."""
    declined: list[UUID] = field(default_factory=list)
    taken_over: list[UUID] = field(default_factory=list)
    """Holds whose units went into others."""
    fresh_until: datetime = field(init=False)
    """When a hold that is made now expires."""
    passed: "dict[int, tuple[Take, Sequence[tuple[Cell, int]]]]" = field(default_factory=dict)
    """What the rules let pass, by the identity of its lines: cells and units. Many want the same."""

    def __post_init__(self) -> None:
        ttl, life = self.terms.ttl_seconds, self.terms.lifetime_seconds
        self.fresh_until = rules.deadline(self.now, self.now, ttl, life)

    def demand(self, take: "Take") -> Sequence[tuple[Cell, int]]:
        """Cells and units that it needs. Raises what `rules.check_rules` raises."""
        found = self.passed.get(id(take.lines))
        if found is None:
            now, horizon, offers = self.now, self.terms.horizon_days, self.offers
            for claim, line in zip(take.claims, take.lines, strict=True):
                rules.check_rules(claim, offers[line.offer_id.int], now, horizon)
            demand = tuple((self.cells[key], units) for key, units in take.needed.items())
            found = self.passed[id(take.lines)] = (take, demand)
        return found[1]

    def write(self, hold: StoredHold) -> StoredHold:
        """Put a hold in its place."""
        self.holds[hold.id] = hold
        if not self.customers:
            return hold
        theirs = self.customers.get(hold.customer_id) if hold.customer_id else None
        if theirs is not None and hold.limited and hold.status in LIVE:
            theirs[hold.id] = hold.claims
        elif theirs is not None:
            theirs.pop(hold.id, None)
        return hold

    def end(self, hold: StoredHold, status: HoldStatus) -> StoredHold:
        """Write that a hold is over; its units are free."""
        self.freed = True
        cells, held = self.cells, hold.status is HoldStatus.HELD
        for key, units in slots.demand(hold.claims).items():
            if held:
                cells[key].held -= units
            else:
                cells[key].sold -= units
        return self.write(hold._replace(status=status))


class Meaning(NamedTuple):
    """What claims are in cells, by offers as they are known."""

    lines: tuple[Line, ...]
    """The claims in slots."""
    needed: Mapping[Key, int]
    """Units per cell."""
    offers: Mapping[int, Offer]
    """What the lines were made with."""
    limited: bool
    """Some of it counts against a limit per customer."""

    @staticmethod
    def of(
        claims: Iterable[Claim],
        offers: Mapping[int, Offer],
        seats: Mapping[int, Mapping[str, int]] = MappingProxyType({}),
    ) -> "Meaning":
        """`seats`: their slots by offer and name.

        Raises UnknownSupply, and what `slots.line` raises.
        """
        used: dict[int, Offer] = {}
        lines: list[Line] = []
        for claim in claims:
            number = claim.offer_id.int
            offer = offers.get(number)
            if offer is None:
                raise UnknownSupply(offer_id=claim.offer_id)
            used[number] = offer
            lines.append(slots.line(claim, offer, seats.get(number, {})))
        needed = slots.demand(lines)
        limited = False
        for number, offer in used.items():
            if offer.per_customer:
                limited = True
                if offer.seated:  # one customer's choices of different seats meet at this cell
                    needed.setdefault((number, slots.TIMELESS_SLOT), 0)
        return Meaning(tuple(lines), needed, used, limited)


class Take(NamedTuple):
    """Make the hold consist of exactly these claims, all or nothing, with a fresh deadline."""

    hold_id: UUID
    claims: tuple[Claim, ...]
    lines: tuple[Line, ...]
    """These four: what the claims mean."""
    needed: Mapping[Key, int]
    offers: Mapping[int, Offer]
    limited: bool
    customer_id: UUID | None = None
    instead_of: UUID | None = None
    """A hold that is given back for it."""
    once: bool = False
    """Ask only: a hold that exists stays as it is, and its claims must be these."""

    def fitting(self, cells: Mapping[Key, Cell], short: Mapping[int, int]) -> "Take | None":
        """Itself, where everything it needs is free. `short`: see `parties.Party.fitting`."""
        return self if all(cells[key].free >= units for key, units in self.needed.items()) else None

    def decide(self, books: Books) -> StoredHold:
        """Give back what the hold has, then judge. Raises what `Inventory.hold` raises."""
        stored = books.holds.get(self.hold_id)
        if self.once and (same := self._reserved(stored)):
            return same
        if stored is not None:
            rules.check_renewable(stored.status)
        demand = books.demand(self)
        if self.limited:
            self._check_limit(books)
        if stored is not None or self.instead_of is not None:
            return self._again(books, stored, demand)
        for cell, units in demand:
            if units > cell.capacity - cell.held - cell.sold:
                raise rules.sold_out(self.needed, _NOTHING, books.cells, self.lines, books.offers)
        for cell, units in demand:
            cell.held += units
        return books.write(self._held(books.now, books.fresh_until))

    def _again(
        self, books: Books, stored: StoredHold | None, demand: Iterable[tuple[Cell, int]]
    ) -> StoredHold:
        """Judge with what the hold has already, and the one it is taken instead of."""
        own, made_at = _renewed(stored, books.now) if stored else (_NOTHING, books.now)
        given = self._given(books)
        if given is not None:
            own = slots.demand([*(stored.claims if own and stored else ()), *given.claims])
        cells, terms = books.cells, books.terms
        rules.judge(self.needed, own, cells, self.lines, books.offers)
        for key, units in own.items():
            cells[key].held -= units
            books.freed = True
        for cell, units in demand:
            cell.held += units
        if given is not None:
            books.write(given._replace(status=HoldStatus.RELEASED))
            books.taken_over.append(given.id)
        until = rules.deadline(made_at, books.now, terms.ttl_seconds, terms.lifetime_seconds)
        return books.write(self._held(made_at, until))

    def _held(self, made_at: datetime, expires_at: datetime) -> StoredHold:
        return StoredHold(
            self.hold_id,
            HoldStatus.HELD,
            made_at,
            expires_at,
            self.customer_id,
            self.limited,
            self.lines,
        )

    def _reserved(self, stored: StoredHold | None) -> StoredHold | None:
        """What was reserved under this key before. Uses of promo codes are for orders only."""
        for offer in self.offers.values():
            if offer.kind is None:
                raise UnknownSupply(offer_id=offer.id)
        if stored and tuple(slots.claim(line) for line in stored.claims) != self.claims:
            raise KeyReused
        return stored

    def _given(self, books: Books) -> StoredHold | None:
        """The hold that is given back for this one, if it has anything left to give."""
        other = self.instead_of
        given = books.holds.get(other) if other and other != self.hold_id else None
        alive = given is not None and given.status_at(books.now) is HoldStatus.HELD
        return given if alive else None

    def _check_limit(self, books: Books) -> None:
        theirs = books.customers.get(self.customer_id, {}) if self.customer_id else {}
        mine = (self.hold_id, self.instead_of)
        others = [lines for other, lines in theirs.items() if other not in mine]
        rules.check_limit(self.lines, others, books.offers)


def _renewed(stored: StoredHold, now: datetime) -> tuple[Mapping[Key, int], datetime]:
    """What a hold that is taken again has, and since when."""
    own = slots.demand(stored.claims) if stored.status is HoldStatus.HELD else _NOTHING
    return own, stored.made_at if stored.status_at(now) is HoldStatus.HELD else now


def _alive(books: Books, hold_id: UUID) -> StoredHold:
    """A hold that is confirmed or can be. Raises UnknownHold, HoldEnded."""
    stored = books.holds.get(hold_id)
    if stored is None:
        raise UnknownHold
    if stored.status_at(books.now) not in LIVE:
        raise HoldEnded
    return stored


@dataclass(frozen=True, slots=True)
class Confirm:
    """Turn held units into sold ones."""

    hold_id: UUID

    def decide(self, books: Books) -> StoredHold:
        """Harmless when repeated. Raises UnknownHold, HoldEnded."""
        stored = _alive(books, self.hold_id)
        if stored.status is HoldStatus.CONFIRMED:
            return stored
        for key, units in slots.demand(stored.claims).items():
            cell = books.cells[key]
            cell.held -= units
            cell.sold += units
        return books.write(stored._replace(status=HoldStatus.CONFIRMED))


@dataclass(frozen=True, slots=True)
class Extend:
    """Let a hold live `seconds` from now at least: its money is set aside, somebody has to answer."""

    hold_id: UUID
    seconds: int

    def decide(self, books: Books) -> StoredHold:
        """Harmless when repeated. Beyond the lifetime of carts. Raises UnknownHold, HoldEnded."""
        stored = _alive(books, self.hold_id)
        if stored.status is HoldStatus.CONFIRMED:
            return stored
        until = max(stored.expires_at, books.now + timedelta(seconds=self.seconds))
        return books.write(stored._replace(expires_at=until))


@dataclass(frozen=True, slots=True)
class Release:
    """Free the units of a hold, also a confirmed one."""

    hold_id: UUID
    declined: bool = False
    """It was offered to somebody who waited, and they decline."""

    def decide(self, books: Books) -> StoredHold:
        """Harmless when repeated.

        A hold that does not exist is written as released: whoever gives up on it may be faster
        than its `hold`, which is then refused and leaves nothing behind.
        """
        now = books.now
        stored = books.holds.get(self.hold_id)
        if stored is None:
            ended = StoredHold(self.hold_id, HoldStatus.RELEASED, now, now, None, False, ())
            return books.write(ended)
        if stored.status is HoldStatus.EXPIRED:
            # Given up for good: whoever comes late and wants it anew is refused.
            return books.write(stored._replace(status=HoldStatus.RELEASED))
        if stored.status not in LIVE:
            return stored
        if self.declined:
            books.declined.append(stored.id)
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


@dataclass(frozen=True, slots=True)
class Resize:
    """Give every cell of an offer from its first open slot on another capacity."""

    stated: Offer
    """The offer with its new quantity."""
    listing_id: UUID

    def decide(self, books: Books) -> Offer:
        """The offer as it is then. Raises BelowPromised, SeatsCounted."""
        number = self.stated.id.int
        offer = books.offers[number]
        if offer.seated:
            raise SeatsCounted(offer_id=offer.id)
        first = slots.first_open_slot(offer, books.now)
        ahead = {
            slot: cell for (of, slot), cell in books.cells.items() if of == number and slot >= first
        }
        rules.check_cut(offer, self.stated.quantity, ahead)
        books.freed = True
        quantity = self.stated.quantity
        closed = books.closed.get(number, {})
        for slot, cell in ahead.items():
            cell.capacity = max(quantity - closed.get(slot, 0), min(cell.promised, quantity))
        return offer


@dataclass(frozen=True, slots=True)
class Serve:
    """Look whether those who wait for an offer fit now: its rules or closures have changed."""

    offer_id: UUID

    def decide(self, books: Books) -> None:
        """Nothing else: whoever fits is served before any request."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that has become impossible since it was asked."""

    refusal: Refusal

    def decide(self, books: Books) -> NoReturn:
        """Raise the refusal."""
        raise self.refusal


Request = Take | Confirm | Extend | Release | Expire | Resize | Serve | Refused


class Decided(Protocol):
    """A request of whatever kind."""

    def decide(self, books: Books) -> StoredHold | Offer | None:
        """What becomes of it, written into the books. A refusal leaves them as they were."""
        ...


def allocate(
    books: Books, requests: Iterable[Decided]
) -> list[StoredHold | Offer | Refusal | None]:
    """Decide in order of arrival; a refused request leaves the books as they were.

    What comes free goes to those who wait, before the next request is decided.
    """
    verdicts: list[StoredHold | Offer | Refusal | None] = []
    for request in requests:
        if books.line:
            serve(books)
        try:
            verdicts.append(request.decide(books))
        except Refusal as refusal:
            verdicts.append(refusal)
    serve(books)
    return verdicts


def serve(books: Books) -> None:
    """Offer what is free to those who wait, in the order they came.

    Who does not fit, or may not have it now, is passed over and keeps their place.
    """
    if not (books.line and books.freed):
        return
    books.freed = False
    cells, stay = books.cells, []
    short: dict[int, int] = {}
    for waiting in books.line:
        hold, take = None, waiting.fitting(cells, short)
        if take is not None:
            with suppress(Refusal):
                hold = take.decide(books)
        if hold is None:
            stay.append(waiting)
            continue
        (claim,) = waiting.claims
        offer, seconds = books.offers[claim.offer_id.int], books.terms.waiting_offer_seconds
        until = rules.offer_ends(claim, offer, books.now, seconds)
        books.offered.append(books.write(hold._replace(expires_at=until)))
    books.line = stay
