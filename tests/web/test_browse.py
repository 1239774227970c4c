"""The pages people browse, over HTTP, in front of fake contracts."""

import re
from datetime import date, timedelta
from typing import Any

import pytest

from dvor.contracts.availability import Alternative, Explanation
from dvor.contracts.catalog import Listing
from dvor.contracts.inventory import Rules
from dvor.contracts.pricing import Discount, Pricing, WeekdayPrice
from dvor.kernel.ids import derived
from dvor.kernel.periods import DateRange
from dvor.web.finding import ROUNDS_MAX
from tests.web.court import (
    ALL,
    COURT,
    HOTEL,
    JAZZ,
    KAYAK,
    MUG,
    SELLER,
    FakeCatalog,
    FakeIdentity,
    FakeInventory,
    Silent,
)

EN = {"accept-language": "en"}
RU = {"accept-language": "ru"}
PRICING = Pricing(
    length_discounts=(Discount(least=2, percent=10),),
    quantity_discounts=(Discount(least=3, percent=5),),
    deposit=100_000,
)


def priced(listing: Listing, pricing: Pricing, weekdays: tuple[WeekdayPrice, ...]) -> Listing:
    """The listing with other prices on weekdays and discounts."""
    more = {"pricing": pricing.model_copy(update={"weekdays": weekdays})}
    offers = tuple(offer.model_copy(update=more) for offer in listing.offers)
    return listing.model_copy(update={"offers": offers})


class Shop:
    """The application and what stands behind it."""

    def __init__(self, http: Any, catalog: FakeCatalog, inventory: FakeInventory) -> None:
        self.http = http
        self.catalog = catalog
        self.inventory = inventory

    async def page(self, path: str, headers: dict[str, str] = EN) -> str:
        """The HTML of a page that is there."""
        response = await self.http.get(path, headers=headers)
        assert response.status_code == 200, response.text[:500]
        return response.text


@pytest.fixture
async def shop(make_house: Any) -> Shop:
    catalog, inventory = FakeCatalog(), FakeInventory()
    fakes = {
        "identity": FakeIdentity(), "catalog": catalog, "inventory": inventory,
        "payments": Silent(), "orders": Silent(), "notifications": Silent(),
    }  # fmt: skip
    house = await make_house(fakes=fakes)
    return Shop(house.http, catalog, inventory)


def soon(days: int) -> date:
    return date.today() + timedelta(days=days)


class TestHome:
    async def test_all_four_kinds_stand_in_a_row_with_what_is_in_them(self, shop: Shop) -> None:
        html = await shop.page("/")
        for item in (MUG, KAYAK, HOTEL, JAZZ):
            assert f"/listings/{item.id}" in html
        assert html.count('class="gate-word"') == 4

    async def test_it_speaks_the_language_the_browser_prefers(self, shop: Shop) -> None:
        assert '<html lang="ru"' in await shop.page("/", RU)
        assert "Новое на прилавке" in await shop.page("/", RU)
        assert "Fresh on the counter" in await shop.page("/")

    async def test_no_script_or_style_stands_in_the_page_itself(self, shop: Shop) -> None:
        html = await shop.page("/")
        assert not re.search(r"<script(?![^>]*src=)", html)
        assert " style=" not in html
        assert not re.search(r"\son[a-z]+=", html)


