"""Hands on the keyboard only."""

from playwright.async_api import Locator, Page

from tests.browser.visitor import Visitor

FAR = 150
"""More stops than any page has before what is looked for."""


async def in_language(visitor: Visitor) -> None:
    """From now on pages speak the visitor's language, not the one of the account."""
    chosen = {"name": "lang", "value": visitor.language, "url": visitor.url}
    await visitor.context.add_cookies([chosen])  # type: ignore[list-item]


class Keyboard:
    """Somebody who has no mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            await self.page.keyboard.press(key)

    async def reach(self, element: Locator, key: str = "Tab") -> None:
        """Press Tab, or Shift+Tab, until this has the focus."""
        for _ in range(FAR):
            if await has_focus(element):
                return
            await self.page.keyboard.press(key)
        raise AssertionError(f"{element} cannot be reached by {key}")

    async def said(self) -> str:
        """The name of what has the focus."""
        return await self.page.evaluate(
            "document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()"
        )


async def has_focus(element: Locator) -> bool:
    """Whether the focus is on this very element."""
    return bool(await element.evaluate("element => element === document.activeElement"))
