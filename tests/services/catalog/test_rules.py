"""What a listing must be, and what lines cost."""

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvor.contracts.catalog import (
    Kind,
    ListingStatus,
    MixedCurrencies,
    NotOnSale,
    OfferDraft,
    Place,
    QuoteLine,
    Season,
    UnknownOffer,
    WrongDates,
)
from dvor.kernel.errors import InvalidFields
from dvor.kernel.periods import DateRange
from dvor.services.catalog import rules
from tests.services.catalog.drafts import FIRST_DAY, NOON, concert, facts, product, room

prices = st.integers(0, rules.PRICE_MAX)


@st.composite
def seasons(draw) -> tuple[Season, ...]:
    """Seasons that do not overlap, around the first day."""
    day = FIRST_DAY - timedelta(days=draw(st.integers(0, 30)))
    found = []
    for _ in range(draw(st.integers(0, 6))):
        day += timedelta(days=draw(st.integers(1, 20)))
        last = day + timedelta(days=draw(st.integers(0, 20)))
        found.append(Season(first=day, last=last, price=draw(prices)))
        day = last
    return tuple(draw(st.permutations(found)))


stays = st.builds(
    lambda offset, length: DateRange(
        start=FIRST_DAY + timedelta(days=offset), end=FIRST_DAY + timedelta(days=offset + length)
    ),
    st.integers(0, 60),
    st.integers(1, 90),
)


def _quote(lines, *priced):
    return rules.price_lines(lines, {p.facts.id: p for p in priced}, NOON)


