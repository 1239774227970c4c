"""Bringing products in: wholly, once, and stoppable at any moment."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from dvor.contracts.catalog import ListingStatus, OfferDraft, Search, Text
from dvor.contracts.inventory import BelowPromised, Supplies, Supply
from dvor.importing.retail import Outcome, Parsed, Product, apply
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.errors import Unauthenticated, Unavailable

OUTCOMES = tuple(outcome.value for outcome in Outcome)


class FakeInventory:
    """Remembers quantities; `promised` of an offer cannot be taken back."""

    def __init__(self) -> None:
        self.quantities: dict[UUID, int] = {}
        self.promised: dict[UUID, int] = {}
        self.calls = 0
        self.fails_at: int | None = None

    async def set_supply(self, offer_id: UUID, quantity: int) -> Supply:
        self.calls += 1
        if self.calls == self.fails_at:
            raise Unavailable
        promised = self.promised.get(offer_id, 0)
        if quantity < promised:
            raise BelowPromised(offer_id=offer_id, promised=promised)
        self.quantities[offer_id] = quantity
        return self._supply(offer_id)

    async def supplies(self, offer_ids: tuple[UUID, ...]) -> Supplies:
        known = [offer_id for offer_id in offer_ids if offer_id in self.quantities]
        return Supplies(items=tuple(self._supply(offer_id) for offer_id in known))

    def _supply(self, offer_id: UUID) -> Supply:
        quantity = self.quantities[offer_id]
        free = quantity - self.promised.get(offer_id, 0)
        return Supply(offer_id=offer_id, quantity=quantity, free=free, open=True)


def _product(code: str, **changes) -> Product:
    product = Product(code, f"Thing {code}", 255, 6, "home", 2)
    return replace(product, **changes)


def _parsed(*products: Product) -> Parsed:
    return Parsed(products, (), len(products), len(products), 0, 0)


class Shop:
    """A seller's shop, and imports into it."""

    def __init__(self, house, inventory: FakeInventory) -> None:
        self.catalog = house.catalog
        self.inventory = inventory
        self.house = house
        self.caller = Caller(user_id=uuid4(), roles=(Role.CUSTOMER, Role.SELLER))

    async def bring(self, *products: Product, dry_run: bool = False) -> tuple[int, ...]:
        """Import; answers created, changed, unchanged, refused."""
        self.report = await self.run(*products, dry_run=dry_run)
        return tuple(getattr(self.report, outcome) for outcome in OUTCOMES)

    async def run(self, *products: Product, dry_run: bool = False):
        with asking(self.caller):
            return await apply(_parsed(*products), self.catalog, self.house.inventory, dry_run)

    async def listing(self, code: str):
        """The listing of a stock code."""
        with asking(self.caller):
            found = await self.catalog.by_external_ids((f"retail:{code}",))
        return found.items[0].listing if found.items else None

    async def stock(self, code: str) -> int:
        listing = await self.listing(code)
        assert listing is not None
        return self.inventory.quantities[listing.offers[0].id]

    async def events(self) -> int:
        return await self.house.db("catalog").fetchval("SELECT count(*) FROM outbox")


@pytest.fixture
async def shop(make_house) -> Shop:
    inventory = FakeInventory()
    return Shop(await make_house("catalog", fakes={"inventory": inventory}), inventory)


