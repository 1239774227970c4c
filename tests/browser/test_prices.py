"""Prices as people see them: the sum follows the choice, and says how it comes about."""

import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.journeys.conftest import Site


class TestBookingBox:
    async def test_the_explained_sum_follows_the_quantity(self, visit: Visit, shop: Site) -> None:
        tea = (await shop.client().get("/api/v1/listings", params={"text": "Иван-чай"})).json()
        visitor = await visit(language="en")
        page = visitor.page
        await visitor.open(f"/listings/{tea['items'][0]['id']}")
        sums = page.locator("#sums")
        await expect(sums.locator("[data-total]")).to_have_text("₽320")
        more = page.locator("[data-quantity] [data-step='1']")
        for _ in range(2):
            await more.click()
        await expect(sums).to_contain_text("Discount of 5%: from 3 at once")
        await expect(sums).to_contain_text("−₽48")
        await expect(sums.locator("[data-total]")).to_have_text("₽912")
        await page.locator("#book button[type=submit]").click()
        await expect(page.locator("#toasts")).to_contain_text("In your cart")
        await visitor.open("/cart")
        await expect(page.locator(".line-total .price")).to_have_text("₽912")
        await page.locator(".line-price summary").click()
        await expect(page.locator(".line-price")).to_contain_text("3 × ₽320")

    async def test_rooms_of_two_types_are_summed_up_by_the_server(
        self, visit: Visit, shop: Site
    ) -> None:
        found = (await shop.client().get("/api/v1/listings", params={"text": "Пристань"})).json()
        first = datetime.now(UTC).date() + timedelta(days=61)
        monday = first + timedelta(days=-first.weekday() % 7)
        dates = f"start={monday}&end={monday + timedelta(days=7)}"
        visitor = await visit(language="en", screen="phone")
        page = visitor.page
        await visitor.open(f"/listings/{found['items'][0]['id']}?{dates}")
        sums = page.locator("#sums")
        await expect(sums).to_contain_text("Discount of 10%: from 7 nights")
        await page.locator("[data-quantity] [data-step='1']").nth(1).click()
        await expect(sums.locator(".is-head")).to_have_count(2)
        total = await sums.locator("[data-total]").inner_text()
        await expect(page.locator("#action-bar [data-total-copy]")).to_have_text(total)
        amounts = [
            int(re.sub(r"[^\d−]", "", text).replace("−", "-"))
            for text in await sums.locator("dd").all_inner_texts()
            if "₽" in text
        ]
        assert sum(amounts[:-1]) == amounts[-1] > 0


class TestRules:
    async def test_dates_that_break_a_rule_are_not_called_taken(
        self, visit: Visit, shop: Site
    ) -> None:
        found = (await shop.client().get("/api/v1/listings", params={"text": "Плещеева"})).json()
        first = datetime.now(UTC).date() + timedelta(days=61)
        friday = first + timedelta(days=(4 - first.weekday()) % 7)
        visitor = await visit(language="en")
        page = visitor.page
        for start, nights in ((friday, 1), (friday - timedelta(days=2), 3)):
            dates = f"start={start}&end={start + timedelta(days=nights)}"
            await visitor.open(f"/listings/{found['items'][0]['id']}?{dates}")
            terms = page.locator("#terms")
            await expect(terms).to_contain_text("From 2 nights.")
            await expect(terms).to_contain_text("Arrival: Fri, Sat, Sun.")
            said = page.locator("#booking .alert")
            await expect(said).to_be_visible()
            await expect(said).not_to_contain_text("Taken")
        dates = f"start={friday}&end={friday + timedelta(days=2)}"
        await visitor.open(f"/listings/{found['items'][0]['id']}?{dates}")
        await expect(page.locator("#book button.is-wide")).to_be_visible()
