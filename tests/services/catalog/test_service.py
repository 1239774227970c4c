"""Writing listings: who may, what is kept, what is told."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from dvor.contracts.catalog import (
    ExternalIdTaken,
    Kind,
    ListingStatus,
    NotOnSale,
    OfferDraft,
    Outdated,
    QuoteLine,
    Text,
    UnknownCategory,
    UnknownListing,
    UnknownOffer,
)
from dvor.contracts.pricing import Discount, Pricing, WeekdayPrice
from dvor.kernel.errors import Forbidden, InvalidFields, Refusal, Unauthenticated
from dvor.kernel.money import Money
from dvor.kernel.periods import DateRange, HourRange
from tests.services.catalog.drafts import (
    ADMIN,
    STRANGER,
    concert,
    customer,
    product,
    room,
    seller,
)

PUBLISHED, ARCHIVED = "catalog.listing_published.v1", "catalog.listing_archived.v1"


class TestCreate:
    @pytest.mark.parametrize("draft", [product(), room(), concert()], ids=lambda d: d.kind)
    async def test_keeps_everything_as_it_was_written(self, scene, draft) -> None:
        attributes = {"Объём": "250 мл", "A": "1", "Б": "2"}
        draft = draft.model_copy(update={"attributes": attributes})
        listing = await scene.create(draft)
        assert listing.status is ListingStatus.DRAFT
        assert listing.version == 1
        assert listing.seller_id == scene.seller.user_id
        assert list(listing.attributes.items()) == list(attributes.items())
        for name in ("kind", "category", "title", "description", "place", "starts_at", "ends_at"):
            assert getattr(listing, name) == getattr(draft, name), name
        assert [(o.name, o.price.amount) for o in listing.offers] == [
            (o.name, o.price) for o in draft.offers
        ]
        assert listing.picture.endswith(f"{listing.category}/{listing.id.hex[-8:]}.svg")

    async def test_is_for_sellers(self, scene) -> None:
        with pytest.raises(Forbidden):
            await scene.create(product(), customer())
        with pytest.raises(Unauthenticated):
            await scene.create(product(), STRANGER)

    async def test_the_category_must_be_of_the_kind(self, scene) -> None:
        for slug in ("hotels", "nonsense"):
            with pytest.raises(UnknownCategory):
                await scene.create(product(category=slug))

    async def test_an_external_id_is_taken_once_by_each_seller(self, scene) -> None:
        await scene.create(product(external_id="7"))
        with pytest.raises(ExternalIdTaken):
            await scene.create(product(external_id="7"))
        await scene.create(product(external_id="7"), seller())
        await scene.create(product())
        await scene.create(product())

    async def test_the_same_request_creates_one_listing(self, scene) -> None:
        caller = scene.seller.model_copy(update={"key": uuid4()})
        first, again = await asyncio.gather(
            scene.create(product(), caller), scene.create(product(), caller)
        )
        assert first == again

    async def test_cannot_keep_an_offer_of_another_listing(self, scene) -> None:
        with pytest.raises(UnknownOffer):
            await scene.create(product(offers=(OfferDraft(id=uuid4(), price=1),)))


class TestListing:
    async def test_a_draft_is_shown_to_its_seller_and_admins_only(self, scene) -> None:
        listing = await scene.create(product())
        for caller in (scene.seller, ADMIN):
            with scene.house.calling(caller):
                assert await scene.catalog.listing(listing.id) == listing
        for caller in (STRANGER, customer(), seller()):
            with scene.house.calling(caller), pytest.raises(UnknownListing):
                await scene.catalog.listing(listing.id)

    async def test_a_published_one_is_shown_to_everybody(self, scene) -> None:
        listing = await scene.publish(product())
        assert await scene.catalog.listing(listing.id) == listing

    async def test_an_archived_one_is_hidden_again(self, scene) -> None:
        listing = await scene.publish(product())
        with scene.house.calling(scene.seller):
            await scene.catalog.archive(listing.id)
            assert (await scene.catalog.listing(listing.id)).status is ListingStatus.ARCHIVED
        with pytest.raises(UnknownListing):
            await scene.catalog.listing(listing.id)


class TestChange:
    async def _two_offers(self, scene):
        return await scene.publish(
            product(
                offers=(
                    OfferDraft(name=Text(ru="250 мл"), price=100),
                    OfferDraft(name=Text(ru="400 мл"), price=200),
                )
            )
        )

    async def test_keeps_named_offers_adds_new_ones_and_ends_the_rest(self, scene) -> None:
        before = await self._two_offers(scene)
        small, large = before.offers
        draft = product(
            ru="Пиала",
            offers=(
                OfferDraft(name=Text(ru="600 мл"), price=300),
                OfferDraft(id=large.id, name=Text(ru="0,4 л"), price=250),
            ),
        )
        with scene.house.calling(scene.seller):
            after = await scene.catalog.change(before.id, before.version, draft)
        assert after.version == before.version + 1
        assert after.title.ru == "Пиала"
        assert [offer.name.ru for offer in after.offers] == ["600 мл", "0,4 л"]
        assert after.offers[1].id == large.id
        assert small.id not in {offer.id for offer in after.offers}

        facts = {f.id: f for f in (await scene.catalog.offers((small.id, large.id))).items}
        assert facts[small.id].status is ListingStatus.ARCHIVED
        assert facts[large.id].price.amount == 250
        with pytest.raises(NotOnSale):
            await scene.catalog.quote((QuoteLine(offer_id=small.id, quantity=1),))

    async def test_an_ended_offer_can_come_back(self, scene) -> None:
        before = await self._two_offers(scene)
        small, large = before.offers
        only_large = product(offers=(OfferDraft(id=large.id, price=200),))
        both = product(
            offers=(OfferDraft(id=small.id, price=100), OfferDraft(id=large.id, price=200))
        )
        with scene.house.calling(scene.seller):
            changed = await scene.catalog.change(before.id, before.version, only_large)
            again = await scene.catalog.change(before.id, changed.version, both)
        assert [offer.id for offer in again.offers] == [small.id, large.id]

    async def test_refuses_an_edit_of_an_older_version(self, scene) -> None:
        before = await scene.create(product())
        with scene.house.calling(scene.seller):
            await scene.catalog.change(before.id, before.version, product("Первая"))
            with pytest.raises(Outdated):
                await scene.catalog.change(before.id, before.version, product("Вторая"))
            assert (await scene.catalog.listing(before.id)).title.ru == "Первая"

    async def test_of_two_edits_at_once_one_wins(self, scene) -> None:
        before = await scene.publish(product())
        with scene.house.calling(scene.seller):
            results = await asyncio.gather(
                *(
                    scene.catalog.change(before.id, before.version, product(f"№ {n}"))
                    for n in range(8)
                ),
                return_exceptions=True,
            )
        assert sum(isinstance(result, Outdated) for result in results) == 7
        after = await scene.catalog.listing(before.id)
        assert after.version == before.version + 1

    async def test_is_for_its_seller_and_admins(self, scene) -> None:
        hidden, shown = await scene.create(product()), await scene.publish(product())
        refusals: dict[str, type[Refusal]] = {}
        for name, listing in (("hidden", hidden), ("shown", shown)):
            with scene.house.calling(seller()), pytest.raises(Refusal) as refused:
                await scene.catalog.change(listing.id, listing.version, product())
            refusals[name] = refused.type
        assert refusals == {"hidden": UnknownListing, "shown": Forbidden}
        with scene.house.calling(customer()), pytest.raises(Forbidden):
            await scene.catalog.change(shown.id, shown.version, product())
        with scene.house.calling(ADMIN):
            changed = await scene.catalog.change(shown.id, shown.version, product("Чашка"))
        assert changed.seller_id == scene.seller.user_id

    async def test_lets_by_the_hour_or_the_day_whatever_was_once_on_sale(self, scene) -> None:
        bike = room(kind=Kind.RENTAL, category="bikes")
        listing = await scene.create(bike)
        old = listing.offers[0].id

        async def switch(version: int, by_hour: bool) -> int:
            offer = OfferDraft(id=old, price=1, by_hour=by_hour)
            draft = bike.model_copy(update={"offers": (offer,)})
            return (await scene.catalog.change(listing.id, version, draft)).version

        with scene.house.calling(scene.seller):
            version = await switch(listing.version, by_hour=True)
            version = await switch((await scene.catalog.publish(listing.id)).version, by_hour=True)
            with pytest.raises(InvalidFields):
                await switch(version, by_hour=False)
            other = bike.model_copy(update={"offers": (OfferDraft(price=1),)})
            version = (await scene.catalog.change(listing.id, version, other)).version
            with pytest.raises(InvalidFields):
                await switch(version, by_hour=False)

    async def test_keeps_the_external_id_when_none_is_given(self, scene) -> None:
        before = await scene.create(product(external_id="7"))
        with scene.house.calling(scene.seller):
            await scene.catalog.change(before.id, before.version, product())
            found = await scene.catalog.by_external_ids(("7", "8"))
        assert [item.listing.id for item in found.items] == [before.id]

    async def test_refuses_an_offer_of_another_listing(self, scene) -> None:
        mine, other = await scene.create(product()), await scene.create(product())
        stolen = product(offers=(OfferDraft(id=other.offers[0].id, price=1),))
        with scene.house.calling(scene.seller), pytest.raises(UnknownOffer):
            await scene.catalog.change(mine.id, mine.version, stolen)

    async def test_does_not_turn_a_product_into_a_room(self, scene) -> None:
        listing = await scene.create(product())
        with scene.house.calling(scene.seller), pytest.raises(InvalidFields):
            await scene.catalog.change(listing.id, listing.version, room())


class TestPublish:
    async def test_tells_once_however_often_it_is_asked(self, scene) -> None:
        listing = await scene.publish(product())
        with scene.house.calling(scene.seller):
            again = await scene.catalog.publish(listing.id)
        assert again == listing
        told = await scene.told()
        assert [name for name, _ in told] == [PUBLISHED]
        assert told[0][1]["offer_ids"] == [str(listing.offers[0].id)]

    async def test_a_draft_is_changed_in_silence_and_a_published_one_is_told(self, scene) -> None:
        listing = await scene.create(product())
        with scene.house.calling(scene.seller):
            listing = await scene.catalog.change(listing.id, listing.version, product("Чашка"))
            assert await scene.told() == []
            listing = await scene.catalog.publish(listing.id)
            await scene.catalog.change(listing.id, listing.version, product("Пиала"))
        assert [name for name, _ in await scene.told()] == [PUBLISHED, PUBLISHED]

    async def test_archiving_tells_and_can_be_undone(self, scene) -> None:
        listing = await scene.publish(product())
        with scene.house.calling(scene.seller):
            await scene.catalog.archive(listing.id)
            await scene.catalog.archive(listing.id)
            await scene.catalog.publish(listing.id)
        assert [name for name, _ in await scene.told()] == [PUBLISHED, ARCHIVED, PUBLISHED]

    async def test_is_for_its_seller_and_admins(self, scene) -> None:
        listing = await scene.create(product())
        for caller, refusal in (
            (STRANGER, Unauthenticated),
            (customer(), Forbidden),
            (seller(), UnknownListing),
        ):
            with scene.house.calling(caller), pytest.raises(refusal):
                await scene.catalog.publish(listing.id)
        with scene.house.calling(ADMIN):
            assert (await scene.catalog.publish(listing.id)).status is ListingStatus.PUBLISHED


class TestByExternalIds:
    async def test_finds_ones_own_whatever_their_status(self, scene) -> None:
        draft = await scene.create(product(external_id="a"))
        shown = await scene.publish(product(external_id="b"))
        await scene.publish(product(external_id="a"), seller())
        with scene.house.calling(scene.seller):
            found = await scene.catalog.by_external_ids(("a", "b", "c"))
        assert {item.external_id: item.listing.id for item in found.items} == {
            "a": draft.id,
            "b": shown.id,
        }

    async def test_needs_to_know_who_asks(self, scene) -> None:
        with pytest.raises(Unauthenticated):
            await scene.catalog.by_external_ids(("a",))


class TestQuote:
    async def test_prices_what_is_published(self, scene) -> None:
        mug, jazz = await scene.publish(product(price=129_000)), await scene.publish(concert())
        quote = await scene.catalog.quote(
            (
                QuoteLine(offer_id=jazz.offers[0].id, quantity=2),
                QuoteLine(offer_id=mug.offers[0].id, quantity=3),
            )
        )
        assert [line.total.amount for line in quote.lines] == [300_000, 387_000]
        assert quote.total.amount == 687_000
        assert quote.lines[0].offer.timezone == "Europe/Moscow"

    async def test_prices_by_what_the_seller_wrote(self, scene) -> None:
        pricing = Pricing(
            weekdays=(WeekdayPrice(weekday=5, price=600_000),),
            length_discounts=(Discount(least=2, percent=10),),
            quantity_discounts=(Discount(least=3, percent=5),),
            deposit=100_000,
        )
        offer = OfferDraft(price=500_000, pricing=pricing)
        listing = await scene.publish(room(offers=(offer,)))
        assert listing.offers[0].pricing == pricing
        saturday = date(2026, 10, 3)
        assert listing.offers[0].price_on(saturday) == 600_000
        dates = DateRange(start=date(2026, 10, 2), end=date(2026, 10, 4))
        line = QuoteLine(offer_id=listing.offers[0].id, quantity=1, dates=dates)
        found = (await scene.catalog.quote((line,))).lines[0]
        assert found.day_prices == (500_000, 600_000)
        assert [part.amount for part in found.parts] == [500_000, 600_000, -110_000]
        assert found.total.amount == 990_000
        assert found.deposit == Money(amount=100_000, currency="RUB")

    async def test_prices_hours_of_what_is_let_by_the_hour(self, scene) -> None:
        offer = OfferDraft(price=30_000, by_hour=True)
        listing = await scene.publish(room(kind=Kind.RENTAL, category="bikes", offers=(offer,)))
        facts = await scene.catalog.offers((listing.offers[0].id,))
        assert (listing.offers[0].by_hour, facts.items[0].by_hour) == (True, True)
        begins = datetime(2026, 10, 2, 9, tzinfo=UTC)
        hours = HourRange(start=begins, end=begins + timedelta(hours=4))
        line = QuoteLine(offer_id=listing.offers[0].id, quantity=2, hours=hours)
        assert (await scene.catalog.quote((line,))).total.amount == 240_000

    async def test_a_draft_cannot_be_bought_even_by_its_seller(self, scene) -> None:
        listing = await scene.create(product())
        with scene.house.calling(scene.seller), pytest.raises(NotOnSale):
            await scene.catalog.quote((QuoteLine(offer_id=listing.offers[0].id, quantity=1),))

    async def test_an_event_that_is_over_cannot_be_bought(self, scene) -> None:
        listing = await scene.publish(concert())
        line = QuoteLine(offer_id=listing.offers[0].id, quantity=1)
        await scene.catalog.quote((line,))
        await scene.house.clock.advance(days=7, hours=2, seconds=1)
        with pytest.raises(NotOnSale):
            await scene.catalog.quote((line,))


class TestCategories:
    async def test_are_a_tree_with_parents_first(self, scene) -> None:
        seen: dict[str, str] = {}
        for category in (await scene.catalog.categories()).items:
            assert category.title.ru and category.title.en
            if category.parent:
                assert seen[category.parent] == category.kind
            seen[category.slug] = category.kind
        assert len(seen) == 24
        assert set(seen.values()) == {"product", "rental", "stay", "event"}