class TestResults:
    async def test_filters_in_the_address_become_the_search(self, shop: Shop) -> None:
        await shop.page(
            "/search?kind=rental&text=kayak&city=X&least=1000&most=5%20000&sort=cheapest"
        )
        asked = shop.catalog.asked[-1]
        assert (asked.kind, asked.text, asked.city, asked.sort) == (
            "rental",
            "kayak",
            "X",
            "cheapest",
        )
        assert (asked.price_min, asked.price_max) == (100_000, 500_000)

    async def test_a_category_brings_its_kind(self, shop: Shop) -> None:
        await shop.page("/search?category=hotels")
        assert shop.catalog.asked[-1].kind == "stay"

    async def test_nonsense_in_the_address_is_left_aside_and_said(self, shop: Shop) -> None:
        html = await shop.page(
            "/search?kind=boat&category=x&sort=up&least=abc&start=2020-01-01&end=x"
        )
        assert shop.catalog.asked[-1].kind is None
        assert "A price looks like" in html

    async def test_a_price_for_an_hour_says_so(self, shop: Shop) -> None:
        shop.catalog.more = (COURT,)
        html = await shop.page("/search?kind=rental")
        kayak, court = (html.split(f"/listings/{item.id}")[1] for item in (KAYAK, COURT))
        assert "/ day" in kayak.split("</article>")[0]
        assert "/ hour" in court.split("</article>")[0]
        html = await shop.page("/search?kind=rental", RU)
        assert "за час" in html.split(f"/listings/{COURT.id}")[1].split("</article>")[0]

    async def test_dates_leave_only_what_is_free_then(self, shop: Shop) -> None:
        dates = f"start={soon(3)}&end={soon(5)}"
        html = await shop.page(f"/search?kind=stay&{dates}")
        assert f"/listings/{HOTEL.id}?start={soon(3)}" in html and "1 found" in html
        shop.inventory.taken = {soon(4)}
        html = await shop.page(f"/search?kind=stay&{dates}")
        assert f"/listings/{HOTEL.id}" not in html and "Nothing is free on these dates" in html

    async def test_dates_and_a_quantity_leave_what_has_as_many(self, shop: Shop) -> None:
        dates = f"kind=stay&start={soon(3)}&end={soon(5)}"
        assert f"/listings/{HOTEL.id}?" in await shop.page(f"/search?{dates}&quantity=3")
        assert f"/listings/{HOTEL.id}?" not in await shop.page(f"/search?{dates}&quantity=4")
        assert "A whole number" in await shop.page(f"/search?{dates}&quantity=0")

    async def test_dates_leave_events_that_begin_then(self, shop: Shop) -> None:
        assert JAZZ.starts_at
        day = JAZZ.starts_at.date()
        for start, shown in ((day - timedelta(days=1), True), (day + timedelta(days=2), False)):
            dates = f"start={start}&end={start + timedelta(days=2)}"
            assert (f"/listings/{JAZZ.id}" in await shop.page(f"/search?{dates}")) is shown

    async def test_looking_ends_and_can_go_on(self, shop: Shop) -> None:
        shop.inventory.left = 0
        html = await shop.page(f"/search?start={soon(3)}&end={soon(5)}")
        assert len(shop.catalog.asked) == ROUNDS_MAX
        assert [search.cursor for search in shop.catalog.asked[:2]] == [None, "next page"]
        assert "Nothing free so far" in html and "Look further" in html
        assert "cursor=next%20page" in html

    async def test_a_page_that_fills_up_asks_no_further(self, shop: Shop) -> None:
        html = await shop.page(f"/search?kind=rental&start={soon(3)}&end={soon(5)}")
        assert len(shop.catalog.asked) == 1 and f"/listings/{KAYAK.id}" in html

    async def test_the_next_part_keeps_the_filters(self, shop: Shop) -> None:
        assert "/search?sort=newest&amp;cursor=next%20page" in await shop.page(
            "/search?sort=newest"
        )

    async def test_nothing_found_says_what_to_do(self, shop: Shop) -> None:
        html = await shop.page("/search?text=unicorn")
        assert "Nothing fits yet" in html
        assert "Clear all" in html

    async def test_what_was_typed_comes_back_escaped(self, shop: Shop) -> None:
        html = await shop.page("/search?text=%3Cscript%3Ealert(1)%3C/script%3E")
        assert "<script>alert" not in html


