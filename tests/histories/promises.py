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
| `("time",)`: more than a hold lives, and the sweeper came by | "passed" |
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.histories.linear import Call

Cell = tuple[Hashable, Hashable]
Needs = tuple[tuple[Cell, int], ...]

ALIVE = ("held", "confirmed")
REFUSALS = ("HoldEnded", "Conflict", "UnknownHold")


@dataclass(frozen=True)
class Shop:
    """How much there is, and every hold with its status and units."""

    supply: tuple[tuple[Hashable, int], ...]
    holds: frozenset[tuple[Hashable, str, Needs]] = frozenset()

    @staticmethod
    def of(supply: Mapping[Any, int]) -> "Shop":
        return Shop(tuple(sorted(supply.items(), key=str)))

    @cached_property
    def _hash(self) -> int:
        return hash((self.supply, self.holds))

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
        return Shop(self.supply, others | {(hold_id, status, needs)})


class Promises:
    """The specification."""

    def silent(self, call: Call) -> bool:
        refused = isinstance(call.answer, tuple) or call.answer in REFUSALS
        return call.known and (refused or call.action[0] in ("free", "calendar"))

    def after(self, state: Shop, call: Call) -> Shop | None:
        verb, *what = call.action
        changed, answer = getattr(self, verb)(state, *what)
        return changed if not call.known or answer == call.answer else None

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
        return Shop(stated.supply, shop.holds), "set"

    def time(self, shop: Shop) -> tuple[Shop, Any]:
        ended = frozenset(
            (hold_id, "expired" if status == "held" else status, needs)
            for hold_id, status, needs in shop.holds
        )
        return Shop(shop.supply, ended), "passed"


def touched(call: Call) -> list[Hashable]:
    """The offers and holds that a call is about; time is about all."""
    verb, *what = call.action
    if verb == "hold":
        return [what[0], *(cell[0] for cell, _ in what[1])]
    return what[:1]
