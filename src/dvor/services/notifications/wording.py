"""What people are told, in words of the language that `current()` names."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from dvor.contracts.cancellation_words import rule
from dvor.contracts.catalog import Text
from dvor.contracts.order_changes import LineRefund
from dvor.contracts.orders import OrderedLine
from dvor.contracts.pricing import PartKind, PricePart
from dvor.contracts.waiting import Waiting
from dvor.kernel.caller import current
from dvor.kernel.money import Money, shown, shown_rate
from dvor.kernel.pages import shown_datetime, shown_range
from dvor.kernel.texts import N_
from dvor.kernel.texts import gettext as _
from dvor.services.notifications import lines
from dvor.services.notifications.lines import Said

Details = dict[str, Any]


@dataclass(frozen=True)
class Wording:
    """A notification in words. `button` leads to the page it is about, `other` to `other_path`."""

    title: str
    body: str
    button: str
    other: str = ""
    other_path: str = ""
    lines: tuple[Said, ...] = ()
    """What it is about."""
    total: str = ""


_REASONS = {
    "customer": N_("You cancelled it."),
    "seller": N_("The seller cancelled it."),
    "admin": N_("The administrators of Dvor cancelled it."),
    "unpaid": N_("It was not paid in time."),
    "unavailable": N_("Something in it had been taken before the payment came through."),
    "declined": N_("The owner declined the request."),
    "unanswered": N_("The owner did not answer in time."),
    "uncharged": N_("The bank did not give the money that it had set aside."),
    "deposit_declined": N_("The bank did not set the deposit aside."),
}
_REASONS_FOR_SELLERS = {
    "customer": N_("The customer cancelled it."),
    "seller": N_("You cancelled it."),
    "admin": N_("The administrators of Dvor cancelled it."),
    "unpaid": N_("It was not paid in time."),
    "declined": N_("Another owner declined the request."),
    "unanswered": N_("The request was not answered in time."),
    "uncharged": N_("The customer's bank did not give the money that it had set aside."),
    "deposit_declined": N_("The customer's bank did not set the deposit aside."),
}


_PART_REASONS = {
    "customer": N_("You cancelled some of it; the rest stays booked."),
    "seller": N_("The seller cancelled some of it; the rest stays booked."),
    "admin": N_("The administrators of Dvor cancelled some of it; the rest stays booked."),
}


def wording(topic: str, details: Details) -> Wording:
    """A notification's words."""
    words = _WORDINGS[topic](details)
    if topic.startswith("waiting_"):
        entry = Waiting.model_validate(details["entry"], strict=False)
        price = Money(**details["price"]) if details.get("price") else None
        return replace(words, lines=lines.of_waiting(entry, price))
    told = [OrderedLine.model_validate(line, strict=False) for line in details.get("lines", ())]
    stated = Money(**details["total"]) if "total" in details else lines.total(told)
    total = shown(stated, current().language) if told and stated else ""
    return replace(words, lines=lines.of_order(told), total=total)


def path(topic: str, subject_id: UUID, details: Details) -> str:
    """The page a notification is about."""
    if "order_id" in details:
        return f"/orders/{details['order_id']}"
    if topic.startswith("waiting_"):
        return "/waiting"
    return "/" if topic == "welcome" else f"/orders/{subject_id}"


def _welcome(details: Details) -> Wording:
    return Wording(
        _("Welcome to Dvor, {name}!", name=details["name"]),
        _("Goods, things to rent, rooms and events: one account, one cart and one checkout."),
        _("Look around"),
    )


def _order_created(details: Details) -> Wording:
    return Wording(
        _("Order {number} waits for your payment", number=details["number"]),
        _(
            "Everything in it is held for you. To pay: {total}. If the time runs out, the order is "
            "cancelled and nothing is charged.",
            total=_money(details["total"]),
        )
        + _charges(details),
        _("Pay for the order"),
    )


def _order_paid(details: Details) -> Wording:
    return Wording(
        _("Order {number} is paid", number=details["number"]),
        _("We received {total}. Everything in the order is yours.", total=_money(details["total"])),
        _("Open the order"),
    )


def _approval_asked(details: Details) -> Wording:
    return Wording(
        _("Please answer: request {number}", number=details["number"]),
        _(
            "A customer would like to book what you offer, and their money is set aside. You have "
            "until {until} to accept or to decline; without an answer everything is let go.",
            until=_moment(details["until"]),
        ),
        _("Answer the request"),
    )


def _approval_waited(details: Details) -> Wording:
    return Wording(
        _("Request {number} is on its way to the owner", number=details["number"]),
        _(
            "Your bank has set {total} aside, nothing is charged yet. The owner has until {until} "
            "to answer. If they accept, the money is charged and everything is yours; if not, it "
            "is let go at once.",
            total=_money(details["total"]),
            until=_moment(details["until"]),
        ),
        _("Open the order"),
    )


