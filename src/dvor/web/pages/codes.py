"""Promo codes: made, listed with their uses, stopped; by sellers and by admins for the platform."""

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from dvor.contracts.catalog import Catalog, Kind, Search
from dvor.contracts.inventory import Inventory
from dvor.contracts.promos import Promo, PromoDraft, PromoSearch, PromoTaken
from dvor.kernel import caller, clock
from dvor.kernel.caller import Role
from dvor.kernel.errors import Refusal
from dvor.kernel.http import contract
from dvor.kernel.texts import gettext as _
from dvor.kernel.texts import refusal as said
from dvor.web import notices
from dvor.web.context import Cursor, Visit, Visiting, members_router, settings_of
from dvor.web.forms import Form, attempt, typed
from dvor.web.pages.listing_form import CURRENCIES

sellers = members_router("/selling/codes")
admins = members_router("/admin/codes")

LIST_SIZE = 20
LISTINGS_SHOWN = 50
USES_MAX = 1_000_000

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]


@sellers.get("")
async def list_codes(
    visit: Visiting, catalog: CatalogHere, inventory: InventoryHere, cursor: Cursor = ""
) -> Response:
    """The seller's codes, and the form of a new one."""
    caller.require_role(Role.SELLER)
    return await _page(visit, catalog, inventory, _empty(), cursor, platform=False)


@sellers.post("")
async def make_code(
    request: Request, visit: Visiting, catalog: CatalogHere, inventory: InventoryHere
) -> Response:
    """Make a code for the seller's own lines."""
    caller.require_role(Role.SELLER)
    return await _make(request, visit, catalog, inventory, platform=False)


@sellers.post("/{promo_id}")
async def switch_code(promo_id: UUID, request: Request, catalog: CatalogHere) -> Response:
    """Stop a code, or let it be used again."""
    caller.require_role(Role.SELLER)
    return await _switch(promo_id, request, catalog, _path(platform=False))


@admins.get("")
async def list_platform_codes(
    visit: Visiting, catalog: CatalogHere, inventory: InventoryHere, cursor: Cursor = ""
) -> Response:
    """The platform's codes, and the form of a new one."""
    caller.require_role(Role.ADMIN)
    return await _page(visit, catalog, inventory, _empty(), cursor, platform=True)


@admins.post("")
async def make_platform_code(
    request: Request, visit: Visiting, catalog: CatalogHere, inventory: InventoryHere
) -> Response:
    """Make a code for everything that anybody sells."""
    caller.require_role(Role.ADMIN)
    return await _make(request, visit, catalog, inventory, platform=True)


@admins.post("/{promo_id}")
async def switch_platform_code(promo_id: UUID, request: Request, catalog: CatalogHere) -> Response:
    """Stop a code, or let it be used again."""
    caller.require_role(Role.ADMIN)
    return await _switch(promo_id, request, catalog, _path(platform=True))


def _path(*, platform: bool) -> str:
    return "/admin/codes" if platform else "/selling/codes"


def _empty() -> Form:
    return Form({"currency": "RUB", "per_customer": "1", "off": "percent"})


async def _page(
    visit: Visit,
    catalog: Catalog,
    inventory: Inventory,
    form: Form,
    cursor: str = "",
    status: int = 200,
    *,
    platform: bool,
) -> Response:
    search = PromoSearch(platform=platform, cursor=cursor or None, limit=LIST_SIZE)
    found = await catalog.promos(search)
    listings = ()
    if not platform:
        own = Search(seller_id=caller.require_user(), limit=LISTINGS_SHOWN)
        listings = (await catalog.search(own)).items
    supplies = await inventory.supplies(tuple(code.id for code in found.items))
    used = {supply.offer_id: supply.quantity - supply.free for supply in supplies.items}
    return await visit.page(
        "codes/codes.html",
        status,
        frame="admin/frame.html" if platform else "seller/frame.html",
        action=_path(platform=platform),
        found=found,
        rows=[(code, used.get(code.id, 0), _state(code)) for code in found.items],
        form=form,
        listings=listings,
        currencies=[(code, code) for code in CURRENCIES],
        zone=settings_of(visit.request).time_zone,
    )


def _state(code: Promo) -> str:
    """What a code is now: stopped, over, later or on."""
    now = clock.now()
    if not code.active:
        return "stopped"
    if code.valid_until and code.valid_until <= now:
        return "over"
    return "later" if code.valid_from and now < code.valid_from else "on"


async def _make(
    request: Request, visit: Visit, catalog: Catalog, inventory: Inventory, *, platform: bool
) -> Response:
    form = await typed(request)
    draft = _read(form, ZoneInfo(settings_of(request).time_zone), platform=platform)
    if draft is not None:
        made = await attempt(catalog.make_promo(draft), PromoTaken)
        if not isinstance(made, Refusal):
            text = _("The promo code {code} can be used now.", code=made.code)
            return _told(request, _path(platform=platform), text)
        form.refuse("code", said(made))
    return await _page(visit, catalog, inventory, form, status=422, platform=platform)


def _read(form: Form, zone: ZoneInfo, *, platform: bool) -> PromoDraft | None:
    code = form.text("code", 30, needed=_("Think of a code."))
    currency = form.choice("currency", CURRENCIES, _("Choose a currency.")) or "RUB"
    percent = amount = 0
    if form["off"] == "amount":
        amount = form.amount("amount", currency)
        if not amount:
            form.refuse("amount", _("Say how much it takes off."))
    else:
        percent = form.whole("percent", 1, 100)
    minimum = form.amount("minimum", currency) if form["minimum"].strip() else 0
    uses = form.whole("uses", 1, USES_MAX)
    per_customer = form.whole("per_customer", 0, 1000, empty=0)
    begins, ends = form.moment("valid_from", zone), form.moment("valid_until", zone)
    if begins and ends and ends <= begins:
        form.refuse("valid_until", _("It cannot end before it begins."))
    if form.refused:
        return None
    try:
        return PromoDraft(
            code=code,
            percent=percent,
            amount=amount,
            currency=currency,
            minimum=minimum,
            kinds=tuple(str(kind) for kind in Kind if form[f"kind-{kind}"]),
            listing_ids=tuple(
                UUID(name.removeprefix("listing-"))
                for name in form.values
                if name.startswith("listing-")
            )[:100],
            valid_from=begins,
            valid_until=ends,
            uses=uses,
            per_customer=per_customer,
            platform=platform,
        )
    except ValidationError as error:
        words = _("3 to 30 letters, digits, - and _.")
        if any(problem["loc"][:1] == ("code",) for problem in error.errors()):
            form.refuse("code", words)
        else:
            form.blame(error, {})
        return None
    except ValueError:
        form.trouble = _("This does not fit.")
        return None


async def _switch(promo_id: UUID, request: Request, catalog: Catalog, path: str) -> Response:
    active = (await typed(request))["active"] == "1"
    code = await catalog.set_promo_active(promo_id, active)
    if active:
        return _told(request, path, _("The promo code {code} can be used again.", code=code.code))
    text = _("The promo code {code} is stopped. Orders keep what they have.", code=code.code)
    return _told(request, path, text)


def _told(request: Request, path: str, text: str) -> RedirectResponse:
    response = RedirectResponse(path, 303)
    notices.leave(request, response, notices.Notice("done", text))
    return response
