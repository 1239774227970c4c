"""A small court for the browsing pages: four listings, days that are free, one seller."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from dvor.contracts.availability import Explanation
from dvor.contracts.catalog import (
    Card,
    CardPage,
    Categories,
    Category,
    Kind,
    Listing,
    ListingStatus,
    Offer,
    OfferFacts,
    OfferFactsList,
    Place,
    Quote,
    QuoteLine,
    Search,
    Text,
    UnknownListing,
)
from dvor.contracts.hours import DayHours, Hour
from dvor.contracts.identity import PublicProfile, PublicProfiles
from dvor.contracts.inventory import (
    Calendar,
    Claim,
    Day,
    Free,
    FreeList,
    OfferRules,
    OfferRulesList,
    Rules,
    Unit,
)
from dvor.contracts.seating import BestSeats, SeatMap, SeatMapVersion, SeatStates
from dvor.kernel.errors import Refusal
from dvor.kernel.ids import derived
from dvor.kernel.money import Money
from dvor.kernel.periods import DateRange, HourRange
from dvor.services.catalog.pricing import Priced, price_lines
from dvor.services.inventory.hours import hours_of

SELLER = derived("seller")
SOON = datetime.now(UTC) + timedelta(days=9)


def listing(kind: Kind, category: str, ru: str, en: str, *prices: int, **more: Any) -> Listing:
    """A published listing with an offer per price."""
    identifier = derived(kind, en)
    offers = tuple(
        Offer(
            id=derived(identifier, price),
            name=Text(en=f"Offer {price}"),
            price=Money(amount=price, currency="RUB"),
        )
        for price in prices
    )
    place = None if kind is Kind.PRODUCT else Place(city="Суздаль", address="Кремлёвская, 1")
    return Listing(
        id=identifier,
        seller_id=SELLER,
        kind=kind,
        status=ListingStatus.PUBLISHED,
        category=category,
        title=Text(ru=ru, en=en),
        description=Text(en="First.\n\n<b>Second</b>."),
        place=place,
        offers=offers,
        picture=f"/pictures/{kind}/{category}/0a1b2c3d.svg",
        version=1,
        created_at=datetime.now(UTC),
        **more,
    )


MUG = listing(Kind.PRODUCT, "kitchen", "Кружка", "Mug", 65_000)
KAYAK = listing(Kind.RENTAL, "sport", "Каяк", "Kayak", 220_000, 330_000)
HOTEL = listing(Kind.STAY, "hotels", "Гостиница", "Hotel", 490_000, 720_000)
JAZZ = listing(Kind.EVENT, "concerts", "Джаз", "Jazz", 150_000, 420_000, starts_at=SOON)
ALL = {item.id: item for item in (MUG, KAYAK, HOTEL, JAZZ)}
_BY_DAY = listing(Kind.RENTAL, "sport", "Корт", "Court", 90_000)
COURT = _BY_DAY.model_copy(
    update={
        "offers": (_BY_DAY.offers[0].model_copy(update={"by_hour": True}),),
        "place": Place(city="Berlin", address="Hof 1", timezone="Europe/Berlin"),
    }
)
"""Let by the hour, elsewhere; in no list."""


def known() -> dict[UUID, Listing]:
    """Everything there is."""
    return ALL | {COURT.id: COURT}


def card(item: Listing) -> Card:
    """The listing in a list."""
    return Card(
        id=item.id,
        seller_id=item.seller_id,
        kind=item.kind,
        status=item.status,
        category=item.category,
        title=item.title,
        city=item.place.city if item.place else "",
        starts_at=item.starts_at,
        price_from=item.offers[0].price,
        picture=item.picture,
        offer_ids=tuple(offer.id for offer in item.offers),
        by_hour=item.offers[0].by_hour,
    )


class FakeCatalog:
    """Four listings. `asked` remembers the searches."""

    def __init__(self) -> None:
        self.asked: list[Search] = []
        self.more: tuple[Listing, ...] = ()
        """Also in lists."""

    async def categories(self) -> Categories:
        """One per kind."""
        return Categories(
            items=tuple(
                Category(slug=item.category, kind=item.kind, title=Text(en=item.category.title()))
                for item in ALL.values()
            )
        )

    async def search(self, search: Search) -> CardPage:
        """Of the kind and the seller, with the text in the title."""
        self.asked.append(search)
        found = tuple(
            card(item)
            for item in (*ALL.values(), *self.more)
            if search.kind in (None, item.kind)
            and search.seller_id in (None, item.seller_id)
            and search.text.lower() in item.title.en.lower()
        )
        more = "next page" if len(found) == len(ALL) else None
        return CardPage(items=found, total=len(found), next_cursor=more)

    async def listing(self, listing_id: UUID) -> Listing:
        """One of the four."""
        if listing_id not in known():
            raise UnknownListing
        return known()[listing_id]

    async def offers(self, offer_ids: tuple[UUID, ...]) -> OfferFactsList:
        """Facts of known offers."""
        known = {offer.id: _facts(item, offer) for item in ALL.values() for offer in item.offers}
        return OfferFactsList(items=tuple(known[i] for i in offer_ids if i in known))

    async def quote(self, lines: tuple[QuoteLine, ...], promo: str = "") -> Quote:
        """As the catalogue prices it."""
        priced = {
            offer.id: Priced(_facts(item, offer), offer.seasons, offer.pricing)
            for item in known().values()
            for offer in item.offers
        }
        return price_lines(lines, priced, datetime.now(UTC))


def _facts(item: Listing, offer: Offer) -> OfferFacts:
    return OfferFacts(
        id=offer.id,
        listing_id=item.id,
        seller_id=SELLER,
        kind=item.kind,
        status=item.status,
        title=item.title,
        name=offer.name,
        price=offer.price,
        timezone=item.place.timezone if item.place else "Europe/Moscow",
        by_hour=offer.by_hour,
        picture=item.picture,
    )


class FakeInventory:
    """`left` free of everything, none on `taken` days."""

    def __init__(self) -> None:
        self.left = 3
        self.explanation = Explanation(possible=False, code="inventory.sold_out")
        self.taken: set[date] = set()
        self.taken_hours: set[datetime] = set()
        self.asked = Rules()
        self.seats = SeatMap(sections=())
        self.seats_taken: tuple[str, ...] = ()
        self.best: tuple[str, ...] | Refusal = ()

    async def seat_map(self, listing_id: UUID) -> SeatMapVersion:
        """`seats`, once there are some."""
        version = int(bool(self.seats.sections))
        return SeatMapVersion(listing_id=listing_id, version=version, map=self.seats)

    async def seat_states(self, listing_id: UUID) -> SeatStates:
        """`seats_taken` are."""
        version = int(bool(self.seats.sections))
        return SeatStates(listing_id=listing_id, version=version, taken=self.seats_taken)

    async def best_seats(
        self, offer_id: UUID, quantity: int, accessible: bool = False
    ) -> BestSeats:
        """`best`."""
        if isinstance(self.best, Refusal):
            raise self.best
        return BestSeats(offer_id=offer_id, seats=self.best[:quantity])

    async def free(
        self,
        offer_ids: tuple[UUID, ...],
        dates: DateRange | None = None,
        hours: HourRange | None = None,
    ) -> FreeList:
        """The same for all."""
        shut = dates is not None and any(day in self.taken for day in dates.days())
        shut |= hours is not None and any(hour in self.taken_hours for hour in hours.hours())
        free = 0 if shut else self.left
        return FreeList(items=tuple(Free(offer_id=i, free=free) for i in offer_ids))

    async def rules(self, offer_ids: tuple[UUID, ...]) -> OfferRulesList:
        """What a test asks for; the same for all."""
        return OfferRulesList(
            items=tuple(OfferRules(offer_id=i, unit=Unit.DAY, rules=self.asked) for i in offer_ids)
        )

    async def explain(self, claim: Claim) -> Explanation:
        """What the test says."""
        return self.explanation

    async def hours(self, offer_id: UUID, day: date, days: int = 1) -> DayHours:
        """Each hour."""
        found = tuple(
            Hour(start=hour.start, free=0 if hour.start in self.taken_hours else self.left)
            for hour in hours_of(day, "Europe/Berlin", days)
        )
        return DayHours(offer_id=offer_id, timezone="Europe/Berlin", hours=found)

    async def calendar(self, offer_id: UUID, dates: DateRange) -> Calendar:
        """Each day."""
        days = tuple(
            Day(day=day, free=0 if day in self.taken else self.left) for day in dates.days()
        )
        return Calendar(offer_id=offer_id, days=days)


class FakeIdentity:
    """One seller."""

    async def profiles(self, user_ids: tuple[UUID, ...]) -> PublicProfiles:
        """The seller's, if asked for."""
        seller = PublicProfile(
            id=SELLER, name="Лавка <Верста>", city="Москва", about="", avatar="", since=SOON
        )
        return PublicProfiles(items=(seller,) if SELLER in user_ids else ())


class Silent:
    """A contract that nobody asks on these pages."""