def _moment(text: str) -> str:
    return shown_datetime(datetime.fromisoformat(text))


def _payment_failed(details: Details) -> Wording:
    return Wording(
        _("The payment for order {number} did not go through", number=details["number"]),
        _(
            "The bank declined it and nothing was charged. Everything is still held for you: try "
            "again, with another card if you like, before the time runs out."
        ),
        _("Try again"),
    )


def _order_cancelled(details: Details) -> Wording:
    return Wording(
        _("Order {number} is cancelled", number=details["number"]),
        f"{_reason(_REASONS, details)} {_money_back(details)}".strip(),
        _("Open the order"),
    )


def _late_payment_returned(details: Details) -> Wording:
    return Wording(
        _("Your payment for order {number} came too late", number=details["number"]),
        _("The order had been cancelled by then.") + " " + _money_back(details),
        _("Open the order"),
    )


def _order_changed(details: Details) -> Wording:
    return Wording(
        _("Part of order {number} is cancelled", number=details["number"]),
        " ".join(filter(None, (_reason(_PART_REASONS, details), _money_back(details)))),
        _("Open the order"),
    )


def _sale_changed(details: Details) -> Wording:
    what = ", ".join(_what(line) for line in _refunds(details))
    return Wording(
        _("Part of a sale cancelled: order {number}", number=details["number"]),
        _("No longer booked: {what}. It is on offer again.", what=what),
        _("Open the order"),
    )


def _refunds(details: Details) -> list[LineRefund]:
    found = details.get("refunds", ())
    return [LineRefund.model_validate(line, strict=False) for line in found]


def _what(line: LineRefund) -> str:
    language = current().language
    words = line.title.of(language)
    return f"{words} × {line.quantity}" if line.quantity > 1 else words


def _explained(details: Details) -> str:
    """Each line's refund and the rule that says so; nothing where all comes back anyway."""
    told = [
        _(
            "{what}: {amount} of {paid} — {rule}.",
            what=_what(line),
            amount=shown(line.back, current().language),
            paid=shown(line.paid, current().language),
            rule=rule(line.rule, line.step, line.back.currency),
        )
        for line in _refunds(details)
        if not line.in_full and line.paid.amount
    ]
    return " ".join(told)


def _order_delivered(details: Details) -> Wording:
    return Wording(
        _("Order {number} is handed over", number=details["number"]),
        _("The seller noted that you received everything. If you did not, write to the seller."),
        _("Open the order"),
    )


def _deposit_kept(details: Details) -> Wording:
    evidence = details.get("evidence", "")
    return Wording(
        _("Some of your deposit was kept: order {number}", number=details["number"]),
        _(
            "{what}: the seller kept {captured} of {amount}, the rest is let go. The reason given: "
            "“{reason}”.",
            what=_titled(details),
            captured=_money(details["captured"]),
            amount=_money(details["amount"]),
            reason=details["reason"],
        )
        + (" " + _("What shows it: {evidence}", evidence=evidence) if evidence else ""),
        _("Open the order"),
    )


def _deposit_came(details: Details) -> Wording:
    return Wording(
        _("You kept {amount} of a deposit", amount=_money(details["captured"])),
        _(
            "{what}, order {number}: it is paid out to you with your sales, without commission.",
            what=_titled(details),
            number=details["number"],
        ),
        _("Open the order"),
    )


def _deposit_released(details: Details) -> Wording:
    return Wording(
        _("Your deposit is let go: order {number}", number=details["number"]),
        _(
            "{what}: nothing of {amount} was charged. Your bank shows it again at once or within "
            "some days.",
            what=_titled(details),
            amount=_money(details["amount"]),
        ),
        _("Open the order"),
    )


def _deposit_refused(details: Details) -> Wording:
    return Wording(
        _("Your bank does not set the deposit aside: order {number}", number=details["number"]),
        _(
            "{what}: banks keep money aside for some days only, so we asked yours for {amount} "
            "anew, and it said no. See that so much is free on the card: we keep asking. Without "
            "it the seller may refuse to hand it over.",
            what=_titled(details),
            amount=_money(details["amount"]),
        ),
        _("Open the order"),
    )


def _deposit_missing(details: Details) -> Wording:
    return Wording(
        _("A deposit is not set aside: order {number}", number=details["number"]),
        _(
            "{what}: the customer's bank refused to set {amount} aside anew. We keep asking it, and "
            "the customer knows. Look at the order before you hand it over.",
            what=_titled(details),
            amount=_money(details["amount"]),
        ),
        _("Open the order"),
    )


