"""Choosing numbered seats on an event's page, without scripts."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from dvor.contracts.catalog import QuoteLine
from dvor.contracts.inventory import SoldOut
from dvor.contracts.pricing import Discount, Pricing
from dvor.contracts.seating import Seat, SeatMap, SeatRow, Section
from tests.web.court import ALL, JAZZ, FakeCatalog, FakeIdentity, FakeInventory, Silent
from tests.web.test_browse import Shop

CHAIR, TABLE = (offer.id for offer in JAZZ.offers)


def jazz_hall() -> SeatMap:
    """A row of three chairs, one for wheelchairs, and a row of tables."""
    chairs = tuple(
        Seat(number=str(n), column=n, offer_id=CHAIR, accessible=n == 3) for n in (1, 2, 3)
    )
    tables = (Seat(number="1", column=2, offer_id=TABLE),)
    rows = (SeatRow(label="1", seats=chairs), SeatRow(), SeatRow(label="2", seats=tables))
    return SeatMap(sections=(Section(name="Yard", rows=rows),))


@pytest.fixture
async def shop(make_house: Any) -> Shop:
    catalog, inventory = FakeCatalog(), FakeInventory()
    inventory.seats = jazz_hall()
    fakes = {
        "catalog": catalog, "inventory": inventory, "identity": FakeIdentity(),
        "orders": Silent(), "notifications": Silent(),
    }  # fmt: skip
    house = await make_house(fakes=fakes)
    return Shop(house.http, catalog, inventory)


def boxes(html: str) -> dict[str, str]:
    """The box of each seat, as written."""
    found = re.findall(r'<input type="checkbox" form="book"[^>]*>', html)
    return {re.search(r'data-seat="([^"]*)"', box)[1]: box for box in found}  # type: ignore[index]


class TestSums:
    async def test_are_those_of_the_quote_discounts_and_all(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        several = Pricing(quantity_discounts=(Discount(least=2, percent=10),))
        chair, table = JAZZ.offers
        offers = (chair.model_copy(update={"pricing": several}), table)
        monkeypatch.setitem(ALL, JAZZ.id, JAZZ.model_copy(update={"offers": offers}))
        asked = urlencode(
            {
                "seat-0-a": f"{CHAIR} Yard 1-1",
                "seat-0-b": f"{CHAIR} Yard 1-2",
                "seat-0-c": f"{TABLE} Yard 2-1",
            }
        )
        html = await shop.page(f"/listings/{JAZZ.id}/sums?{asked}")
        quote = await shop.catalog.quote(
            (QuoteLine(offer_id=CHAIR, quantity=2), QuoteLine(offer_id=TABLE, quantity=1))
        )
        assert quote.total.amount == 2 * 135_000 + 420_000
        assert "₽6,900" in html and html.count("₽6,900") == 2  # and the copy at the thumb
        assert "Discount of 10%" in html and 'hx-swap-oob="true"' in html
        shop.inventory.best = ("Yard 1-1", "Yard 1-2")
        page = await shop.page(f"/listings/{JAZZ.id}?best=2&offer={CHAIR}")
        assert "₽2,700" in page and "Discount of 10%" in page

    async def test_of_nothing_are_nothing(self, shop: Shop) -> None:
        assert "₽0" in await shop.page(f"/listings/{JAZZ.id}/sums")
        html = await shop.page(f"/listings/{JAZZ.id}/sums?offer_id=nonsense&seat-1=x&quantity=9")
        assert "₽0" in html

    async def test_no_price_is_worked_out_in_the_browser(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{JAZZ.id}")
        assert "data-price" not in html
        assert f'hx-get="/listings/{JAZZ.id}/sums"' in html


class TestList:
    async def test_every_seat_is_a_box_of_the_booking_form(self, shop: Shop) -> None:
        html = await shop.page(f"/listings/{JAZZ.id}")
        found = boxes(html)
        assert list(found) == ["Yard 1-1", "Yard 1-2", "Yard 1-3", "Yard 2-1"]
        assert f'value="{CHAIR} Yard 1-1"' in found["Yard 1-1"]
        assert "data-accessible" in found["Yard 1-3"]
        assert "place for a wheelchair" in html
        assert "quantity-" not in html

    async def test_taken_ones_cannot_be_ticked_and_say_so(self, shop: Shop) -> None:
        shop.inventory.seats_taken = ("Yard 1-2",)
        html = await shop.page(f"/listings/{JAZZ.id}")
        disabled = [name for name, box in boxes(html).items() if " disabled" in box]
        assert disabled == ["Yard 1-2"]
        assert html.count(", taken") == 1
        assert "2 free" in html

    async def test_the_best_together_are_ticked(self, shop: Shop) -> None:
        shop.inventory.best = ("Yard 1-1", "Yard 1-2")
        html = await shop.page(f"/listings/{JAZZ.id}?best=2&offer={CHAIR}")
        assert [n for n, box in boxes(html).items() if " checked" in box] == list(
            shop.inventory.best
        )
        assert "₽3,000" in html

    async def test_says_why_there_are_not_so_many_together(self, shop: Shop) -> None:
        shop.inventory.best = SoldOut(offer_id=CHAIR, left=1)
        html = await shop.page(f"/listings/{JAZZ.id}?best=2&offer={CHAIR}")
        assert "Not enough is left." in html
        assert "checked" not in "".join(boxes(html).values())

    async def test_without_a_map_there_are_tickets(self, shop: Shop) -> None:
        shop.inventory.seats = SeatMap(sections=())
        html = await shop.page(f"/listings/{JAZZ.id}")
        assert not boxes(html)
        assert f"quantity-{CHAIR}" in html


class TestStates:
    async def test_tells_a_map_on_screen_what_is_taken(self, shop: Shop) -> None:
        shop.inventory.seats_taken = ("Yard 1-2",)
        answer = await shop.http.get(f"/listings/{JAZZ.id}/seats")
        assert answer.json() == {"version": 1, "taken": ["Yard 1-2"], "mine": []}
