"""Pictures of every page, to be looked at: `python -m tests.browser.gallery OUT_DIR [NAME …]`.

Each stop of the tour in Russian and English, on a desktop and a phone, light and dark. NAMEs are
the beginnings of the stops wanted. Contact sheets put many pictures on one.
"""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from PIL import Image, ImageDraw
from playwright.async_api import Browser, Page, ViewportSize

from dvor.cli import assets, progress
from dvor.kernel.postgres import EmbeddedPostgres
from tests.browser import chromium
from tests.browser.court import furnish
from tests.browser.tour import Stop, Tour, stops
from tests.browser.visitor import SCREENS, Language, Screen, Theme
from tests.journeys.conftest import Site, running_site

COMBINATIONS = tuple(itertools.product(get_args(Screen), get_args(Language), get_args(Theme)))
TALLEST = 4000
"""CSS pixels of a page that are shown; what lies below is more of the same."""
SHEET = {"desktop": (3, 520), "phone": (6, 260)}
"""Pictures beside each other on a contact sheet, and how wide each is."""

ALL_DRAWN = """() => Promise.all([...document.images].map(image => {
    image.loading = "eager";
    return image.decode().catch(() => null);
}))"""


async def shoot(browser: Browser, site: Site, folder: Path, wanted: Iterable[str] = ()) -> None:
    """Photograph the stops whose names begin with one of `wanted`; all when it is empty."""
    court = await furnish(site)
    tour = Tour(browser, site.url, court)
    beginnings = tuple(wanted) or ("",)
    chosen = [stop for stop in stops(court) if stop.name.startswith(beginnings)]
    chosen.sort(key=lambda stop: stop.who)
    done = 0
    with progress.bar("Pictures") as report:
        for screen, language, theme in COMBINATIONS:
            for who, theirs in itertools.groupby(chosen, key=lambda stop: stop.who):
                async with tour.visit(who, screen, language, theme) as visitor:
                    for stop in theirs:
                        await tour.stand(visitor, stop)
                        path = folder / f"{stop.name}.{language}.{screen}.{theme}.png"
                        await photograph(visitor.page, SCREENS[screen]["viewport"], path)
                        done += 1
                        report(done, len(chosen) * len(COMBINATIONS))
            _sheets(folder, chosen, screen, f"{language}.{screen}.{theme}")


async def photograph(page: Page, size: ViewportSize, path: Path) -> None:
    """The whole page, with what sticks to the edges of the screen at the edges of the picture."""
    tall = await page.evaluate("document.documentElement.scrollHeight")
    height = max(size["height"], min(tall, TALLEST))
    await page.set_viewport_size({"width": size["width"], "height": height})
    await page.evaluate(ALL_DRAWN)
    await page.screenshot(path=path)
    await page.set_viewport_size(size)


def _sheets(folder: Path, chosen: list[Stop], screen: Screen, look: str) -> None:
    columns, width = SHEET[screen]
    pictures = []
    for stop in sorted(chosen, key=lambda stop: stop.name):
        picture = Image.open(folder / f"{stop.name}.{look}.png").convert("RGB")
        picture = picture.resize((width, max(picture.height * width // picture.width, 1)))
        ImageDraw.Draw(picture).text((4, 2), stop.name, fill="red")
        pictures.append(picture)
    for number in range(0, len(pictures), columns):
        row = pictures[number : number + columns]
        sheet = Image.new("RGB", (columns * (width + 8), max(p.height for p in row)), "grey")
        for place, picture in enumerate(row):
            sheet.paste(picture, (place * (width + 8), 0))
        sheet.save(folder / f"sheet.{look}.{number:03}.png")


async def main(folder: Path, wanted: list[str]) -> None:
    """Start a Dvor of its own and photograph it."""
    folder.mkdir(parents=True, exist_ok=True)
    assets.build()
    with (
        tempfile.TemporaryDirectory(prefix="dvor-gallery-") as data,
        EmbeddedPostgres(Path(data) / "pg", fsync=False) as server,
    ):
        async with running_site("embedded", server.dsn) as site, chromium.running() as browser:
            await shoot(browser, site, folder, wanted)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
