"""The line for what is sold out: standing in it, one's places, taking, declining."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from dvor.contracts.catalog import Text
from dvor.contracts.inventory import Claim, SoldOut
from dvor.contracts.waiting import (
    AlreadyWaiting,
    NothingToWaitFor,
    OfferOver,
    UnknownWaiting,
    Waiting,
    WaitingLine,
    WaitingList,
    WaitingStatus,
)
from dvor.kernel import clock
from dvor.kernel.caller import Role, current
from dvor.kernel.errors import Refusal
from dvor.kernel.periods import DateRange, HourRange
from dvor.web import hours
from tests.conftest import MakeHouse
from tests.web import court
from tests.web.browser import Browser, Page
from tests.web.conftest import Web
from tests.web.court import COURT, HOTEL, JAZZ, MUG
from tests.web.fakes import FakeOrders

TOKEN = "unguessable"


def place(status: WaitingStatus = WaitingStatus.WAITING, **more: Any) -> Waiting:
    """A place in the line for jazz."""
    usual: dict[str, Any] = {
        "id": uuid4(),
        "status": status,
        "offer_id": JAZZ.offers[0].id,
        "listing_id": JAZZ.id,
        "title": JAZZ.title,
        "name": Text(ru="Стул", en="Chair"),
        "quantity": 2,
        "joined_at": clock.now(),
    }
    return Waiting(**usual | more)


def offered(hours: float = 12, **more: Any) -> Waiting:
    """The same, held for its owner."""
    until = clock.now() + timedelta(hours=hours)
    return place(WaitingStatus.OFFERED, offered_until=until, **more)


@dataclass
class Line(court.FakeInventory):
    """Nothing is free; who waits is written down."""

    places: list[Waiting] = field(default_factory=list)
    joined: list[Claim] = field(default_factory=list)
    refuse: Refusal | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self.left = 0

    async def wait(self, claim: Claim) -> Waiting:
        """Write it down."""
        assert current().user_id is not None
        if self.refuse:
            raise self.refuse
        self.joined.append(claim)
        dates = claim.dates
        self.places.append(place(offer_id=claim.offer_id, quantity=claim.quantity, dates=dates))
        return self.places[-1]

    async def waiting(self) -> WaitingList:
        """All of it."""
        return WaitingList(items=tuple(self.places))

    async def waiting_entry(self, waiting_id: UUID, token: str = "") -> Waiting:
        """For who is signed in and who knows the token."""
        found = next((entry for entry in self.places if entry.id == waiting_id), None)
        if found is None or (current().user_id is None and token != TOKEN):
            raise UnknownWaiting
        return found

    async def stop_waiting(self, waiting_id: UUID, token: str = "") -> Waiting:
        """Leave or decline."""
        entry = await self.waiting_entry(waiting_id, token)
        ends = {
            WaitingStatus.WAITING: WaitingStatus.LEFT,
            WaitingStatus.OFFERED: WaitingStatus.DECLINED,
        }
        ended = entry.model_copy(update={"status": ends.get(entry.status, entry.status)})
        self.places[self.places.index(entry)] = ended
        return ended


@dataclass
class Takers(FakeOrders):
    """Orders that let places be taken."""

    taken: list[UUID] = field(default_factory=list)
    refuse_taking: Refusal | None = None

    async def take_waiting(self, waiting_id: UUID) -> Any:
        """Write it down."""
        if self.refuse_taking:
            raise self.refuse_taking
        self.taken.append(waiting_id)
        return await self.cart()


@pytest.fixture
async def web(make_house: MakeHouse) -> Any:
    web: Any = Web(catalog=court.FakeCatalog(), inventory=Line(), orders=Takers())  # type: ignore[arg-type]
    names = ("identity", "catalog", "inventory", "orders", "payments", "notifications")
    web.house = await make_house(fakes={name: getattr(web, name) for name in names})
    yield web
    for browser in web.browsers:
        await browser.http.aclose()


async def form(browser: Browser, listing: Any, query: str = "") -> Page:
    return await browser.open(f"/listings/{listing.id}/wait{query}")


class TestTheWayIn:
    async def test_what_is_sold_out_leads_to_the_line(self, web: Any) -> None:
        for listing in (MUG, JAZZ):
            page = await web.browser().open(f"/listings/{listing.id}")
            assert f'href="/listings/{listing.id}/wait' in page.html
            assert "Tell me when it is free" in page.text

    async def test_taken_dates_are_handed_on(self, web: Any) -> None:
        start = court.SOON.date()
        dates = f"start={start}&end={start + timedelta(days=2)}"
        page = await web.browser().open(f"/listings/{HOTEL.id}?{dates}")
        assert f'href="/listings/{HOTEL.id}/wait?{dates}"' in page.html

    async def test_what_is_free_has_no_line(self, web: Any) -> None:
        web.inventory.left = 3
        page = await web.browser().open(f"/listings/{MUG.id}")
        assert "/wait" not in page.html

    async def test_strangers_sign_in_first_and_come_back(self, web: Any) -> None:
        page = await form(web.browser(), MUG, "?quantity=3")
        assert page.path.startswith("/sign-in?next=") and "wait%3Fquantity%3D3" in page.path


class TestJoining:
    async def test_one_says_how_many_and_is_in_line(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        page = await form(browser, MUG)
        page = await browser.submit(page, f"/listings/{MUG.id}/wait", quantity="3")
        assert web.inventory.joined == [Claim(offer_id=MUG.offers[0].id, quantity=3)]
        assert page.path == "/waiting" and "You are in line." in page.text
        assert "You are the first in line" in page.text

    async def test_one_chooses_the_ticket(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        path = f"/listings/{JAZZ.id}/wait"
        page = await browser.submit(await form(browser, JAZZ), path)
        assert page.status == 422 and "Choose which." in page.text
        page = await browser.submit(page, path, offer=str(JAZZ.offers[1].id))
        assert web.inventory.joined == [Claim(offer_id=JAZZ.offers[1].id, quantity=1)]

    async def test_nights_need_dates(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        path, start = f"/listings/{HOTEL.id}/wait", court.SOON.date()
        offer = str(HOTEL.offers[0].id)
        page = await browser.submit(await form(browser, HOTEL), path, offer=offer)
        assert page.status == 422 and "Choose the dates first." in page.text
        end = start + timedelta(days=2)
        await browser.submit(page, path, start=start.isoformat(), end=end.isoformat(), offer=offer)
        dates = DateRange(start=start, end=end)
        assert web.inventory.joined == [Claim(offer_id=HOTEL.offers[0].id, quantity=1, dates=dates)]

    async def test_hours_are_chosen_from_all_of_the_day(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        path, day = f"/listings/{COURT.id}/wait", court.SOON.date()
        page = await form(browser, COURT)
        assert 'name="day"' in page.html and 'name="from_hour"' not in page.html
        page = await browser.submit(page, path)
        assert page.status == 422 and 'href="#f-day"' in page.html
        zone = ZoneInfo("Europe/Berlin")
        start = datetime(day.year, day.month, day.day, 22, tzinfo=zone)
        asked = {"day": day.isoformat(), "from_hour": hours.value(start)}
        asked["to_day"] = (day + timedelta(days=1)).isoformat()
        page = await form(browser, COURT, f"?{urlencode(asked)}")
        end = datetime(day.year, day.month, day.day, 1, tzinfo=zone) + timedelta(days=1)
        assert f'<option value="{hours.value(end)}" selected>01:00' in page.html
        await browser.submit(page, path, to_hour=hours.value(end))
        during = HourRange(start=start, end=end)
        assert web.inventory.joined == [
            Claim(offer_id=COURT.offers[0].id, quantity=1, hours=during)
        ]

    @pytest.mark.parametrize("quantity", ["0", "21", "many"])
    async def test_nonsense_is_refused_at_its_field(self, web: Any, quantity: str) -> None:
        browser, _ = await web.signed_in()
        page = await form(browser, MUG)
        page = await browser.submit(page, f"/listings/{MUG.id}/wait", quantity=quantity)
        assert page.status == 422 and 'href="#f-quantity"' in page.html
        assert web.inventory.joined == []

    async def test_what_is_free_by_now_is_shown(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        web.inventory.refuse = NothingToWaitFor(offer_id=uuid4())
        page = await browser.submit(await form(browser, MUG), f"/listings/{MUG.id}/wait")
        assert page.status == 409 and "This is free now" in page.text
        assert f'href="/listings/{MUG.id}"' in page.html

    async def test_who_waits_already_is_led_to_their_place(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        web.inventory.refuse = AlreadyWaiting(offer_id=uuid4())
        page = await browser.submit(await form(browser, MUG), f"/listings/{MUG.id}/wait")
        assert page.path == "/waiting" and "waiting for this already" in page.text


class TestOnesOwnList:
    async def test_is_explained_while_it_is_empty(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        page = await browser.open("/waiting")
        assert "You wait for nothing" in page.text

    async def test_shows_what_is_held_what_is_waited_for_and_what_ended(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        ends = (WaitingStatus.TAKEN, WaitingStatus.DECLINED, WaitingStatus.LAPSED)
        web.inventory.places = [
            offered(),
            place(ahead=4),
            *(place(status) for status in (*ends, WaitingStatus.LEFT, WaitingStatus.OVER)),
        ]
        page = await browser.open("/waiting")
        for words in (
            "Held for you now", "12 more hours", "4 places ahead of you", "In your cart",
            "You declined", "The time ran out", "You left the line", "It has begun",
        ):  # fmt: skip
            assert words in page.text, words

    async def test_speaks_russian(self, web: Any) -> None:
        browser, _ = await web.signed_in(language="ru")
        web.inventory.places = [offered(), place(ahead=5)]
        page = await browser.open("/waiting")
        assert "Лист ожидания" in page.text and "Джаз" in page.text and "Стул" in page.text
        assert "Перед вами 5 человек" in page.text

    async def test_names_the_seats_that_are_held(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        web.inventory.places = [offered(seats=("Stalls 1-4", "Stalls 1-5"))]
        page = await browser.open("/waiting")
        assert "Seats: Stalls 1-4, Stalls 1-5" in page.text

    async def test_the_last_minutes_are_counted_down(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        web.inventory.places = [offered(hours=0.5)]
        page = await browser.open("/waiting")
        assert "data-hold-until" in page.html and "for 30 more minutes" in page.text

    async def test_what_is_offered_goes_into_the_cart(self, web: Any) -> None:
        browser, _ = await web.signed_in()
        web.inventory.places = [offered()]
        page = await browser.open("/waiting")
        identifier = web.inventory.places[0].id
        page = await browser.submit(page, f"/waiting/{identifier}/take")
        assert web.orders.taken == [identifier]
        assert page.path == "/cart" and "held for you" in page.text

    @pytest.mark.parametrize(
        ("refusal", "words"),
        [
            (OfferOver(), "went to the next in line"),
            (SoldOut(offer_id=uuid4(), left=0), "sold out"),
        ],
    )
    async def test_who_comes_too_late_is_told(self, web: Any, refusal: Any, words: str) -> None:
        browser, _ = await web.signed_in()
        web.inventory.places = [offered()]
        web.orders.refuse_taking = refusal
        page = await browser.open("/waiting")
        page = await browser.submit(page, f"/waiting/{web.inventory.places[0].id}/take")
        assert page.path == "/waiting" and words in page.text

    @pytest.mark.parametrize(
        ("entry", "said"), [(place(), "You left the line."), (offered(), "You declined.")]
    )
    async def test_one_leaves_or_declines(self, web: Any, entry: Waiting, said: str) -> None:
        browser, _ = await web.signed_in()
        web.inventory.places = [entry]
        page = await browser.open("/waiting")
        page = await browser.submit(page, f"/waiting/{entry.id}/leave")
        assert said in page.text


class TestDecliningByMail:
    async def test_opening_the_link_declines_nothing(self, web: Any) -> None:
        web.inventory.places = [offered()]
        path = f"/waiting/{web.inventory.places[0].id}/decline"
        page = await web.browser().open(f"{path}?token={TOKEN}")
        assert page.status == 200 and "No longer needed?" in page.text and "Jazz" in page.text
        assert web.inventory.places[0].status is WaitingStatus.OFFERED

    async def test_a_button_declines_without_signing_in(self, web: Any) -> None:
        web.inventory.places = [offered()]
        browser, path = web.browser(), f"/waiting/{web.inventory.places[0].id}/decline"
        page = await browser.submit(await browser.open(f"{path}?token={TOKEN}"), path)
        assert "Thank you for telling us" in page.text and not page.offers(path)
        assert web.inventory.places[0].status is WaitingStatus.DECLINED

    async def test_a_wrong_token_opens_nothing(self, web: Any) -> None:
        web.inventory.places = [offered()]
        path = f"/waiting/{web.inventory.places[0].id}/decline"
        page = await web.browser().open(f"{path}?token=guessed")
        assert page.status == 404 and "Jazz" not in page.text

    @pytest.mark.parametrize("status", [WaitingStatus.LAPSED, WaitingStatus.TAKEN])
    async def test_who_comes_late_is_told(self, web: Any, status: WaitingStatus) -> None:
        web.inventory.places = [place(status)]
        path = f"/waiting/{web.inventory.places[0].id}/decline"
        page = await web.browser().open(f"{path}?token={TOKEN}")
        assert "This offer has ended already" in page.text and not page.offers(path)


class TestSelling:
    async def test_a_seller_sees_how_many_wait(self, make_web: Any) -> None:
        web = await make_web()
        browser, seller = await web.signed_in("Sam", Role.SELLER)
        listing = JAZZ.model_copy(update={"seller_id": seller.id})
        web.catalog.listings[listing.id] = listing
        offer_id = listing.offers[0].id
        page = await browser.open(f"/selling/listings/{listing.id}")
        assert "People wait for this" not in page.text
        web.inventory.waited[offer_id] = WaitingLine(
            offer_id=offer_id, people=3, units=7, offered=1
        )
        page = await browser.open(f"/selling/listings/{listing.id}")
        assert "People wait for this" in page.text
        assert "3 places in line, 7 wanted; held for 1" in page.text
