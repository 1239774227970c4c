"""REST: listings, categories, quotes."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Header, Query, Response, status

from dvor.contracts.catalog import (
    CardPage,
    Catalog,
    Categories,
    Kind,
    Listing,
    ListingDraft,
    ListingStatus,
    Quote,
    QuoteLine,
    Search,
    Sort,
)
from dvor.contracts.pricing import Tax
from dvor.contracts.promos import Promo, PromoDraft, PromoPage, PromoSearch
from dvor.kernel.http import api_router, contract
from dvor.kernel.messages import Bool, Message

router = api_router(tags=["catalog"])

Asked = Annotated[Catalog, contract(Catalog)]
Line = Query(max_length=200)
Amount = Query(ge=0, le=10**15, description="In minor units.")


class QuoteRequest(Message):
    """Lines to be priced."""

    lines: Annotated[tuple[QuoteLine, ...], Query(min_length=1, max_length=50)]
    promo: Annotated[str, Query(max_length=200)] = ""
    """A promo code."""


class PromoChange(Message):
    """Whether a code can be used."""

    active: Bool


def _search(
    kind: Kind | None = None,
    category: Annotated[str, Line] = "",
    text: Annotated[str, Line] = "",
    city: Annotated[str, Line] = "",
    price_min: Annotated[int | None, Amount] = None,
    price_max: Annotated[int | None, Amount] = None,
    sort: Sort = Sort.NEWEST,
    seller_id: UUID | None = None,
    status: Annotated[
        Literal["draft", "published", "archived", "any"],
        Query(description="Unpublished ones are shown to their seller and to admins."),
    ] = "published",
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Search:
    return Search(
        kind=kind,
        category=category,
        text=text,
        city=city,
        price_min=price_min,
        price_max=price_max,
        sort=sort,
        seller_id=seller_id,
        status=None if status == "any" else ListingStatus(status),
        cursor=cursor,
        limit=limit,
    )


@router.get("/categories")
async def list_categories(catalog: Asked) -> Categories:
    """The tree of categories."""
    return await catalog.categories()


@router.get("/listings")
async def list_listings(search: Annotated[Search, Depends(_search)], catalog: Asked) -> CardPage:
    """Find listings."""
    return await catalog.search(search)


@router.get("/listings/{listing_id}", responses={304: {"description": "Not changed."}})
async def show_listing(
    listing_id: UUID,
    catalog: Asked,
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Listing | None:
    """One listing. Its version is the ETag."""
    listing = await catalog.listing(listing_id)
    etag = f'"{listing.version}"'
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "no-cache"
    if if_none_match is not None and etag in if_none_match:
        response.status_code = status.HTTP_304_NOT_MODIFIED
        return None
    return listing


@router.post("/listings", status_code=status.HTTP_201_CREATED)
async def create_listing(draft: ListingDraft, catalog: Asked) -> Listing:
    """Write a new draft."""
    return await catalog.create(draft)


@router.put("/listings/{listing_id}")
async def change_listing(
    listing_id: UUID,
    draft: ListingDraft,
    version: Annotated[int, Query(ge=0, le=10**9, description="The version you started from.")],
    catalog: Asked,
) -> Listing:
    """Rewrite a listing. Offers named by id are kept, others end."""
    return await catalog.change(listing_id, version, draft)


@router.post("/listings/{listing_id}/publish")
async def publish_listing(listing_id: UUID, catalog: Asked) -> Listing:
    """Put on sale."""
    return await catalog.publish(listing_id)


@router.post("/listings/{listing_id}/archive")
async def archive_listing(listing_id: UUID, catalog: Asked) -> Listing:
    """Take off sale."""
    return await catalog.archive(listing_id)


# Exempt: a quote writes nothing; POST only because its lines do not fit a query.
@router.post("/quotes", openapi_extra={"x-idempotency": "none"})
async def quote(request: QuoteRequest, catalog: Asked) -> Quote:
    """What lines cost now."""
    return await catalog.quote(request.lines, request.promo)


@router.get("/tax")
async def show_tax(catalog: Asked) -> Tax:
    """One's own tax."""
    return await catalog.tax()


@router.put("/tax")
async def set_tax(tax: Tax, catalog: Asked) -> Tax:
    """Tax everything one sells from now on; a rate of 0 ends it."""
    return await catalog.set_tax(tax)


@router.get("/promos")
async def list_promos(search: Annotated[PromoSearch, Query()], catalog: Asked) -> PromoPage:
    """One's own promo codes, or the platform's."""
    return await catalog.promos(search)


@router.post("/promos", status_code=status.HTTP_201_CREATED)
async def make_promo(draft: PromoDraft, catalog: Asked) -> Promo:
    """Make a promo code."""
    return await catalog.make_promo(draft)


@router.patch("/promos/{promo_id}")
async def change_promo(promo_id: UUID, change: PromoChange, catalog: Asked) -> Promo:
    """Stop a promo code, or let it be used again."""
    return await catalog.set_promo_active(promo_id, change.active)
