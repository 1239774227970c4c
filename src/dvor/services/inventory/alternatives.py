"""What instead: the nearest to a refused claim that can be had. Pure."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from dvor.contracts.inventory import Claim
from dvor.kernel.periods import DateRange, HourRange

REACH_DAYS = 60
REACH_HOURS = 72
"""How far before and after is looked."""
OTHERS_MAX = 4
"""Other offers that are named."""

Possible = Callable[[Claim], bool]


def reach(claim: Claim) -> int:
    """How many days or hours before and after are looked at; 0 for what has no time."""
    return REACH_DAYS if claim.dates else REACH_HOURS if claim.hours else 0


def length(claim: Claim) -> int:
    """Days or hours."""
    period = claim.dates or claim.hours
    return period.length if period else 0


def moved(claim: Claim, by: int, units: int) -> Claim:
    """The same claim so many days or hours later, and so many long."""
    if claim.dates:
        start = claim.dates.start + timedelta(days=by)
        dates = DateRange(start=start, end=start + timedelta(days=units))
        return claim.model_copy(update={"dates": dates})
    assert claim.hours
    begins = claim.hours.start + timedelta(hours=by)
    hours = HourRange(start=begins, end=begins + timedelta(hours=units))
    return claim.model_copy(update={"hours": hours})


def nearest(
    claim: Claim, units: int, others: Sequence[UUID], left: int, possible: Possible
) -> list[Claim]:
    """What can be had instead, each `possible`, the nearest of its sort.

    `units`: the length to look for, another one where the claim's own is refused. `others`: offers
    of the same listing. `left`: what is free of the claimed offer during the claimed time.
    """
    found = [*_at_other_times(claim, units, possible)]
    here = (claim.model_copy(update={"offer_id": offer_id}) for offer_id in others)
    found += [other for other in here if possible(other)][:OTHERS_MAX]
    if 0 < left < claim.quantity:
        fewer = claim.model_copy(update={"quantity": left})
        found += [fewer] if possible(fewer) else []
    return found


def _at_other_times(claim: Claim, units: int, possible: Possible) -> Iterator[Claim]:
    """The soonest after (or at the same beginning, if the length is another one), the latest before."""
    far = reach(claim)
    first = 0 if units != length(claim) else 1
    for shifts in (range(first, far + 1), range(-1, -far - 1, -1)):
        candidates = (moved(claim, by, units) for by in shifts) if far else iter(())
        soonest = next((candidate for candidate in candidates if possible(candidate)), None)
        if soonest:
            yield soonest
