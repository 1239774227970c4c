"""The part of a listing's form about cancelling: a preset, or steps of one's own."""

from pydantic import ValidationError

from dvor.contracts.cancellation import (
    ANYTIME,
    BEFORE,
    CancellationStep,
    FeeFor,
    Policy,
    Preset,
    Until,
    presets,
)
from dvor.contracts.catalog import Kind, Listing
from dvor.kernel.money import Money
from dvor.kernel.texts import N_
from dvor.kernel.texts import gettext as _
from dvor.web import cancelling
from dvor.web.forms import Form, typed_amount

OWN = "own"
STEPS_MAX = 10
STEPS_SHOWN = 3
COUNT_MAX = 8784
NO_FEES = "RUB"
"""The presets have no fees: whatever the currency, none is shown."""

_PARTS = ("until", "count", "hour", "percent", "fee")
_NAMES = {
    Preset.ANYTIME: N_("Any time"),
    Preset.FLEXIBLE: N_("Flexible"),
    Preset.MODERATE: N_("Moderate"),
    Preset.STRICT: N_("Strict"),
    Preset.NONE: N_("No refund"),
}
_ANCHORS = {
    Until.DAYS_BEFORE: N_("days before it begins"),
    Until.HOURS_BEFORE: N_("hours before it begins"),
    Until.DAYS_AFTER_PURCHASE: N_("days after the purchase"),
    Until.HANDOVER: N_("handed over"),
}


def named(kind: Kind) -> dict[Preset, Policy]:
    """The presets of a kind."""
    return presets(timed=kind is not Kind.PRODUCT)


def options(kind: Kind) -> list[tuple[str, str, str]]:
    """What can be chosen: value, name, what it means."""
    found = [
        (str(preset), _(_NAMES[preset]), cancelling.general(policy, NO_FEES))
        for preset, policy in named(kind).items()
    ]
    return [*found, (OWN, _("Own steps"), _("Below, up to ten, in order."))]


def anchors(kind: Kind) -> list[tuple[str, str]]:
    """What a deadline can be counted from."""
    allowed = [until for until in Until if kind is not Kind.PRODUCT or until not in BEFORE]
    return [("", "—"), *((str(until), _(_ANCHORS[until])) for until in allowed)]


def empty() -> dict[str, str]:
    """What a new listing begins with."""
    return {"cancel": str(Preset.FLEXIBLE)}


def shown(listing: Listing, language: str) -> dict[str, str]:
    """What the fields say."""
    policy, currency = listing.cancellation, listing.offers[0].price.currency
    chosen = next((str(p) for p, known in named(listing.kind).items() if known == policy), OWN)
    values = {"cancel": chosen, "cancel-fee_for": str(policy.fee_for)}
    if chosen != OWN:
        return values
    for i, step in enumerate(policy.steps):
        fee = typed_amount(Money(amount=step.fee, currency=currency), language) if step.fee else ""
        values |= {
            f"cancel-{i}-until": str(step.until),
            f"cancel-{i}-count": str(step.count) if step.until is not Until.HANDOVER else "",
            f"cancel-{i}-hour": "" if step.hour is None else str(step.hour),
            f"cancel-{i}-percent": str(step.percent),
            f"cancel-{i}-fee": fee,
        }
    return values


def rows(form: Form) -> int:
    """How many steps are drawn: one more than are filled."""
    filled = [i for i in range(STEPS_MAX) if _typed(form, i)]
    return min(max([STEPS_SHOWN, *(i + 2 for i in filled)]), STEPS_MAX)


def _typed(form: Form, i: int) -> bool:
    return any(form[f"cancel-{i}-{part}"].strip() for part in _PARTS)


def read(form: Form, kind: Kind, currency: str) -> Policy:
    """The policy that was chosen; what does not fit is noted in the form."""
    known = named(kind)
    chosen = form["cancel"] or str(Preset.FLEXIBLE)
    if chosen != OWN:
        policy = next((policy for preset, policy in known.items() if preset == chosen), None)
        if policy is None:
            form.refuse("cancel", _("Choose what comes back."))
        return policy or ANYTIME
    steps = [_step(form, i, kind, currency) for i in range(STEPS_MAX) if _typed(form, i)]
    fee_for = FeeFor.ORDER if form["cancel-fee_for"] == FeeFor.ORDER else FeeFor.LINE
    if form.refused:
        return ANYTIME
    try:
        return Policy(steps=tuple(step for step in steps if step), fee_for=fee_for)
    except ValidationError:
        form.refuse(
            "cancel-0-percent",
            _("A later step cannot give more than an earlier one, and the handover comes last."),
        )
        return ANYTIME


def _step(form: Form, i: int, kind: Kind, currency: str) -> CancellationStep | None:
    stem = f"cancel-{i}"
    allowed = [value for value, _word in anchors(kind) if value]
    until = form.choice(f"{stem}-until", allowed, _("Choose until when."))
    percent = form.whole(f"{stem}-percent", 0, 100)
    fee = form.amount(f"{stem}-fee", currency) if form[f"{stem}-fee"].strip() else 0
    if fee and not percent:
        form.refuse(f"{stem}-fee", _("There is nothing to keep a fee of."))
    count = hour = None
    if until != Until.HANDOVER:
        count = form.whole(f"{stem}-count", 0, COUNT_MAX)
    if until == Until.DAYS_BEFORE and form[f"{stem}-hour"].strip():
        hour = form.whole(f"{stem}-hour", 0, 23)
    if form.refused or not until:
        return None
    return CancellationStep(
        until=Until(until), count=count or 0, hour=hour, percent=percent, fee=fee
    )
