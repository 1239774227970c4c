"""What a listing must be."""

from datetime import timedelta
from uuid import uuid4

import pytest

from dvor.contracts.catalog import Kind, OfferDraft, Place, Season
from dvor.contracts.pricing import Discount, Pricing, WeekdayPrice
from dvor.kernel.errors import InvalidFields
from dvor.services.catalog import rules
from dvor.services.catalog.pricing import PRICE_MAX
from tests.services.catalog.drafts import FIRST_DAY, concert, product, room


def _season(first: int, last: int, price: int = 100) -> Season:
    return Season(
        first=FIRST_DAY + timedelta(days=first), last=FIRST_DAY + timedelta(days=last), price=price
    )


def _steps(*steps: tuple[int, int]) -> tuple[Discount, ...]:
    return tuple(Discount(least=least, percent=percent) for least, percent in steps)


def _priced(make, pricing: Pricing, **more):
    return make(offers=(OfferDraft(price=100, pricing=pricing, **more),))


FRIDAY = WeekdayPrice(weekday=4, price=200)


class TestCheckDraft:
    @pytest.mark.parametrize("draft", [product(), room(), concert()], ids=lambda d: d.kind)
    def test_takes_a_good_one(self, draft) -> None:
        rules.check_draft(draft)

    def test_takes_discounts_that_rise_in_any_order(self) -> None:
        steps = _steps((30, 20), (7, 10))
        rules.check_draft(_priced(room, Pricing(length_discounts=steps, quantity_discounts=steps)))

    def test_refuses_to_let_by_the_hour_what_was_sold_by_the_day(self) -> None:
        known = uuid4()
        offer = OfferDraft(id=known, price=1, by_hour=True)
        draft = room(kind=Kind.RENTAL, category="bikes", offers=(offer,))
        rules.check_draft(draft, Kind.RENTAL)
        rules.check_draft(draft, Kind.RENTAL, {known: True})
        with pytest.raises(InvalidFields) as refused:
            rules.check_draft(draft, Kind.RENTAL, {known: False})
        assert list(refused.value.details["problems"]) == ["offers.0.by_hour"]

    def test_what_is_let_may_ask_first(self) -> None:
        rules.check_draft(room(approval=True))
        rules.check_draft(room(kind=Kind.RENTAL, category="bikes", approval=True))

    def test_takes_seasons_that_touch(self) -> None:
        rules.check_draft(room(seasons=(_season(5, 9), _season(0, 4))))

    @pytest.mark.parametrize(
        ("draft", "field"),
        [
            (room(seasons=(_season(0, 5), _season(5, 9))), "offers.0.seasons"),
            (room(seasons=(_season(5, 4),)), "offers.0.seasons"),
            (room(seasons=(_season(0, 5, PRICE_MAX + 1),)), "offers.0.seasons"),
            (room(price=PRICE_MAX + 1), "offers.0.price"),
            (room(place=Place(city="Суздаль", timezone="Mars/Crater")), "place.timezone"),
            (room(place=Place(city="")), "place.city"),
            (
                product(offers=(OfferDraft(price=1, seasons=(_season(0, 1),)),)),
                "offers.0.seasons",
            ),
            (_priced(product, Pricing(weekdays=(FRIDAY,))), "offers.0.pricing.weekdays"),
            (_priced(concert, Pricing(deposit=1)), "offers.0.pricing.deposit"),
            (
                _priced(product, Pricing(length_discounts=_steps((2, 5)))),
                "offers.0.pricing.length_discounts",
            ),
            (_priced(room, Pricing(weekdays=(FRIDAY, FRIDAY))), "offers.0.pricing.weekdays"),
            (
                _priced(room, Pricing(weekdays=(WeekdayPrice(weekday=0, price=PRICE_MAX + 1),))),
                "offers.0.pricing.weekdays",
            ),
            (_priced(room, Pricing(deposit=PRICE_MAX + 1)), "offers.0.pricing.deposit"),
            (
                _priced(room, Pricing(length_discounts=_steps((7, 10), (30, 10)))),
                "offers.0.pricing.length_discounts",
            ),
            (
                _priced(product, Pricing(quantity_discounts=_steps((3, 10), (3, 20)))),
                "offers.0.pricing.quantity_discounts",
            ),
            (_priced(room, Pricing(), by_hour=True), "offers.0.by_hour"),
            (product(approval=True), "approval"),
            (concert(approval=True), "approval"),
        ],
    )
    def test_names_the_field_that_is_wrong(self, draft, field) -> None:
        with pytest.raises(InvalidFields) as refused:
            rules.check_draft(draft)
        assert list(refused.value.details["problems"]) == [field]

    def test_refuses_an_offer_named_twice(self) -> None:
        twice = OfferDraft(id=uuid4(), price=1)
        with pytest.raises(InvalidFields):
            rules.check_draft(product(offers=(twice, twice)))

    def test_refuses_to_turn_a_product_into_a_room(self) -> None:
        with pytest.raises(InvalidFields):
            rules.check_draft(room(), Kind.PRODUCT)


class TestPicture:
    def test_is_named_after_kind_category_and_the_random_end_of_the_id(self) -> None:
        listing_id = uuid4()
        assert rules.picture(listing_id, "stay", "hotels") == (
            f"/pictures/stay/hotels/{str(listing_id)[-8:]}.svg"
        )
