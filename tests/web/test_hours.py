"""Renting by the hour, without scripts: a day, from when to when, and the hours in words."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dvor.contracts.inventory import Rules
from dvor.kernel import caller, pages
from dvor.kernel.caller import Caller
from dvor.kernel.periods import HourRange
from dvor.web import hours
from tests.web.court import COURT, FakeCatalog, FakeIdentity, FakeInventory, Silent
from tests.web.test_browse import RU, Shop

HOME = pages.PageContext().time_zone
"""The site's own zone."""
BERLIN = ZoneInfo("Europe/Berlin")
PAGE = f"/listings/{COURT.id}"


@pytest.fixture
async def shop(make_house: Any) -> Shop:
    catalog, inventory = FakeCatalog(), FakeInventory()
    fakes = {
        "catalog": catalog, "inventory": inventory, "identity": FakeIdentity(),
        "orders": Silent(), "notifications": Silent(),
    }  # fmt: skip
    house = await make_house(fakes=fakes)
    return Shop(house.http, catalog, inventory)


def tomorrow() -> date:
    return datetime.now(BERLIN).date() + timedelta(days=1)


def at(hour: int, day: date | None = None) -> datetime:
    """An hour of tomorrow in Berlin."""
    return (
        datetime.combine(day or tomorrow(), datetime.min.time(), BERLIN)
        .replace(hour=hour)
        .astimezone(UTC)
    )


def night_of_change() -> date:
    """The next last Sunday of October."""
    last = next(
        day
        for year in (tomorrow().year, tomorrow().year + 1)
        if (day := date(year, 10, 31)) > tomorrow() + timedelta(days=7)
    )
    return last - timedelta(days=(last.weekday() + 1) % 7)


def address(start: datetime | None = None, end: datetime | None = None) -> str:
    asked = f"{PAGE}?day={tomorrow()}"
    asked += f"&from_hour={hours.value(start)}" if start else ""
    return asked + (f"&to_hour={hours.value(end)}" if end else "")


def options(html: str, name: str) -> dict[str, str]:
    """The hours of a select box: words by value."""
    box = re.search(rf'<select[^>]* name="{name}".*?</select>', html, re.DOTALL)
    found = re.findall(r'<option value="([^"]+)"[^>]*>([^<]*)<', box[0]) if box else []
    return dict(found)


