"""What comes back for what is cancelled: pure, in whole minor units, never more than was paid."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dvor.contracts.cancellation import CancellationStep, FeeFor, Policy, position


@dataclass(frozen=True)
class Bought:
    """A line of a paid order, as far as its money is concerned."""

    id: UUID
    seller_id: UUID
    quantity: int
    cancelled: int
    """Of the quantity, before."""
    paid: int
    """For the whole quantity, in minor units."""
    policy: Policy
    bought_at: datetime
    timezone: str
    begins: datetime | None = None
    least: int = 0
    """Steps of the policy that are over, whatever their deadline says."""
    fee_kept: int = 0
    """Of what was cancelled of it before."""

    @property
    def left(self) -> int:
        """How many are not cancelled."""
        return self.quantity - self.cancelled

    def value(self, quantity: int) -> int:
        """What was paid for the next `quantity` of it, rounded half up so that all parts make the whole."""
        before, after = self.cancelled, self.cancelled + quantity
        return half_up(self.paid * after, self.quantity) - half_up(
            self.paid * before, self.quantity
        )


@dataclass(frozen=True)
class Refund:
    """What comes back for a quantity of a line, and why."""

    line_id: UUID
    quantity: int
    paid: int
    """What was paid for this quantity."""
    back: int
    fee: int = 0
    """Kept of the percentage."""
    rule: int = 0
    """Number of the step that counts, from 1; 0 where none does."""
    step: CancellationStep | None = None


def half_up(amount: int, parts: int) -> int:
    """`amount` ÷ `parts`, rounded half up; neither is below 0."""
    return (2 * amount + parts) // (2 * parts)


def in_full(lines: Iterable[Bought], cut: Mapping[UUID, int]) -> list[Refund]:
    """Everything that was paid for it: a seller or an admin cancels."""
    found = []
    for line in lines:
        if quantity := cut.get(line.id, 0):
            value = line.value(quantity)
            found.append(Refund(line.id, quantity, value, value))
    return found


def by_policy(lines: Sequence[Bought], cut: Mapping[UUID, int], now: datetime) -> list[Refund]:
    """What each line's policy gives back `now` for the quantities that are cut.

    `lines` are all lines of the order: a fee for the order may have been kept of another one.
    """
    kept: dict[UUID, int] = {}
    for line in lines:
        kept[line.seller_id] = kept.get(line.seller_id, 0) + line.fee_kept
    found: list[Refund] = []
    for line in lines:
        if quantity := cut.get(line.id, 0):
            whole_order = line.policy.fee_for is FeeFor.ORDER
            before = kept[line.seller_id] if whole_order else line.fee_kept
            refund = _refund(line, quantity, now, before)
            kept[line.seller_id] += refund.fee
            found.append(refund)
    return found


def _refund(line: Bought, quantity: int, now: datetime, fee_kept: int) -> Refund:
    value = line.value(quantity)
    place = place_now(line, now)
    if place == len(line.policy.steps):
        return Refund(line.id, quantity, value, 0)
    step = line.policy.steps[place]
    back, fee = given_back(step, value, fee_kept)
    return Refund(line.id, quantity, value, back, fee, place + 1, step)


def place_now(line: Bought, now: datetime) -> int:
    """Which step of its policy counts for a line, from 0."""
    return position(line.policy, line.begins, line.bought_at, line.timezone, now, line.least)


def given_back(step: CancellationStep, value: int, fee_kept: int = 0) -> tuple[int, int]:
    """What a step gives back of `value`, and the fee it keeps of that; `fee_kept`: had already."""
    share = half_up(value * step.percent, 100)
    fee = min(max(step.fee - fee_kept, 0), share)
    return share - fee, fee


def split(amount: int, left: Mapping[UUID, int]) -> dict[UUID, int]:
    """From which payments `amount` comes back: payment -> minor units, the latest payment first.

    `left`: what was captured of each and is not given back yet, oldest first.
    """
    found: dict[UUID, int] = {}
    for payment_id, most in reversed(list(left.items())):
        part = min(amount, most)
        if part:
            found[payment_id] = part
        amount -= part
    if amount:
        raise AssertionError(f"{amount} more is to come back than was paid")
    return found