def _deposit_lost(details: Details) -> Wording:
    return Wording(
        _("The deposit could not be kept: order {number}", number=details["number"]),
        _(
            "{what}: you wanted to keep {claimed}, but the customer's bank had let the deposit go. "
            "Nothing was charged.",
            what=_titled(details),
            claimed=_money(details["claimed"]),
        ),
        _("Open the order"),
    )


def _titled(details: Details) -> str:
    return Text.model_validate(details["title"]).of(current().language)


def _sale_paid(details: Details) -> Wording:
    return Wording(
        _("Sold: order {number} is paid", number=details["number"]),
        _("A customer paid for what you offer. The order says what to prepare and when."),
        _("Open the order"),
    )


def _sale_cancelled(details: Details) -> Wording:
    freed = _("Your part of it is on offer again.")
    return Wording(
        _("Sale cancelled: order {number}", number=details["number"]),
        f"{_reason(_REASONS_FOR_SELLERS, details)} {freed}".strip(),
        _("Open the order"),
    )


def _waiting_offered(details: Details) -> Wording:
    entry = Waiting.model_validate(details["entry"], strict=False)
    assert entry.offered_until is not None
    return Wording(
        _("Free for you: {what}", what=_waited_for(entry)),
        _(
            "You waited for it, and now it is held for you until {until}. Put it into your cart by "
            "then. If you no longer need it, decline, and the next in line gets it at once.",
            until=shown_datetime(entry.offered_until, entry.timezone),
        ),
        _("Take it"),
        _("I no longer need it"),
        f"/waiting/{entry.id}/decline?token={details['token']}",
    )


def _waiting_lapsed(details: Details) -> Wording:
    entry = Waiting.model_validate(details["entry"], strict=False)
    return Wording(
        _("No longer held for you: {what}", what=_waited_for(entry)),
        _(
            "The time to take it has run out, and it went to the next in line. If you still want "
            "it, stand in line again."
        ),
        _("Open my waiting list"),
    )


def _waited_for(entry: Waiting) -> str:
    language = current().language
    what = [entry.title.of(language), entry.name.of(language)]
    if entry.dates:
        what.append(shown_range(entry.dates))
    if entry.hours:
        what.append(lines.hours(entry.hours, entry.timezone))
    words = ", ".join(filter(None, what))
    return f"{words} × {entry.quantity}" if entry.quantity > 1 else words


_WORDINGS: dict[str, Callable[[Details], Wording]] = {
    "welcome": _welcome,
    "order_created": _order_created,
    "order_paid": _order_paid,
    "approval_asked": _approval_asked,
    "approval_waited": _approval_waited,
    "payment_failed": _payment_failed,
    "order_cancelled": _order_cancelled,
    "late_payment_returned": _late_payment_returned,
    "order_changed": _order_changed,
    "order_delivered": _order_delivered,
    "deposit_kept": _deposit_kept,
    "deposit_came": _deposit_came,
    "deposit_released": _deposit_released,
    "deposit_refused": _deposit_refused,
    "deposit_missing": _deposit_missing,
    "deposit_lost": _deposit_lost,
    "sale_paid": _sale_paid,
    "sale_cancelled": _sale_cancelled,
    "sale_changed": _sale_changed,
    "waiting_offered": _waiting_offered,
    "waiting_lapsed": _waiting_lapsed,
}


def _reason(reasons: dict[str, str], details: Details) -> str:
    """Why an order was cancelled; nothing where the reason is not for this reader."""
    known = reasons.get(details["reason"])
    return _(known) if known else ""


def _money_back(details: Details) -> str:
    refunded, explained = Money(**details["refunded"]), _explained(details)
    if not refunded.amount:
        return explained or _("Nothing was charged.")
    back = _("{refunded} is on its way back to your card.", refunded=_money(details["refunded"]))
    return f"{back} {explained}".strip()


def _charges(details: Details) -> str:
    """What of the total is a promo code, fees and taxes, a sentence each."""
    language, currency = current().language, details["total"]["currency"]
    words = ""
    for given in details.get("charges", ()):
        part = PricePart.model_validate(given, strict=False)
        what = part.name.of(language)
        if part.kind is PartKind.PROMO:
            what = _("Promo code {code}", code=part.code)
        elif part.kind is PartKind.TAX:
            what = f"{what} {shown_rate(part.rate, language)}"
        amount = abs(part.included or part.amount)
        sum_ = shown(Money(amount=amount, currency=currency), language)
        if part.included:
            what = _("including {tax}", tax=what)
        what = what[:1].upper() + what[1:]
        words += f" {what}: {'−' if part.amount < 0 else ''}{sum_}."
    return words


def _money(amount: dict[str, Any]) -> str:
    return shown(Money(**amount), current().language)
