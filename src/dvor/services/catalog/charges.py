"""What comes on top of a line's price, or off all lines together: fees, tax, promo codes. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from dvor.contracts.catalog import OfferFacts
from dvor.contracts.pricing import Fee, FeePer, PartKind, PricePart, Tax
from dvor.contracts.promos import (
    Promo,
    PromoElsewhere,
    PromoEnded,
    PromoNeedsMore,
    PromoNotYet,
)
from dvor.kernel.money import Money

WHOLE = 10_000
"""Hundredths of a percent in a whole."""


class Sum(NamedTuple):
    """A line as a promo code sees it: what is bought, and what it costs after its own discounts."""

    facts: OfferFacts
    amount: int


def half_up(amount: int, parts: int) -> int:
    """`amount` ÷ `parts`, rounded half up; neither is below 0."""
    return (2 * amount + parts) // (2 * parts)


def fees(charged: Iterable[Fee], quantity: int, units: int, *, first: bool) -> Iterable[PricePart]:
    """The fees of a line. `first`: no line before it is of the same listing."""
    for fee in charged:
        times = {
            FeePer.ORDER: 1 if first else 0,
            FeePer.ITEM: quantity,
            FeePer.UNIT: quantity * units,
        }[fee.per]
        if times:
            yield PricePart(
                kind=PartKind.FEE,
                units=times,
                price=fee.price,
                amount=times * fee.price,
                name=fee.name,
            )


def tax(levied: Tax, before: int) -> Iterable[PricePart]:
    """The tax of a line that comes to `before` without it; nothing where there is none."""
    if not levied.rate:
        return
    if levied.included:
        contained = half_up(before * levied.rate, WHOLE + levied.rate)
        yield PricePart(
            kind=PartKind.TAX, rate=levied.rate, name=levied.name, amount=0, included=contained
        )
    else:
        added = half_up(before * levied.rate, WHOLE)
        yield PricePart(kind=PartKind.TAX, rate=levied.rate, name=levied.name, amount=added)


def promo_parts(
    promo: Promo, sums: Sequence[Sum], currency: str, now: datetime
) -> dict[int, PricePart]:
    """By the place of each line that the code is for: what it takes off there.

    Raises PromoEnded, PromoNotYet, PromoElsewhere, PromoNeedsMore.
    """
    _check_valid(promo, now)
    own_money = promo.amount or promo.minimum
    meant = [
        place
        for place, line in enumerate(sums)
        if _is_for(promo, line.facts) and (not own_money or promo.currency == currency)
    ]
    amounts = [sums[place].amount for place in meant]
    if not meant:
        raise PromoElsewhere
    if sum(amounts) < promo.minimum:
        raise PromoNeedsMore(minimum=Money(amount=promo.minimum, currency=currency))
    off = half_up(sum(amounts) * promo.percent, 100) or min(promo.amount, sum(amounts))
    return {
        place: PricePart(
            kind=PartKind.PROMO,
            code=promo.code,
            percent=promo.percent,
            price=promo.amount,
            amount=-share,
        )
        for place, share in zip(meant, shares(off, amounts), strict=True)
    }


def shares(off: int, amounts: Sequence[int]) -> list[int]:
    """`off`, at most the sum of `amounts`, divided in proportion to them, exactly.

    Each gets its share rounded down; what is missing goes, one by one, to those who lost most by
    that, the earlier first. So no share is more than its amount.
    """
    whole = sum(amounts)
    if not whole:
        return [0] * len(amounts)
    found = [off * amount // whole for amount in amounts]
    lost = sorted(range(len(amounts)), key=lambda n: (-(off * amounts[n] % whole), n))
    for place in lost[: off - sum(found)]:
        found[place] += 1
    return found


def _check_valid(promo: Promo, now: datetime) -> None:
    if promo.valid_from and now < promo.valid_from:
        raise PromoNotYet(valid_from=promo.valid_from)
    if not promo.active or (promo.valid_until and now >= promo.valid_until):
        raise PromoEnded


def _is_for(promo: Promo, facts: OfferFacts) -> bool:
    return all(
        (
            promo.seller_id in (None, facts.seller_id),
            not promo.kinds or facts.kind in promo.kinds,
            not promo.listing_ids or facts.listing_id in promo.listing_ids,
        )
    )


def seen_first(listing_ids: Iterable[UUID]) -> list[bool]:
    """Whether each is the first of its listing."""
    seen: set[UUID] = set()
    return [not (listing in seen or seen.add(listing)) for listing in listing_ids]
