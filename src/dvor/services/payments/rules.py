"""What the simulated bank decides, and who sees what. Pure."""

import re
from enum import StrEnum
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


def may_pay(caller: Caller, payer_id: UUID) -> bool:
    """Whether `caller` is told the secret address of the hosted page."""
    return caller.service in SERVICES or caller.user_id == payer_id
