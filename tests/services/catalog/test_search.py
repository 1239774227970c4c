"""Finding listings."""

from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvor.contracts.catalog import Kind, ListingStatus, OfferDraft, Search, Sort, Text
from dvor.kernel import clock
from dvor.kernel.cache import Cache
from dvor.kernel.errors import InvalidFields
from dvor.services.catalog import cursors
from dvor.services.catalog.service import CatalogService
from tests.services.catalog.drafts import ADMIN, STRANGER, concert, product, room, seller


async def _titles(scene, caller=STRANGER, **search) -> list[str]:
    with scene.house.calling(caller):
        page = await scene.catalog.search(Search(**search))
    assert page.total == len(page.items)
    return [card.title.ru for card in page.items]


class TestFilters:
    async def test_by_kind_category_city_and_price(self, scene) -> None:
        await scene.publish(product("Кружка", 100))
        await scene.publish(product("Лампа", 300, category="decor"))
        await scene.publish(product("Свеча", 200, category="home"))
        await scene.publish(room())
        assert await _titles(scene, kind=Kind.STAY) == ["Гостиница «Купеческая»"]
        assert await _titles(scene, category="decor") == ["Лампа"]
        assert await _titles(scene, category="home") == ["Свеча", "Лампа", "Кружка"]
        assert await _titles(scene, category="nonsense") == []
        assert await _titles(scene, city="суздаль") == ["Гостиница «Купеческая»"]
        assert await _titles(scene, price_min=200, price_max=300) == ["Свеча", "Лампа"]

    async def test_by_seller(self, scene) -> None:
        other = seller()
        await scene.publish(product("Наша"))
        await scene.publish(product("Чужая"), other)
        assert await _titles(scene, seller_id=other.user_id) == ["Чужая"]

    async def test_unpublished_ones_are_found_by_their_seller_and_admins_only(self, scene) -> None:
        await scene.create(product("Черновик"))
        await scene.publish(product("Витрина"))
        assert await _titles(scene, scene.seller) == ["Витрина"]
        assert await _titles(scene, scene.seller, status=None) == ["Витрина", "Черновик"]
        draft = ListingStatus.DRAFT
        assert await _titles(scene, scene.seller, status=draft) == ["Черновик"]
        for stranger in (STRANGER, seller()):
            assert await _titles(scene, stranger, status=None) == ["Витрина"]
            assert await _titles(scene, stranger, status=draft) == []
        assert await _titles(scene, ADMIN, status=draft) == ["Черновик"]

    async def test_the_shop_window_drops_events_that_are_over(self, scene) -> None:
        await scene.publish(concert())
        assert await _titles(scene) == ["Джаз во дворе"]
        await scene.house.clock.advance(days=8)
        assert await _titles(scene) == []
        assert await _titles(scene, kind=Kind.EVENT) == []
        assert await _titles(scene, seller_id=scene.seller.user_id) == ["Джаз во дворе"]


class TestCards:
    async def test_they_name_their_offers_in_order(self, scene) -> None:
        listing = await scene.publish(room())
        (card,) = (await scene.catalog.search(Search())).items
        assert card.offer_ids == tuple(offer.id for offer in listing.offers)

    async def test_they_say_whether_the_price_is_for_an_hour(self, scene) -> None:
        day, hour = OfferDraft(price=300), OfferDraft(price=100, by_hour=True)
        boat = {"kind": Kind.RENTAL, "category": "bikes"}
        for offers, by_hour in (((day, hour), True), ((day,), False), ((hour, OfferDraft(price=90)), False)):  # fmt: skip
            listing = await scene.publish(room(**boat, offers=offers))
            cards = (await scene.catalog.search(Search(kind=Kind.RENTAL))).items
            (card,) = [card for card in cards if card.id == listing.id]
            assert card.by_hour is by_hour
        await scene.publish(room())
        (card,) = (await scene.catalog.search(Search(kind=Kind.STAY))).items
        assert not card.by_hour


class TestText:
    @pytest.mark.parametrize(
        "text",
        [
            "велосипед",
            "Велосипеды",
            "ВЕЛОСИПЕДОВ горных",
            "bikes",
            "mountain bike",
            "ёлка",
            "елки",
            "велосипед -лампа",
            "Суздаль",
        ],
    )
    async def test_finds_words_in_any_form_and_both_languages(self, scene, text) -> None:
        bike = room(
            title=Text(ru="Горный велосипед", en="Mountain bike"),
            description=Text(ru="Под ёлками и без них"),
        )
        await scene.publish(bike)
        await scene.publish(product("Лампа", category="decor"))
        assert await _titles(scene, text=text) == ["Горный велосипед"]

    @pytest.mark.parametrize("text", ["велосипет", "вилосипед", "вело", "velosiped", "bicicle"])
    async def test_forgives_typos_where_nothing_fits_exactly(self, scene, text) -> None:
        await scene.publish(product(title=Text(ru="Велосипед", en="Bicycle")))
        await scene.publish(product("Лампа"))
        assert await _titles(scene, text=text) == ["Велосипед"]

    async def test_is_exact_where_the_server_has_no_pg_trgm(self, scene) -> None:
        db = scene.house.db("catalog")
        await db.execute("DROP EXTENSION pg_trgm CASCADE")
        catalog = CatalogService(
            db=db, settings=scene.house.settings, cache=Cache(scene.house.settings)
        )
        await catalog.start()
        await scene.publish(product("Лампа"))
        assert (await catalog.search(Search(text="лампы"))).total == 1
        assert (await catalog.search(Search(text="лаипа"))).total == 0

    async def test_an_exact_fit_is_not_diluted(self, scene) -> None:
        await scene.publish(product("Лампа"))
        await scene.publish(product("Лампада"))
        assert await _titles(scene, text="лампа") == ["Лампа"]

    async def test_the_closest_stands_first(self, scene) -> None:
        await scene.publish(product("Чай с чабрецом"))
        await scene.publish(product("Кружка", description=Text(ru="Для чая, очень большая")))
        assert await _titles(scene, text="чай", sort=Sort.CLOSEST) == ["Чай с чабрецом", "Кружка"]
        assert await _titles(scene, text="чай") == ["Кружка", "Чай с чабрецом"]

    @pytest.mark.parametrize("text", ["'", '"', "-", "a & | ! ( : *", "\\", "%", "или or"])
    async def test_takes_any_signs(self, scene, text) -> None:
        await scene.publish(product("Кружка"))
        await _titles(scene, text=text)


