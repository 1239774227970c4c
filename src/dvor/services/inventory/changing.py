"""Changes of what is booked already: fewer units, other dates. Two more kinds of requests. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from dvor.contracts.inventory import Claim, HoldEnded, HoldStatus, Unit, UnknownHold
from dvor.services.inventory import rules, slots
from dvor.services.inventory.allocation import LIVE, Books, Confirm, Expire, Extend, Release, Take
from dvor.services.inventory.rules import StoredHold
from dvor.services.inventory.slots import Key, Line, Offer


@dataclass(frozen=True, slots=True)
class Restate:
    """Make a confirmed hold consist of exactly these claims; it stays confirmed."""

    take: Take
    """The claims in slots; its `instead_of` is given back in the same moment."""

    def decide(self, books: Books) -> StoredHold:
        """Harmless when repeated. Raises what `Inventory.restate` raises."""
        take = self.take
        stored = _confirmed(books, take.hold_id)
        given = books.holds.get(take.instead_of) if take.instead_of else None
        if given is not None and given.status_at(books.now) not in LIVE:
            given = None
        lines, fresh = _settled(take, stored.claims)
        if given is None and list(lines) == list(stored.claims):
            return stored
        own = slots.demand([*stored.claims, *(given.claims if given else ())])
        needed = slots.demand(lines)
        if not _covered(needed, own) or (fresh and given is None):
            # Whoever has held all of it before was asked then; meanwhile it may be too late.
            _check(take, fresh, books, (take.hold_id, take.instead_of))
            rules.judge(needed, own, books.cells, lines, books.offers)
        if given is not None:
            books.end(given, HoldStatus.RELEASED)
        cells = books.cells
        for key, units in slots.demand(stored.claims).items():
            cells[key].sold -= units
        for key, units in needed.items():
            cells[key].sold += units
        books.freed = True
        return books.write(stored._replace(claims=lines))


@dataclass(frozen=True, slots=True)
class TakeBeyond:
    """Hold what a confirmed hold lacks to consist of these claims."""

    take: Take
    """The claims of the other hold as they shall be, in slots; `hold_id` is this one's."""
    beyond: UUID
    """The confirmed hold."""

    def decide(self, books: Books) -> StoredHold:
        """Harmless when repeated. Raises what `Inventory.hold` raises."""
        take, now, terms = self.take, books.now, books.terms
        base = _confirmed(books, self.beyond)
        stored = books.holds.get(take.hold_id)
        if stored is not None:
            rules.check_renewable(stored.status)
        own: Mapping[Key, int] = {}
        if stored is not None and stored.status is HoldStatus.HELD:
            own = slots.demand(stored.claims)
        lines, fresh = _settled(take, base.claims)
        had, needed = slots.demand(base.claims), slots.demand(lines)
        lacks = {key: units - had.get(key, 0) for key, units in needed.items()}
        lacks = {key: units for key, units in lacks.items() if units > 0}
        _check(take, fresh, books, (take.hold_id, self.beyond))
        rules.judge(lacks, own, books.cells, take.lines, books.offers)
        cells = books.cells
        for key, units in own.items():
            cells[key].held -= units
            books.freed = True
        for key, units in lacks.items():
            cells[key].held += units
        renewed = stored is not None and stored.status_at(now) is HoldStatus.HELD
        made_at = stored.made_at if renewed and stored else now
        expires_at = rules.deadline(made_at, now, terms.ttl_seconds, terms.lifetime_seconds)
        held = StoredHold(
            *(take.hold_id, HoldStatus.HELD, made_at, expires_at),
            *(take.customer_id, take.limited, tuple(_lines(lacks, books.offers))),
        )
        return books.write(held)


Change = Restate | TakeBeyond


