"""The demo world: whole, in both languages, and filled once."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from dvor.contracts.catalog import Kind, Search, Sort
from dvor.contracts.identity import Credentials
from dvor.demo.accounts import PASSWORD, PEOPLE
from dvor.demo.events import EVENTS
from dvor.demo.goods import GOODS
from dvor.demo.rentals import RENTALS
from dvor.demo.rooms import ROOMS
from dvor.demo.world import fill
from dvor.kernel import clock
from dvor.services.catalog import rules

STALLS = GOODS + RENTALS + ROOMS + EVENTS


class TestStalls:
    def test_each_has_a_key_of_its_own(self) -> None:
        assert len({stall.key for stall in STALLS}) == len(STALLS) >= 60

    @pytest.mark.parametrize("stall", STALLS, ids=lambda stall: stall.key)
    def test_each_is_a_good_listing_in_both_languages(self, stall) -> None:
        draft = stall.draft(clock.now().date())
        rules.check_draft(draft)
        for text in (draft.title, draft.description):
            assert text.ru and text.en and text.ru != text.en
        names = [offer.name for offer in draft.offers]
        assert len(names) == 1 or all(name.ru and name.en for name in names)

    @pytest.mark.parametrize("days", range(0, 900, 61))
    def test_seasons_and_dates_fit_whatever_the_day(self, days: int) -> None:
        today = clock.now().date() + timedelta(days=days)
        for stall in STALLS:
            draft = stall.draft(today)
            rules.check_draft(draft)
            assert draft.starts_at is None or draft.starts_at.date() > today


class TestFill:
    async def test_fills_the_world_once(self, make_house) -> None:
        house = await make_house("identity", "catalog", "inventory")
        contracts = [house.proxy(name, "setup") for name in ("identity", "catalog", "inventory")]
        told: list[tuple[int, int]] = []
        first = await fill(*contracts, progress=lambda done, total: told.append((done, total)))
        again = await fill(*contracts)

        assert (first.accounts, first.listings, first.written) == (5, len(STALLS), len(STALLS))
        assert again.written == 0
        assert told[0] == (0, told[0][1])
        assert told[-1] == (told[0][1], told[0][1])
        for kind in Kind:
            page = await house.catalog.search(Search(kind=kind, limit=100))
            assert page.total == sum(stall.kind is kind for stall in STALLS)

    async def test_everything_is_free_to_buy_and_everybody_can_sign_in(self, make_house) -> None:
        house = await make_house("identity", "catalog", "inventory")
        await fill(*[house.proxy(name, "setup") for name in ("identity", "catalog", "inventory")])
        await house.settle()
        sold_out = 0
        soon = await house.catalog.search(Search(kind=Kind.EVENT, sort=Sort.SOONEST, limit=100))
        for card in soon.items:
            listing = await house.catalog.listing(card.id)
            supplies = await house.inventory.supplies(tuple(o.id for o in listing.offers))
            assert len(supplies.items) == len(listing.offers)
            assert all(supply.open for supply in supplies.items)
            sold_out += all(not supply.free for supply in supplies.items)
        assert sold_out == 1  # something to wait for
        for account in PEOPLE.values():
            session = await house.identity.sign_in(
                Credentials(email=account.email, password=SecretStr(PASSWORD))
            )
            assert set(session.user.roles) >= set(account.roles)