class TestPriceLines:
    @given(price=prices, own=seasons(), dates=stays, quantity=st.integers(1, 100))
    def test_total_is_the_sum_over_days_times_quantity(self, price, own, dates, quantity) -> None:
        offer = rules.Priced(facts(Kind.STAY, price), own, None)
        line = QuoteLine(offer_id=offer.facts.id, quantity=quantity, dates=dates)
        quote = _quote([line], offer)
        days = [
            next((s.price for s in own if s.first <= day <= s.last), price) for day in dates.days()
        ]
        assert quote.lines[0].total.amount == sum(days) * quantity
        assert quote.lines[0].units == len(days) == dates.length
        assert type(quote.total.amount) is int
        assert min(days) <= quote.lines[0].unit_price.amount <= max(days)
        assert abs(quote.lines[0].unit_price.amount * len(days) - sum(days)) * 2 <= len(days)

    @given(st.lists(st.tuples(prices, st.integers(1, 1000)), min_size=1, max_size=50))
    def test_a_quote_is_the_sum_of_its_lines_in_their_order(self, wanted) -> None:
        offers = [rules.Priced(facts(price=price), (), None) for price, _ in wanted]
        lines = [
            QuoteLine(offer_id=offer.facts.id, quantity=quantity)
            for offer, (_, quantity) in zip(offers, wanted, strict=True)
        ]
        quote = _quote(lines, *offers)
        assert [line.offer.id for line in quote.lines] == [line.offer_id for line in lines]
        assert quote.total.amount == sum(price * quantity for price, quantity in wanted)

    @given(price=prices, quantity=st.integers(1, 500))
    def test_twice_as_many_cost_twice_as_much(self, price, quantity) -> None:
        offer = rules.Priced(facts(price=price), (), None)
        one, two = (
            _quote([QuoteLine(offer_id=offer.facts.id, quantity=q)], offer).total.amount
            for q in (quantity, 2 * quantity)
        )
        assert two == 2 * one

    def test_the_average_is_rounded_to_the_nearest_kopeck(self) -> None:
        season = Season(first=FIRST_DAY, last=FIRST_DAY, price=101)
        offer = rules.Priced(facts(Kind.RENTAL, 100), (season,), None)
        dates = DateRange(start=FIRST_DAY, end=FIRST_DAY + timedelta(days=2))
        line = QuoteLine(offer_id=offer.facts.id, quantity=1, dates=dates)
        quote = _quote([line], offer)
        assert (quote.lines[0].unit_price.amount, quote.total.amount) == (101, 201)

    @pytest.mark.parametrize("kind", [Kind.RENTAL, Kind.STAY])
    def test_refuses_what_is_let_without_dates(self, kind) -> None:
        offer = rules.Priced(facts(kind), (), None)
        with pytest.raises(WrongDates):
            _quote([QuoteLine(offer_id=offer.facts.id, quantity=1)], offer)

    @pytest.mark.parametrize("kind", [Kind.PRODUCT, Kind.EVENT])
    def test_refuses_dates_for_goods_and_tickets(self, kind) -> None:
        offer = rules.Priced(facts(kind), (), None)
        dates = DateRange(start=FIRST_DAY, end=FIRST_DAY + timedelta(days=1))
        with pytest.raises(WrongDates):
            _quote([QuoteLine(offer_id=offer.facts.id, quantity=1, dates=dates)], offer)

    @pytest.mark.parametrize("status", [ListingStatus.DRAFT, ListingStatus.ARCHIVED])
    def test_refuses_what_is_not_published(self, status) -> None:
        offer = rules.Priced(facts(status=status), (), None)
        with pytest.raises(NotOnSale):
            _quote([QuoteLine(offer_id=offer.facts.id, quantity=1)], offer)

    def test_sells_tickets_until_the_event_is_over(self) -> None:
        offer = rules.Priced(facts(Kind.EVENT), (), NOON + timedelta(seconds=1))
        line = QuoteLine(offer_id=offer.facts.id, quantity=1)
        assert _quote([line], offer).total.amount == 100
        with pytest.raises(NotOnSale):
            _quote([line], offer._replace(ends_at=NOON))

    def test_refuses_an_unknown_offer(self) -> None:
        with pytest.raises(UnknownOffer):
            _quote([QuoteLine(offer_id=uuid4(), quantity=1)])

    def test_refuses_two_currencies_in_one_order(self) -> None:
        offers = [rules.Priced(facts(currency=code), (), None) for code in ("RUB", "GBP")]
        with pytest.raises(MixedCurrencies):
            _quote([QuoteLine(offer_id=o.facts.id, quantity=1) for o in offers], *offers)

    def test_refuses_more_than_money_can_be(self) -> None:
        offer = rules.Priced(facts(Kind.STAY, rules.PRICE_MAX), (), None)
        dates = DateRange(start=FIRST_DAY, end=FIRST_DAY + timedelta(days=366))
        line = QuoteLine(offer_id=offer.facts.id, quantity=1000, dates=dates)
        with pytest.raises(InvalidFields):
            _quote([line], offer)
        lines = [line.model_copy(update={"quantity": 200})] * 2
        with pytest.raises(InvalidFields):
            _quote(lines, offer)


def _season(first: int, last: int, price: int = 100) -> Season:
    return Season(
        first=FIRST_DAY + timedelta(days=first), last=FIRST_DAY + timedelta(days=last), price=price
    )


class TestCheckDraft:
    @pytest.mark.parametrize("draft", [product(), room(), concert()], ids=lambda d: d.kind)
    def test_takes_a_good_one(self, draft) -> None:
        rules.check_draft(draft)

    def test_takes_seasons_that_touch(self) -> None:
        rules.check_draft(room(seasons=(_season(5, 9), _season(0, 4))))

    @pytest.mark.parametrize(
        ("draft", "field"),
        [
            (room(seasons=(_season(0, 5), _season(5, 9))), "offers.0.seasons"),
            (room(seasons=(_season(5, 4),)), "offers.0.seasons"),
            (room(seasons=(_season(0, 5, rules.PRICE_MAX + 1),)), "offers.0.seasons"),
            (room(price=rules.PRICE_MAX + 1), "offers.0.price"),
            (room(place=Place(city="Суздаль", timezone="Mars/Crater")), "place.timezone"),
            (room(place=Place(city="")), "place.city"),
            (
                product(offers=(OfferDraft(price=1, seasons=(_season(0, 1),)),)),
                "offers.0.seasons",
            ),
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
