"""Sellers at a browser: a listing of each kind from the draft to the archive, and its orders."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Language, Screen
from tests.journeys.conftest import Site
from tests.journeys.test_purchase import SUCCESS, pay, until

STATUS: dict[Language, dict[str, str]] = {
    "ru": {"draft": "Черновик", "published": "В продаже", "archived": "Снято с продажи"},
    "en": {"draft": "Draft", "published": "On sale", "archived": "Off sale"},
}
SALES: list[tuple[str, str, Language, Screen]] = [
    ("product", "seller", "ru", "desktop"),
    ("rental", "seller", "en", "phone"),
    ("stay", "hotelier", "ru", "phone"),
    ("event", "organiser", "en", "desktop"),
]


async def fill_in(page: Page, kind: str, title: str) -> None:
    """Everything that this kind's form needs, and a second offer."""
    await page.fill("#f-title-ru", f"{title} по-русски")
    await page.fill("#f-title-en", f"{title} in English")
    await page.fill("#f-description-ru", "Описание.\n\nВ двух абзацах.")
    category = page.locator("#f-category option").nth(1)
    await page.select_option("#f-category", await category.get_attribute("value"))
    await page.fill("#f-city", "Суздаль")
    if kind == "event":
        start = datetime.now(UTC) + timedelta(days=20)
        await page.fill("#f-starts_at", start.strftime("%Y-%m-%dT19:00"))
    await page.fill("#f-offer-0-price", "1500")
    await page.fill("#f-offer-0-quantity", "3")
    await page.click("button[value=add-offer]")
    await expect(page.locator("#f-offer-1-price")).to_be_visible()
    for number, price in enumerate(("1500", "2500,50")):
        await page.fill(f"#f-offer-{number}-name-ru", f"Вид {number}")
        await page.fill(f"#f-offer-{number}-name-en", f"Sort {number}")
        await page.fill(f"#f-offer-{number}-price", price)
    await page.fill("#f-offer-1-quantity", "1")
    if kind in ("rental", "stay"):
        await page.click("button[value=add-season-0]")
        day = datetime.now(UTC).date() + timedelta(days=100)
        await page.fill("#f-offer-0-season-0-first", day.isoformat())
        await page.fill("#f-offer-0-season-0-last", (day + timedelta(days=9)).isoformat())
        await page.fill("#f-offer-0-season-0-price", "1900")
    await page.fill("#f-attribute-0-name", "Материал")
    await page.fill("#f-attribute-0-value", "Дуб")


class TestListings:
    @pytest.mark.parametrize(("kind", "who", "language", "screen"), SALES)
    async def test_a_listing_is_written_edited_sold_and_taken_off(
        self, visit: Visit, kind: str, who: str, language: Language, screen: Screen
    ) -> None:
        seller = await visit(screen=screen, language=language)
        await seller.context.add_cookies([{"name": "lang", "value": language, "url": seller.url}])
        stranger = await visit(screen=screen, language=language)
        page, words = seller.page, STATUS[language]
        await seller.sign_in(who)
        await seller.open("/selling/listings")
        await page.click("a[href='/selling/listings/new']")
        await page.click(f"a[href='/selling/listings/new?kind={kind}']")
        price = "2500,50" if language == "ru" else "2500.50"
        await fill_in(page, kind, "Проба")
        await page.fill("#f-offer-1-price", price)
        await page.click(".form-end button[value=save]")
        await expect(page.locator(".page-title .badge")).to_have_text(words["draft"])
        path = page.url.removeprefix(seller.url).replace("/selling", "")
        gone = await stranger.page.goto(stranger.url + path)
        assert gone is not None
        assert gone.status == 404

        title = "Готово" if language == "ru" else "Ready"
        await page.fill(f"#f-title-{language}", title)
        await page.click(".form-end button[value=publish]")
        await expect(page.locator(".page-title .badge")).to_have_text(words["published"])
        await stranger.open(path)
        await expect(stranger.page.locator("h1")).to_have_text(title)
        await stranger.open(f"/search?kind={kind}&sort=newest")
        await expect(stranger.page.locator(f"a[href='{path}']")).to_be_visible()

        await page.click(f"form[action='/selling{path}/archive'] button")
        await expect(page.locator(".page-title .badge")).to_have_text(words["archived"])
        await page.click(f".notices form[action='/selling{path}/publish'] button")
        await expect(page.locator(".page-title .badge")).to_have_text(words["published"])
        await page.click(f"form[action='/selling{path}/archive'] button")
        await expect(page.locator(".page-title .badge")).to_have_text(words["archived"])
        await seller.open("/selling/listings?status=archived")
        await expect(page.get_by_role("link", name=title, exact=True).first).to_be_visible()


class TestOrders:
    @pytest.mark.parametrize(("language", "screen"), [("ru", "phone"), ("en", "desktop")])
    async def test_a_paid_order_is_seen_and_handed_over(
        self, visit: Visit, shop: Site, language: Language, screen: Screen
    ) -> None:
        customer = await shop.signed_in("customer@dvor.example")
        cards = (await customer.get("/listings", kind="product", text="открытки"))["items"]
        listing = await customer.get(f"/listings/{cards[0]['id']}")
        line = {"offer_id": listing["offers"][0]["id"]}
        order = await customer.post("/orders", {"lines": [line]})
        await pay(customer, order["pay_path"], SUCCESS)
        await until(customer, order["id"], "paid")

        seller = await visit(screen=screen, language=language)
        await seller.sign_in("seller")
        page = seller.page
        await seller.open("/selling")
        due = page.locator(".order-row").filter(has_text=order["number"])
        await expect(due).to_be_visible()
        await seller.open(f"/selling/orders?text={order['number']}")
        await page.get_by_role("link", name=order["number"]).click()
        await expect(page.locator("h1")).to_contain_text(order["number"])
        await page.click(f"form[action='/selling/orders/{order['id']}/deliver'] button")
        await expect(page.locator(".notices")).to_contain_text(order["number"])
        shown = await customer.get(f"/orders/{order['id']}")
        assert shown["status"] == "delivered"
        await seller.open("/selling/orders")
        async with page.expect_download() as download:
            await page.click("a[href^='/selling/orders.csv']")
        saved = await (await download.value).path()
        assert re.search(rf"^{order['number']},", saved.read_text("utf-8-sig"), re.MULTILINE)
