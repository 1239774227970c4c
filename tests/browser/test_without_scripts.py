"""The customer's main path where no script runs."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.shopping import BASKET, Shopper
from tests.browser.visitor import Language, Screen


@pytest.mark.parametrize(("language", "screen"), [("ru", "phone"), ("en", "desktop")])
class TestWithoutScripts:
    async def test_four_kinds_are_bought_and_cancelled(
        self, visit: Visit, language: Language, screen: Screen
    ) -> None:
        visitor = await visit(screen=screen, language=language, java_script_enabled=False)
        page = visitor.page
        shopper = Shopper(visitor, language, scripts=False)
        for number, choice in enumerate(BASKET, 1):
            await shopper.find(choice)
            await shopper.choose_dates(choice)
            await shopper.add(choice)
            await expect(page).to_have_url(re.compile("/cart$"))
            await expect(page.locator(".line")).to_have_count(number)
        await page.locator("a[href='/checkout']:visible").first.click()

        await page.locator(".demo a[href*='as=customer']").click()
        await page.click("main form[action='/sign-in'] button")
        await expect(page).to_have_url(re.compile("/checkout$"))
        await shopper.press("checkout")
        await page.click("button[value=pay]")
        await expect(page).to_have_url(re.compile("/orders/"))
        # The page asks again by itself every five seconds.
        cancel = page.locator(".side a[href$='/cancel']")
        await expect(page.locator(".side .badge.is-good")).to_be_visible()
        await cancel.click()
        await page.locator("form[action$='/cancel'] button").click()
        await expect(page.locator(".side .badge.is-bad")).to_be_visible()
