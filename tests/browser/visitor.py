"""Somebody at a browser, and everything that goes wrong before their eyes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    WebError,
)

from dvor.demo.accounts import PASSWORD, PEOPLE

Screen = Literal["desktop", "phone"]
Language = Literal["ru", "en"]
Theme = Literal["light", "dark"]

SCREENS: dict[Screen, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        "device_scale_factor": 2,
    },
}
LOCALES: dict[Language, str] = {"ru": "ru-RU", "en": "en-GB"}
WAIT_MS = 15_000
"""Patience for anything to appear: the machine may be busy."""


@dataclass
class Visitor:
    """One browser with its own cookies, and a page open in it."""

    url: str
    context: BrowserContext
    page: Page
    language: Language = "en"
    troubles: list[str] = field(default_factory=list)
    """Console errors, requests to strangers, 5xx, missing parts of pages."""
    expected: set[str] = field(default_factory=set)
    """Addresses that may answer with 5xx."""

    def watch(self) -> None:
        """Write down what goes wrong in any page from now on."""
        self.context.on("console", self._heard)
        self.context.on("weberror", self._crashed)
        self.context.on("request", self._asked)
        self.context.on("response", self._answered)

    async def open(self, path: str, page: Page | None = None) -> None:
        """Go to a page of the site."""
        await (page or self.page).goto(self.url + path)

    async def sign_in(self, who: str) -> None:
        """Through the form, as a demo account or as an address."""
        email = PEOPLE[who].email if who in PEOPLE else who
        await self.open("/sign-in")
        await self.page.fill("main [name=email]", email)
        await self.page.fill("main [name=password]", PASSWORD)
        await self.page.click("main form[action='/sign-in'] button")
        await self.page.wait_for_url(f"{self.url}/")

    def _heard(self, message: ConsoleMessage) -> None:
        # What could not be loaded is judged by its status below.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.troubles.append(f"console on {self._place(message.page)}: {message.text}")

    def _crashed(self, error: WebError) -> None:
        self.troubles.append(f"script on {self._place(error.page)}: {error.error}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and not self._ours(request.url):
            self.troubles.append(f"a request to another host: {request.url}")

    def _answered(self, response: Response) -> None:
        request = response.request
        # Pages may refuse: tests expect which. The service worker asks for them in their stead.
        page = request.is_navigation_request() or request.service_worker is not None
        if response.url in self.expected:
            return
        if response.status >= 500 or (response.status >= 400 and not page):
            self.troubles.append(f"{response.status} for {request.method} {response.url}")

    def _ours(self, address: str) -> bool:
        return urlsplit(address).netloc == urlsplit(self.url).netloc

    @staticmethod
    def _place(page: Page | None) -> str:
        return urlsplit(page.url).path if page else "a closed page"


@asynccontextmanager
async def visiting(
    browser: Browser,
    url: str,
    *,
    screen: Screen = "desktop",
    language: Language = "en",
    theme: Theme = "light",
    **options: Any,
) -> AsyncIterator[Visitor]:
    """A visitor with this screen and these wishes; `options` go to the browser context."""
    context = await browser.new_context(
        **SCREENS[screen],
        locale=LOCALES[language],
        timezone_id="Europe/Moscow",
        color_scheme=theme,
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(WAIT_MS)
    try:
        visitor = Visitor(url, context, await context.new_page(), language)
        visitor.watch()
        yield visitor
    finally:
        await context.close()
