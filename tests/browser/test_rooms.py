"""The tape chart at a browser: guests move by mouse, by keys, and by forms."""

import re

from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.court import Court
from tests.browser.keys import Keyboard, has_focus, in_language


def row(page: Page, name: str) -> Locator:
    """A room of the chart."""
    return page.locator(f"tr[data-room][data-name='{name}']")


async def stays(page: Page, name: str) -> int:
    """How many stays a room has on the chart."""
    return await row(page, name).locator("[data-stay]").count()


class TestTape:
    async def test_a_stay_is_dragged_to_another_room_and_brought_back_by_keys(
        self, visit: Visit, court: Court
    ) -> None:
        visitor = await visit()
        page, keys = visitor.page, Keyboard(visitor.page)
        await visitor.sign_in("hotelier")
        await in_language(visitor)
        await visitor.open(court.chart)
        names = await page.locator("tr[data-room]").evaluate_all(
            "rows => rows.filter(row => !row.querySelector('.tape-closed')).map(row => row.dataset.name)"
        )
        bar = page.locator("tr[data-room] [data-stay]").first
        stay = await bar.get_attribute("data-stay")
        bar = page.locator(f"[data-stay='{stay}']")
        home = await bar.locator("xpath=ancestor::tr").get_attribute("data-name")
        below = names[names.index(home) + 1]

        await bar.drag_to(row(page, below).locator("td").last)
        await expect(row(page, below).locator(f"[data-stay='{stay}']")).to_be_visible()
        await expect(page.locator(".notices")).to_contain_text("room is assigned")
        assert await has_focus(bar), "the focus follows the stay"

        await keys.press("Alt+ArrowUp")
        await expect(row(page, home or "").locator(f"[data-stay='{stay}']")).to_be_visible()
        assert await has_focus(bar)

    async def test_the_form_does_the_same_by_keys_alone(self, visit: Visit, court: Court) -> None:
        visitor = await visit(language="ru")
        page, keys = visitor.page, Keyboard(visitor.page)
        await visitor.sign_in("hotelier")
        await in_language(visitor)
        await visitor.open(court.chart)
        bar = page.locator("tr[data-room] [data-stay]").first
        stay = await bar.get_attribute("data-stay")
        home = await bar.locator("xpath=ancestor::tr").get_attribute("data-name")
        await keys.reach(bar)
        assert re.search(r"^[A-Z0-9]{8} · .+, \w+$", await keys.said())
        await keys.press("Enter")
        await expect(page.locator("#stay")).to_be_focused()
        await keys.reach(page.locator("#f-room"))
        await keys.press("ArrowDown")
        await keys.reach(page.locator("#stay button").first)
        await keys.press("Enter")
        await expect(page.locator(".notices")).to_be_visible()
        moved = page.locator(f"[data-stay='{stay}']").locator("xpath=ancestor::tr")
        await expect(moved).not_to_have_attribute("data-name", home or "")

    async def test_a_closed_room_refuses_a_guest_and_says_so(
        self, visit: Visit, court: Court
    ) -> None:
        visitor = await visit()
        page = visitor.page
        await visitor.sign_in("hotelier")
        await in_language(visitor)
        await visitor.open(court.chart)
        closed = page.locator("tr[data-room]:has(.tape-closed)")
        bar = page.locator("tr[data-room]:not(:has(.tape-closed)) [data-stay]").first
        stay = await bar.get_attribute("data-stay")
        await bar.drag_to(closed.locator("td").last)
        await expect(page.locator(".notices")).to_contain_text("closed")
        await expect(closed.locator(f"[data-stay='{stay}']")).to_have_count(0)
