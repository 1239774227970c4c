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
    """What the bank says to a card number."""

    APPROVED = "approved"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    """A possible number, but not one of the test cards: declined."""
    MISTYPED = "mistyped"
    """No card has this number; the bank is not even asked."""


def digits(card_number: str) -> str:
    """A card number without the spaces and dashes people write."""
    return re.sub(r"[ \-\u00a0]", "", card_number)


def verdict(card_number: str) -> Verdict:
    """What the bank says to this number."""
    number = digits(card_number)
    if not re.fullmatch(r"[0-9]{12,19}", number) or not _luhn(number):
        return Verdict.MISTYPED
    if number == GOOD_CARD:
        return Verdict.APPROVED
    return Verdict.DECLINED if number == BAD_CARD else Verdict.UNKNOWN


def _luhn(number: str) -> bool:
    """The check digit of ISO/IEC 7812: every second digit from the right is doubled."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def may_see(caller: Caller, payer_id: UUID) -> bool:
    """Whether `caller` may look at this person's payment."""
    return caller.service in SERVICES or caller.is_admin() or caller.user_id == payer_id


def may_pay(caller: Caller, payer_id: UUID) -> bool:
    """Whether `caller` is told the secret address of the hosted page."""
    return caller.service in SERVICES or caller.user_id == payer_id
