"""The seller's form about prices, discounts and booking rules."""

from datetime import date

from dvor.contracts.catalog import Kind, ListingStatus
from dvor.contracts.inventory import Rules
from dvor.contracts.pricing import Discount, Pricing, WeekdayPrice
from dvor.kernel.caller import Role
from dvor.kernel.errors import InvalidFields
from dvor.kernel.periods import DateRange
from tests.web.browser import Browser, Page
from tests.web.conftest import Web

NEW = "/selling/listings/new"


async def let(browser: Browser, kind: Kind, press: str = "do=save", **typed: str) -> Page:
    """Write a listing of something let by dates, or of goods."""
    page = await browser.open(f"{NEW}?kind={kind}")
    known = {
        "title__en": "Thing",
        "category": f"{kind}-things",
        "city": "Омск",
        "offer__0__price": "100",
        "offer__0__quantity": "2",
    }
    return await browser.submit(page, NEW, press=press, **known | typed)


class TestPrices:
    async def test_are_written_as_they_were_typed(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        await let(
            browser,
            Kind.STAY,
            offer__0__day__4="120.50",
            offer__0__day__5="130",
            offer__0__length__0__least="7",
            offer__0__length__0__percent="10",
            offer__0__length__1__least="28",
            offer__0__length__1__percent="30",
            offer__0__many__1__least="3",
            offer__0__many__1__percent="5",
            offer__0__deposit="50",
        )
        assert web.catalog.drafts[0].offers[0].pricing == Pricing(
            weekdays=(
                WeekdayPrice(weekday=4, price=12050),
                WeekdayPrice(weekday=5, price=13000),
            ),
            length_discounts=(
                Discount(least=7, percent=10),
                Discount(least=28, percent=30),
            ),
            quantity_discounts=(Discount(least=3, percent=5),),
            deposit=5000,
        )

    async def test_come_back_as_they_were_typed_and_stay(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await let(
            browser,
            Kind.RENTAL,
            offer__0__day__6="120.50",
            offer__0__length__0__least="7",
            offer__0__length__0__percent="10",
            offer__0__deposit="50",
        )
        await browser.submit(page, page.path, press="do=save")
        first, second = web.catalog.drafts
        assert first.offers[0].pricing == second.offers[0].pricing != Pricing()

    async def test_mistakes_stand_at_their_fields_in_an_open_part(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await let(
            browser,
            Kind.STAY,
            offer__0__day__0="much",
            offer__0__deposit="1.234",
            offer__0__length__0__least="7",
            offer__0__length__0__percent="101",
            offer__0__many__0__least="5",
            offer__0__many__0__percent="20",
            offer__0__many__1__least="10",
            offer__0__many__1__percent="10",
        )
        assert page.status == 422 and web.catalog.drafts == []
        for name in ("day-0", "deposit", "length-0-percent", "many-1-percent"):
            assert f'href="#f-offer-0-{name}"' in page.html, name
            assert f'id="offer-0-{name}-error"' in page.html, name
        assert page.html.count('<details class="fold" open>') == 1

    async def test_of_goods_are_by_quantity_only(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await browser.open(f"{NEW}?kind=product")
        assert "offer-0-day-0" not in page.html and "offer-0-deposit" not in page.html
        await let(
            browser, Kind.PRODUCT, offer__0__many__0__least="3", offer__0__many__0__percent="5"
        )
        assert web.catalog.drafts[0].offers[0].pricing == Pricing(
            quantity_discounts=(Discount(least=3, percent=5),)
        )

    async def test_what_the_catalogue_refuses_stands_at_its_field(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        web.catalog.refuse = InvalidFields(
            problems={"offers.0.pricing.deposit": "Too much.", "place.city": "Where?"}
        )
        page = await let(browser, Kind.STAY)
        assert page.status == 422
        assert 'id="offer-0-deposit-error"' in page.html
        assert "Too much." in page.text and "Where?" in page.text


class TestByHour:
    async def test_can_be_chosen_until_it_is_on_sale(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await let(browser, Kind.RENTAL, offer__0__by_hour="1")
        assert web.catalog.drafts[0].offers[0].by_hour
        listing = next(iter(web.catalog.listings.values()))
        assert 'type="radio" name="offer-0-by_hour"' in page.html
        web.catalog.listings[listing.id] = listing.model_copy(
            update={"status": ListingStatus.PUBLISHED}
        )
        page = await browser.open(page.path)
        assert 'type="radio" name="offer-0-by_hour"' not in page.html
        assert "Let by the hour: this stays" in page.text
        await browser.submit(page, page.path, press="do=save")
        assert web.catalog.drafts[-1].offers[0].by_hour

    async def test_is_for_rentals(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        await let(browser, Kind.STAY, offer__0__by_hour="1")
        assert not web.catalog.drafts[0].offers[0].by_hour


class TestRules:
    async def test_are_set_as_they_were_typed_and_shown_again(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await let(
            browser,
            Kind.STAY,
            press="do=add-closed-0",
            offer__0__rule__length_min="2",
            offer__0__rule__length_max="14",
            offer__0__rule__notice_hours="24",
            offer__0__rule__horizon_days="90",
            offer__0__rule__buffer="1",
            offer__0__rule__per_customer="3",
            offer__0__arrive__4="1",
            offer__0__arrive__5="1",
            offer__0__leave__6="1",
        )
        assert web.catalog.drafts == []
        assert page.html.count('<details class="fold" open>') == 1
        page = await browser.submit(
            page,
            NEW,
            press="do=save",
            offer__0__closed__0__first="2027-01-01",
            offer__0__closed__0__last="2027-01-08",
        )
        rules = Rules(
            length_min=2,
            length_max=14,
            notice_hours=24,
            horizon_days=90,
            buffer=1,
            per_customer=3,
            arrival_weekdays=(4, 5),
            departure_weekdays=(6,),
            closed=(DateRange(start=date(2027, 1, 1), end=date(2027, 1, 9)),),
        )
        assert list(web.inventory.ruled.values()) == [rules]
        path = page.path
        await browser.submit(page, path, press="do=save", offer__0__rule__per_customer="4")
        four = rules.model_copy(update={"per_customer": 4})
        assert list(web.inventory.ruled.values()) == [four]
        page = await browser.submit(await browser.open(path), path, press="do=remove-closed-0-0")
        await browser.submit(page, path, press="do=save")
        assert list(web.inventory.ruled.values()) == [four.model_copy(update={"closed": ()})]

    async def test_keep_what_this_form_does_not_ask(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await let(browser, Kind.PRODUCT, offer__0__rule__per_customer="3")
        offer_id = next(iter(web.inventory.ruled))
        web.inventory.ruled[offer_id] = Rules(per_customer=3, no_single_seats=True)
        page = await browser.open(page.path)
        await browser.submit(page, page.path, press="do=save", offer__0__rule__per_customer="4")
        assert web.inventory.ruled[offer_id] == Rules(per_customer=4, no_single_seats=True)

    async def test_are_left_alone_when_nothing_is_asked(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        await let(browser, Kind.PRODUCT)
        assert web.inventory.ruled == {}

    async def test_mistakes_stand_at_their_fields(self, web: Web):
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        page = await let(
            browser,
            Kind.RENTAL,
            press="do=add-closed-0",
            offer__0__rule__length_min="9",
            offer__0__rule__length_max="3",
            offer__0__rule__notice_hours="soon",
        )
        page = await browser.submit(
            page,
            NEW,
            press="do=save",
            offer__0__closed__0__first="2027-01-08",
            offer__0__closed__0__last="2027-01-01",
        )
        assert page.status == 422 and web.inventory.ruled == {}
        for name in ("rule-length_max", "rule-notice_hours", "closed-0-last"):
            assert f'href="#f-offer-0-{name}"' in page.html, name
            assert f'id="offer-0-{name}-error"' in page.html, name
