"""What a deposit is doing, in words: to its customer and to who lends."""

from collections.abc import Iterable
from dataclasses import dataclass

from dvor.contracts.deposits import Deposit, DepositStatus
from dvor.contracts.orders import Order, OrderStatus
from dvor.contracts.payments import Payments
from dvor.kernel import caller
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.money import Money, shown
from dvor.kernel.pages import shown_datetime
from dvor.kernel.texts import N_
from dvor.kernel.texts import gettext as _
from dvor.web.forms import attempt

_BADGES = {
    DepositStatus.REQUESTED: (N_("Not set aside yet"), "", "clock"),
    DepositStatus.DECLINED: (N_("Not set aside"), "bad", "cross"),
    DepositStatus.HELD: (N_("Set aside"), "live", "lock"),
    DepositStatus.RESTING: (N_("Set aside later"), "", "clock"),
    DepositStatus.CLAIMED: (N_("Being charged"), "warn", "clock"),
    DepositStatus.CAPTURED: (N_("Kept in part"), "warn", "warn"),
    DepositStatus.RELEASING: (N_("Being let go"), "", "clock"),
    DepositStatus.RELEASED: (N_("Let go"), "good", "check"),
    DepositStatus.LOST: (N_("Let go by the bank"), "", "cross"),
}
_WORDS = {
    DepositStatus.REQUESTED: N_(
        "The bank is asked for {amount} when the order is paid for; nothing of it is charged then."
    ),
    DepositStatus.DECLINED: N_("The bank did not set {amount} aside. Nothing was charged."),
    DepositStatus.HELD: N_(
        "The bank keeps {amount} aside, nothing is charged. From {ends} on the seller may claim "
        "damage; without a claim it is let go by itself on {until}."
    ),
    DepositStatus.RESTING: N_(
        "Banks keep money aside for some days only, so nothing is set aside now. A while before "
        "{begins} the bank is asked for {amount} again."
    ),
    DepositStatus.CLAIMED: N_("The seller keeps {claimed} of {amount}: the bank is being asked."),
    DepositStatus.CAPTURED: N_("The seller kept {captured} of {amount}; the rest was let go."),
    DepositStatus.RELEASING: N_("{amount} is being let go. Nothing was charged."),
    DepositStatus.RELEASED: N_("{amount} was let go. Nothing was charged."),
    DepositStatus.LOST: N_(
        "The seller wanted to keep {claimed}, but the bank had let it go. Nothing was charged."
    ),
}
_SELLER_WORDS = {
    DepositStatus.HELD: N_(
        "The customer's bank keeps {amount} aside. From {ends} to {until} you may keep what makes "
        "good for damage; then it is let go by itself."
    ),
    DepositStatus.CLAIMED: N_("You keep {claimed} of {amount}: the bank is being asked."),
    DepositStatus.CAPTURED: N_("You kept {captured} of {amount}; the rest was let go."),
    DepositStatus.LOST: N_(
        "You wanted to keep {claimed}, but the bank had let it go. Nothing was charged."
    ),
}
_REFUSED = N_(
    "The bank refused to set it aside anew. We keep asking it: see that so much is free on the card."
)
_SELLER_REFUSED = N_("The customer's bank refused to set it aside anew. We keep asking it.")


@dataclass(frozen=True)
class Told:
    """A deposit with its words."""

    deposit: Deposit
    badge: str
    look: str
    icon: str
    words: str
    warning: str


async def of(payments: Payments, order: Order, *, for_seller: bool = False) -> list[Told] | None:
    """The deposits of an order in words; none of what has none, None where nobody can say now."""
    if not any(line.deposit for line in order.lines) or order.status is OrderStatus.CREATED:
        return []
    found = await attempt(payments.deposits(order.id), Unavailable)
    if isinstance(found, Refusal):
        return None
    return told(found.items, for_seller=for_seller)


def told(deposits: Iterable[Deposit], *, for_seller: bool = False) -> list[Told]:
    """Deposits in words."""
    words = _WORDS | _SELLER_WORDS if for_seller else _WORDS
    language = caller.current().language
    found = []
    for deposit in deposits:
        currency = deposit.amount.currency
        over = deposit.status in (DepositStatus.HELD, DepositStatus.RESTING)
        left = deposit.amount.amount - (deposit.released if over else 0)
        amounts = {"amount": left, "claimed": deposit.claimed, "captured": deposit.captured}
        badge, look, icon = _BADGES[deposit.status]
        if deposit.status is DepositStatus.CAPTURED and not deposit.released:
            badge = N_("Kept in full")
        refused = deposit.refusals and over
        found.append(
            Told(
                deposit,
                _(badge),
                look,
                icon,
                _(
                    words[deposit.status],
                    **{
                        name: shown(Money(amount=amount, currency=currency), language)
                        for name, amount in amounts.items()
                    },
                    begins=shown_datetime(deposit.begins_at),
                    ends=shown_datetime(deposit.ends_at),
                    until=shown_datetime(deposit.claim_until),
                ),
                _(_SELLER_REFUSED if for_seller else _REFUSED) if refused else "",
            )
        )
    return found