class TestApply:
    async def test_makes_products_with_stock_on_sale(self, shop) -> None:
        assert await shop.bring(_product("A1"), _product("B2", stock=1)) == (2, 0, 0, 0)
        listing = await shop.listing("A1")
        assert listing.status is ListingStatus.PUBLISHED
        assert listing.title == Text(en="Thing A1")
        assert (listing.offers[0].price.amount, listing.offers[0].price.currency) == (255, "GBP")
        assert (await shop.stock("A1"), await shop.stock("B2")) == (6, 1)

    async def test_the_second_run_changes_nothing(self, shop) -> None:
        products = [_product("A1"), _product("B2")]
        await shop.bring(*products)
        before = await shop.events(), shop.inventory.calls, await shop.listing("A1")
        assert await shop.bring(*products) == (0, 0, 2, 0)
        assert (await shop.events(), shop.inventory.calls, await shop.listing("A1")) == before

    async def test_brings_over_what_changed_in_the_file(self, shop) -> None:
        await shop.bring(_product("A1"), _product("B2"), _product("C3"))
        offer = (await shop.listing("A1")).offers[0].id
        changed = [
            _product("A1", price=300),
            _product("B2", stock=9),
            _product("C3", title="Other"),
        ]
        assert await shop.bring(*changed) == (0, 3, 0, 0)
        assert (await shop.listing("A1")).offers[0].price.amount == 300
        assert (await shop.listing("A1")).offers[0].id == offer
        assert await shop.stock("B2") == 9
        assert (await shop.listing("C3")).title.en == "Other"
        assert await shop.bring(*changed) == (0, 0, 3, 0)

    async def test_keeps_what_the_seller_added(self, shop) -> None:
        await shop.bring(_product("A1"))
        listing = await shop.listing("A1")
        draft = _product("A1").draft()
        edited = draft.model_copy(
            update={
                "title": Text(ru="Штука", en=draft.title.en),
                "description": Text(ru="Хорошая"),
                "category": "toys",
                "offers": (
                    OfferDraft(id=listing.offers[0].id, price=255),
                    OfferDraft(name=Text(ru="Большая"), price=500),
                ),
            }
        )
        with asking(shop.caller):
            await shop.catalog.change(listing.id, listing.version, edited)
        assert await shop.bring(_product("A1")) == (0, 0, 1, 0)
        assert await shop.bring(_product("A1", price=999)) == (0, 1, 0, 0)
        after = await shop.listing("A1")
        assert (after.title.ru, after.description.ru, after.category) == (
            "Штука",
            "Хорошая",
            "toys",
        )
        assert [offer.price.amount for offer in after.offers] == [999, 500]

    async def test_leaves_archived_products_alone(self, shop) -> None:
        await shop.bring(_product("A1"))
        with asking(shop.caller):
            await shop.catalog.archive((await shop.listing("A1")).id)
        assert await shop.bring(_product("A1", price=1)) == (0, 0, 1, 0)
        assert (await shop.listing("A1")).status is ListingStatus.ARCHIVED

    async def test_stock_below_what_was_promised_refuses_the_whole_product(self, shop) -> None:
        await shop.bring(_product("A1"), _product("B2"))
        shop.inventory.promised[(await shop.listing("A1")).offers[0].id] = 4
        changed = [_product("A1", stock=3, price=1, line=77), _product("B2", stock=3)]
        for dry_run in (True, False):
            assert await shop.bring(*changed, dry_run=dry_run) == (0, 1, 0, 1)
            (problem,) = shop.report.problems
            assert problem.line == 77
            assert "A1 Thing A1: 4 are already promised" in problem.what
        assert (await shop.listing("A1")).offers[0].price.amount == 255
        assert (await shop.stock("A1"), await shop.stock("B2")) == (6, 3)

    async def test_a_dry_run_says_the_same_and_writes_nothing(self, shop) -> None:
        await shop.bring(_product("A1"), _product("B2"))
        calls = shop.inventory.calls
        products = [_product("A1"), _product("B2", price=1), _product("C3")]
        assert await shop.bring(*products, dry_run=True) == (1, 1, 1, 0)
        assert shop.inventory.calls == calls
        assert await shop.listing("C3") is None
        assert await shop.bring(*products) == (1, 1, 1, 0)

    async def test_a_refused_product_leaves_the_others_alone(self, shop) -> None:
        bad = _product("A1", category="hotels")
        assert await shop.bring(bad, _product("B2")) == (1, 0, 0, 1)
        assert "A1" in shop.report.problems[0].what
        assert await shop.listing("A1") is None

    async def test_tells_its_progress(self, shop) -> None:
        told: list[tuple[int, int]] = []
        parsed = _parsed(*(_product(f"A{n}") for n in range(3)))
        with asking(shop.caller):
            await apply(
                parsed, shop.catalog, shop.house.inventory, progress=lambda *step: told.append(step)
            )
        assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]

    async def test_needs_somebody_who_sells(self, shop) -> None:
        with pytest.raises(Unauthenticated):
            await apply(_parsed(_product("A1")), shop.catalog, shop.house.inventory)


class TestStoppedInBetween:
    async def test_nothing_half_made_is_visible_and_the_next_run_completes_it(self, shop) -> None:
        products = [_product("A1"), _product("B2")]
        shop.inventory.fails_at = 2
        with pytest.raises(Unavailable):
            await shop.run(*products)
        assert (await shop.listing("B2")).status is ListingStatus.DRAFT
        visible = await shop.catalog.search(Search())
        assert [card.title.en for card in visible.items] == ["Thing A1"]
        assert await shop.bring(*products) == (0, 1, 1, 0)
        assert (await shop.listing("B2")).status is ListingStatus.PUBLISHED
        assert await shop.bring(*products) == (0, 0, 2, 0)

    @pytest.mark.parametrize("turns", range(0, 60, 6))
    async def test_a_cancelled_run_can_be_repeated_from_any_moment(self, shop, turns) -> None:
        products = [_product("A1"), _product("B2")]
        running = asyncio.create_task(shop.run(*products))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for card in (await shop.catalog.search(Search())).items:
            offers = (await shop.catalog.listing(card.id)).offers
            assert shop.inventory.quantities[offers[0].id] == 6
        assert (await shop.run(*products)).refused == 0
        assert await shop.bring(*products) == (0, 0, 2, 0)
