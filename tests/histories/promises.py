"""What inventory promises, asked one call after the other: the specification of its histories.

Actions and answers:

| action | answers |
|---|---|
| `("hold", id, needs)`, needs: ((offer, slot), units), … | "held", ("SoldOut", left), "HoldEnded", "Conflict" |
| `("confirm", id)` | "confirmed", "HoldEnded", "UnknownHold" |
| `("release", id)` | "released" |
| `("free", offer, slots)` | units free in all of the slots |
| `("calendar", offer, slots)` | units free in each |
| `("supply", offer, units)` | "set", ("BelowPromised", promised) |
| `("best", id, offer, count)`: seats that the service chooses | ("held", seats), ("SoldOut", left), … |
| `("pick", offer, count)`: seats to choose | seats that are free, ("SoldOut", left) |
| `("taken", offer)` | the seats that somebody has |
| `("left", offer)` | how many seats are free |
| `("time",)`: more than a hold lives, and the sweeper came by | "passed" |
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

from tests.histories.linear import Call

Cell = tuple[Hashable, Hashable]
Needs = tuple[tuple[Cell, int], ...]

ALIVE = ("held", "confirmed")
REFUSALS = ("HoldEnded", "Conflict", "UnknownHold")
READS = ("free", "calendar", "pick", "taken", "left")


@dataclass(frozen=True)
class Shop:
    """How much there is, and every hold with its status and units."""

    supply: tuple[tuple[Hashable, int], ...]
    """Units of each slot; of a seat there is one."""
    holds: frozenset[tuple[Hashable, str, Needs]] = frozenset()
    halls: tuple[tuple[Hashable, tuple[Hashable, ...]], ...] = ()
    """The seats of what has any."""

    @staticmethod
    def of(supply: Mapping[Any, int], halls: Mapping[Any, Sequence[Any]] | None = None) -> "Shop":
        seats = {offer: tuple(sorted(names)) for offer, names in (halls or {}).items()}
        units = dict(supply) | dict.fromkeys(seats, 1)
        halls_there = tuple(sorted(seats.items(), key=str))
        return Shop(tuple(sorted(units.items(), key=str)), halls=halls_there)

    @cached_property
    def _hash(self) -> int:
        return hash((self.supply, self.holds))  # no call changes the halls

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def by_id(self) -> dict[Hashable, tuple[str, Needs]]:
        return {hold_id: (status, needs) for hold_id, status, needs in self.holds}

    @cached_property
    def taken(self) -> Counter[Cell]:
        taken: Counter[Cell] = Counter()
        for _, status, needs in self.holds:
            if status in ALIVE:
                taken.update(dict(needs))
        return taken

    def free(self, cell: Cell) -> int:
        return dict(self.supply)[cell[0]] - self.taken[cell]

    def with_hold(self, hold_id: Hashable, status: str, needs: Needs) -> "Shop":
        others = self.holds
        if old := self.by_id.get(hold_id):
            others -= {(hold_id, *old)}
        return replace(self, holds=others | {(hold_id, status, needs)})

    def seats(self, offer: Hashable, hold_id: Hashable = None) -> list[Hashable]:
        """Those that are free, or that a hold which may still change has already."""
        status, needs = self.by_id.get(hold_id, ("", ()))
        own = dict(needs) if status == "held" else {}
        there = dict(self.halls)[offer]
        return [seat for seat in there if self.free((offer, seat)) or (offer, seat) in own]


class Promises:
    """The specification."""

    def silent(self, call: Call) -> bool:
        refused = call.answer in REFUSALS
        if isinstance(call.answer, tuple):
            refused = call.answer[:1] in (("SoldOut",), ("BelowPromised",))
        return call.known and (refused or call.action[0] in READS)

    def after(self, state: Shop, call: Call) -> Shop | None:
        verb, *what = call.action
        if verb in ("best", "pick"):
            return getattr(self, verb)(state, *what, call.answer)
        changed, answer = getattr(self, verb)(state, *what)
        return changed if answer == call.answer else None

    def outcomes(self, state: Shop, call: Call) -> Iterable[Shop]:
        verb, *what = call.action
        if verb in READS:
            return ()
        if verb != "best":
            changed, _ = getattr(self, verb)(state, *what)
            return [changed]
        hold_id, offer, count = what
        return (
            changed
            for seats in combinations(state.seats(offer, hold_id), count)
            if (changed := self.best(state, hold_id, offer, count, ("held", seats)))
        )

    def best(
        self, shop: Shop, hold_id: Hashable, offer: Hashable, count: int, answer: Any
    ) -> Shop | None:
        """Any seats that are free are right, and only a lack of them is a reason to refuse.

        Which are best is no promise: they are chosen a moment before they are held.
        """
        if isinstance(answer, tuple) and answer[0] == "held":
            seats = answer[1]
            if len(set(seats)) != count or not set(seats) <= set(dict(shop.halls)[offer]):
                return None
            changed, said = self.hold(shop, hold_id, tuple(((offer, seat), 1) for seat in seats))
            return changed if said == "held" else None
        if answer in REFUSALS:
            return shop if self.hold(shop, hold_id, ())[1] == answer else None
        left = len(shop.seats(offer, hold_id))
        return shop if left < count and answer == ("SoldOut", left) else None

    def pick(self, shop: Shop, offer: Hashable, count: int, answer: Any) -> Shop | None:
        free = shop.seats(offer)
        if len(free) < count:
            return shop if answer == ("SoldOut", len(free)) else None
        return shop if len(set(answer)) == count and set(answer) <= set(free) else None

    def taken(self, shop: Shop, offer: Hashable) -> tuple[Shop, Any]:
        free = shop.seats(offer)
        return shop, tuple(seat for seat in dict(shop.halls)[offer] if seat not in free)

    def left(self, shop: Shop, offer: Hashable) -> tuple[Shop, Any]:
        return shop, len(shop.seats(offer))

    def hold(self, shop: Shop, hold_id: Hashable, needs: Needs) -> tuple[Shop, Any]:
        status, old = shop.by_id.get(hold_id, ("", ()))
        if status == "confirmed":
            return shop, "Conflict"
        if status == "released":
            return shop, "HoldEnded"
        own = dict(old) if status == "held" else {}
        left = {cell: shop.free(cell) + own.get(cell, 0) for cell, _ in needs}
        if short := [left[cell] for cell, units in needs if units > left[cell]]:
            return shop, ("SoldOut", max(min(short), 0))
        return shop.with_hold(hold_id, "held", needs), "held"

    def confirm(self, shop: Shop, hold_id: Hashable) -> tuple[Shop, Any]:
        status, needs = shop.by_id.get(hold_id, ("", ()))
        if not status:
            return shop, "UnknownHold"
        if status not in ALIVE:
            return shop, "HoldEnded"
        return shop.with_hold(hold_id, "confirmed", needs), "confirmed"

    def release(self, shop: Shop, hold_id: Hashable) -> tuple[Shop, Any]:
        _, needs = shop.by_id.get(hold_id, ("held", ()))
        return shop.with_hold(hold_id, "released", needs), "released"

    def free(self, shop: Shop, offer: Hashable, slots: Iterable[Hashable]) -> tuple[Shop, Any]:
        return shop, max(min(shop.free((offer, slot)) for slot in slots), 0)

    def calendar(self, shop: Shop, offer: Hashable, slots: Iterable[Hashable]) -> tuple[Shop, Any]:
        return shop, [max(shop.free((offer, slot)), 0) for slot in slots]

    def supply(self, shop: Shop, offer: Hashable, units: int) -> tuple[Shop, Any]:
        promised = max((n for cell, n in shop.taken.items() if cell[0] == offer), default=0)
        if promised > units:
            return shop, ("BelowPromised", promised)
        stated = Shop.of(dict(shop.supply) | {offer: units})
        return replace(shop, supply=stated.supply), "set"

    def time(self, shop: Shop) -> tuple[Shop, Any]:
        ended = frozenset(
            (hold_id, "expired" if status == "held" else status, needs)
            for hold_id, status, needs in shop.holds
        )
        return replace(shop, holds=ended), "passed"


def touched(call: Call) -> list[Hashable]:
    """The offers and holds that a call is about; time is about all."""
    verb, *what = call.action
    if verb == "hold":
        return [what[0], *(cell[0] for cell, _ in what[1])]
    return what[:2] if verb == "best" else what[:1]
