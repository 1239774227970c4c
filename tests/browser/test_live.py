"""Two browsers at one listing: what one takes, the other sees, without a reload."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, Route, expect

from dvor.web.watching import POLL_SECONDS
from tests.browser.conftest import Visit
from tests.browser.court import Court
from tests.journeys.conftest import Site


async def stay_on(page: Page) -> None:
    """Mark the document: a reload would lose the mark."""
    await page.evaluate("document.body.dataset.mark = 'here'")


async def stayed_on(page: Page) -> bool:
    return await page.evaluate("document.body.dataset.mark") == "here"


async def answered_late(route: Route) -> None:
    """The news that a unit is gone is faster than the answer to whoever took it."""
    answer = await route.fetch(max_redirects=0)
    await asyncio.sleep(3 * POLL_SECONDS)
    await route.fulfill(response=answer)


class Seller:
    """Makes listings to watch."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def listing(self, kind: str, units: int) -> tuple[str, str]:
        """A published listing with one offer; the listing's and the offer's id."""
        seller = await self.site.signed_in("seller@dvor.example")
        category = {"product": "home", "stay": "hotels"}[kind]
        body = {
            "kind": kind, "category": category, "title": {"en": "Watched", "ru": "На виду"},
            "place": {"city": "Tver", "timezone": "UTC"},
            "offers": [{"price": 100_000, "name": {"en": "One", "ru": "Одна"}}],
        }  # fmt: skip
        made = await seller.post("/listings", body)
        offer = made["offers"][0]["id"]
        await seller.send("PUT", f"/offers/{offer}/supply", {"quantity": units})
        await seller.post(f"/listings/{made['id']}/publish")
        return made["id"], offer


class TestLive:
    async def test_stock_goes_down_and_the_choice_stays(
        self, visit: Visit, shop: Site, court: Court
    ) -> None:
        listing, offer = await Seller(shop).listing("product", 5)
        reader, buyer = await visit(), await visit()
        await reader.open(f"/listings/{listing}")
        stock = reader.page.locator(f"[data-stock='{offer}']")
        await expect(stock).to_have_text("only 5 left")
        await reader.page.fill("#f-quantity", "2")
        await stay_on(reader.page)
        await buyer.open(f"/listings/{listing}")
        await buyer.page.fill("#f-quantity", "3")
        await buyer.page.click("#book button.is-main")
        began = time.monotonic()
        await expect(stock).to_have_text("only 2 left")
        print(f"stock seen after {time.monotonic() - began:.2f} s")
        assert await reader.page.input_value("#f-quantity") == "2"
        assert await reader.page.evaluate("document.activeElement.id") == "f-quantity"
        await expect(reader.page.locator("#f-quantity")).to_have_attribute("max", "2")
        assert await stayed_on(reader.page)

    async def test_sold_out_closes_the_box_and_a_release_opens_it(
        self, visit: Visit, shop: Site, court: Court
    ) -> None:
        listing, _ = await Seller(shop).listing("product", 1)
        reader, buyer = await visit(), await visit(language="ru", screen="phone")
        await reader.open(f"/listings/{listing}")
        await expect(reader.page.locator("#book")).to_be_visible()
        await stay_on(reader.page)
        await buyer.open(f"/listings/{listing}")
        await buyer.page.route("**/cart/lines", answered_late)
        await buyer.page.locator(
            "button[form=book]:visible, #book button.is-main:visible"
        ).first.click()
        await expect(reader.page.locator("#booking")).to_contain_text("Sold out")
        await expect(reader.page.locator("#book")).to_have_count(0)
        # What is in one's own cart is not announced as gone.
        await expect(buyer.page.locator("#book")).to_be_visible()
        await buyer.open("/cart")
        await buyer.page.locator("form:has([name=remove]) button").first.click()
        await expect(reader.page.locator("#book")).to_be_visible()
        assert await stayed_on(reader.page)

    async def test_nights_are_crossed_out_while_somebody_chooses(
        self, visit: Visit, shop: Site, court: Court
    ) -> None:
        listing, _ = await Seller(shop).listing("stay", 1)
        # Always on the two months that are shown.
        first = datetime.now(UTC).date().replace(day=1) + timedelta(days=40)
        last = first + timedelta(days=2)
        reader, buyer = await visit(), await visit()
        await reader.open(f"/listings/{listing}")
        night = reader.page.locator(f"[data-day='{first}']")
        await expect(night).to_have_attribute("data-free", "1")
        await night.click()  # has chosen the first day, not yet the last
        await stay_on(reader.page)
        await buyer.open(f"/listings/{listing}?start={first}&end={last}")
        await buyer.page.click("#book button.is-main")
        began = time.monotonic()
        await expect(night).not_to_have_attribute("data-free", "1")
        print(f"night seen after {time.monotonic() - began:.2f} s")
        await expect(night).to_have_class("day-in is-first is-fresh")
        await expect(reader.page.locator(f"[data-day='{last}']")).to_have_attribute(
            "data-free", "1"
        )
        assert await reader.page.evaluate("document.activeElement.dataset.day") == str(first)
        assert await stayed_on(reader.page)

    async def test_coming_back_to_the_page_shows_what_happened_meanwhile(
        self, visit: Visit, shop: Site, court: Court
    ) -> None:
        listing, offer = await Seller(shop).listing("product", 5)
        reader, buyer = await visit(), await visit()
        await reader.open(f"/listings/{listing}")
        await expect(reader.page.locator(f"[data-stock='{offer}']")).to_have_text("only 5 left")
        await reader.context.set_offline(True)
        await buyer.open(f"/listings/{listing}")
        await buyer.page.click("#book button.is-main")
        await expect(buyer.page.locator("[data-cart-count]").first).to_have_text("1")
        await reader.context.set_offline(False)
        await expect(reader.page.locator(f"[data-stock='{offer}']")).to_have_text("only 4 left")
