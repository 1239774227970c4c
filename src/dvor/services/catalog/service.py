"""The catalogue: one method per method of its contract."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from dvor.contracts.catalog import (
    CardPage,
    Categories,
    ExternalIdTaken,
    ExternalListings,
    Listing,
    ListingArchived,
    ListingDraft,
    ListingPublished,
    ListingStatus,
    OfferFactsList,
    Outdated,
    Quote,
    QuoteLine,
    Search,
    UnknownCategory,
    UnknownListing,
    UnknownOffer,
)
from dvor.contracts.pricing import Tax
from dvor.contracts.promos import Promo, PromoDraft, PromoPage, PromoSearch
from dvor.kernel import clock, ids
from dvor.kernel.batch import reader
from dvor.kernel.cache import Cache
from dvor.kernel.caller import Role, caller_key, current, require_role, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Tx
from dvor.kernel.errors import Forbidden
from dvor.services.catalog import pricing, promo_queries, promos, queries, rules, searches
from dvor.services.catalog.lists import CachedLists

QUOTES_MAX = 5000
"""So many may wait for prices."""


@dataclass(kw_only=True)
class CatalogService:
    """Listings, offers, prices."""

    db: Database
    settings: Settings
    cache: Cache

    def __post_init__(self) -> None:
        self._lists = CachedLists(self.cache)
        self._forgives_typos = False
        self._priced = reader(partial(queries.priced_offers, self.db), queue_max=QUOTES_MAX)

    async def start(self) -> None:
        """Learn what this database can do."""
        self._forgives_typos = await queries.forgives_typos(self.db)

    async def stop(self) -> None:
        """Answer those who wait for a price."""
        await self._priced.close()

    async def categories(self) -> Categories:
        return await queries.categories(self.db)

    async def search(self, search: Search) -> CardPage:
        if search.status is not ListingStatus.PUBLISHED:
            return await self._find(search)
        generation = await queries.list_generation(self.db)
        cached = await self._lists.get(search, generation)
        if cached is None:
            cached = await self._find(search)
            await self._lists.keep(search, generation, cached)
        return cached

    async def _find(self, search: Search) -> CardPage:
        caller = current()
        find = partial(searches.find, viewer=caller.user_id, everything=caller.is_admin())
        found = await find(self.db, search)
        if search.text and not found.total and self._forgives_typos:
            async with self.db.snapshot() as connection:
                await searches.forgive_typos(connection)
                found = await find(connection, search, roughly=True)
        return CardPage(items=found.cards, total=found.total, next_cursor=found.next_cursor)

    async def listing(self, listing_id: UUID) -> Listing:
        found = await queries.listing(self.db, listing_id)
        if found is None or not rules.sees(current(), found.seller_id, found.status):
            raise UnknownListing
        return found

    async def create(self, draft: ListingDraft) -> Listing:
        seller_id = require_role(Role.SELLER)
        rules.check_draft(draft)
        offer_ids = [ids.new() for _ in draft.offers]
        for offer in draft.offers:
            if offer.id is not None:
                raise UnknownOffer(offer_id=offer.id)
        listing_id = caller_key("listing", draft.external_id)
        async with self.db.tx() as tx:
            async with _refusing(tx):
                new = await queries.insert_listing(tx, listing_id, seller_id, draft)
            if new:
                await queries.write_offers(tx, listing_id, offer_ids, draft)
            return await _written(tx, listing_id)

    async def change(self, listing_id: UUID, version: int, draft: ListingDraft) -> Listing:
        async with self.db.tx() as tx:
            before = await _own(tx, listing_id)
            known = await queries.offers_by_hour(tx, listing_id)
            settled = None if before.status is ListingStatus.DRAFT else known
            rules.check_draft(draft, before.kind, settled)
            if before.version != version:
                raise Outdated
            for offer in draft.offers:
                if offer.id is not None and offer.id not in known:
                    raise UnknownOffer(offer_id=offer.id)
            async with _refusing(tx):
                await queries.update_listing(tx, listing_id, draft)
            offer_ids = [offer.id or ids.new() for offer in draft.offers]
            await queries.write_offers(tx, listing_id, offer_ids, draft)
            return await _told(tx, await _written(tx, listing_id), before.status)

    async def publish(self, listing_id: UUID) -> Listing:
        return await self._move(listing_id, ListingStatus.PUBLISHED)

    async def archive(self, listing_id: UUID) -> Listing:
        return await self._move(listing_id, ListingStatus.ARCHIVED)

    async def _move(self, listing_id: UUID, status: ListingStatus) -> Listing:
        async with self.db.tx() as tx:
            before = await _own(tx, listing_id)
            if before.status is status:
                return before
            await queries.set_status(tx, listing_id, status)
            return await _told(tx, await _written(tx, listing_id), before.status)

    async def by_external_ids(self, external_ids: tuple[str, ...]) -> ExternalListings:
        seller_id = require_user()
        return ExternalListings(
            items=await queries.by_external_ids(self.db, seller_id, external_ids)
        )

    async def offers(self, offer_ids: tuple[UUID, ...]) -> OfferFactsList:
        priced = await queries.priced_offers(self.db, offer_ids)
        return OfferFactsList(items=tuple(offer.facts for offer in priced.values()))

    async def quote(self, lines: tuple[QuoteLine, ...], promo: str = "") -> Quote:
        used = await promos.named(self.db, promo) if promo else None
        priced = await self._priced.ask([line.offer_id for line in lines])
        return pricing.price_lines(lines, priced, clock.now(), used)

    async def tax(self) -> Tax:
        return await promo_queries.tax(self.db, require_role(Role.SELLER))

    async def set_tax(self, tax: Tax) -> Tax:
        seller_id = require_role(Role.SELLER)
        rules.check_tax(tax)
        await promo_queries.write_tax(self.db, seller_id, tax)
        return await promo_queries.tax(self.db, seller_id)

    async def make_promo(self, draft: PromoDraft) -> Promo:
        return await promos.make(self.db, draft)

    async def promos(self, search: PromoSearch) -> PromoPage:
        return await promos.found(self.db, search)

    async def set_promo_active(self, promo_id: UUID, active: bool) -> Promo:
        return await promos.set_active(self.db, promo_id, active=active)


def _refusing(tx: Tx) -> AbstractAsyncContextManager[None]:
    return tx.refusing(
        listings_external_id_unique=ExternalIdTaken,
        listings_category_fkey=UnknownCategory,
    )


async def _own(tx: Tx, listing_id: UUID) -> Listing:
    """The listing, locked, which the caller may change."""
    require_role(Role.SELLER)
    found = await queries.lock_listing(tx, listing_id)
    if found is None or not rules.sees(current(), found.seller_id, found.status):
        raise UnknownListing
    if not rules.owns(current(), found.seller_id):
        raise Forbidden
    return found


async def _written(tx: Tx, listing_id: UUID) -> Listing:
    found = await queries.listing(tx, listing_id)
    if found is None:
        raise UnknownListing
    return found


async def _told(tx: Tx, listing: Listing, before: ListingStatus) -> Listing:
    """Tell the others what they need to know of a change, and forget cached lists."""
    told = ListingPublished if listing.status is ListingStatus.PUBLISHED else ListingArchived
    if ListingStatus.PUBLISHED in (before, listing.status):
        tx.emit(
            told(
                listing_id=listing.id,
                seller_id=listing.seller_id,
                kind=listing.kind,
                offer_ids=tuple(offer.id for offer in listing.offers),
            )
        )
        await queries.advance_list_generation(tx)
    return listing
