"""Orders and sessions in words."""

from datetime import date, datetime

from babel.dates import format_date

from dvor.contracts.cancellation import CancellationStep
from dvor.contracts.cancellation_words import rule
from dvor.contracts.orders import OrderStatus, TimelineEntry
from dvor.kernel import caller
from dvor.kernel.money import Money, shown
from dvor.kernel.pages import shown_datetime
from dvor.kernel.texts import N_
from dvor.kernel.texts import gettext as _

ORDER_STATUSES = {
    OrderStatus.CREATED: N_("Awaiting payment"),
    OrderStatus.PROCESSING: N_("Being processed"),
    OrderStatus.PAID: N_("Paid"),
    OrderStatus.DELIVERED: N_("Handed over"),
    OrderStatus.CANCELLED: N_("Cancelled"),
}

_EVENTS = {
    "created": N_("You placed the order."),
    "hold_taken": N_("Everything in it was set aside for you."),
    "payment_requested": N_("We asked for the payment."),
    "payment_declined": N_("The bank declined the payment. Nothing was charged."),
    "payment_authorised": N_("The bank set the money aside."),
    "approved": N_("The owner accepted the request."),
    "approved_partly": N_("One of the owners accepted the request; the others have not answered."),
    "booked": N_("Everything is booked."),
    "paid": N_("The money was charged. The order is paid."),
    "late_payment_returned": N_("A payment came after that; the money was returned."),
    "delivered": N_("The seller handed everything over."),
    "deposit_held": N_("The bank set the deposit aside."),
}

_SELLER_EVENTS = {
    "created": N_("The customer placed the order."),
    "hold_taken": N_("Everything in it was set aside for the customer."),
    "payment_requested": N_("The customer was asked to pay."),
    "approved": N_("The request was accepted."),
    "delivered": N_("Everything was handed over."),
}

_CANCELLED = {
    "customer": N_("You cancelled the order."),
    "seller": N_("The seller cancelled the order."),
    "admin": N_("Dvor cancelled the order."),
    "unpaid": N_("The time to pay ran out, so the order was cancelled. Nothing was charged."),
    "unavailable": N_("Something in it was no longer free, so the order was cancelled."),
    "declined": N_("The owner declined the request. Nothing was charged."),
    "unanswered": N_(
        "The owner did not answer in time, so the order was cancelled. Nothing was charged."
    ),
    "uncharged": N_(
        "The bank did not give the money that it had set aside, so the order was cancelled."
    ),
    "deposit_declined": N_(
        "The bank did not set the deposit aside, so the order was cancelled. Nothing was charged."
    ),
}

_CANCELLED_SOMEHOW = N_("The order was cancelled.")

_SELLER_CANCELLED = {
    "customer": N_("The customer cancelled the order."),
    "seller": N_("You cancelled the order."),
    "declined": N_("The request was declined."),
    "unanswered": N_("The request was not answered in time, so the order was cancelled."),
}


_PARTLY = {
    "customer": N_("You cancelled some of the order."),
    "seller": N_("The seller cancelled some of the order."),
    "admin": N_("Dvor cancelled some of the order."),
}

_PARTLY_SOMEHOW = N_("Some of the order was cancelled.")

_IN_FULL = {"seller": N_("the seller cancelled"), "admin": N_("Dvor cancelled")}
_IN_FULL_SOMEHOW = N_("the seller or Dvor cancelled")

_SELLER_PARTLY = {
    "customer": N_("The customer cancelled some of the order."),
    "seller": N_("You cancelled some of the order."),
}