class Changing(NamedTuple):
    """A change as it was asked for; what it means in cells is worked out when it is its turn."""

    hold_id: UUID
    claims: tuple[Claim, ...]
    customer_id: UUID | None
    instead_of: UUID | None = None
    beyond: UUID | None = None
    """The confirmed hold that lacks something; None: `hold_id` itself is to be restated."""
    once: bool = False

    def of(self, take: Take) -> Change:
        """The request, with what the claims mean."""
        return TakeBeyond(take, self.beyond) if self.beyond else Restate(take)


def take_of(request: object) -> Take | None:
    """What a request wants to take, if anything."""
    if isinstance(request, Change):
        return request.take
    return request if isinstance(request, Take) else None


def hold_ids(requests: Iterable[object]) -> set[UUID]:
    """The holds that requests are about."""
    found: set[UUID] = set()
    for request in requests:
        if isinstance(request, Confirm | Extend | Release | Expire):
            found.add(request.hold_id)
        elif take := take_of(request):
            found.update(one for one in (take.hold_id, take.instead_of) if one)
        if isinstance(request, TakeBeyond):
            found.add(request.beyond)
    return found


def _confirmed(books: Books, hold_id: UUID) -> StoredHold:
    """Raises UnknownHold, HoldEnded."""
    stored = books.holds.get(hold_id)
    if stored is None:
        raise UnknownHold
    if stored.status is not HoldStatus.CONFIRMED:
        raise HoldEnded
    return stored


def _settled(
    take: Take, stored: Sequence[Line]
) -> tuple[tuple[Line, ...], list[tuple[Claim, Line]]]:
    """The lines of the claims, and those of them that were not booked before.

    What was booked keeps its buffer, whatever its seller asks by now.
    """
    lines: list[Line] = []
    fresh: list[tuple[Claim, Line]] = []
    for claim, line in zip(take.claims, take.lines, strict=True):
        before = next((old for old in stored if _is_part(line, old)), None)
        if before is None:
            fresh.append((claim, line))
            lines.append(line)
        else:
            lines.append(line._replace(buffer=before.buffer))
    return tuple(lines), fresh


def _is_part(line: Line, old: Line) -> bool:
    same = line._replace(buffer=0, quantity=0, seat_slots=None, seat_names=None)
    whole = old._replace(buffer=0, quantity=0, seat_slots=None, seat_names=None)
    seats = set(line.seat_slots or ()) <= set(old.seat_slots or ())
    return same == whole and seats and line.quantity <= old.quantity


def _covered(needed: Mapping[Key, int], own: Mapping[Key, int]) -> bool:
    return all(units <= own.get(key, 0) for key, units in needed.items())


def _check(
    take: Take,
    fresh: Iterable[tuple[Claim, Line]],
    books: Books,
    mine: tuple[UUID | None, ...],
) -> None:
    """The rules for what is new. Raises what `Inventory.hold` raises, except SoldOut."""
    for claim, line in fresh:
        offer = books.offers[line.offer_id.int]
        rules.check_rules(claim, offer, books.now, books.terms.horizon_days)
    if take.limited:
        theirs = books.customers.get(take.customer_id, {}) if take.customer_id else {}
        others = [lines for other, lines in theirs.items() if other not in mine]
        rules.check_limit(take.lines, others, books.offers)


def _lines(units: Mapping[Key, int], offers: Mapping[int, Offer]) -> Iterator[Line]:
    """Cells as lines: neighbours with the same quantity together."""
    cells = sorted(units.items())

    def stretch(found: tuple[int, tuple[Key, int]]) -> tuple[int, int, int]:
        place, ((number, slot), quantity) = found
        return number, quantity, slot - place

    for (number, quantity, _), group in groupby(enumerate(cells), key=stretch):
        taken = [slot for _, ((_, slot), _) in group]
        offer, first, end = offers[number], taken[0], taken[-1] + 1
        hours = (None, None)
        if offer.unit is Unit.HOUR:
            zone = offer.timezone
            hours = (slots.hour_of(first, zone), slots.hour_of(end, zone))
        yield Line(offer.id, first, end, 0, quantity, *hours)
