"""Inventory alone, with a catalogue that only knows facts."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, cast
from uuid import UUID

import pytest_asyncio

from dvor.contracts.catalog import (
    Catalog,
    Kind,
    Listing,
    ListingArchived,
    ListingPublished,
    ListingStatus,
    OfferFacts,
    OfferFactsList,
    Text,
)
from dvor.contracts.inventory import Claim, Hold, Inventory, Rules
from dvor.kernel import clock, ids
from dvor.kernel.caller import Caller, Role
from dvor.kernel.money import Money
from dvor.kernel.periods import DateRange
from dvor.kernel.rpc import local
from dvor.services.inventory import handlers
from dvor.services.inventory.service import InventoryService


@dataclass
class FakeCatalog:
    """Answers `offers` and `listing` from what a test put in."""

    facts: dict[UUID, OfferFacts] = field(default_factory=dict)
    listings: dict[UUID, Listing] = field(default_factory=dict)

    async def offers(self, offer_ids: tuple[UUID, ...]) -> OfferFactsList:
        return OfferFactsList(items=tuple(self.facts[i] for i in offer_ids if i in self.facts))

    async def listing(self, listing_id: UUID) -> Listing:
        return self.listings[listing_id]


class Nobody:
    """An identity service that is never asked: these tests send no tokens."""


@dataclass
class Scene:
    """A house with inventory in it, and words for what tests do there."""

    house: Any
    catalog: FakeCatalog
    seller: Caller = field(default_factory=lambda: Caller(user_id=ids.new(), roles=(Role.SELLER,)))

    @property
    def inventory(self) -> Any:
        return self.house.inventory

    @property
    def for_orders(self) -> Any:
        """The contract as the orders service sees it."""
        return self.house.proxy("inventory", "orders")

    def twin(self) -> "Scene":
        """The same through another process, as far as holds are concerned: an engine of its own."""
        twin = Twin(self.house, self.catalog, self.seller)
        service = InventoryService(self.db, self.house.settings, cast("Catalog", self.catalog))
        twin.door = local(Inventory, service, "orders", self.house.settings)
        return twin

    @property
    def db(self) -> Any:
        return self.house.db("inventory")

    async def offer(
        self,
        kind: Kind = Kind.PRODUCT,
        quantity: int | None = 10,
        *,
        on_sale: bool = True,
        timezone: str = "UTC",
        by_hour: bool = False,
        **rules: Any,
    ) -> UUID:
        """An offer, known to the catalogue, on sale, with a supply and with these rules."""
        assert self.seller.user_id is not None
        facts = OfferFacts(
            id=ids.new(),
            listing_id=ids.new(),
            seller_id=self.seller.user_id,
            kind=kind,
            status=ListingStatus.PUBLISHED if on_sale else ListingStatus.DRAFT,
            title=Text(en="Thing"),
            name=Text(),
            price=Money(amount=100, currency="RUB"),
            timezone=timezone,
            picture="",
            by_hour=by_hour,
        )
        self.catalog.facts[facts.id] = facts
        if rules:
            await self.rule(facts.id, **rules)
        if quantity is not None:
            with self.house.calling(self.seller):
                await self.inventory.set_supply(facts.id, quantity)
        return facts.id

    async def rule(self, offer_id: UUID, **rules: Any) -> None:
        """The seller asks this of bookings from now on."""
        with self.house.calling(self.seller):
            await self.inventory.set_rules(offer_id, Rules(**rules))

    async def news(self, cls: Any, offer_ids: tuple[UUID, ...]) -> None:
        """The catalogue tells that these offers' listing was published or archived."""
        facts = self.catalog.facts[offer_ids[0]]
        event = cls(
            listing_id=facts.listing_id,
            seller_id=facts.seller_id,
            kind=facts.kind,
            offer_ids=offer_ids,
        )
        async with self.db.tx() as tx:
            await handlers.HANDLERS[cls](tx, event)

    async def publish(self, *offer_ids: UUID) -> None:
        await self.news(ListingPublished, offer_ids)

    async def archive(self, *offer_ids: UUID) -> None:
        await self.news(ListingArchived, offer_ids)

    async def hold(
        self, *claims: Claim, hold_id: UUID | None = None, customer: UUID | None = None
    ) -> Hold:
        return await self.for_orders.hold(hold_id or ids.new(), claims, customer)

    async def confirm(self, hold_id: UUID) -> Hold:
        return await self.for_orders.confirm(hold_id)

    async def release(self, hold_id: UUID) -> Hold:
        return await self.for_orders.release(hold_id)

    async def get_hold(self, hold_id: UUID) -> Hold:
        return await self.for_orders.get_hold(hold_id)

    async def free(self, offer_id: UUID, dates: DateRange | None = None) -> int:
        return (await self.inventory.free((offer_id,), dates)).items[0].free

    async def counters(self, offer_id: UUID) -> set[tuple[int, int, int]]:
        """The different (capacity, held, sold) of an offer's cells."""
        rows = await self.db.fetch(
            "SELECT DISTINCT capacity, held, sold FROM cells WHERE offer_id = $1", offer_id
        )
        return {(row["capacity"], row["held"], row["sold"]) for row in rows}

    async def expire(self, seconds: int = 901) -> None:
        """Time passes and the sweeper comes by."""
        await self.house.clock.advance(seconds=seconds)
        await self.house.process.runners["inventory"].run_timers_once()


class Twin(Scene):
    """A scene whose holds are decided elsewhere."""

    door: Any

    @property
    def for_orders(self) -> Any:
        return self.door


def units(offer_id: UUID, quantity: int = 1, dates: DateRange | None = None) -> Claim:
    """A claim."""
    return Claim(offer_id=offer_id, quantity=quantity, dates=dates)


def nights(start: int, end: int) -> DateRange:
    """Dates counted from today, half-open."""
    today: date = clock.now().date()
    return DateRange(start=today + timedelta(days=start), end=today + timedelta(days=end))


@pytest_asyncio.fixture
async def scene(make_house: Any) -> Scene:
    catalog = FakeCatalog()
    fakes = {"catalog": catalog, "identity": Nobody()}
    # Two engines of one database must agree at once, not half a second later.
    return Scene(await make_house("inventory", fakes=fakes, sold_out_cache_ms=0), catalog)


@pytest_asyncio.fixture
async def patient(make_house: Any) -> Scene:
    """A scene that has time: thousands of steps are no place to prove that the machine is fast."""
    catalog = FakeCatalog()
    fakes = {"catalog": catalog, "identity": Nobody()}
    waits: dict[str, Any] = {"call_timeout_seconds": 60.0, "database_wait_seconds": 60.0}
    waits |= {"statement_timeout_ms": 60_000, "lock_timeout_ms": 60_000}
    return Scene(await make_house("inventory", fakes=fakes, sold_out_cache_ms=0, **waits), catalog)
