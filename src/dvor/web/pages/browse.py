"""Finding things: the first page, search results, a seller's stall."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import Response

from dvor.contracts.catalog import Catalog, Category, Kind, Search, Sort
from dvor.contracts.identity import Identity, UnknownUser
from dvor.contracts.inventory import Inventory
from dvor.kernel import caller, clock
from dvor.kernel.http import contract, page_router
from dvor.kernel.pages import page
from dvor.web import calendars, finding
from dvor.web.booking import DATED, QUANTITY_MAX, asked_dates
from dvor.web.context import Cursor, Visiting
from dvor.web.forms import Form, clean, minor

router = page_router()

SHELF = 6
"""Cards of each row of the first page."""
LIST_SIZE = 24

CatalogHere = Annotated[Catalog, contract(Catalog)]
InventoryHere = Annotated[Inventory, contract(Inventory)]
IdentityHere = Annotated[Identity, contract(Identity)]


@router.get("/")
async def home(visit: Visiting, catalog: CatalogHere) -> Response:
    """Search across the four kinds, what is near in time, what is new, all categories."""
    kinds = (Kind.EVENT, Kind.PRODUCT, Kind.RENTAL, Kind.STAY)
    categories = await catalog.categories()
    found = await asyncio.gather(*(catalog.search(_shelf(kind)) for kind in kinds))
    shelves = {kind: cards.items for kind, cards in zip(kinds, found, strict=True)}
    today = clock.now().astimezone(ZoneInfo(page.get().time_zone)).date()
    return await visit.page(
        "browse/home.html", shelves=shelves, kinds=list(Kind), categories=_by_kind(categories.items),
        weekend=calendars.weekend(today),
    )  # fmt: skip


def _shelf(kind: Kind) -> Search:
    sort = Sort.SOONEST if kind is Kind.EVENT else Sort.NEWEST
    return Search(kind=kind, sort=sort, limit=SHELF)


def _by_kind(categories: Iterable[Category]) -> dict[Kind, list[Category]]:
    found: dict[Kind, list[Category]] = {kind: [] for kind in Kind}
    for category in categories:
        found[category.kind].append(category)
    return found


@dataclass(frozen=True)
class Filters:
    """What the address of a results page asks for, as typed."""

    kind: str = ""
    category: str = ""
    text: str = ""
    city: str = ""
    least: str = ""
    most: str = ""
    start: str = ""
    end: str = ""
    quantity: str = ""
    sort: str = ""

    def path(self, **changes: str) -> str:
        """The address of the results with these changes; ends in ? or &."""
        kept = {name: value for name, value in vars(replace(self, **changes)).items() if value}
        return f"/search?{urlencode(kept)}{'&' if kept else ''}"

    def narrowed(self) -> bool:
        """Whether anything but the kind and the order is asked for."""
        return any((self.category, self.text, self.city, self.least, self.most, self.start))


@router.get("/search")
async def results(
    request: Request, visit: Visiting, catalog: CatalogHere, inventory: InventoryHere
) -> Response:
    """What matches the filters in the address."""
    asked = request.query_params
    filters = Filters(
        **{name: clean(asked.get(name, ""))[:200].strip() for name in Filters.__annotations__}
    )
    form = Form(dict(vars(filters)))
    categories = await catalog.categories()
    filters = _settled(filters, categories.items)
    today = clock.now().astimezone(ZoneInfo(page.get().time_zone)).date()
    dates = asked_dates(form, today) if _dated(filters) else None
    quantity = form.whole("quantity", 1, QUANTITY_MAX, empty=1)
    cursor = asked.get("cursor", "")[:400]
    search, zone = _search(filters, form, cursor), ZoneInfo(page.get().time_zone)
    found = (
        await finding.free_during(search, dates, quantity, zone, catalog, inventory)
        if dates
        else await finding.everything(search, catalog)
    )
    return await visit.page(
        "browse/results.html", filters=filters, form=form, found=found, dates=dates, today=today,
        quantity=quantity, dated=_dated(filters), cursor=cursor, categories=_by_kind(categories.items), kinds=list(Kind),
        category=next((c for c in categories.items if c.slug == filters.category), None),
    )  # fmt: skip


def _dated(filters: Filters) -> bool:
    """Whether dates can be asked for: goods have none, events have their own."""
    return filters.kind in ("", *DATED)


def _settled(filters: Filters, categories: Iterable[Category]) -> Filters:
    """Filters that fit each other: known values only, a category's kind is the kind."""
    category = next((c for c in categories if c.slug == filters.category), None)
    kind = category.kind.value if category else filters.kind if filters.kind in set(Kind) else ""
    sorts = {sort.value for sort in Sort}
    return replace(
        filters, kind=kind, category=category.slug if category else "",
        sort=filters.sort if filters.sort in sorts else "",
    )  # fmt: skip


def _search(filters: Filters, form: Form, cursor: str) -> Search:
    usual = (
        Sort.CLOSEST
        if filters.text
        else Sort.SOONEST
        if filters.kind == Kind.EVENT
        else Sort.NEWEST
    )
    return Search(
        kind=Kind(filters.kind) if filters.kind else None,
        category=filters.category,
        text=filters.text,
        city=filters.city,
        price_min=_price(form, "least"),
        price_max=_price(form, "most"),
        sort=Sort(filters.sort) if filters.sort else usual,
        cursor=cursor or None,
        limit=LIST_SIZE,
    )


def _price(form: Form, name: str) -> int | None:
    if not form[name]:
        return None
    amount = minor(form[name], "RUB", caller.current().language)
    return form.amount(name, "RUB") if amount is None else amount


@router.get("/sellers/{seller_id}")
async def stall(
    seller_id: UUID,
    visit: Visiting,
    catalog: CatalogHere,
    identity: IdentityHere,
    cursor: Cursor = "",
) -> Response:
    """A seller's public page: who they are and what they offer."""
    profiles, found = await asyncio.gather(
        identity.profiles((seller_id,)),
        catalog.search(Search(seller_id=seller_id, cursor=cursor or None, limit=LIST_SIZE)),
    )
    if not profiles.items:
        raise UnknownUser
    return await visit.page(
        "browse/seller.html", seller=profiles.items[0], found=found, cursor=cursor
    )
