"""The part of a listing's form about prices: weekdays, discounts, a deposit."""

from dvor.contracts.catalog import Kind, Offer
from dvor.contracts.pricing import Discount, Pricing, WeekdayPrice
from dvor.kernel.money import Money
from dvor.kernel.texts import gettext as _
from dvor.web.forms import Form, typed_amount

STEPS_MAX = 10
STEPS_SHOWN = 2
"""Rows for discounts at least; there is always an empty one, so that they grow without scripts."""
LEAST_MAX = 1000
TIMED = (Kind.STAY, Kind.RENTAL)


def shown(row: str, offer: Offer, language: str) -> dict[str, str]:
    """What the fields of an offer say."""
    pricing, currency = offer.pricing, offer.price.currency

    def amount(minor: int) -> str:
        return typed_amount(Money(amount=minor, currency=currency), language)

    values = {f"{row}-day-{day.weekday}": amount(day.price) for day in pricing.weekdays}
    for name, steps in (
        ("length", pricing.length_discounts),
        ("many", pricing.quantity_discounts),
    ):
        for i, step in enumerate(sorted(steps, key=lambda step: step.least)):
            stem = f"{row}-{name}-{i}"
            values |= {f"{stem}-least": str(step.least), f"{stem}-percent": str(step.percent)}
    if pricing.deposit:
        values[f"{row}-deposit"] = amount(pricing.deposit)
    return values | {f"{row}-by_hour": "1" if offer.by_hour else ""}


def steps(form: Form, row: str, name: str) -> int:
    """How many rows for discounts are drawn: one more than are filled."""
    filled = [i for i in range(STEPS_MAX) if _typed_step(form, f"{row}-{name}-{i}")]
    return min(max([STEPS_SHOWN, *(i + 2 for i in filled)]), STEPS_MAX)


def _typed_step(form: Form, stem: str) -> bool:
    return bool(form[f"{stem}-least"].strip() or form[f"{stem}-percent"].strip())


def read(form: Form, row: str, kind: Kind, currency: str) -> Pricing:
    """The prices that were typed; what does not fit is noted in the form."""
    many = _discounts(form, f"{row}-many")
    if kind not in TIMED:
        return Pricing(quantity_discounts=many)
    special = [
        WeekdayPrice(weekday=day, price=form.amount(f"{row}-day-{day}", currency))
        for day in range(7)
        if form[f"{row}-day-{day}"].strip()
    ]
    deposit = f"{row}-deposit"
    return Pricing(
        weekdays=tuple(special),
        length_discounts=_discounts(form, f"{row}-length"),
        quantity_discounts=many,
        deposit=form.amount(deposit, currency) if form[deposit].strip() else 0,
    )


def _discounts(form: Form, stem: str) -> tuple[Discount, ...]:
    found: list[Discount] = []
    for i in range(STEPS_MAX):
        step = f"{stem}-{i}"
        if not _typed_step(form, step):
            continue
        least = form.whole(f"{step}-least", 2, LEAST_MAX)
        percent = form.whole(f"{step}-percent", 1, 100)
        if any((n.least < least) is not (n.percent < percent) or n.least == least for n in found):
            form.refuse(f"{step}-percent", _("The more units, the greater the discount has to be."))
        found.append(Discount(least=least, percent=percent))
    return tuple(found)