class TestChoice:
    async def test_begins_with_the_day(self, shop: Shop) -> None:
        html = await shop.page(PAGE)
        assert 'name="day"' in html
        assert not options(html, "from_hour")
        assert "₽900" in html
        assert "/ hour" in html
        assert "calendar-head" not in html

    async def test_offers_only_free_hours_of_the_day(self, shop: Shop) -> None:
        shop.inventory.taken_hours = {at(10), at(11)}
        html = await shop.page(address())
        words = list(options(html, "from_hour").values())
        assert words == [f"{n:02}:00" for n in range(24) if n not in (10, 11)]
        assert "local time: Berlin" in html

    async def test_ends_where_somebody_elses_hours_begin(self, shop: Shop) -> None:
        shop.inventory.taken_hours = {at(10), at(11)}
        html = await shop.page(address(at(7)))
        assert list(options(html, "to_hour").values()) == ["08:00", "09:00", "10:00"]

    async def test_ends_keep_to_the_rules(self, shop: Shop) -> None:
        shop.inventory.asked = Rules(length_min=2, length_max=4, buffer=1)
        shop.inventory.taken_hours = {at(11)}
        html = await shop.page(address(at(7)))
        assert list(options(html, "to_hour").values()) == ["09:00", "10:00"]

    async def test_shows_the_price_and_posts_the_hours(self, shop: Shop) -> None:
        html = await shop.page(address(at(10), at(13)))
        assert "10:00–13:00 (3 hours)" in html
        assert "₽2,700" in html
        assert f'name="from_hour" value="{hours.value(at(10))}"' in html
        assert f'name="to_hour" value="{hours.value(at(13))}"' in html
        assert "10:00–13:00 (3 часа)" in await shop.page(address(at(10), at(13)), RU)

    async def test_refuses_hours_across_taken_ones(self, shop: Shop) -> None:
        shop.inventory.taken_hours = {at(11)}
        html = await shop.page(address(at(10), at(13)))
        assert "Not everything until then can be had." in html
        assert 'action="/cart/lines"' not in html
        html = await shop.page(address(at(11), at(13)))
        assert "This hour is not free." in html

    async def test_goes_over_midnight_to_another_day(self, shop: Shop) -> None:
        shop.inventory.taken_hours = {at(4, tomorrow() + timedelta(days=1))}
        html = await shop.page(address(at(22)))
        assert list(options(html, "to_hour").values()) == ["23:00", "00:00"]
        assert f'name="to_day" type="date" value="{tomorrow()}"' in html
        following = tomorrow() + timedelta(days=1)
        html = await shop.page(address(at(22)) + f"&to_day={following}")
        assert list(options(html, "to_hour").values()) == ["01:00", "02:00", "03:00", "04:00"]
        end = hours.value(at(2, following))
        html = await shop.page(address(at(22)) + f"&to_day={following}&to_hour={end}")
        assert "02:00 (4 hours)" in html and "₽3,600" in html
        assert f'name="to_hour" value="{end}"' in html
        html = await shop.page(address(at(22)) + f"&to_day={following + timedelta(days=1)}")
        assert "Not everything until then can be had." in html

    async def test_goes_over_the_night_of_a_change_of_clocks(self, shop: Shop) -> None:
        night = night_of_change()
        eve = night - timedelta(days=1)
        start = at(22, eve)
        query = f"{PAGE}?day={eve}&from_hour={hours.value(start)}&to_day={night}"
        words = list(options(await shop.page(query), "to_hour").values())
        assert words[:5] == ["01:00", "02:00 (UTC+2)", "02:00 (UTC+1)", "03:00", "04:00"]
        end = hours.value(at(4, night))
        assert "04:00 (7 hours)" in await shop.page(f"{query}&to_hour={end}")

    async def test_another_last_day_keeps_the_time_another_first_day_begins_anew(
        self, shop: Shop
    ) -> None:
        after = tomorrow() + timedelta(days=2)
        asked = address(at(9), at(18)) + f"&to_day={after}"
        html = await shop.page(asked)
        assert f'<option value="{hours.value(at(18, after))}" selected' in html
        html = await shop.page(asked.replace(f"day={tomorrow()}", f"day={after}", 1))
        assert f'name="to_day" type="date" value="{after}"' in html
        assert 'action="/cart/lines"' not in html

    async def test_is_not_longer_than_a_month(self, shop: Shop) -> None:
        far = tomorrow() + timedelta(days=40)
        html = await shop.page(address(at(9)) + f"&to_day={far}")
        assert "up to a month" in html

    async def test_the_shortest_may_end_on_the_next_day(self, shop: Shop) -> None:
        shop.inventory.asked = Rules(length_min=3)
        html = await shop.page(address(at(23)))
        assert f'name="to_day" type="date" value="{tomorrow() + timedelta(days=1)}"' in html
        assert "02:00 (3 hours)" in html

    async def test_what_is_taken_leads_to_the_line(self, shop: Shop) -> None:
        shop.inventory.taken_hours = {at(n) for n in range(24)}
        html = await shop.page(address(at(10)))
        link = f'href="{PAGE}/wait?by=hour&day={tomorrow()}&from_hour='
        assert link in html.replace("&amp;", "&")

    async def test_has_twenty_five_hours_when_clocks_are_set_back(self, shop: Shop) -> None:
        html = await shop.page(f"{PAGE}?day={night_of_change()}")
        words = list(options(html, "from_hour").values())
        assert words[:5] == ["00:00", "01:00", "02:00 (UTC+2)", "02:00 (UTC+1)", "03:00"]
        assert len(words) == 25

    @pytest.mark.parametrize("day", ["2020-01-01", "0001-01-01", "nonsense"])
    async def test_says_what_is_wrong_with_a_day(self, shop: Shop, day: str) -> None:
        html = await shop.page(f"{PAGE}?day={day}")
        assert 'class="error"' in html
        assert not options(html, "from_hour")


class TestWords:
    def words(self, start: datetime, length: int, zone: str, language: str = "en") -> str:
        during = HourRange(start=start, end=start + timedelta(hours=length))
        with caller.asking(Caller(language=language)):
            return re.sub(r"\s", " ", hours.shown(during, zone))

    def test_are_those_of_the_place(self) -> None:
        noon = datetime(2031, 12, 3, 9, tzinfo=UTC)
        assert self.words(noon, 3, HOME).endswith("09:00–12:00 (3 hours)")
        berlin = self.words(noon, 3, "Europe/Berlin")
        assert berlin.endswith("10:00–13:00 (3 hours), local time: Berlin")
        russian = self.words(noon, 5, HOME, "ru")
        assert russian == "3 декабря 2031 г., 09:00–14:00 (5 часов)"

    def test_name_both_days_across_midnight_but_not_at_it(self) -> None:
        late = datetime(2031, 12, 3, 19, tzinfo=UTC)
        assert "22:00–24:00 (2 hours)" in self.words(late, 2, "Europe/Moscow")
        assert "22:00 – December 4, 2031, 01:00 (3 hours)" in self.words(late, 3, "Europe/Moscow")

    def test_tell_doubled_hours_apart(self) -> None:
        first = datetime(2027, 10, 31, 0, tzinfo=UTC)
        assert "02:00 (UTC+2)–02:00 (UTC+1) (1 hour)" in self.words(first, 1, "Europe/Berlin")
