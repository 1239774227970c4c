"""Numbered seats at a browser: chosen by mouse and by keys, drawn by keys, bought and seen taken."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import Page, expect

from dvor.demo.accounts import PASSWORD
from tests.browser.conftest import Register, Visit
from tests.browser.court import Court
from tests.browser.keys import Keyboard, has_focus, in_language
from tests.browser.test_live import stay_on, stayed_on
from tests.journeys.conftest import Api, Site

CHOSEN = "Партер 2-3", "Партер 2-4"


def cell(page: Page, name: str) -> Any:
    """A seat on the plan."""
    return page.locator(f"[data-plan] [data-cell='{name}']")


class TestPicker:
    async def test_is_a_grid_of_named_seats_with_one_tab_stop(
        self, visit: Visit, court: Court
    ) -> None:
        visitor = await visit()
        page, keys = visitor.page, Keyboard(visitor.page)
        await visitor.open(f"/listings/{court.listings['hall']}")
        grid = page.get_by_role("grid", name="Партер")
        await expect(grid.locator("[tabindex='0']")).to_have_count(1)
        await keys.reach(cell(page, "Партер 1-1"))
        assert await keys.said() == "Row 1, seat 1, Front rows, ₽2,600, available"
        for pressed, said in (
            (("End",), "Row 1, seat 12"),
            (("Home",), "Row 1, seat 1,"),
            (("ArrowLeft",), "Row 1, seat 1,"),
            (("ArrowRight",) * 6, "Row 1, seat 7"),  # over the aisle
            (("ArrowDown",) * 3, "Row 4, seat 7, Stalls, ₽1,800, available"),
            (("ArrowDown",), "Row 5, seat 7, Stalls, ₽1,800, taken"),
            (("Control+End",), "Row 4, seat 14, Balcony"),  # of the other section
            (("ArrowUp",) * 4, "Row 8, seat 12, Stalls, ₽1,800, place for a wheelchair"),
            (("Control+Home",), "Row 1, seat 1,"),
        ):
            await keys.press(*pressed)
            assert (await keys.said()).startswith(said), pressed
        await expect(grid.locator("[tabindex='0']")).to_have_count(1)
        await keys.press("PageDown", "Tab", "Shift+Tab")
        assert (await keys.said()).startswith("Row 6, seat 1,"), "Tab comes back to the same seat"

    async def test_keys_choose_and_the_list_is_as_good(self, visit: Visit, court: Court) -> None:
        visitor = await visit(language="ru")
        page, keys = visitor.page, Keyboard(visitor.page)
        await visitor.open(f"/listings/{court.listings['hall']}")
        await keys.reach(cell(page, "Партер 1-1"))
        await keys.press("Space", "ArrowRight", "Enter")
        assert await keys.said() == "Ряд 1, место 2, Первые ряды, 2\u00a0600\u00a0₽, выбрано"
        total = page.locator("[data-total]")
        await expect(total).to_have_text(re.compile(r"^5.200"))
        await expect(page.locator("[data-chosen-words]")).to_have_text("Партер 1-1, Партер 1-2")
        await keys.press("Enter")
        await expect(cell(page, "Партер 1-2")).to_have_attribute("aria-selected", "false")
        await expect(total).to_have_text(re.compile(r"^2.600"))

        await keys.reach(page.locator("[data-view=list]"), "Shift+Tab")
        await keys.press("Enter")
        await expect(page.locator("[data-plan]")).to_be_hidden()
        first = page.get_by_role("checkbox", name=re.compile("^1 ?, Первые ряды, 2.600"))
        await keys.reach(first.first)
        assert await first.first.is_checked(), "what was chosen on the plan is chosen in the list"
        await keys.press("Tab", "Space")
        await expect(total).to_have_text(re.compile(r"^5.200"))
        taken = page.locator("[data-list] [data-seat='Партер 5-7']")
        assert await taken.is_disabled()
        assert "занято" in await taken.locator("xpath=..").inner_text()
        await page.reload()
        await expect(page.locator("[data-list]")).to_be_visible()

    async def test_a_taken_seat_says_so_and_is_not_chosen(self, visit: Visit, court: Court) -> None:
        visitor = await visit()
        page, keys = visitor.page, Keyboard(visitor.page)
        await visitor.open(f"/listings/{court.listings['hall']}")
        await keys.reach(cell(page, "Партер 1-1"))
        await keys.press(*["ArrowDown"] * 4, *["ArrowRight"] * 5, "Space")
        assert await keys.said() == "Row 5, seat 6, Stalls, ₽1,800, taken"
        await expect(page.locator("[aria-live]", has_text="seat 6, Stalls")).to_have_count(1)
        await expect(page.locator("[data-seat]:checked")).to_have_count(0)


class TestEditor:
    async def test_a_hall_is_drawn_by_keys_alone(self, visit: Visit, shop: Site) -> None:
        organiser = await shop.signed_in("organiser@dvor.example")
        event = await concert(organiser)
        visitor = await visit()
        page, keys = visitor.page, Keyboard(visitor.page)
        await visitor.sign_in("organiser")
        await in_language(visitor)
        await visitor.open(f"/selling/listings/{event['id']}/seats")
        for field, text in (("new-name", "Hall"), ("new-rows", "3"), ("new-seats", "6")):
            await keys.reach(page.locator(f"#f-{field}"))
            await keys.press("Control+A")
            await page.keyboard.type(text)
        await keys.reach(page.get_by_role("button", name="Add the section"))
        await keys.press("Enter")
        board = page.locator("[data-board]")
        await expect(board.get_by_role("gridcell")).to_have_count(18)

        first = board.locator("[data-at='0 0']")
        await keys.reach(first)
        assert await keys.said() == "Row 1, place 1: seat 1, Front"
        await keys.press("ArrowDown", "ArrowDown", "Shift+End")  # the last row
        await expect(board.locator("[aria-selected=true]")).to_have_count(6)
        tool = page.get_by_role("toolbar").locator("[tabindex='0']")
        await keys.reach(tool, "Shift+Tab")
        await keys.press("Home", "ArrowRight", "Enter")  # the second tier
        await keys.reach(board.locator("[data-at='2 5']"))
        await keys.press("Escape", "Control+Home", "End", "Delete")
        assert await keys.said() == "Row 1, place 6: seat 6, removed"
        await keys.press("ArrowDown", "Home", "Space")
        await keys.reach(tool, "Shift+Tab")
        await keys.press("Home", *["ArrowRight"] * 2, "Enter")  # for wheelchairs
        await expect(page.locator("[data-hall-sum]")).to_have_text("Front: 11 · Back: 6")
        await keys.reach(page.get_by_role("button", name="Save the seat map"))
        await keys.press("Enter")
        await expect(page.locator(".notices")).to_contain_text("saved")

        saved = await organiser.get(f"/listings/{event['id']}/seat-map")
        rows = saved["map"]["sections"][0]["rows"]
        front, back = (offer["id"] for offer in event["offers"])
        assert [len(row["seats"]) for row in rows] == [5, 6, 6]
        assert {seat["offer_id"] for row in rows[:2] for seat in row["seats"]} == {front}
        assert {seat["offer_id"] for seat in rows[2]["seats"]} == {back}
        assert [seat["number"] for seat in rows[1]["seats"] if seat["accessible"]] == ["1"]

    async def test_what_is_wrong_is_said_where_the_focus_goes(
        self, visit: Visit, court: Court
    ) -> None:
        visitor = await visit(screen="phone")
        page = visitor.page
        await visitor.sign_in("organiser")
        await in_language(visitor)
        await visitor.open(f"/selling/listings/{court.listings['hall']}/seats")
        await page.locator("[data-as-text] summary").first.click()
        await page.locator("[data-rows]").first.fill("1: AAZ")
        await page.get_by_role("button", name="Save the seat map").click()
        summary = page.locator(".summary, [role=alert]").first
        await expect(summary).to_contain_text("no tier")
        await expect(page.locator("[data-rows]").first).to_have_attribute("aria-invalid", "true")
        assert await has_focus(page.locator("[data-focus]").first)


async def concert(organiser: Api) -> dict[str, Any]:
    """A draft of an event with two tiers."""
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    body = {
        "kind": "event", "category": "concerts", "title": {"en": "A new hall", "ru": "Новый зал"},
        "place": {"city": "Tver", "timezone": "Europe/Moscow"},
        "starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=2)).isoformat(),
        "offers": [
            {"price": 200_000, "name": {"en": "Front", "ru": "Впереди"}},
            {"price": 100_000, "name": {"en": "Back", "ru": "Сзади"}},
        ],
    }  # fmt: skip
    return await organiser.post("/listings", body)


class TestSale:
    async def test_two_seats_are_picked_paid_and_seen_taken_by_another(
        self, visit: Visit, register: Register, court: Court
    ) -> None:
        email = await register("en")
        buyer, other = await visit(), await visit(language="ru", screen="phone")
        page = buyer.page
        for visitor in (buyer, other):
            await visitor.open(f"/listings/{court.listings['hall']}")
        await stay_on(other.page)
        for name in CHOSEN:
            await expect(cell(other.page, name)).to_have_class(re.compile("is-free"))
            await cell(page, name).click()
        await expect(page.locator("[data-total]")).to_have_text("₽5,200")
        await page.click("#book button.is-main")
        await expect(page.locator("[data-cart-count]").first).not_to_be_empty()
        for name in CHOSEN:
            await expect(cell(other.page, name)).to_have_attribute("aria-disabled", "true")
            await expect(cell(other.page, name)).to_have_attribute(
                "aria-label", re.compile("занято$")
            )
            await expect(cell(page, name)).to_have_attribute(
                "aria-label", re.compile("in your cart$")
            )
        assert await stayed_on(other.page)

        await buyer.open("/cart")
        for name in CHOSEN:
            await expect(page.locator(".line")).to_contain_text(name)
        await page.locator("a[href='/checkout']:visible").first.click()
        await page.fill("main [name=email]", email)
        await page.fill("main [name=password]", PASSWORD)
        await page.click("main form[action='/sign-in'] button")
        await page.click("#checkout button.is-main")
        await expect(page).to_have_url(re.compile("/pay/"))
        await page.click("button[value=pay]")
        await expect(
            page.get_by_role("heading", name="Paid and booked", exact=True)
        ).to_be_visible()
        await expect(page.locator("main")).to_contain_text(" · ".join(CHOSEN[:1]))
        for name in CHOSEN:
            await expect(page.locator("main")).to_contain_text(name)
            await expect(cell(other.page, name)).to_have_class(re.compile("is-taken"))
        assert await stayed_on(other.page)
