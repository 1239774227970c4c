"""What is on offer: listings of four kinds, their offers, categories and prices."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field, model_validator

from dvor.contracts.cancellation import ANYTIME, Policy
from dvor.contracts.pricing import Fee, Fees, PartKind, PricePart, Pricing, Tax
from dvor.contracts.promos import Promo, PromoDraft, PromoPage, PromoSearch, PromoUse
from dvor.kernel.errors import Conflict, Invalid, NotFound
from dvor.kernel.events import Event
from dvor.kernel.messages import Bool, Count, Instant, Int, Line, Message, Minor, PageRequest
from dvor.kernel.money import Currency, Money
from dvor.kernel.periods import DateRange, HourRange


class Kind(StrEnum):
    """The four things Dvor does."""

    PRODUCT = "product"
    RENTAL = "rental"
    STAY = "stay"
    EVENT = "event"


class ListingStatus(StrEnum):
    """Draft: only its seller sees it. Published: on sale. Archived: kept for old orders only."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class Sort(StrEnum):
    """Order of search results."""

    NEWEST = "newest"
    CHEAPEST = "cheapest"
    DEAREST = "dearest"
    SOONEST = "soonest"
    CLOSEST = "closest"
    """What fits the text best first; without a text as NEWEST."""


class Text(Message):
    """The same words in both languages; an empty one falls back to the other."""

    ru: Annotated[str, Field(max_length=20_000)] = ""
    en: Annotated[str, Field(max_length=20_000)] = ""

    def of(self, language: str) -> str:
        """The words in `language`, else in the other one."""
        return (self.ru or self.en) if language == "ru" else (self.en or self.ru)


class Place(Message):
    """Where it is. Dates and opening hours are local to `timezone` (an IANA name)."""

    city: Annotated[str, Field(max_length=80)]
    address: Annotated[str, Field(max_length=200)] = ""
    timezone: Annotated[str, Field(max_length=60)] = "Europe/Moscow"


class Season(Message):
    """Another price from `first` to `last`, both days included. Rentals and stays only."""

    first: date
    last: date
    price: Minor


class Offer(Message):
    """A priced thing: a variant, a thing by the day, a room type, a ticket tier."""

    id: UUID
    name: Text
    price: Money
    """For one item, one hour, one day, one night or one ticket."""
    seasons: tuple[Season, ...] = ()
    by_hour: Bool = False
    """A rental let by the hour, not by the day."""
    pricing: Pricing = Pricing()

    def price_on(self, day: date) -> int:
        """Minor units of a day, a night, or an hour of that day, before discounts."""
        return price_on(day, self.price.amount, self.seasons, self.pricing)[1]


def price_on(
    day: date, price: int, seasons: Iterable[Season], pricing: Pricing
) -> tuple[PartKind, int]:
    """What a day costs in minor units, and why: its season's price, else its weekday's, else `price`.

    `day` is local to the place. Seasons do not overlap, and weekdays are named once.
    """
    for season in seasons:
        if season.first <= day <= season.last:
            return PartKind.SEASON, season.price
    for special in pricing.weekdays:
        if special.weekday == day.weekday():
            return PartKind.WEEKDAY, special.price
    return PartKind.BASE, price


class Listing(Message):
    """What a seller shows: one page with one or more offers."""

    id: UUID
    seller_id: UUID
    kind: Kind
    status: ListingStatus
    category: str
    """Slug of its category."""
    title: Text
    description: Text
    place: Place | None = None
    """Where rentals are picked up, rooms are, events happen; None for most goods."""
    starts_at: Instant | None = None
    """When an event begins."""
    ends_at: Instant | None = None
    attributes: dict[str, str] = {}
    """Facts shown as a table: name -> value, in the seller's words."""
    offers: tuple[Offer, ...]
    picture: str
    """Address of its picture, relative to the site."""
    version: Count
    """Grows by one with each change; an edit names the version it started from."""
    created_at: Instant
    cancellation: Policy = ANYTIME
    """What comes back to customers who cancel."""
    fees: tuple[Fee, ...] = ()
    tax: Tax = Tax()
    """Its seller's."""
    approval: Bool = False
    """Its seller answers each request before it is booked and charged."""


class OfferDraft(Message):
    """An offer as a seller writes it. `id` names an existing offer to keep."""

    id: UUID | None = None
    name: Text = Text()
    price: Minor
    seasons: Annotated[tuple[Season, ...], Field(max_length=60)] = ()
    by_hour: Bool = False
    """Rentals only. What a listing once on sale is let by does not change."""
    pricing: Pricing = Pricing()


