"""The main job at a browser: four kinds in one cart, declined, paid, told, cancelled, free."""

import re

import pytest
from playwright.async_api import Page, expect

from dvor.demo.accounts import PASSWORD
from tests.browser.conftest import Register, Visit
from tests.browser.shopping import BASKET, Shopper
from tests.browser.visitor import Language, Screen, Visitor

WORDS: dict[Language, dict[str, str]] = {
    "ru": {
        "held": r"ещё (15 минут|14 минут)",
        "waiting": "Заказ ждёт оплаты",
        "declined": "Банк отклонил платёж",
        "paid": "Оплачено и забронировано",
        "cancelled": "Заказ отменён",
        "mail": "оплачен",
        "told": "оплачен",
    },
    "en": {
        "held": r"1[45] more minutes",
        "waiting": "The order waits for your payment",
        "declined": "The bank declined the payment",
        "paid": "Paid and booked",
        "cancelled": "The order is cancelled",
        "mail": "paid",
        "told": "paid",
    },
}


async def switch_language(visitor: Visitor, language: Language) -> None:
    """With the switch at the foot of the page."""
    await visitor.open("/")
    await visitor.page.click(f".foot button[name=language][value={language}]")
    await expect(visitor.page.locator("html")).to_have_attribute("lang", language)


async def stay_on(page: Page) -> None:
    """Mark the document: a reload would lose the mark."""
    await page.evaluate("document.body.dataset.mark = 'here'")


async def stayed_on(page: Page) -> None:
    assert await page.evaluate("document.body.dataset.mark") == "here", "the page was reloaded"


LOOKS = [
    ("ru", "phone"),
    ("en", "desktop"),
    pytest.param("ru", "desktop", marks=pytest.mark.nightly),
    pytest.param("en", "phone", marks=pytest.mark.nightly),
]


@pytest.mark.parametrize(("language", "screen"), LOOKS)
class TestCustomer:
    async def test_buys_four_kinds_at_once_and_cancels(
        self, visit: Visit, register: Register, language: Language, screen: Screen
    ) -> None:
        words = WORDS[language]
        email = await register(language)
        visitor = await visit(screen=screen, language="en" if language == "ru" else "ru")
        page = visitor.page
        await switch_language(visitor, language)
        shopper = Shopper(visitor, language)

        free = []
        for number, choice in enumerate(BASKET, 1):
            free.append(await shopper.left(choice))
            await shopper.add(choice)
            await expect(page.locator("[data-cart-count]").first).to_have_text(str(number))
        assert all(units >= choice.quantity for units, choice in zip(free, BASKET, strict=True))

        await page.locator("a[href='/cart']:visible").first.click()
        await expect(page.locator(".line")).to_have_count(4)
        await expect(page.locator(".hold")).to_have_text(re.compile(words["held"]))
        total = await page.locator(".side .price").inner_text()
        await page.locator("a[href='/checkout']:visible").first.click()

        await expect(page).to_have_url(re.compile("/sign-in"))
        await page.fill("main [name=email]", email)
        await page.fill("main [name=password]", PASSWORD)
        await page.click("main form[action='/sign-in'] button")
        await expect(page).to_have_url(f"{visitor.url}/checkout")
        await expect(page.locator(".line")).to_have_count(4)
        await expect(page.locator(".side .price.is-large")).to_have_text(total)
        await shopper.press("checkout")

        await expect(page).to_have_url(re.compile("/pay/"))
        order_path = await page.locator("main a[href^='/orders/']").get_attribute("href")
        assert order_path
        other = await visitor.context.new_page()
        await visitor.open(order_path, other)
        await expect(other.get_by_role("heading", name=words["waiting"])).to_be_visible()
        await stay_on(other)

        await page.click("button[value=decline]")
        await expect(page.get_by_role("alert")).to_contain_text(words["declined"])
        await expect(other.locator(".timeline")).to_contain_text(words["declined"])
        await page.click("button[value=pay]")
        await expect(page).to_have_url(re.compile("/orders/"))
        await stay_on(page)
        paid = {"name": words["paid"], "exact": True}
        await expect(page.get_by_role("heading", **paid)).to_be_visible()
        await stayed_on(page)
        await expect(other.get_by_role("heading", **paid)).to_be_visible()
        await stayed_on(other)
        await other.close()
        number = order_number(await page.locator("h1").inner_text())

        await self.is_told(visitor, email, number, words)
        for choice, units in zip(BASKET, free, strict=True):
            assert await shopper.left(choice) == units - choice.quantity

        await visitor.open(order_path)
        await page.locator(f"a[href='{order_path}/cancel']").click()
        await page.click(f"form[action='{order_path}/cancel'] button")
        cancelled = page.get_by_role("heading", name=words["cancelled"], exact=True)
        await expect(cancelled).to_be_visible()
        for choice, units in zip(BASKET, free, strict=True):
            assert await shopper.left(choice) == units

    async def is_told(
        self, visitor: Visitor, email: str, number: str, words: dict[str, str]
    ) -> None:
        """By mail, and in the interface."""
        page = visitor.page
        subject = (
            page.locator(".order-title").filter(has_text=number).filter(has_text=words["mail"])
        )
        for _ in range(20):
            await visitor.open(f"/mailbox?to={email}")
            if await subject.count():
                break
            await page.wait_for_timeout(250)
        await subject.first.locator("a").click()
        mail = page.frame_locator("iframe.mail-frame")
        await expect(mail.locator("body")).to_contain_text(number)

        await expect(page.locator("#unread-count")).not_to_be_empty()
        await page.click("a[href='/notifications']")
        told = page.locator(".told-row").filter(has_text=number).filter(has_text=words["told"])
        await told.first.locator("button").click()
        await expect(page.locator("h1")).to_contain_text(number)


def order_number(heading: str) -> str:
    """The number in `Order 2BKM58M3`."""
    return heading.rsplit(maxsplit=1)[-1]
