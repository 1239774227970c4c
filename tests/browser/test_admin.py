"""Admins at a browser: people, listings, orders."""

import re

import pytest
from playwright.async_api import expect

from dvor.demo.accounts import PASSWORD
from tests.browser.conftest import Register, Visit
from tests.browser.visitor import Language, Screen
from tests.journeys.conftest import Site
from tests.journeys.test_purchase import SUCCESS, pay, until


@pytest.mark.parametrize(("language", "screen"), [("ru", "desktop"), ("en", "phone")])
class TestAdmin:
    async def test_people_are_let_sell_blocked_and_let_in_again(
        self, visit: Visit, register: Register, language: Language, screen: Screen
    ) -> None:
        email = await register(language)
        admin = await visit(screen=screen, language=language)
        await admin.sign_in("admin")
        page = admin.page
        row = page.locator("tbody tr").filter(has_text=email)

        async def change(action: str) -> None:
            await admin.open(f"/admin/users?text={email}")
            await row.locator("summary").click()
            await row.locator(f"a[href$='/{action}']").click()
            await page.click(f"main form[action$='/{action}'] button")
            await expect(page).to_have_url(re.compile("/admin/users$"))

        await change("make_seller")
        person = await visit(screen=screen, language=language)
        await person.sign_in(email)
        await person.open("/selling")
        await expect(person.page.locator("h1")).to_be_visible()
        await change("block")
        await admin.open(f"/admin/users?text={email}")
        await expect(row.locator(".badge.is-bad")).to_be_visible()
        await person.page.wait_for_timeout(0)
        await self.is_out(person.page, person.url)
        await change("unblock")
        await person.sign_in(email)

    async def is_out(self, page, url: str) -> None:
        """Within a few seconds the session is dead, and signing in is refused."""
        for _ in range(40):
            await page.goto(f"{url}/selling")
            if "/sign-in" in page.url:
                break
            await page.wait_for_timeout(250)
        await page.fill("main [name=email]", "visitor@dvor.example")
        await page.fill("main [name=password]", PASSWORD)
        await page.click("main form[action='/sign-in'] button")
        await expect(page.get_by_role("alert")).to_be_visible()

    async def test_a_listing_is_taken_off_sale_and_put_back(
        self, visit: Visit, language: Language, screen: Screen
    ) -> None:
        admin = await visit(screen=screen, language=language)
        await admin.sign_in("admin")
        page = admin.page
        await admin.open("/admin/listings?kind=stay&status=published")
        button = page.locator("form[action$='/archive'] button").first
        form = button.locator("xpath=ancestor::form")
        listing = (await form.get_attribute("action") or "").split("/")[3]
        await button.click()
        stranger = await visit(screen=screen, language=language)
        gone = await stranger.page.goto(f"{stranger.url}/listings/{listing}")
        assert gone is not None
        assert gone.status == 404
        await page.click(".notices form[action$='/publish'] button")
        await stranger.open(f"/listings/{listing}")
        await expect(stranger.page.locator("#booking")).to_be_visible()

    async def test_an_order_is_found_and_cancelled(
        self, visit: Visit, shop: Site, language: Language, screen: Screen
    ) -> None:
        customer = await shop.signed_in("customer@dvor.example")
        cards = (await customer.get("/listings", kind="product", text="открытки"))["items"]
        listing = await customer.get(f"/listings/{cards[0]['id']}")
        order = await customer.post(
            "/orders", {"lines": [{"offer_id": listing["offers"][0]["id"]}]}
        )
        await pay(customer, order["pay_path"], SUCCESS)
        await until(customer, order["id"], "paid")

        admin = await visit(screen=screen, language=language)
        await admin.sign_in("admin")
        page = admin.page
        await admin.open(f"/admin/orders?text={order['number']}")
        await page.get_by_role("link", name=order["number"]).click()
        await page.click("main a[href$='/cancel']")
        await page.click("main form[action$='/cancel'] button")
        await expect(page.locator(".notices")).to_be_visible()
        await until(customer, order["id"], "cancelled")
        await admin.open("/admin/payments")
        row = page.locator("tbody tr").filter(has_text=order["number"])
        await expect(row).to_be_visible()
