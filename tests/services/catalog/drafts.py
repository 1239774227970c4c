"""Listings to test with."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from dvor.contracts.catalog import (
    Kind,
    ListingDraft,
    ListingStatus,
    OfferDraft,
    OfferFacts,
    Place,
    Season,
    Text,
)
from dvor.kernel import clock
from dvor.kernel.caller import Caller, Role
from dvor.kernel.money import Money

SUZDAL = Place(city="Суздаль", address="улица Ленина, 82")


def seller(user_id: UUID | None = None) -> Caller:
    """Somebody who sells."""
    return Caller(user_id=user_id or uuid4(), roles=(Role.CUSTOMER, Role.SELLER))


def customer() -> Caller:
    """Somebody who buys."""
    return Caller(user_id=uuid4(), roles=(Role.CUSTOMER,))


ADMIN = Caller(user_id=uuid4(), roles=(Role.CUSTOMER, Role.ADMIN))
STRANGER = Caller()


def product(ru: str = "Кружка", price: int = 129_000, **more: Any) -> ListingDraft:
    """A product with one offer."""
    values: dict[str, Any] = {
        "kind": Kind.PRODUCT,
        "category": "kitchen",
        "title": Text(ru=ru),
        "offers": (OfferDraft(price=price),),
    }
    return ListingDraft(**(values | more))


def room(price: int = 500_000, seasons: tuple[Season, ...] = (), **more: Any) -> ListingDraft:
    """A small hotel with one room type."""
    values: dict[str, Any] = {
        "kind": Kind.STAY,
        "category": "hotels",
        "title": Text(ru="Гостиница «Купеческая»", en="Merchant's house"),
        "place": SUZDAL,
        "offers": (OfferDraft(name=Text(ru="Стандарт"), price=price, seasons=seasons),),
    }
    return ListingDraft(**(values | more))


def concert(starts_at: datetime | None = None, **more: Any) -> ListingDraft:
    """A concert in a week, of two hours."""
    begins = starts_at or clock.now() + timedelta(days=7)
    values: dict[str, Any] = {
        "kind": Kind.EVENT,
        "category": "concerts",
        "title": Text(ru="Джаз во дворе", en="Courtyard jazz"),
        "place": SUZDAL,
        "starts_at": begins,
        "ends_at": begins + timedelta(hours=2),
        "offers": (OfferDraft(name=Text(ru="Партер"), price=150_000),),
    }
    return ListingDraft(**(values | more))


def facts(
    kind: Kind = Kind.PRODUCT,
    price: int = 100,
    status: ListingStatus = ListingStatus.PUBLISHED,
    currency: str = "RUB",
) -> OfferFacts:
    """Facts of an offer."""
    return OfferFacts(
        id=uuid4(),
        listing_id=uuid4(),
        seller_id=uuid4(),
        kind=kind,
        status=status,
        title=Text(en="A thing"),
        name=Text(),
        price=Money(amount=price, currency=currency),
        timezone="Europe/Moscow",
        picture="",
    )


NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
FIRST_DAY = date(2026, 7, 1)
