"""What is written in the books when money moves. Pure: amounts in, postings out.

Positive is what we have or are owed, negative what we owe or have earned; the postings of one
transaction sum to nothing. Accounts: `provider` (customers' money at the provider), `seller` (what
each is owed), `commission` (what the platform keeps), `refunds` (promised back, not yet gone),
`chargebacks` and `contested` (taken back by a payer's bank and not yet decided; whose sale it was),
`payouts` (handed to the bank for sellers).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

PLATFORM = UUID(int=0)
"""Who has what no seller has a share in."""
BASIS = 10_000

Shares = Mapping[UUID, int]
"""Seller -> minor units."""


@dataclass(frozen=True)
class Posting:
    """One line of a transaction."""

    account: str
    amount: int
    seller_id: UUID | None = None


@dataclass(frozen=True)
class Transaction:
    """Postings that belong together, under an identifier that follows from what happened."""

    id: UUID
    what: str
    payment_id: UUID | None
    currency: str
    postings: Sequence[Posting]


def split(amount: int, weights: Shares) -> dict[UUID, int]:
    """`amount` in proportion to the weights, exactly: the largest remainders get what is left.

    No part is greater than its weight where `amount` is not greater than all of them together.
    """
    total = sum(weights.values())
    if not total:
        return {PLATFORM: amount} if amount else {}
    parts = {seller: amount * weight // total for seller, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda s: (-(amount * weights[s] % total), s))
    for seller in by_remainder[: amount - sum(parts.values())]:
        parts[seller] += 1
    return parts


def whole(amount: int, shares: Iterable[tuple[UUID, int]]) -> dict[UUID, int]:
    """Everybody's part in a payment of `amount`: what nobody has a share in is the platform's."""
    sums: dict[UUID, int] = {}
    for seller, part in shares:
        sums[seller] = sums.get(seller, 0) + part
    asked = sum(sums.values())
    if asked > amount:  # a discount that nobody said who bears
        return split(amount, sums)
    if asked < amount:
        sums[PLATFORM] = sums.get(PLATFORM, 0) + amount - asked
    return {seller: part for seller, part in sums.items() if part}


def borne(left: Shares, parts: Iterable[tuple[UUID, int]]) -> dict[UUID, int]:
    """From which shares parts are taken: of sellers that have none (nobody had said whose sales
    these are), the platform's.
    """
    sums: dict[UUID, int] = {}
    for seller, part in parts:
        bearer = seller if seller in left else PLATFORM
        sums[bearer] = sums.get(bearer, 0) + part
    return sums


def commission(amount: int, basis_points: int) -> int:
    """The platform's part of a sale, half up."""
    return (amount * basis_points + BASIS // 2) // BASIS


def captured(shares: Shares, basis_points: int) -> list[Posting]:
    """Customers' money came; sellers are owed their sales less the commission."""
    return _tidy(
        Posting("provider", sum(shares.values())),
        *_owed({s: -part for s, part in shares.items()}),
        *_kept({s: commission(part, basis_points) for s, part in shares.items()}),
    )


def refund_asked(parts: Shares, left: Shares, basis_points: int) -> list[Posting]:
    """Promised back: `parts` of what was `left` of each share; its commission goes back, too."""
    return _tidy(*_taken_back(parts, left, basis_points), Posting("refunds", -sum(parts.values())))


def refunded(amount: int) -> list[Posting]:
    """What was promised back is gone."""
    return _tidy(Posting("refunds", amount), Posting("provider", -amount))


def disputed(parts: Shares, left: Shares, basis_points: int) -> list[Posting]:
    """A payer's bank took money: it is missing, and nobody is owed it until that is decided."""
    amount = sum(parts.values())
    return _tidy(
        Posting("provider", -amount),
        Posting("chargebacks", amount),
        *_taken_back(parts, left, basis_points),
        *(Posting("contested", -part, seller) for seller, part in parts.items()),
    )


def dispute_lost(parts: Shares) -> list[Posting]:
    """It will not come back."""
    return _tidy(
        *(Posting("contested", part, seller) for seller, part in parts.items()),
        Posting("chargebacks", -sum(parts.values())),
    )


def deposit_captured(seller: UUID, amount: int) -> list[Posting]:
    """A seller keeps some of a deposit: it makes good for something, so there is no commission."""
    return [Posting("provider", amount), Posting("seller", -amount, seller)]


def paid_out(seller: UUID, amount: int) -> list[Posting]:
    """A seller's money was handed to the bank."""
    return [Posting("seller", amount, seller), Posting("payouts", -amount, seller)]


def parts_of(postings: Iterable[Posting]) -> dict[UUID, int]:
    """Whose sales a refund or a dispute took how much from, before commission."""
    parts: dict[UUID, int] = {}
    for posting in postings:
        if posting.seller_id is not None and posting.account in ("seller", "commission"):
            parts[posting.seller_id] = parts.get(posting.seller_id, 0) + posting.amount
    return parts


def reversed_(postings: Iterable[Posting]) -> list[Posting]:
    """What undoes them."""
    return [Posting(p.account, -p.amount, p.seller_id) for p in postings]


def _owed(parts: Shares) -> Iterable[Posting]:
    """The platform's own part is commission at once."""
    for seller, part in parts.items():
        yield Posting("commission" if seller == PLATFORM else "seller", part, seller)


def _kept(parts: Shares) -> Iterable[Posting]:
    """Commission goes off what a seller is owed."""
    for seller, part in parts.items():
        if seller != PLATFORM:
            yield Posting("seller", part, seller)
            yield Posting("commission", -part, seller)


def _taken_back(parts: Shares, left: Shares, basis_points: int) -> Iterable[Posting]:
    """The commission on what is left then is what it would be on a sale of that much."""
    back = {
        s: commission(left[s], basis_points) - commission(left[s] - part, basis_points)
        for s, part in parts.items()
    }
    yield from _owed(parts)
    yield from _kept({s: -amount for s, amount in back.items()})


def _tidy(*postings: Posting) -> list[Posting]:
    return [posting for posting in postings if posting.amount]
