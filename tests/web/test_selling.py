"""The pages of people who sell."""

import csv
import io
from datetime import datetime
from uuid import uuid4

import pytest

from dvor.contracts.catalog import Kind, ListingStatus, Outdated
from dvor.contracts.inventory import BelowPromised
from dvor.contracts.orders import NotDeliverable, OrderStatus, Viewpoint
from dvor.kernel.caller import Role
from tests.web.browser import Browser, Page
from tests.web.conftest import Web
from tests.web.fakes import order

NEW = "/selling/listings/new"


async def lamp(browser: Browser, press: str = "do=save", **typed: str) -> Page:
    """Write a listing of goods."""
    page = await browser.open(f"{NEW}?kind=product")
    known = {
        "title__ru": "Лампа",
        "category": "product-things",
        "offer__0__price": "1234.50",
        "offer__0__quantity": "7",
    }
    return await browser.submit(page, NEW, press=press, **known | typed)


class TestWhoMaySell:
    @pytest.mark.parametrize("path", ["", "/listings", "/listings/new", "/orders", "/orders.csv"])
    async def test_customers_may_not(self, web: Web, path: str):
        browser, _ = await web.signed_in()
        assert (await browser.open(f"/selling{path}")).status == 403

    async def test_strangers_sign_in_first(self, web: Web):
        assert (await web.browser().open("/selling")).path == "/sign-in?next=%2Fselling"


