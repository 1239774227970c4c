"""For people who sell: the tax on everything they sell."""

import re
from decimal import Decimal
from typing import Annotated

from babel.numbers import format_decimal
from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.catalog import Catalog
from dvor.contracts.pricing import Label, Tax
from dvor.kernel import caller
from dvor.kernel.caller import Role
from dvor.kernel.http import contract
from dvor.kernel.texts import gettext as _
from dvor.web import notices
from dvor.web.context import Visiting, members_router
from dvor.web.forms import Form, typed
from dvor.web.pages.listing_form import languages

router = members_router("/selling")

NAME_MAX = 60

CatalogHere = Annotated[Catalog, contract(Catalog)]


@router.get("/tax")
async def show_tax(visit: Visiting, catalog: CatalogHere) -> Response:
    """The tax as it stands."""
    tax = await catalog.tax()
    number = format_decimal(Decimal(tax.rate) / 100, locale=caller.current().language)
    form = Form(
        {
            "name-ru": tax.name.ru,
            "name-en": tax.name.en,
            "rate": number if tax.rate else "",
            "included": "1" if tax.included else "",
        }
    )
    return await visit.page("seller/tax.html", form=form, languages=languages())


@router.post("/tax")
async def set_tax(request: Request, visit: Visiting, catalog: CatalogHere) -> Response:
    """Tax everything from now on; without a rate there is no tax."""
    caller.require_role(Role.SELLER)
    form = await typed(request)
    rate = _rate(form)
    name = Label(
        ru=form.text("name-ru", NAME_MAX)[:NAME_MAX], en=form.text("name-en", NAME_MAX)[:NAME_MAX]
    )
    if rate and not (name.ru or name.en):
        form.refuse(f"name-{languages()[0]}", _("Say what the tax is called."))
    if form.refused:
        return await visit.page("seller/tax.html", 422, form=form, languages=languages())
    await catalog.set_tax(Tax(name=name, rate=rate, included=form["included"] == "1"))
    response = RedirectResponse("/selling/tax", 303)
    notices.leave(request, response, notices.Notice("done", _("Saved.")))
    return response


def _rate(form: Form) -> int:
    """Hundredths of a percent of a rate as people type it: 20, 5,5 or 5.5."""
    text = form["rate"].strip().removesuffix("%").strip().replace(",", ".")
    if not text:
        return 0
    if not re.fullmatch(r"\d{1,3}(\.\d{1,2})?", text, re.ASCII) or Decimal(text) > 100:
        form.refuse("rate", _("A rate is a number from 0 to 100."))
        return 0
    return int(Decimal(text) * 100)