class ListingDraft(Message):
    """A listing as a seller writes it."""

    kind: Kind
    category: Line
    title: Text
    description: Text = Text()
    place: Place | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    attributes: Annotated[dict[str, str], Field(max_length=30)] = {}
    currency: Currency = "RUB"
    offers: Annotated[tuple[OfferDraft, ...], Field(min_length=1, max_length=30)]
    external_id: Annotated[str, Field(max_length=100)] = ""
    """The seller's own number for it; unique among the seller's listings. Used by importers."""
    cancellation: Policy = ANYTIME
    """What comes back to customers who cancel. Goods have nothing before a beginning."""
    fees: Fees = ()
    approval: Bool = False
    """Rentals and stays only."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "ListingDraft":
        if not (self.title.ru or self.title.en):
            raise ValueError("title is empty in both languages")
        if self.kind is Kind.EVENT and self.starts_at is None:
            raise ValueError("starts_at is missing: when does the event begin?")
        if self.kind is not Kind.PRODUCT and self.place is None:
            raise ValueError("place is missing")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("ends_at is not after starts_at")
        return self


class Card(Message):
    """A listing in a list."""

    id: UUID
    seller_id: UUID
    kind: Kind
    status: ListingStatus
    category: str
    title: Text
    city: str = ""
    starts_at: Instant | None = None
    price_from: Money
    picture: str
    offer_ids: tuple[UUID, ...] = ()
    """Its first twenty offers."""
    by_hour: Bool = False
    """Whether `price_from` is for an hour."""


class CardPage(Message):
    """Some listings. `total` counts all that match, up to 1,000."""

    items: tuple[Card, ...]
    total: Count
    next_cursor: str | None = None


class Search(PageRequest):
    """Which listings. Strangers see published ones only."""

    kind: Kind | None = None
    category: Line = ""
    text: Line = ""
    city: Line = ""
    price_min: Minor | None = None
    price_max: Minor | None = None
    sort: Sort = Sort.NEWEST
    seller_id: UUID | None = None
    status: ListingStatus | None = ListingStatus.PUBLISHED
    """None: any status. Only a listing's seller and admins see others than published."""


class ExternalListing(Message):
    """A listing and the seller's own number for it."""

    external_id: str
    listing: Listing


class ExternalListings(Message):
    """Those that exist."""

    items: tuple[ExternalListing, ...]


class Category(Message):
    """A branch of the catalogue."""

    slug: str
    parent: str = ""
    kind: Kind
    title: Text


class Categories(Message):
    """All branches, parents before children."""

    items: tuple[Category, ...]


class OfferFacts(Message):
    """What other services need to know of an offer."""

    id: UUID
    listing_id: UUID
    seller_id: UUID
    kind: Kind
    status: ListingStatus
    title: Text
    """The listing's title."""
    name: Text
    """The offer's own name; may be empty."""
    price: Money
    timezone: str
    starts_at: Instant | None = None
    picture: str
    by_hour: Bool = False
    cancellation: Policy = ANYTIME
    """What comes back to customers who cancel."""
    approval: Bool = False


class OfferFactsList(Message):
    """Facts of the offers that exist, in no order."""

    items: tuple[OfferFacts, ...]


class QuoteLine(Message):
    """What would be bought, for `dates` or `hours` where it is let."""

    offer_id: UUID
    quantity: Annotated[int, Field(strict=True, ge=1, le=1000)]
    dates: DateRange | None = None
    hours: HourRange | None = None


class PricedLine(Message):
    """A line with its price.

    `total` = sum(day_prices) × quantity − length discount − quantity discount − its share of a promo
    code + fees + tax = sum of `parts`, in this order. Each discount is `percent` of what is left
    before it, rounded half up to whole minor units, once for the line: (2 × left × percent + 100)
    // 200. A tax is of everything before it, rounded the same way, once for the line.
    """

    offer: OfferFacts
    quantity: Count
    dates: DateRange | None
    units: Count
    """Days, nights or hours; 1 for goods and tickets."""
    unit_price: Money
    """Before discounts; the average where days differ in price."""
    total: Money
    day_prices: tuple[Minor, ...]
    """Of each day, night or hour in order, before discounts; one price for goods and tickets."""
    hours: HourRange | None = None
    parts: tuple[PricePart, ...] = ()
    """The total explained: what it sums up from, in the order of the rules."""
    deposit: Money | None = None
    """Of the whole line, paid when it begins and returned afterwards; no part of `total`."""