class TestToday:
    async def test_says_how_to_begin(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        assert "Begin with a listing" in (await browser.open("/selling")).text

    async def test_shows_what_is_to_be_handed_over_and_does_it(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        web.orders.kept = [order(uuid4(), OrderStatus.PAID, title="Bowl")]
        page = await browser.open("/selling")
        assert "Bowl" in page.text
        action = f"/selling/orders/{web.orders.kept[0].id}/deliver"
        page = await browser.submit(page, action)
        assert "Order ABCD2345 is handed over." in page.text
        assert web.orders.did == [("deliver", web.orders.kept[0].id)]


class TestNewListing:
    async def test_asks_for_the_kind_first(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await browser.open(NEW)
        for kind in Kind:
            assert f"{NEW}?kind={kind}" in page.html

    async def test_writes_prices_exactly_and_sets_the_stock(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await lamp(browser)
        listing = next(iter(web.catalog.listings.values()))
        assert page.path == f"/selling/listings/{listing.id}" and "Saved." in page.text
        assert listing.offers[0].price.amount == 123450
        assert web.inventory.supplied == {listing.offers[0].id: 7}
        assert listing.status is ListingStatus.DRAFT

    async def test_a_russian_types_a_comma(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER, language="ru")
        await lamp(browser, offer__0__price="1 234,5")
        assert web.catalog.drafts[0].offers[0].price == 123450

    async def test_can_be_put_on_sale_at_once(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await lamp(browser, press="do=publish")
        assert "“Лампа” is on sale." in page.text
        assert next(iter(web.catalog.listings.values())).status is ListingStatus.PUBLISHED

    async def test_mistakes_are_named_at_their_fields_and_nothing_is_lost(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await lamp(
            browser,
            title__ru="",
            description__en="Bright",
            category="nonsense",
            offer__0__price="12.345",
            offer__0__quantity="-1",
        )
        assert page.status == 422 and web.catalog.drafts == []
        for name in ("title-en", "category", "offer-0-price", "offer-0-quantity"):
            assert f'href="#f-{name}"' in page.html and f'id="{name}-error"' in page.html
        values = dict(page.form(NEW).values)
        assert values["description-en"] == "Bright" and values["offer-0-price"] == "12.345"

    async def test_rows_are_added_and_removed_without_scripts(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await lamp(browser, press="do=add-offer", offer__0__name__en="Small")
        page = await browser.submit(
            page,
            NEW,
            press="do=add-offer",
            offer__1__name__en="Middle",
            offer__1__price="20",
            offer__1__quantity="2",
        )
        page = await browser.submit(
            page, NEW, press="do=remove-offer-1", offer__2__name__en="Large",
            offer__2__price="30", offer__2__quantity="3",
        )  # fmt: skip
        assert web.catalog.drafts == []
        await browser.submit(page, NEW, press="do=save")
        offers = web.catalog.drafts[0].offers
        assert [(o.name.en, o.price) for o in offers] == [("Small", 123450), ("Large", 3000)]

    async def test_an_event_begins_at_the_hour_of_its_place(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await browser.open(f"{NEW}?kind=event")
        await browser.submit(
            page,
            NEW,
            press="do=save",
            title__en="Concert",
            category="event-things",
            city="Омск",
            timezone="Asia/Omsk",
            starts_at="2027-06-01T19:00",
            offer__0__price="500",
            offer__0__quantity="100",
        )
        starts_at = web.catalog.drafts[0].starts_at
        assert starts_at is not None and starts_at == datetime.fromisoformat(
            "2027-06-01T19:00+06:00"
        )

    async def test_an_event_without_a_beginning_is_refused(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await browser.open(f"{NEW}?kind=event")
        page = await browser.submit(page, NEW, press="do=save", title__en="Concert")
        assert "Say when it begins." in page.text and "Say in which city." in page.text

    async def test_seasons_have_prices_of_their_own_and_do_not_overlap(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await browser.open(f"{NEW}?kind=stay")
        page = await browser.submit(
            page,
            NEW,
            press="do=add-season-0",
            title__en="House",
            category="stay-things",
            city="Суздаль",
            offer__0__price="4500",
            offer__0__quantity="3",
        )
        page = await browser.submit(
            page,
            NEW,
            press="do=add-season-0",
            offer__0__season__0__first="2027-12-28",
            offer__0__season__0__last="2028-01-08",
            offer__0__season__0__price="9000",
        )
        page = await browser.submit(
            page,
            NEW,
            press="do=save",
            offer__0__season__1__first="2028-01-08",
            offer__0__season__1__last="2028-01-10",
            offer__0__season__1__price="5000",
        )
        assert page.status == 422 and "This overlaps another season." in page.text
        page = await browser.submit(
            page, NEW, press="do=save", offer__0__season__1__first="2028-01-09"
        )
        assert [s.price for s in web.catalog.drafts[0].offers[0].seasons] == [900000, 500000]


class TestEditing:
    async def test_the_form_shows_what_was_saved(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await lamp(browser, attribute__0__name="Colour", attribute__0__value="red")
        values = dict(page.forms[-1].values) | dict(
            next(form for form in page.forms if "offer-0-price" in dict(form.values)).values
        )
        assert values["offer-0-price"] == "1234.50" and values["offer-0-quantity"] == "7"
        assert values["title-ru"] == "Лампа" and values["attribute-0-value"] == "red"

    async def test_the_listing_of_another_seller_is_not_found(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await lamp(browser, press="do=publish")
        other, _ = await web.signed_in("Olga", Role.SELLER)
        assert (await other.open(page.path)).status == 404
        assert (await other.post(await other.open(NEW), page.path)).status == 404

    async def test_keeps_the_offers_it_had(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await lamp(browser)
        before = next(iter(web.catalog.listings.values()))
        await browser.submit(page, page.path, press="do=save", offer__0__price="2000")
        after = web.catalog.listings[before.id]
        assert after.offers[0].id == before.offers[0].id
        assert (after.offers[0].price.amount, after.version) == (200000, 2)

    async def test_fewer_than_promised_is_refused_at_the_quantity(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await lamp(browser)
        offer = next(iter(web.catalog.listings.values())).offers[0]
        web.inventory.refuse = BelowPromised(offer_id=offer.id, promised=5)
        page = await browser.submit(page, page.path, press="do=save", offer__0__quantity="2")
        assert page.status == 409 and 'id="offer-0-quantity-error"' in page.html
        assert "5 are already promised" in page.text and "Everything else is saved." in page.text
        assert web.inventory.supplied == {offer.id: 7}

    async def test_a_change_of_somebody_else_is_not_overwritten(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await lamp(browser)
        web.catalog.refuse = Outdated()
        page = await browser.submit(page, page.path, press="do=save", title__en="Mine")
        assert page.status == 409 and "Somebody changed this meanwhile." in page.text
        assert dict(page.form(page.path).values)["title-en"] == "Mine"


class TestListings:
    async def test_taking_off_sale_can_be_undone(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        await lamp(browser, press="do=publish")
        listing = next(iter(web.catalog.listings))
        page = await browser.open("/selling/listings")
        page = await browser.submit(page, f"/selling/listings/{listing}/archive?from=list")
        assert page.path == "/selling/listings" and "is off sale" in page.text
        assert web.catalog.listings[listing].status is ListingStatus.ARCHIVED
        await browser.submit(page, f"/selling/listings/{listing}/publish")
        assert web.catalog.listings[listing].status is ListingStatus.PUBLISHED

    async def test_asks_for_ones_own_of_any_status(self, web: Web):
        browser, me = await web.signed_in("Sam", Role.SELLER)
        page = await browser.open("/selling/listings")
        assert "No listings yet" in page.text
        search = web.catalog.searches[-1]
        assert (search.seller_id, search.status) == (me.id, None)


class TestOrdersOfTheSeller:
    async def test_looks_as_the_seller(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        await browser.open("/selling/orders?status=paid&text=AB")
        search = web.orders.searches[-1]
        assert search.viewpoint is Viewpoint.SELLER
        assert (search.status, search.text) == (OrderStatus.PAID, "AB")

    async def test_names_the_customer(self, web: Web):
        _, buyer = await web.signed_in("Anna")
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        web.orders.kept = [order(buyer.id, OrderStatus.PAID)]
        page = await browser.open(f"/selling/orders/{web.orders.kept[0].id}")
        assert "Anna" in page.text and "The customer placed the order." in page.text

    async def test_what_cannot_be_handed_over_says_so(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        web.orders.kept = [order(uuid4(), OrderStatus.PAID)]
        path = f"/selling/orders/{web.orders.kept[0].id}"
        page = await browser.open(path)
        web.orders.refuse_act = NotDeliverable()
        page = await browser.submit(page, f"{path}/deliver")
        assert page.path == path and "Only a paid order can be handed over." in page.text

    async def test_cancels_after_saying_what_happens(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        web.orders.kept = [order(uuid4(), OrderStatus.PAID, told=(("paid", {}),))]
        path = f"/selling/orders/{web.orders.kept[0].id}"
        page = await browser.open(f"{path}/cancel")
        assert "The customer will get back ₽12.50" in page.text
        page = await browser.submit(page, f"{path}/cancel")
        assert page.path == path and web.orders.did[0][0] == "cancel"


class TestCsv:
    async def test_holds_every_order_page_by_page(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        web.orders.kept = [order(uuid4(), OrderStatus.PAID) for _ in range(250)]
        answer = await browser.http.get("/selling/orders.csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert "attachment" in answer.headers["content-disposition"]
        rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert len(rows) == 251
        assert rows[1][0] == "ABCD2345" and rows[1][5:] == ["25.00", "RUB"]

    async def test_runs_no_formula_in_a_spreadsheet(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        web.orders.kept = [order(uuid4(), title=f"{sign}1+1") for sign in "=+-@"]
        answer = await browser.http.get("/selling/orders.csv")
        titles = [row[3] for row in csv.reader(io.StringIO(answer.text))][1:]
        assert titles == ["'=1+1", "'+1+1", "'-1+1", "'@1+1"]
