"""Steps of a cancellation policy in the caller's language, for pages and mails alike."""

from dvor.contracts.cancellation import CancellationStep, Until
from dvor.kernel.caller import current
from dvor.kernel.money import Money, shown
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import ngettext


def until(step: CancellationStep) -> str:
    """Its deadline, as far as it can be said without knowing when: until 3 days before it begins."""
    if step.until is Until.HANDOVER:
        return _("until it is handed over")
    if step.until is Until.DAYS_AFTER_PURCHASE:
        return ngettext(
            "until {n} day after the purchase", "until {n} days after the purchase", step.count
        )
    if step.hour is not None:
        return _until_hour(step.count, f"{step.hour}:00")
    if not step.count:
        return _("until it begins")
    if step.until is Until.HOURS_BEFORE:
        return ngettext(
            "until {n} hour before it begins", "until {n} hours before it begins", step.count
        )
    return ngettext("until {n} day before it begins", "until {n} days before it begins", step.count)


def _until_hour(days: int, at: str) -> str:
    if not days:
        return _("until {at} on the day it begins", at=at)
    return ngettext(
        "until {at}, {n} day before it begins",
        "until {at}, {n} days before it begins",
        days,
        at=at,
    )


def share(step: CancellationStep, currency: str) -> str:
    """What it gives back: 50% back."""
    fee = shown(Money(amount=step.fee, currency=currency), current().language)
    if step.percent == 100:
        return _("everything but {fee} back", fee=fee) if step.fee else _("free of charge")
    if not step.percent:
        return _("nothing back")
    if step.fee:
        return _("{percent}% less {fee} back", percent=step.percent, fee=fee)
    return _("{percent}% back", percent=step.percent)


def rule(number: int, step: CancellationStep | None, currency: str) -> str:
    """Why something came back: rule 2: 50% back until 3 days before it begins."""
    if step is None:
        return _("every rule is over: nothing back")
    what = f"{share(step, currency)} {until(step)}"
    return _("rule {number}: {what}", number=number, what=what)
