"""What the simulated bank decides, and who sees what. Pure."""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from dvor.kernel.caller import Caller

GOOD_CARD = "4242424242424242"
BAD_CARD = "4000000000000002"

SERVICES = frozenset({"orders"})
"""The services that ask for money and move it."""


class Verdict(StrEnum):
    """What the bank does with a card number."""

    APPROVED = "approved"
    DECLINED = "declined"
    THREE_STEP = "three_step"
    """The payer has to confirm first."""
    TIMEOUT = "timeout"
    """The money is set aside, but the answer never comes."""
    DUPLICATE = "duplicate"
    """Decided later; the webhook comes three times at once."""
    OUT_OF_ORDER = "out_of_order"
    """Decided later; what happened before is told after it."""
    LATE = "late"
    """Decided only when the time to pay is over."""
    NEVER = "never"
    """Decided later, and no webhook ever comes."""
    PARTIAL = "partial"
    """When it is captured, only half of the money comes."""
    CHARGEBACK = "chargeback"
    """A minute after the capture the payer objects, and a week later they win."""
    NO_DEPOSIT = "no_deposit"
    """The price is set aside, a deposit is not."""
    UNKNOWN = "unknown"
    """A possible number, but not one of the test cards: declined."""
    MISTYPED = "mistyped"
    """No card has this number; the bank is not even asked."""


CARDS = {
    Verdict.APPROVED: GOOD_CARD,
    Verdict.DECLINED: BAD_CARD,
    Verdict.THREE_STEP: "4000002760003184",
    Verdict.TIMEOUT: "4000000000000119",
    Verdict.DUPLICATE: "4000000000000028",
    Verdict.OUT_OF_ORDER: "4000000000000036",
    Verdict.LATE: "4000000000000044",
    Verdict.NEVER: "4000000000000051",
    Verdict.PARTIAL: "4000000000000069",
    Verdict.CHARGEBACK: "4000000000000259",
    Verdict.NO_DEPOSIT: "4000000000000341",
}
"""The test cards."""

_VERDICTS = {number: verdict for verdict, number in CARDS.items()}

DECLINED = frozenset({Verdict.DECLINED, Verdict.UNKNOWN})
DECIDED_LATER = frozenset({Verdict.DUPLICATE, Verdict.OUT_OF_ORDER, Verdict.LATE, Verdict.NEVER})


def digits(card_number: str) -> str:
    """A card number without the spaces and dashes people write."""
    return re.sub(r"[ \-\u00a0]", "", card_number)


def verdict(card_number: str) -> Verdict:
    """What the bank does with this number."""
    number = digits(card_number)
    if not re.fullmatch(r"[0-9]{12,19}", number) or not _luhn(number):
        return Verdict.MISTYPED
    return _VERDICTS.get(number, Verdict.UNKNOWN)


def _luhn(number: str) -> bool:
    """The check digit of ISO/IEC 7812: every second digit from the right is doubled."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def our_id(name: str) -> UUID | None:
    """Our id of a payment, where a provider calls it by that."""
    try:
        return UUID(name)
    except ValueError:
        return None


def may_see(caller: Caller, payer_id: UUID) -> bool:
    """Whether `caller` may look at this person's payment."""
    return caller.service in SERVICES or caller.is_admin() or caller.user_id == payer_id


def may_claim(caller: Caller, seller_id: UUID) -> bool:
    """Whether `caller` decides about the deposit of something that this seller lends."""
    return caller.is_admin() or (caller.user_id is not None and caller.user_id == seller_id)


def may_pay(caller: Caller, payer_id: UUID) -> bool:
    """Whether `caller` is told the secret address of the hosted page."""
    return caller.service in SERVICES or caller.user_id == payer_id


UNSECURED = frozenset({"declined", "releasing", "released"})
"""What a deposit is of an order that cannot be paid with it."""


@dataclass(frozen=True)
class DepositTimes:
    """How long a bank keeps a deposit aside, and when it is set aside again."""

    renew: timedelta
    lead: timedelta


class Row(Protocol):
    """Something with named values."""

    def __getitem__(self, name: str, /) -> Any:
        """One of them."""
        ...


def deposit_step(
    row: Row, states: Container[str], now: datetime, times: DepositTimes
) -> str | None:
    """What is to be done with a deposit next; None: nothing now.

    `states`: of what the bank was asked to set aside for it.
    """
    under_way = {"asked": "answer", "letting_go": "let_go"}
    for state, step in under_way.items():
        if state in states:
            return step
    if row["status"] in ("claimed", "releasing"):
        return "capture" if row["status"] == "claimed" else "end"
    if not row["due"]:
        return None
    if row["status"] not in ("held", "resting"):
        return "end"
    if row["over"]:
        return "release"
    early = row["begins_at"] - now > times.lead
    return "rest" if early and row["status"] == "held" else "ask"


def deposit_due(status: str, row: Row, held_at: datetime, times: DepositTimes) -> datetime | None:
    """When somebody must look at a deposit next: before the bank lets it go, before it begins."""
    match status:
        case "held":
            return min(held_at + times.renew, row["claim_until"])
        case "resting":
            return min(row["begins_at"] - times.lead, row["claim_until"])
        case "requested":
            return None
        case _:
            return held_at