_BY_REASON = {
    "cancelled": (_CANCELLED, _SELLER_CANCELLED, _CANCELLED_SOMEHOW),
    "lines_cancelled": (_PARTLY, _SELLER_PARTLY, _PARTLY_SOMEHOW),
}
_OF_MONEY = {
    "refund_refused": N_("The bank has not given {amount} back yet. We keep asking it."),
    "refunded": N_("{amount} went back to the card."),
}
_DEPOSITS = {
    "deposit_captured": N_(
        "Deposit for “{title}”: {kept} of {amount} was kept, the rest let go. Reason: {reason}"
    ),
    "deposit_lost": N_(
        "Deposit for “{title}”: {amount} was claimed, but the bank had let it go. Reason: {reason}"
    ),
    "deposit_refused": N_(
        "Deposit for “{title}”: the bank did not set {amount} aside anew. We keep asking it."
    ),
    "deposit_released": N_("Deposit for “{title}”: {amount} was let go, nothing was charged."),
}
_OWNER_ASKED = N_("The owner has until {until} to answer.")
_SELLER_ASKED = N_("The request can be answered until {until}.")


def sentence(entry: TimelineEntry, currency: str, *, for_seller: bool = False) -> str:
    """What happened to an order, as one sentence to its customer or its seller."""
    details = entry.details
    if entry.what in _BY_REASON:
        words, seller_words, somehow = _BY_REASON[entry.what]
        known = words | seller_words if for_seller else words
        return _(known.get(details.get("reason", ""), somehow))
    if entry.what == "line_cancelled":
        return _line_cancelled(details)
    if entry.what in _DEPOSITS:
        return _deposit(entry.what, details, currency)
    if entry.what in _OF_MONEY:
        return _(_OF_MONEY[entry.what], amount=_amount(details, currency))
    if entry.what == "approval_asked":
        until = shown_datetime(datetime.fromisoformat(details["until"]))
        return _(_SELLER_ASKED if for_seller else _OWNER_ASKED, until=until)
    words = _EVENTS | _SELLER_EVENTS if for_seller else _EVENTS
    return (
        _(words[entry.what]) if entry.what in words else entry.what.replace("_", " ").capitalize()
    )


def _deposit(what: str, details: dict[str, str], currency: str) -> str:
    language = caller.current().language
    kept = details | {"amount": details.get("kept", "")}
    return _(
        _DEPOSITS[what],
        title=details["title_ru" if language == "ru" else "title_en"],
        amount=_amount(details, currency),
        kept=_amount(kept, currency),
        reason=details.get("reason", ""),
    )


def _line_cancelled(details: dict[str, str]) -> str:
    language = caller.current().language
    title = details["title_ru" if language == "ru" else "title_en"]
    quantity, currency = details["quantity"], details["currency"]
    amounts = [
        shown(Money(amount=int(details[n]), currency=currency), language)
        for n in ("amount", "paid")
    ]
    if details["in_full"]:
        why = _(_IN_FULL.get(details.get("by", ""), _IN_FULL_SOMEHOW))
    else:
        known = details["step"]
        step = CancellationStep.model_validate_json(known) if known else None
        why = rule(int(details["rule"]), step, currency)
    return _(
        "“{title}” × {quantity}: {amount} of {paid} comes back — {why}.",
        title=title,
        quantity=quantity,
        amount=amounts[0],
        paid=amounts[1],
        why=why,
    )


def _amount(details: dict[str, str], currency: str) -> str:
    amount = details.get("amount", "")
    if not amount.isdecimal():
        return amount or _("The money")
    money = Money(amount=int(amount), currency=details.get("currency", currency))
    return shown(money, caller.current().language)


def day_month(day: date | None) -> str:
    """A day as people say it: June 5, 5 июня."""
    language = caller.current().language
    return (
        format_date(day, "d MMMM" if language == "ru" else "MMMM d", locale=language) if day else ""
    )


def client(user_agent: str) -> str:
    """A browser's or program's name for itself, made short: Firefox, Windows."""
    browsers = ("Edg", "OPR", "YaBrowser", "Firefox", "Chrome", "Safari", "curl", "python")
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
    spoken = {
        "Edg": "Edge",
        "OPR": "Opera",
        "YaBrowser": "Yandex Browser",
        "python": "Python",
        "Mac OS": "macOS",
    }
    found = [next((n for n in names if n in user_agent), "") for names in (browsers, systems)]
    return (
        ", ".join(spoken.get(name, name) for name in found if name)
        or user_agent[:60]
        or _("Unknown program")
    )
