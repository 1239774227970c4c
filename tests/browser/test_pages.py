"""Every page in both languages: translated, quiet, no wider than its screen; and accessible."""

import asyncio
import itertools
import json
import os
import re
import zlib

import pytest
from playwright.async_api import Browser, Page

from dvor.cli import ROOT
from tests.browser.court import Court
from tests.browser.tour import PARTS, Stop, Tour
from tests.browser.visitor import Language, Screen
from tests.journeys.conftest import Site

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RUN_AXE = """async rules => (await axe.run(document, {resultTypes: ["violations"], runOnly: rules, preload: false}))
    .violations.map(v => ({id: v.id, impact: v.impact, at: v.nodes.map(n => n.target.join(" "))}))"""

WORDS_SHOWN = """() => {
    const said = [document.title, document.body.innerText];
    for (const name of ["aria-label", "placeholder", "title", "alt"])
        for (const element of document.querySelectorAll(`[${name}]`))
            said.push(element.getAttribute(name));
    return said.join("\\n");
}"""
NOT_WORDS = re.compile(
    r"\S+@\S+|https?://\S+"  # addresses
    r"|\b[A-Z0-9]{8}\b"  # numbers of orders
)
RIGHT_IN_RUSSIAN = {
    "English", "PNG", "JPEG", "WebP", "CSV", "RUB", "EUR", "USD", "WCAG", "AA", "Dvor", "UTC",
    "Ctrl", "Alt", "Shift", "SDS", "plus", "API",
}  # fmt: skip


async def violations(page: Page, themes: tuple[str, ...] = ("light", "dark")) -> list[str]:
    """What axe finds serious or critical. Only colours differ between themes."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found = []
    for theme in themes:
        await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        rules = TAGS if theme == themes[0] else {"type": "rule", "values": ["color-contrast"]}
        found += [
            f"{theme}: {one['id']} ({one['impact']}): {json.dumps(one['at'][:4])}"
            for one in await page.evaluate(RUN_AXE, rules)
            if one["impact"] in SERIOUS
        ]
    await page.emulate_media(color_scheme=themes[0])  # type: ignore[arg-type]
    return found


async def english_words(page: Page, allowed: tuple[str, ...]) -> list[str]:
    """Latin words that a Russian page should not have."""
    shown = NOT_WORDS.sub(" ", await page.evaluate(WORDS_SHOWN))
    words = set(re.findall(r"[A-Za-z]{2,}", shown))
    return sorted(words - RIGHT_IN_RUSSIAN - set(allowed))


def looks_closely(stop: Stop, screen: Screen) -> bool:
    """Whether axe looks at a page on this screen: half of them on each, nightly all on both."""
    half = zlib.crc32(stop.name.encode()) % 2
    return os.environ.get("DVOR_TEST_TIER") == "nightly" or (screen == "phone") == bool(half)


async def problems(page: Page, stop: Stop, language: Language, screen: Screen) -> list[str]:
    """Everything wrong with the page that is open."""
    found = await violations(page) if looks_closely(stop, screen) else []
    said = await page.evaluate("document.documentElement.lang")
    if said != language:
        found.append(f"the page is in {said}")
    if language == "ru" and (words := await english_words(page, stop.english)):
        found.append(f"English words: {', '.join(words)}")
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wide > 0:
        found.append(f"the page is {wide} px wider than the screen")
    return [f"{stop.name}: {problem}" for problem in found]


@pytest.mark.parametrize(("language", "screen"), [("ru", "desktop"), ("en", "phone")])
class TestPages:
    @pytest.mark.parametrize("part", PARTS)
    async def test_nothing_serious_is_found(
        self,
        browser: Browser,
        shop: Site,
        court: Court,
        part: str,
        language: Language,
        screen: Screen,
    ) -> None:
        tour = Tour(browser, shop.url, court)

        async def look(who: str, theirs: list[Stop]) -> list[str]:
            async with tour.visit(who, screen, language, "light") as visitor:
                found = []
                for stop in theirs:
                    await tour.stand(visitor, stop)
                    found += await problems(visitor.page, stop, language, screen)
                return found + visitor.troubles

        visited = sorted(PARTS[part](court), key=lambda stop: stop.who)
        groups = itertools.groupby(visited, key=lambda stop: stop.who)
        looks = [look(who, list(theirs)) for who, theirs in groups]
        found = [one for seen in await asyncio.gather(*looks) for one in seen]
        assert not found, "\n".join(found)


class TestForeignEyes:
    """A page that the tests above must not let through."""

    async def test_axe_would_see_grey_on_grey(self, browser: Browser, shop: Site) -> None:
        page = await browser.new_page()
        await page.goto(shop.url)
        found: list[str] = []
        for _ in range(5):  # news may draw a part of the page anew meanwhile
            await page.locator("h1").evaluate(
                "h => { h.style.color = h.style.background = '#777' }"
            )
            found = [one for one in await violations(page) if "color-contrast" in one]
            if found:
                break
        assert found
        await page.close()

    async def test_an_english_word_would_be_found(self, browser: Browser, shop: Site) -> None:
        page = await browser.new_page(locale="ru-RU")
        await page.goto(shop.url)
        await page.locator("h1").evaluate("h => { h.textContent = 'Вход по password' }")
        assert await english_words(page, ()) == ["password"]
        await page.close()
