"""The seat map's form, without scripts: sections of rows, saved whole."""

from datetime import timedelta
from uuid import UUID

import pytest

from dvor.contracts.catalog import Kind, ListingDraft, OfferDraft, Place, Text
from dvor.contracts.seating import (
    Seat,
    SeatMap,
    SeatMapOutdated,
    SeatMapVersion,
    SeatPromised,
    SeatRow,
    SeatsCounted,
    Section,
)
from dvor.kernel import clock
from dvor.kernel.caller import Caller, Role, asking
from tests.web.browser import Browser, Page
from tests.web.conftest import Web


class Editor:
    """An organiser before the form of their event."""

    def __init__(self, web: Web, browser: Browser, listing_id: UUID) -> None:
        self.web, self.browser = web, browser
        self.path = f"/selling/listings/{listing_id}/seats"

    async def open(self) -> Page:
        """The form."""
        return await self.browser.open(self.path)

    async def add(self, page: Page, **typed: str) -> Page:
        """Add a section of two rows of three seats."""
        usual = {"new__rows": "2", "new__seats": "3", "new__tier": "A"}
        return await self.browser.submit(page, self.path, press="do=add", **usual | typed)

    async def save(self, page: Page, **typed: str) -> Page:
        """Save."""
        return await self.browser.submit(page, self.path, press="do=save", **typed)

    @property
    def names(self) -> list[str]:
        """The seats that were saved."""
        drawn = self.web.inventory.drawn
        return [placed.name for placed in drawn.map.placed()] if drawn else []


@pytest.fixture
async def editor(web: Web) -> Editor:
    browser, person = await web.signed_in("Olga", Role.SELLER)
    draft = ListingDraft(
        kind=Kind.EVENT,
        category="event-things",
        title=Text(en="Concert"),
        place=Place(city="Tver"),
        starts_at=clock.now() + timedelta(days=3),
        offers=(
            OfferDraft(name=Text(en="Near"), price=100),
            OfferDraft(name=Text(en="Far"), price=50),
        ),
    )
    with asking(Caller(user_id=person.id, roles=person.roles)):
        listing = await web.catalog.create(draft)
    return Editor(web, browser, listing.id)


class TestSeatEditor:
    async def test_a_section_is_added_changed_and_saved(self, editor: Editor) -> None:
        page = await editor.open()
        assert "There are no numbered seats yet" in page.text
        page = await editor.add(page, new__name="Stalls", new__aisle="1")
        assert "1: A_AA\n2: A_AA" in page.html and not editor.names
        page = await editor.save(page, rows__0="1: A_Ab\n\n2: .A")
        assert "The seat map is saved." in page.text
        assert editor.names == ["Stalls 1-1", "Stalls 1-2", "Stalls 1-3", "Stalls 2-2"]
        assert "1: A_Ab\n\n2: .A" in page.html

    async def test_a_section_is_removed(self, editor: Editor) -> None:
        page = await editor.add(await editor.open(), new__name="One")
        page = await editor.add(page, new__name="Two")
        page = await editor.browser.submit(page, editor.path, press="do=remove-0")
        await editor.save(page)
        assert editor.names[0] == "Two 1-1"

    async def test_says_at_the_section_what_is_wrong(self, editor: Editor) -> None:
        page = await editor.add(await editor.open())
        page = await editor.save(page, rows__0="1: AZ")
        assert page.status == 422 and "“Z” is no tier of this event" in page.text
        assert "1: AZ" in page.html and not editor.names

    @pytest.mark.parametrize(
        ("refusal", "words"),
        [
            (SeatMapOutdated(), "Somebody changed this seat map meanwhile."),
            (SeatPromised(seat="Stalls 1-1"), "Seat Stalls 1-1 is held or sold"),
        ],
    )
    async def test_explains_conflicts_and_keeps_what_was_typed(
        self, editor: Editor, refusal: SeatMapOutdated | SeatPromised, words: str
    ) -> None:
        editor.web.inventory.refuse = refusal
        page = await editor.save(await editor.add(await editor.open()), rows__0="9: AA")
        assert page.status == 409 and words in page.text and "9: AA" in page.html

    async def test_says_that_a_programs_map_would_be_replaced(self, editor: Editor) -> None:
        tier = next(iter(editor.web.catalog.listings.values())).offers[0].id
        seat = Seat(number="7b", column=1, offer_id=tier)
        drawn = SeatMap(sections=(Section(rows=(SeatRow(label="1", seats=(seat,)),)),))
        editor.web.inventory.drawn = SeatMapVersion(listing_id=tier, version=4, map=drawn)
        assert "was drawn by a program" in (await editor.open()).text

    async def test_only_events_have_one(self, editor: Editor) -> None:
        listing = next(iter(editor.web.catalog.listings.values()))
        goods = listing.model_copy(update={"kind": Kind.PRODUCT})
        editor.web.catalog.listings[listing.id] = goods
        assert (await editor.open()).status == 404


class TestListingForm:
    @pytest.mark.parametrize(("typed", "fine"), [("4", True), ("5", False)])
    async def test_leaves_the_number_of_seats_to_the_map(
        self, editor: Editor, typed: str, *, fine: bool
    ) -> None:
        listing = next(iter(editor.web.catalog.listings.values()))
        path = f"/selling/listings/{listing.id}"
        editor.web.inventory.supplied = {offer.id: 4 for offer in listing.offers}
        editor.web.inventory.refuse = SeatsCounted(offer_id=listing.offers[0].id)
        page = await editor.browser.open(path)
        counts = {"offer__0__quantity": typed, "offer__1__quantity": "4"}
        counts |= {"timezone": "Europe/Moscow", "category": "event-things"}
        page = await editor.browser.submit(page, path, press="do=save", **counts)
        assert ("Saved." in page.text) is fine, page.text
        assert ("change their number in the seat map" in page.text) is not fine