class TestPages:
    @pytest.mark.parametrize("sort", list(Sort))
    async def test_show_everything_once_in_order_whatever_the_sort(self, scene, sort) -> None:
        for number in range(11):
            await scene.publish(product(f"Чай {number}", price=100 + number // 3))
        for number in range(3):
            begins = clock.now() + timedelta(days=9 - number)
            title = Text(ru=f"Чай и джаз {number}")
            await scene.publish(concert(begins, title=title))
        found, cursor = [], None
        while True:
            search = Search(text="чай", sort=sort, limit=4, cursor=cursor)
            page = await scene.catalog.search(search)
            assert page.total == 14
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
            assert len(page.items) == 4
        whole = await scene.catalog.search(Search(text="чай", sort=sort, limit=100))
        assert found == list(whole.items)
        assert len({card.id for card in found}) == 14
        prices = [card.price_from.amount for card in found]
        if sort is Sort.CHEAPEST:
            assert prices == sorted(prices)
        if sort is Sort.DEAREST:
            assert prices == sorted(prices, reverse=True)
        if sort is Sort.SOONEST:
            assert [card.title.ru[-1] for card in found[:3]] == ["2", "1", "0"]

    async def test_go_on_through_rough_matches(self, scene) -> None:
        for number in range(5):
            await scene.publish(product(f"Велосипед {number}"))
        search = Search(text="велосипет", sort=Sort.CLOSEST, limit=3)
        first = await scene.catalog.search(search)
        rest = await scene.catalog.search(search.model_copy(update={"cursor": first.next_cursor}))
        assert (len(first.items), len(rest.items), rest.next_cursor) == (3, 2, None)
        assert rest.total == 5
        assert not set(first.items) & set(rest.items)

    async def test_nothing_found_is_an_empty_page(self, scene) -> None:
        page = await scene.catalog.search(Search(text="нетничего"))
        assert (page.items, page.total, page.next_cursor) == ((), 0, None)

    @pytest.mark.parametrize("cursor", ["x", "!!!", "W10", "WyJuZXdlc3QiLDEsMl0", "я", "bnVsbA"])
    async def test_a_made_up_cursor_is_refused(self, scene, cursor) -> None:
        with pytest.raises(InvalidFields):
            await scene.catalog.search(Search(cursor=cursor))

    async def test_a_cursor_of_another_sort_is_refused(self, scene) -> None:
        for _ in range(2):
            await scene.publish(product())
        page = await scene.catalog.search(Search(limit=1))
        with pytest.raises(InvalidFields):
            await scene.catalog.search(Search(sort=Sort.CHEAPEST, cursor=page.next_cursor))


class TestCursors:
    @given(
        st.one_of(
            st.tuples(
                st.sampled_from([Sort.NEWEST, Sort.SOONEST]), st.datetimes(timezones=st.just(UTC))
            ),
            st.tuples(st.sampled_from([Sort.CHEAPEST, Sort.DEAREST]), st.integers(0, 10**15)),
            st.tuples(st.just(Sort.CLOSEST), st.floats(0, 1)),
        ),
        st.uuids(),
    )
    def test_come_back_as_they_were(self, sorted_by, identifier) -> None:
        sort, value = sorted_by
        place = cursors.Place(value, identifier)
        assert cursors.read(sort, cursors.written(sort, value, identifier)) == place

    @given(st.sampled_from(list(Sort)), st.text(max_size=60))
    def test_nonsense_is_refused_and_nothing_else(self, sort, text) -> None:
        with pytest.raises(InvalidFields):
            cursors.read(sort, text)


class TestCachedLists:
    async def test_are_forgotten_when_a_listing_changes(self, scene) -> None:
        listing = await scene.publish(product("Кружка"))
        assert await _titles(scene) == ["Кружка"]
        with scene.house.calling(scene.seller):
            listing = await scene.catalog.change(listing.id, listing.version, product("Пиала"))
            assert await _titles(scene) == ["Пиала"]
            await scene.catalog.archive(listing.id)
        assert await _titles(scene) == []

    async def test_answer_without_searching_for_five_minutes(self, scene) -> None:
        await scene.publish(product("Кружка"))
        assert await _titles(scene) == ["Кружка"]
        # Behind the catalogue's back: only what is remembered can still say the old title.
        await scene.house.db("catalog").execute("UPDATE listings SET title_ru = 'Пиала'")
        assert await _titles(scene) == ["Кружка"]
        await scene.house.clock.advance(seconds=301)
        assert await _titles(scene) == ["Пиала"]
