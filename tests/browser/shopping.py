"""What a customer does on the pages, the same in every language, on every screen."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.browser.visitor import Language, Visitor


@dataclass(frozen=True)
class Choice:
    """A thing of the demo world that a customer wants."""

    kind: str
    title: dict[Language, str]
    offer: dict[Language, str]
    """Empty where there is only one."""
    quantity: int = 1
    nights: int = 0
    """Or days; 0: it has no dates."""

    @property
    def dates(self) -> tuple[str, str] | None:
        """From and until, in seven weeks."""
        if not self.nights:
            return None
        start = datetime.now(UTC).date() + timedelta(days=49)
        return start.isoformat(), (start + timedelta(days=self.nights)).isoformat()


# All of them are scarce, so that one more or less is seen.
BASKET = (
    Choice(
        "product",
        {"ru": "Разделочная доска из ясеня", "en": "Chopping board in solid ash"},
        {"ru": "Большая, 45 × 30 см", "en": "Large, 45 × 30 cm"},
    ),
    Choice(
        "rental",
        {"ru": "Шуруповёрт с двумя аккумуляторами", "en": "Cordless drill with two batteries"},
        {"ru": "", "en": ""},
        nights=3,
    ),
    Choice(
        "stay",
        {"ru": "Гостиница «Купеческая»", "en": "Kupecheskaya, a merchant's house"},
        {"ru": "Люкс с камином", "en": "Suite with a fireplace"},
        nights=2,
    ),
    Choice(
        "event",
        {"ru": "Джаз во дворе: квартет Лазаревой", "en": "Courtyard jazz: the Lazareva Quartet"},
        {"ru": "Столик на двоих", "en": "Table for two"},
        quantity=2,
    ),
)


class Shopper:
    """A customer at a browser."""

    def __init__(self, visitor: Visitor, language: Language, *, scripts: bool = True) -> None:
        self.visitor = visitor
        self.page: Page = visitor.page
        self.language: Language = language
        self._scripts = scripts

    async def press(self, form: str) -> None:
        """Press a form's main button: on a phone the one at the thumb."""
        thumb = self.page.locator(f".action-bar button[form='{form}']")
        if await thumb.count() and await thumb.is_visible():
            await thumb.click()
        else:
            await self.page.locator(f"#{form} button.is-main").click()

    async def find(self, choice: Choice) -> None:
        """From the first page through the results to the listing."""
        await self.visitor.open("/")
        await self.page.click(f".gates a[href='/search?kind={choice.kind}']")
        await expect(self.page.locator("#results h1")).to_be_visible()
        await self.page.get_by_role("link", name=choice.title[self.language], exact=True).click()
        await expect(self.page.locator("h1")).to_have_text(choice.title[self.language])

    async def choose_dates(self, choice: Choice) -> None:
        """Type the dates into the booking box, where there are any."""
        if not choice.dates:
            return
        await self.page.fill("#when [name=start]", choice.dates[0])
        await self.page.fill("#when [name=end]", choice.dates[1])
        if self._scripts:
            await self.page.keyboard.press("Tab")
        else:
            await self.page.locator("#when button").click()
        await expect(self.page).to_have_url(re.compile(f"end={choice.dates[1]}"))
        # Both dates ask; the box that the second answer brings is the one to write into.
        await expect(self.page.locator(".htmx-request, .htmx-settling")).to_have_count(0)

    async def free(self, choice: Choice) -> int:
        """How many the open page says can be had."""
        name = choice.offer[self.language]
        tier = self.page.locator(".tiers li").filter(has_text=name)
        if choice.kind in ("stay", "event"):
            field = tier.locator("input[type=number]")
            most = await field.get_attribute("max") if await field.count() else "0"
        elif name:
            radio = self.page.locator("label.choice").filter(has_text=name).locator("input")
            most = "0" if await radio.is_disabled() else await radio.get_attribute("data-most")
        else:
            most = await self.page.locator("#book [name=offer_id]").get_attribute("data-most")
        return int(most or 0)

    async def add(self, choice: Choice) -> None:
        """Say which and how many, and put it into the cart."""
        name = choice.offer[self.language]
        if choice.kind in ("stay", "event"):
            for row in await self.page.locator(".tiers li").all():
                field = row.locator("input[type=number]")
                chosen = name in await row.inner_text()
                if await field.count():
                    await field.fill(str(choice.quantity if chosen else 0))
        elif name:
            await self.page.locator("label.choice").filter(has_text=name).click()
        await self.press("book")

    async def left(self, choice: Choice) -> int:
        """Look the listing up and say how many can be had now."""
        await self.find(choice)
        await self.choose_dates(choice)
        return await self.free(choice)
