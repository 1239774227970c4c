"""Is there an order of calls that explains every answer? (Wing and Gong's search, with a memory.)

Each call of a history takes effect at one moment between its beginning and its end; one whose
outcome is unknown at such a moment, or never. A history is linearizable if the
moments can be chosen so that a specification, asked one call after the other, gives the answers
that were seen.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

NEVER = math.inf
"""The end of a call that may take effect at any time to come."""
STEPS_MAX = 300_000
"""Positions looked at before the question is left undecided."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what was asked, what was answered, and when."""

    action: tuple[Any, ...]
    answer: Any
    """None: unknown. It has happened until its end or never will."""
    begun: float
    ended: float = NEVER

    @property
    def known(self) -> bool:
        return self.answer is not None


class Specification(Protocol):
    """What should be true, asked one call after the other. States are hashable values."""

    def after(self, state: Any, call: Call) -> Any:
        """The state after a call in `state`, or None where its answer would have been another."""
        ...

    def outcomes(self, state: Any, call: Call) -> Iterable[Any]:
        """The states that a call with an unknown outcome may have left; several where it chose."""
        ...

    def silent(self, call: Call) -> bool:
        """Whether such a call never changes anything: a read, a refusal."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the search found; `linearizable` is None where it gave up."""

    linearizable: bool | None
    steps: int
    stuck: tuple[Call, ...] = ()
    """Where it got farthest: calls of which none could be next."""


def check(
    history: Iterable[Call], spec: Specification, start: Any, steps_max: int = STEPS_MAX
) -> Verdict:
    """Look for an order. Depth first; a position (who is done, in which state) is seen once."""
    calls = sorted(history, key=lambda call: call.begun)
    known = [call for call in calls if call.known]
    unknown = [call for call in calls if not call.known]
    waiting, seen, steps = [(0, 0, start)], set(), 0
    farthest, stuck = -1, ()
    while waiting:
        done, happened, state = waiting.pop()
        steps += 1
        if steps > steps_max:
            return Verdict(None, steps, stuck)
        done, state, nexts = _settled(known, done, state, spec)
        if not nexts:
            return Verdict(True, steps)
        if done.bit_count() > farthest:
            farthest, stuck = done.bit_count(), tuple(known[i] for i in nexts)
        horizon, latest = min(known[i].ended for i in nexts), _latest(known, done)
        found = [
            (done | 1 << i, happened, after)
            for i in nexts
            if (after := spec.after(state, known[i])) is not None
        ]
        for i, call in enumerate(unknown):
            if call.begun > horizon:
                break
            if happened >> i & 1 or call.ended < max(latest, _latest(unknown, happened)):
                continue
            outcomes = (after for after in spec.outcomes(state, call) if after != state)
            found += [(done, happened | 1 << i, after) for after in outcomes]
        # The last is looked at first: calls with an answer, those that ended early.
        for position in reversed(found):
            if position not in seen:
                seen.add(position)
                waiting.append(position)
    return Verdict(False, steps, stuck)


def _settled(
    known: Sequence[Call], done: int, state: Any, spec: Specification
) -> tuple[int, Any, list[int]]:
    """Take calls that never change anything as soon as they fit: later would be no better.

    Answers who else can be next, those that ended first before the others.
    """
    while True:
        nexts = _nexts(known, done)
        fitting = [i for i in nexts if spec.silent(known[i]) and spec.after(state, known[i])]
        if not fitting:
            return done, state, sorted(nexts, key=lambda i: known[i].ended)
        for i in fitting:
            done |= 1 << i


def _nexts(known: Sequence[Call], done: int) -> list[int]:
    """The calls that no other call must precede: begun before any that is left has ended."""
    found: list[int] = []
    horizon = math.inf
    lowest = (~done & (done + 1)).bit_length() - 1
    for i in range(lowest, len(known)):
        if known[i].begun > horizon:
            break
        if not done >> i & 1:
            found.append(i)
            horizon = min(horizon, known[i].ended)
    return found


def _latest(calls: Sequence[Call], done: int) -> float:
    """When the last of those that are done began; calls are in the order of their beginning."""
    return calls[done.bit_length() - 1].begun if done else -math.inf


def parts(
    history: Iterable[Call], touched: Callable[[Call], Iterable[Hashable]]
) -> list[list[Call]]:
    """Cut a history into parts that touch nothing in common; a call that touches nothing is in all.

    Linearizability is local: where every call touches one object only, the whole is linearizable
    if and only if each object's part is. The objects here are whatever calls tie together: a hold
    over several cells makes one object of them, so no call is ever cut in two.
    """
    owner: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        while (above := owner.setdefault(key, key)) != key:
            key = above
        return key

    calls = list(history)
    for call in calls:
        for one, other in zip(keys := list(touched(call)), keys[1:], strict=False):
            owner[root(one)] = root(other)
    found: dict[Hashable, list[Call]] = {}
    for call in calls:
        for key in touched(call):
            found.setdefault(root(key), [])
    for call in calls:
        keys = list(touched(call))
        for part in [found[root(keys[0])]] if keys else found.values():
            part.append(call)
    return list(found.values())