class Quote(Message):
    """What it costs now. All lines are in one currency."""

    lines: tuple[PricedLine, ...]
    total: Money
    promo: PromoUse | None = None


class UnknownListing(NotFound):
    """This listing does not exist or is no longer shown."""


class UnknownOffer(NotFound):
    """This is no longer on offer."""

    offer_id: UUID


class NotOnSale(Conflict):
    """This is not on sale now."""

    offer_id: UUID


class WrongDates(Invalid):
    """Rentals and rooms need dates, or hours where let by the hour; goods and tickets have none."""

    offer_id: UUID


class MixedCurrencies(Conflict):
    """Prices in different currencies cannot be paid in one order. Buy them separately."""


class UnknownCategory(Invalid):
    """There is no such category for this kind of listing."""


class Outdated(Conflict):
    """Somebody changed this meanwhile. Load it again and repeat your change."""


class ExternalIdTaken(Conflict):
    """You already have a listing with this number."""


class ListingPublished(Event):
    """A listing is on sale, or was changed while on sale."""

    aggregate = "listing_id"
    listing_id: UUID
    seller_id: UUID
    kind: Kind
    offer_ids: tuple[UUID, ...]


class ListingArchived(Event):
    """A listing left the sale."""

    aggregate = "listing_id"
    listing_id: UUID
    seller_id: UUID
    kind: Kind
    offer_ids: tuple[UUID, ...]


class PromoMade(Event):
    """A code can be used from now on, so often in all and so often by one customer (0: no limit)."""

    aggregate = "promo_id"
    promo_id: UUID
    seller_id: UUID | None
    uses: Count
    per_customer: Count


class Catalog(Protocol):
    """Listings, offers, prices."""

    async def categories(self) -> Categories:
        """The tree of categories."""
        ...

    async def search(self, search: Search) -> CardPage:
        """Find listings."""
        ...

    async def listing(self, listing_id: UUID) -> Listing:
        """One listing. Raises UnknownListing (also for drafts of others)."""
        ...

    async def create(self, draft: ListingDraft) -> Listing:
        """Write a new draft. Sellers only. Raises UnknownCategory, ExternalIdTaken."""
        ...

    async def change(self, listing_id: UUID, version: Int, draft: ListingDraft) -> Listing:
        """Rewrite a listing. Its seller and admins. Raises Outdated, UnknownListing."""
        ...

    async def publish(self, listing_id: UUID) -> Listing:
        """Put on sale."""
        ...

    async def archive(self, listing_id: UUID) -> Listing:
        """Take off sale. Orders already placed stay as they are."""
        ...

    async def by_external_ids(
        self, external_ids: Annotated[tuple[str, ...], Field(max_length=1000)]
    ) -> ExternalListings:
        """The caller's own listings by the caller's own numbers. For importers."""
        ...

    async def offers(
        self, offer_ids: Annotated[tuple[UUID, ...], Field(max_length=500)]
    ) -> OfferFactsList:
        """Facts of offers, whatever their status."""
        ...

    async def quote(
        self,
        lines: Annotated[tuple[QuoteLine, ...], Field(min_length=1, max_length=50)],
        promo: Line = "",
    ) -> Quote:
        """Price lines now, with a promo code where one is named.

        Raises UnknownOffer, NotOnSale, WrongDates, MixedCurrencies; UnknownPromo, PromoEnded,
        PromoNotYet, PromoElsewhere, PromoNeedsMore. Whether the code is used up, only a hold says.
        """
        ...

    async def tax(self) -> Tax:
        """The caller's tax. Sellers only."""
        ...

    async def set_tax(self, tax: Tax) -> Tax:
        """Tax everything the caller sells from now on. Sellers only."""
        ...

    async def make_promo(self, draft: PromoDraft) -> Promo:
        """Make a promo code. Sellers; admins for the platform. Raises PromoTaken, UnknownListing."""
        ...

    async def promos(self, search: PromoSearch) -> PromoPage:
        """The caller's codes, or the platform's, newest first. Sellers; admins."""
        ...

    async def set_promo_active(self, promo_id: UUID, active: Bool) -> Promo:
        """Stop a code, or let it be used again. Its seller and admins. Raises UnknownPromo."""
        ...
