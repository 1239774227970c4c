"""The part of a listing's form about fees."""

from dvor.contracts.catalog import Listing
from dvor.contracts.pricing import Fee, FeePer, Label
from dvor.kernel.money import Money
from dvor.kernel.texts import gettext as _
from dvor.web.forms import Form, typed_amount

FEES_MAX = 5
NAME_MAX = 60


def shown(listing: Listing, language: str) -> dict[str, str]:
    """What the fields say."""
    currency = listing.offers[0].price.currency
    values: dict[str, str] = {}
    for i, fee in enumerate(listing.fees):
        price = Money(amount=fee.price, currency=currency)
        values |= {
            f"fee-{i}-name-ru": fee.name.ru,
            f"fee-{i}-name-en": fee.name.en,
            f"fee-{i}-price": typed_amount(price, language),
            f"fee-{i}-per": fee.per,
        }
    return values


def rows(form: Form) -> int:
    """How many rows are drawn: one more than are filled."""
    filled = [i for i in range(FEES_MAX) if _typed(form, i)]
    return min(max([1, *(i + 2 for i in filled)]), FEES_MAX)


def _typed(form: Form, i: int) -> bool:
    return any(form[f"fee-{i}-{part}"].strip() for part in ("name-ru", "name-en", "price"))


def read(form: Form, currency: str) -> tuple[Fee, ...]:
    """The fees that were typed; what does not fit is noted in the form."""
    found: list[Fee] = []
    for i in range(FEES_MAX):
        if not _typed(form, i):
            continue
        stem = f"fee-{i}"
        name = Label(
            ru=form.text(f"{stem}-name-ru", NAME_MAX)[:NAME_MAX],
            en=form.text(f"{stem}-name-en", NAME_MAX)[:NAME_MAX],
        )
        if not (name.ru or name.en):
            form.refuse(f"{stem}-name-ru", _("Say what it is for."))
        price = form.amount(f"{stem}-price", currency)
        if not 0 < price <= 10**10 and not form.errors.get(f"{stem}-price"):
            form.refuse(f"{stem}-price", _("This does not fit."))
        per = next((per for per in FeePer if per == form[f"{stem}-per"]), FeePer.ORDER)
        found.append(Fee(name=name, price=min(max(price, 1), 10**10), per=per))
    return tuple(found)
