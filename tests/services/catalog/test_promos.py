"""Who makes promo codes and taxes, and who sees and stops them."""

from uuid import uuid4

import pytest

from dvor.contracts.catalog import QuoteLine, UnknownListing
from dvor.contracts.pricing import Fee, Label, PartKind, Tax
from dvor.contracts.promos import (
    PromoDraft,
    PromoEnded,
    PromoSearch,
    PromoTaken,
    UnknownPromo,
)
from dvor.kernel.caller import Caller
from dvor.kernel.errors import Forbidden, InvalidFields
from tests.services.catalog.drafts import ADMIN, STRANGER, customer, product, seller


def draft(code: str = "summer", **more) -> PromoDraft:
    """10 % off, for everybody once."""
    return PromoDraft(**({"code": code, "percent": 10, "uses": 100} | more))


class TestMakePromo:
    async def test_everything_about_it(self, scene) -> None:
        catalog, house = scene.catalog, scene.house
        made = await scene.publish(product(price=1000))
        with house.calling(scene.seller):
            code = await catalog.make_promo(draft())
            assert (code.code, code.seller_id, code.active) == (
                "SUMMER",
                scene.seller.user_id,
                True,
            )
            assert (await catalog.promos(PromoSearch())).items == (code,)
            with pytest.raises(PromoTaken):
                await catalog.make_promo(draft("Summer"))
        (told,) = [data for kind, data in await scene.told() if kind == "catalog.promo_made.v1"]
        assert (told["uses"], told["per_customer"]) == (100, 1)
        line = QuoteLine(offer_id=made.offers[0].id, quantity=1)
        with house.calling(customer()):
            quote = await catalog.quote((line,), " sUmmer ")
            assert quote.total.amount == 900
            assert quote.promo and quote.promo.id == code.id
            with pytest.raises(UnknownPromo):
                await catalog.quote((line,), "winter")
            for forbidden in (catalog.make_promo(draft("x12")), catalog.promos(PromoSearch())):
                with pytest.raises(Forbidden):
                    await forbidden
        with house.calling(seller()), pytest.raises(UnknownPromo):
            await catalog.set_promo_active(code.id, False)
        with house.calling(scene.seller):
            assert not (await catalog.set_promo_active(code.id, False)).active
            with pytest.raises(PromoEnded):
                await catalog.quote((line,), "SUMMER")
        with house.calling(ADMIN):
            assert (await catalog.set_promo_active(code.id, True)).active
            with pytest.raises(UnknownPromo):
                await catalog.set_promo_active(uuid4(), True)

    async def test_the_platforms_codes_are_the_admins(self, scene) -> None:
        catalog, house = scene.catalog, scene.house
        with house.calling(ADMIN):
            code = await catalog.make_promo(draft(platform=True))
            assert code.seller_id is None
            assert (await catalog.promos(PromoSearch(platform=True))).items == (code,)
        with house.calling(scene.seller):
            assert (await catalog.promos(PromoSearch())).items == ()
            for forbidden in (
                catalog.make_promo(draft("other", platform=True)),
                catalog.promos(PromoSearch(platform=True)),
            ):
                with pytest.raises(Forbidden):
                    await forbidden
            with pytest.raises(UnknownPromo):
                await catalog.set_promo_active(code.id, False)

    async def test_a_seller_names_own_listings_only(self, scene) -> None:
        mine, foreign = await scene.create(product()), await scene.create(product(), seller())
        with scene.house.calling(scene.seller):
            good = draft(listing_ids=(mine.id,))
            assert (await scene.catalog.make_promo(good)).listing_ids == (mine.id,)
            with pytest.raises(UnknownListing):
                await scene.catalog.make_promo(draft("both", listing_ids=(mine.id, foreign.id)))

    async def test_lists_go_on_where_the_page_ended(self, scene) -> None:
        with scene.house.calling(scene.seller):
            made = [await scene.catalog.make_promo(draft(f"code-{n}")) for n in range(3)]
            page = await scene.catalog.promos(PromoSearch(limit=2))
            rest = await scene.catalog.promos(PromoSearch(limit=2, cursor=page.next_cursor))
        assert [code.id for code in page.items + rest.items] == [c.id for c in reversed(made)]
        assert rest.next_cursor is None

    async def test_a_repeated_request_makes_one(self, scene) -> None:
        person: Caller = scene.seller.model_copy(update={"key": uuid4()})
        with scene.house.calling(person):
            twins = [await scene.catalog.make_promo(draft()) for _ in "12"]
        assert twins[0] == twins[1]


class TestTax:
    async def test_is_named_once_and_shown_on_every_listing_and_line(self, scene) -> None:
        fee = Fee(name=Label(ru="Упаковка"), price=200)
        made = await scene.publish(product(price=1000, fees=(fee,)))
        other = await scene.publish(product(), seller())
        vat = Tax(name=Label(ru="НДС", en="VAT"), rate=2000, included=False)
        with scene.house.calling(scene.seller):
            assert await scene.catalog.tax() == Tax()
            assert await scene.catalog.set_tax(vat) == vat == await scene.catalog.tax()
        with scene.house.calling(STRANGER):
            shown = await scene.catalog.listing(made.id)
            assert (shown.fees, shown.tax) == ((fee,), vat)
            assert (await scene.catalog.listing(other.id)).tax == Tax()
            line = QuoteLine(offer_id=made.offers[0].id, quantity=1)
            (priced,) = (await scene.catalog.quote((line,))).lines
        assert [(part.kind, part.amount) for part in priced.parts] == [
            (PartKind.BASE, 1000), (PartKind.FEE, 200), (PartKind.TAX, 240),
        ]  # fmt: skip
        with scene.house.calling(scene.seller):
            assert await scene.catalog.set_tax(Tax()) == Tax()

    async def test_needs_a_name_and_so_does_a_fee(self, scene) -> None:
        with scene.house.calling(scene.seller):
            with pytest.raises(InvalidFields):
                await scene.catalog.set_tax(Tax(rate=100))
            with pytest.raises(InvalidFields) as refusal:
                await scene.catalog.create(product(fees=(Fee(name=Label(), price=1),)))
        assert refusal.value.problems.keys() == {"fees.0.name"}
        with scene.house.calling(customer()), pytest.raises(Forbidden):
            await scene.catalog.set_tax(Tax())