class TestListing:
    async def test_goods_can_be_put_into_the_cart_at_once(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{MUG.id}")
        assert 'action="/cart/lines"' in html
        assert f'name="offer_id" value="{MUG.offers[0].id}"' in html
        assert 'name="_csrf"' in html
        assert 'name="_key"' in html
        assert "₽650" in html

    async def test_things_to_rent_ask_for_dates_first(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{KAYAK.id}")
        assert "Choose the dates" in html
        assert 'action="/cart/lines"' not in html

    async def test_the_price_for_the_dates_is_said_before_the_button(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{KAYAK.id}?start={soon(3)}&end={soon(6)}")
        assert "₽6,600" in html
        assert html.index("₽6,600") < html.index('id="booking-said"')
        assert "3 days" in html

    async def test_rooms_show_each_type_with_its_price_for_the_stay(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{HOTEL.id}?start={soon(3)}&end={soon(5)}", RU)
        assert "за 2 ночи" in html
        for offer in HOTEL.offers:
            assert f'name="quantity-{offer.id}"' in html

    async def test_nights_are_counted_as_russians_count(self, shop: Shop) -> None:
        assert "5 ночей" in await shop.page(
            f"/listings/{HOTEL.id}?start={soon(3)}&end={soon(8)}", RU
        )

    async def test_tickets_stand_with_time_place_and_tiers(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{JAZZ.id}")
        assert "Кремлёвская, 1" in html
        assert html.count('name="quantity-') == 2
        assert "<time" in html

    async def test_taken_dates_have_no_button(self, shop: Shop) -> None:
        shop.inventory.taken = {soon(4)}
        html = await shop.page(f"/listings/{HOTEL.id}?start={soon(3)}&end={soon(5)}")
        assert "Taken on these dates" in html
        assert 'action="/cart/lines"' not in html

    async def test_taken_dates_say_why_and_what_can_be_had_instead(self, shop: Shop) -> None:
        small, large = HOTEL.offers[0].id, HOTEL.offers[1].id
        near = DateRange(start=soon(6), end=soon(8))
        asked = DateRange(start=soon(3), end=soon(5))
        shop.inventory.taken = {soon(4)}
        shop.inventory.explanation = Explanation(
            possible=False,
            code="inventory.too_short",
            detail="This is too short: 3 at least.",
            alternatives=(
                Alternative(offer_id=small, quantity=2, dates=near),
                Alternative(offer_id=large, quantity=2, dates=asked),
                Alternative(offer_id=small, quantity=1, dates=asked),
            ),
        )
        path = f"/listings/{HOTEL.id}"
        html = await shop.page(f"{path}?start={soon(3)}&end={soon(5)}&quantity=2")
        assert "This is too short: 3 at least." in html
        link = f'href="{path}?offer={small}&amp;quantity=2&amp;start={soon(6)}&amp;end={soon(8)}"'
        assert link in html and "Free: " in html
        assert f"{HOTEL.offers[1].name.en} instead" in html and "1 instead of 2" in html

    async def test_sold_out_goods_say_so(self, shop: Shop) -> None:
        shop.inventory.left = 0
        assert "Sold out" in await shop.page(f"/listings/{MUG.id}")

    @pytest.mark.parametrize(
        ("start", "end", "said"),
        [
            (-3, 2, "have passed"),
            (5, 5, "after the start"),
            (5, 400, "a year"),
            (6, 4, "after the start"),
        ],
    )
    async def test_dates_that_cannot_be_are_explained(
        self, shop: Shop, start: int, end: int, said: str
    ) -> None:
        assert said in await shop.page(f"/listings/{HOTEL.id}?start={soon(start)}&end={soon(end)}")

    async def test_the_price_is_explained_before_the_button(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        week = tuple(WeekdayPrice(weekday=n, price=600_000) for n in range(7))
        monkeypatch.setitem(ALL, HOTEL.id, priced(HOTEL, PRICING, weekdays=week))
        html = await shop.page(f"/listings/{HOTEL.id}?start={soon(3)}&end={soon(5)}&quantity=3")
        first = HOTEL.offers[0].id
        assert "3 × 2 nights × ₽6,000" in html
        assert "<dd>−₽3,600</dd>" in html
        assert "Discount of 10%: from 2 nights" in html
        assert "<dd>−₽1,620</dd>" in html
        assert "Deposit ₽3,000: set aside on the card, let go after the stay." in html
        assert html.count(">₽30,780<") == 2
        chosen = f"start={soon(3)}&end={soon(5)}&quantity-{first}=1"
        assert "₽10,800<" in await shop.page(f"/listings/{HOTEL.id}?{chosen}")

    async def test_the_calendar_shows_what_a_day_costs(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        day = WeekdayPrice(weekday=soon(1).weekday(), price=123_400)
        monkeypatch.setitem(ALL, HOTEL.id, priced(HOTEL, Pricing(), weekdays=(day,)))
        html = await shop.page(f"/listings/{HOTEL.id}/calendar?month={soon(1):%Y-%m}")
        assert re.search(
            rf'data-day="{soon(1)}"[^§]*?<small aria-hidden="true">1,234</small>', html
        )

    async def test_rules_and_terms_are_said_in_words(self, shop: Shop) -> None:
        plain = await shop.page(f"/listings/{HOTEL.id}")
        assert "Cancelling:" in plain
        assert not any(
            words in plain for words in ("Arrival:", "for one customer", "From 2 nights")
        )
        closed = DateRange(start=soon(20), end=soon(22))
        shop.inventory.asked = Rules(
            length_min=2,
            length_max=14,
            arrival_weekdays=(5, 4),
            notice_hours=48,
            horizon_days=90,
            closed=(closed,),
            per_customer=3,
        )
        html = await shop.page(f"/listings/{HOTEL.id}")
        for words in (
            "From 2 nights, up to 14 nights.",
            "Arrival: Fri, Sat.",
            "Book at least 2 days ahead.",
            "At most 90 days ahead.",
            "Closed: ",
            "Up to 3 for one customer.",
        ):
            assert words in html
        assert "Заезд: пт, сб." in await shop.page(f"/listings/{HOTEL.id}", RU)
        goods = await shop.page(f"/listings/{MUG.id}")
        assert "Up to 3 for one customer." in goods
        assert "Arrival" not in goods

    async def test_what_sellers_write_is_escaped(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{MUG.id}")
        assert "<b>Second</b>" not in html
        assert "Лавка &lt;Верста&gt;" in html

    async def test_an_unknown_listing_is_a_page_that_helps(self, shop: Shop) -> None:
        response = await shop.http.get(f"/listings/{derived('nobody')}", headers=EN)
        assert response.status_code == 404
        assert "no longer shown" in response.text
        assert 'href="/search"' in response.text


class TestCalendar:
    async def test_two_months_show_free_days_with_their_price(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{KAYAK.id}/calendar")
        assert html.count('<table class="month">') == 2
        assert f'data-day="{soon(0)}" data-free="6"' in html
        assert "<html" not in html

    async def test_taken_and_past_days_cannot_be_chosen(self, shop: Shop) -> None:
        shop.inventory.taken = {soon(1)}
        html = await shop.page(f"/listings/{KAYAK.id}/calendar?month={soon(1):%Y-%m}")
        assert f'data-day="{soon(1)}" data-free' not in html

    async def test_there_is_no_way_into_the_past(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{KAYAK.id}/calendar?month=2020-01")
        assert f'data-day="{soon(0)}"' in html
        assert 'data-turn="back"' not in html


class TestSeller:
    async def test_a_stall_shows_its_owner_and_what_is_on_it(self, shop: Shop) -> None:
        html = await shop.page(f"/sellers/{SELLER}")
        assert "Лавка &lt;Верста&gt;" in html
        assert "4 listings" in html

    async def test_nobody_has_no_stall(self, shop: Shop) -> None:
        assert (await shop.http.get(f"/sellers/{derived('nobody')}")).status_code == 404


class TestSite:
    @pytest.mark.parametrize("path", ["/about", "/accessibility", "/offline"])
    async def test_pages_about_the_site_are_there_in_both_languages(
        self, shop: Shop, path: str
    ) -> None:
        assert await shop.page(path) != await shop.page(path, RU)

    async def test_the_worker_keeps_the_offline_page(self, shop: Shop) -> None:
        response = await shop.http.get("/worker.js", headers=EN)
        assert response.headers["content-type"].startswith("text/javascript")
        assert '"/offline"' in response.text

    async def test_pictures_never_change(self, shop: Shop) -> None:
        response = await shop.http.get("/pictures/stay/hotels/0a1b2c3d.svg")
        assert response.headers["content-type"] == "image/svg+xml"
        assert "immutable" in response.headers["cache-control"]

    async def test_a_picture_of_no_kind_is_not_there(self, shop: Shop) -> None:
        assert (await shop.http.get("/pictures/boat/hotels/1.svg")).status_code == 404

    async def test_the_language_is_kept_and_the_page_stays(self, shop: Shop) -> None:
        form = re.findall(
            r'name="(_csrf|_key)" value="([^"]+)"', await shop.page("/search?kind=stay")
        )
        data = {**dict(form), "back": "/search?kind=stay", "language": "ru"}
        response = await shop.http.post(
            "/preferences", data=data, headers={"sec-fetch-site": "same-origin"}
        )
        assert (response.status_code, response.headers["location"]) == (303, "/search?kind=stay")
        assert '<html lang="ru"' in await shop.page("/search?kind=stay")

    @pytest.mark.parametrize(
        "back", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"]
    )
    async def test_nobody_is_led_to_another_site(self, shop: Shop, back: str) -> None:
        form = re.findall(r'name="(_csrf|_key)" value="([^"]+)"', await shop.page("/"))
        data = {**dict(form), "back": back, "theme": "dark"}
        response = await shop.http.post(
            "/preferences", data=data, headers={"sec-fetch-site": "same-origin"}
        )
        assert response.headers["location"] == "/"

    async def test_a_chosen_theme_is_drawn_by_the_server(self, shop: Shop) -> None:
        assert "data-theme" not in (await shop.page("/")).split(">", 2)[1]
        shop.http.cookies.set("theme", "dark")
        assert '<html lang="en" data-theme="dark"' in await shop.page("/")
