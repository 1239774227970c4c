"""The statements of the catalogue."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dvor.contracts.cancellation import Policy
from dvor.contracts.catalog import (
    Card,
    Categories,
    Category,
    ExternalListing,
    Kind,
    Listing,
    ListingDraft,
    ListingStatus,
    Offer,
    OfferFacts,
    Place,
    Season,
    Text,
)
from dvor.contracts.pricing import Fee, Label, Pricing, Tax
from dvor.kernel.db import Connection, Record
from dvor.kernel.money import Money
from dvor.services.catalog import rules
from dvor.services.catalog.pricing import NO_TAX, Priced

_LISTING = """
SELECT l.id, l.seller_id, l.external_id, l.kind, l.status, l.category, l.title_ru, l.title_en,
       l.description_ru, l.description_en, l.city, l.address, l.timezone, l.starts_at, l.ends_at,
       l.attributes, l.currency, l.version, l.created_at, l.cancellation, l.fees, l.approval,
       t.name_ru AS tax_ru, t.name_en AS tax_en, t.rate AS tax_rate, t.included AS tax_included,
       (SELECT jsonb_agg(
            jsonb_build_object('id', o.id, 'name', jsonb_build_object('ru', name_ru, 'en', name_en),
                               'price', price, 'seasons', seasons, 'by_hour', by_hour,
                               'pricing', pricing)
            ORDER BY position)
        FROM offers o WHERE o.listing_id = l.id AND o.active) AS offers
FROM listings l LEFT JOIN seller_taxes t USING (seller_id)
"""

_FACTS = """
SELECT o.id, o.listing_id, l.seller_id, l.kind, l.category, l.title_ru, l.title_en,
       o.name_ru, o.name_en, o.price, o.seasons, o.by_hour, o.pricing, l.currency, l.timezone,
       l.starts_at, l.cancellation, l.fees, l.approval,
       t.name_ru AS tax_ru, t.name_en AS tax_en, t.rate AS tax_rate, t.included AS tax_included,
       coalesce(l.ends_at, l.starts_at) AS over_at,
       CASE WHEN o.active THEN l.status ELSE 'archived' END AS status
