"""Writes down calls of the inventory contract as a history: asked, answered, begun, ended."""

import asyncio
import time
from collections.abc import Awaitable, Iterable
from typing import Any

from dvor.contracts.inventory import BelowPromised, Calendar, Claim, FreeList, Hold, SoldOut, Supply
from dvor.contracts.seating import BestSeats, SeatStates
from dvor.kernel.errors import Refusal
from tests.histories.linear import NEVER, Call
from tests.histories.promises import Needs


class Recorder:
    """One history, written by everybody who takes part."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def record(self, action: tuple[Any, ...], work: Awaitable[Any]) -> Any:
        """Await a call and write it down. What was cancelled or failed has an unknown outcome.

        One that failed will not happen any more: whoever dies here is the server's end of the
        connection, with its transaction. One whose client left may still be under way.
        """
        begun, answer, cancelled = time.perf_counter(), None, False
        try:
            answer = shown(await work, chosen=action[0] == "best")
        except asyncio.CancelledError:
            cancelled = True
        except Refusal as refusal:
            if refusal.http_status < 500:
                answer = refused(refusal)
        self.calls.append(Call(action, answer, begun, NEVER if cancelled else time.perf_counter()))
        return answer


def shown(answer: Any, *, chosen: bool = False) -> Any:
    """An answer as histories have it. `chosen`: which seats it names was not asked for."""
    match answer:
        case Hold() if chosen:
            seats = (seat for claim in answer.claims for seat in claim.seats)
            return str(answer.status), tuple(sorted(seats))
        case Hold():
            return str(answer.status)
        case BestSeats():
            return tuple(sorted(answer.seats))
        case SeatStates():
            return tuple(sorted(answer.taken))
        case FreeList():
            return answer.items[0].free
        case Calendar():
            return [day.free for day in answer.days]
        case Supply():
            return "set"
        case _:
            return answer


def refused(refusal: Refusal) -> Any:
    match refusal:
        case SoldOut():
            return ("SoldOut", refusal.left)
        case BelowPromised():
            return ("BelowPromised", refusal.promised)
        case _:
            return type(refusal).__name__


def needs(claims: Iterable[Claim]) -> Needs:
    """Units per cell, summed over all claims."""
    summed: dict[Any, int] = {}
    for claim in claims:
        for slot in slots(claim):
            key = (claim.offer_id, slot)
            summed[key] = summed.get(key, 0) + (1 if claim.seats else claim.quantity)
    return tuple(sorted(summed.items(), key=str))


def slots(claim: Claim) -> list[Any]:
    """The slots of a claim, counted apart from the engine."""
    if claim.dates:
        return list(claim.dates.days())
    if claim.hours:
        hours = claim.hours
        first = int(hours.start.timestamp()) // 3600
        return list(range(first, first + hours.length))
    return list(claim.seats) or [None]