FROM offers o JOIN listings l ON l.id = o.listing_id LEFT JOIN seller_taxes t USING (seller_id)
WHERE o.id = ANY ($1::uuid[])
"""


def _listing(row: Record) -> Listing:
    place = None
    if row["city"] is not None:
        place = Place(city=row["city"], address=row["address"], timezone=row["timezone"])
    return Listing(
        id=row["id"],
        seller_id=row["seller_id"],
        kind=Kind(row["kind"]),
        status=ListingStatus(row["status"]),
        category=row["category"],
        title=Text(ru=row["title_ru"], en=row["title_en"]),
        description=Text(ru=row["description_ru"], en=row["description_en"]),
        place=place,
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        attributes=dict(row["attributes"]),
        offers=tuple(_offer(offer, row["currency"]) for offer in row["offers"]),
        picture=rules.picture(row["id"], row["kind"], row["category"]),
        version=row["version"],
        created_at=row["created_at"],
        cancellation=Policy.model_validate(row["cancellation"]),
        fees=_fees(row["fees"]),
        tax=_tax(row),
        approval=row["approval"],
    )


def _fees(fees: Sequence[dict[str, Any]]) -> tuple[Fee, ...]:
    return tuple(Fee.model_validate(fee, strict=False) for fee in fees)


def _tax(row: Record) -> Tax:
    if row["tax_rate"] is None:
        return NO_TAX
    name = Label(ru=row["tax_ru"], en=row["tax_en"])
    return Tax(name=name, rate=row["tax_rate"], included=row["tax_included"])


def _offer(offer: dict[str, Any], currency: str) -> Offer:
    return Offer(
        id=UUID(offer["id"]),
        name=Text(**offer["name"]),
        price=Money(amount=offer["price"], currency=currency),
        seasons=_seasons(offer["seasons"]),
        by_hour=offer["by_hour"],
        pricing=Pricing.model_validate(offer["pricing"]),
    )


def _seasons(seasons: Sequence[dict[str, Any]]) -> tuple[Season, ...]:
    return tuple(Season.model_validate(season) for season in seasons)


async def categories(db: Connection) -> Categories:
    """All branches, parents before children."""
    rows = await db.fetch(
        "SELECT slug, parent, kind, title_ru, title_en FROM categories ORDER BY position"
    )
    return Categories(
        items=tuple(
            Category(
                slug=row["slug"],
                parent=row["parent"] or "",
                kind=Kind(row["kind"]),
                title=Text(ru=row["title_ru"], en=row["title_en"]),
            )
            for row in rows
        )
    )


async def listing(db: Connection, listing_id: UUID) -> Listing | None:
    """One listing with its active offers."""
    row = await db.fetchrow(f"{_LISTING} WHERE l.id = $1", listing_id)
    return _listing(row) if row else None


async def lock_listing(db: Connection, listing_id: UUID) -> Listing | None:
    """One listing, which nobody else changes until this transaction ends."""
    row = await db.fetchrow(f"{_LISTING} WHERE l.id = $1 FOR UPDATE OF l", listing_id)
    return _listing(row) if row else None


async def by_external_ids(
    db: Connection, seller_id: UUID, external_ids: Sequence[str]
) -> tuple[ExternalListing, ...]:
    """A seller's listings by the seller's own numbers."""
    rows = await db.fetch(
        f"{_LISTING} WHERE l.seller_id = $1 AND l.external_id = ANY ($2::text[])",
        seller_id,
        list(external_ids),
    )
    return tuple(ExternalListing(external_id=r["external_id"], listing=_listing(r)) for r in rows)


async def priced_offers(db: Connection, offer_ids: Sequence[UUID]) -> dict[UUID, Priced]:
    """Offers that exist, with all that their price depends on and the end of their event."""
    rows = await db.fetch(_FACTS, list(offer_ids))
    return {
        row["id"]: Priced(
            facts=OfferFacts(
                id=row["id"],
                listing_id=row["listing_id"],
                seller_id=row["seller_id"],
                kind=Kind(row["kind"]),
                status=ListingStatus(row["status"]),
                title=Text(ru=row["title_ru"], en=row["title_en"]),
                name=Text(ru=row["name_ru"], en=row["name_en"]),
                price=Money(amount=row["price"], currency=row["currency"]),
                timezone=row["timezone"] or Place.model_fields["timezone"].default,
                starts_at=row["starts_at"],
                picture=rules.picture(row["listing_id"], row["kind"], row["category"]),
                by_hour=row["by_hour"],
                cancellation=Policy.model_validate(row["cancellation"]),
                approval=row["approval"],
            ),
            seasons=_seasons(row["seasons"]),
            pricing=Pricing.model_validate(row["pricing"]),
            ends_at=row["over_at"],
            fees=_fees(row["fees"]),
            tax=_tax(row),
        )
        for row in rows
    }


async def insert_listing(
    db: Connection, listing_id: UUID, seller_id: UUID, draft: ListingDraft
) -> bool:
    """Write a new draft without its offers; False where this id exists already."""
    return bool(
        await db.execute(
            """
            INSERT INTO listings (
                id, kind, category, title_ru, title_en, description_ru, description_en,
                city, address, timezone, starts_at, ends_at, attributes, currency, price_from,
                external_id, cancellation, fees, approval, seller_id, status, created_at, changed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                    nullif($16, ''), $17, $18, $19, $20, 'draft', dvor_now(), dvor_now())
            ON CONFLICT ON CONSTRAINT listings_pkey DO NOTHING
            """,
            *_columns(listing_id, draft),
            seller_id,
        )
    )


async def update_listing(db: Connection, listing_id: UUID, draft: ListingDraft) -> None:
    """Rewrite a listing without its offers. No external id given: it keeps the one it has."""
    await db.execute(
        """
        UPDATE listings SET
            kind = $2, category = $3, title_ru = $4, title_en = $5,
            description_ru = $6, description_en = $7, city = $8, address = $9, timezone = $10,
            starts_at = $11, ends_at = $12, attributes = $13, currency = $14, price_from = $15,
            external_id = coalesce(nullif($16, ''), external_id), cancellation = $17, fees = $18,
            approval = $19,
            version = version + 1, changed_at = dvor_now()
        WHERE id = $1
        """,
        *_columns(listing_id, draft),
    )


def _columns(listing_id: UUID, draft: ListingDraft) -> tuple[Any, ...]:
    place = draft.place
    return (
        listing_id,
        draft.kind,
        draft.category,
        draft.title.ru,
        draft.title.en,
        draft.description.ru,
        draft.description.en,
        place.city if place else None,
        place.address if place else None,
        place.timezone if place else None,
        draft.starts_at,
        draft.ends_at,
        [list(pair) for pair in draft.attributes.items()],
        draft.currency,
        rules.price_from(draft.offers),
        draft.external_id,
        draft.cancellation.model_dump(mode="json"),
        [fee.model_dump(mode="json") for fee in draft.fees],
        draft.approval,
    )


async def set_status(db: Connection, listing_id: UUID, status: ListingStatus) -> None:
    """Move a listing to another status."""
    await db.execute(
        "UPDATE listings SET status = $2, version = version + 1, changed_at = dvor_now()"
        " WHERE id = $1",
        listing_id,
        status,
    )


async def offers_by_hour(db: Connection, listing_id: UUID) -> dict[UUID, bool]:
    """All offers a listing ever had, and which are let by the hour. The listing is locked."""
    rows = await db.fetch("SELECT id, by_hour FROM offers WHERE listing_id = $1", listing_id)
    return {row["id"]: row["by_hour"] for row in rows}


async def write_offers(
    db: Connection, listing_id: UUID, ids: Sequence[UUID], draft: ListingDraft
) -> None:
    """Write the offers of a draft under these ids, in this order; its other ones end."""
    await db.execute(
        """
        WITH given AS (
            SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[],
                                 $7::boolean[], $8::text[])
                WITH ORDINALITY AS g (id, name_ru, name_en, price, seasons, by_hour, pricing,
                                      position)
        ), ended AS (
            UPDATE offers SET active = false
            WHERE listing_id = $1 AND active AND id <> ALL ($2::uuid[])
        )
        INSERT INTO offers AS o (id, listing_id, position, name_ru, name_en, price, seasons,
                                 by_hour, pricing)
        SELECT id, $1, position, name_ru, name_en, price, seasons::jsonb, by_hour, pricing::jsonb
        FROM given
        ON CONFLICT ON CONSTRAINT offers_pkey DO UPDATE SET
            position = excluded.position, active = true, name_ru = excluded.name_ru,
            name_en = excluded.name_en, price = excluded.price, seasons = excluded.seasons,
            by_hour = excluded.by_hour, pricing = excluded.pricing
        WHERE o.listing_id = $1
        """,
        listing_id,
        list(ids),
        [offer.name.ru for offer in draft.offers],
        [offer.name.en for offer in draft.offers],
        [offer.price for offer in draft.offers],
        [_seasons_json(offer.seasons) for offer in draft.offers],
        [offer.by_hour for offer in draft.offers],
        [offer.pricing.model_dump_json(exclude_defaults=True) for offer in draft.offers],
    )


def _seasons_json(seasons: Sequence[Season]) -> str:
    return "[" + ",".join(season.model_dump_json() for season in seasons) + "]"


async def list_generation(db: Connection) -> int:
    """Grows whenever what strangers see in lists changes."""
    return await db.fetchval("SELECT number FROM list_generation")


async def advance_list_generation(db: Connection) -> None:
    """Make every process forget its cached lists. Last in a transaction: all writers meet here."""
    await db.execute("UPDATE list_generation SET number = number + 1")


async def forgives_typos(db: Connection) -> bool:
    """Whether this database has what typo-tolerant search needs."""
    return await db.fetchval("SELECT to_regclass('listings_letters') IS NOT NULL")


def card(row: Record) -> Card:
    """A listing in a list."""
    return Card(
        id=row["id"],
        seller_id=row["seller_id"],
        kind=Kind(row["kind"]),
        status=ListingStatus(row["status"]),
        category=row["category"],
        title=Text(ru=row["title_ru"], en=row["title_en"]),
        city=row["city"] or "",
        starts_at=row["starts_at"],
        price_from=Money(amount=row["price_from"], currency=row["currency"]),
        picture=rules.picture(row["id"], row["kind"], row["category"]),
        offer_ids=tuple(row["offer_ids"]),
        by_hour=bool(row["by_hour"]),
    )
