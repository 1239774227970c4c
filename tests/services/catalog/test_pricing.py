"""What lines cost, and how it is explained."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dvor.contracts.catalog import (
    Kind,
    ListingStatus,
    MixedCurrencies,
    NotOnSale,
    QuoteLine,
    Season,
    UnknownOffer,
    WrongDates,
)
from dvor.contracts.pricing import Discount, PartKind, Pricing, WeekdayPrice
from dvor.kernel.errors import InvalidFields
from dvor.kernel.periods import DateRange, HourRange
from dvor.services.catalog import pricing
from dvor.services.catalog.pricing import Priced
from tests.services.catalog.drafts import FIRST_DAY, NOON, facts

prices = st.integers(0, pricing.PRICE_MAX)
quantities = st.integers(1, 100)


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


@st.composite
def discounts(draw) -> tuple[Discount, ...]:
    """Steps that rise, in any order."""
    leasts = sorted(draw(st.sets(st.integers(2, 60), max_size=4)))
    percents = sorted(draw(st.sets(st.integers(1, 100), min_size=len(leasts), max_size=20)))
    steps = [Discount(least=n, percent=p) for n, p in zip(leasts, percents, strict=False)]
    return tuple(draw(st.permutations(steps)))


pricings = st.builds(
    Pricing,
    weekdays=st.lists(
        st.builds(WeekdayPrice, weekday=st.integers(0, 6), price=prices),
        unique_by=lambda special: special.weekday,
    ).map(tuple),
    length_discounts=discounts(),
    quantity_discounts=discounts(),
    deposit=prices,
)
offers = st.builds(
    lambda price, own, rules: Priced(facts(Kind.STAY, price), own, rules),
    prices,
    seasons(),
    pricings,
)
PLAIN = Pricing()


def _dates(offset: int, length: int) -> DateRange:
    start = FIRST_DAY + timedelta(days=offset)
    return DateRange(start=start, end=start + timedelta(days=length))


stays = st.builds(_dates, st.integers(0, 60), st.integers(1, 90))


def _line(offer, quantity=1, dates=None, hours=None):
    return QuoteLine(offer_id=offer.facts.id, quantity=quantity, dates=dates, hours=hours)


def _quote(lines, *priced):
    return pricing.price_lines(lines, {p.facts.id: p for p in priced}, NOON)


def _one(offer, quantity=1, dates=None, hours=None):
    return _quote([_line(offer, quantity, dates, hours)], offer).lines[0]


def _half_up(amount: int, percent: int) -> int:
    exact = Decimal(amount) * percent / 100
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _step(steps, units: int) -> int:
    return max((step.percent for step in steps if step.least <= units), default=0)


def _expected(offer: Priced, quantity: int, dates: DateRange) -> int:
    """The formula of the contract, worked out another way."""
    left = 0
    weekly = {special.weekday: special.price for special in offer.pricing.weekdays}
    for day in dates.days():
        own = [s.price for s in offer.seasons if s.first <= day <= s.last]
        ordinary = weekly.get(day.weekday(), offer.facts.price.amount)
        left += (own[0] if own else ordinary) * quantity
    left -= _half_up(left, _step(offer.pricing.length_discounts, dates.length))
    return left - _half_up(left, _step(offer.pricing.quantity_discounts, quantity))


class TestPriceLines:
    @given(offer=offers, dates=stays, quantity=quantities)
    def test_a_total_is_what_the_formula_says(self, offer, dates, quantity) -> None:
        assert _one(offer, quantity, dates).total.amount == _expected(offer, quantity, dates)

    @given(offer=offers, dates=stays, quantity=quantities)
    def test_the_parts_sum_up_to_the_total(self, offer, dates, quantity) -> None:
        line = _one(offer, quantity, dates)
        listed = [part for part in line.parts if part.amount == part.units * part.price * quantity]
        off = [part for part in line.parts if part not in listed]
        assert sum(part.amount for part in line.parts) == line.total.amount
        assert sum(part.amount for part in listed) == sum(line.day_prices) * quantity
        assert sum(part.units for part in line.parts) == len(line.day_prices) == dates.length
        assert all(part.amount < 0 < part.percent for part in off)

    @given(offer=offers, dates=stays, quantity=quantities)
    def test_nothing_costs_less_than_nothing_or_more_than_listed(
        self, offer, dates, quantity
    ) -> None:
        line = _one(offer, quantity, dates)
        assert 0 <= line.total.amount <= sum(line.day_prices) * quantity

    @given(offer=offers, dates=stays, quantity=quantities)
    def test_money_is_whole(self, offer, dates, quantity) -> None:
        line = _one(offer, quantity, dates)
        amounts = [line.total.amount, line.unit_price.amount, *line.day_prices]
        assert {type(n) for n in amounts + [part.amount for part in line.parts]} == {int}

    @given(offer=offers, dates=stays)
    def test_the_unit_price_is_the_average_before_discounts(self, offer, dates) -> None:
        line = _one(offer, 1, dates)
        days = line.day_prices
        assert min(days) <= line.unit_price.amount <= max(days)
        assert abs(line.unit_price.amount * len(days) - sum(days)) * 2 <= len(days)

    @given(offer=offers, dates=stays, longer=st.integers(1, 30))
    def test_longer_costs_no_less_unless_it_reaches_a_greater_discount(
        self, offer, dates, longer
    ) -> None:
        length = dates.length
        steps = offer.pricing.length_discounts
        assume(_step(steps, length) == _step(steps, length + longer))
        more = DateRange(start=dates.start, end=dates.end + timedelta(days=longer))
        assert _one(offer, 1, more).total.amount >= _one(offer, 1, dates).total.amount

    @given(offer=offers, dates=stays, quantity=quantities, more=st.integers(1, 30))
    def test_more_cost_no_less_unless_they_reach_a_greater_discount(
        self, offer, dates, quantity, more
    ) -> None:
        steps = offer.pricing.quantity_discounts
        assume(_step(steps, quantity) == _step(steps, quantity + more))
        dearer = _one(offer, quantity + more, dates).total.amount
        assert dearer >= _one(offer, quantity, dates).total.amount

    @given(offer=offers, dates=stays, cut=st.integers(1, 90))
    def test_without_discounts_a_stay_costs_what_its_halves_cost(self, offer, dates, cut) -> None:
        assume(cut < dates.length)
        bare = offer.pricing.model_copy(update={"length_discounts": ()})
        plain = offer._replace(pricing=bare)
        middle = dates.start + timedelta(days=cut)
        halves = (
            DateRange(start=dates.start, end=middle),
            DateRange(start=middle, end=dates.end),
        )
        whole = _one(plain, 1, dates).total.amount
        assert whole == sum(_one(plain, 1, half).total.amount for half in halves)

    @given(wanted=st.lists(st.tuples(offers, stays, quantities), min_size=1, max_size=5), data=st.data())  # fmt: skip
    def test_a_line_costs_the_same_whatever_stands_beside_it(self, wanted, data) -> None:
        lines = [_line(offer, quantity, dates) for offer, dates, quantity in wanted]
        known = [offer for offer, _, _ in wanted]
        order = data.draw(st.permutations(range(len(lines))))
        quote, other = _quote(lines, *known), _quote([lines[n] for n in order], *known)
        assert tuple(quote.lines[n] for n in order) == other.lines
        assert quote.lines == tuple(_one(offer, n, dates) for offer, dates, n in wanted)
        assert quote.total == other.total
        assert quote.total.amount == sum(line.total.amount for line in quote.lines)

    @given(offer=offers, dates=stays, quantity=quantities)
    def test_a_deposit_is_for_each_and_in_no_total(self, offer, dates, quantity) -> None:
        line = _one(offer, quantity, dates)
        free = _one(offer._replace(pricing=offer.pricing.model_copy(update={"deposit": 0})),
                    quantity, dates)  # fmt: skip
        asked = line.deposit.amount if line.deposit else 0
        assert asked == offer.pricing.deposit * quantity
        assert (line.total, line.parts, free.deposit) == (free.total, free.parts, None)

    def test_the_average_is_rounded_to_the_nearest_kopeck(self) -> None:
        season = Season(first=FIRST_DAY, last=FIRST_DAY, price=101)
        line = _one(Priced(facts(Kind.RENTAL, 100), (season,)), 1, _dates(0, 2))
        assert (line.unit_price.amount, line.total.amount) == (101, 201)

    @pytest.mark.parametrize("status", [ListingStatus.DRAFT, ListingStatus.ARCHIVED])
    def test_refuses_what_is_not_published(self, status) -> None:
        with pytest.raises(NotOnSale):
            _one(Priced(facts(status=status)))

    def test_sells_tickets_until_the_event_is_over(self) -> None:
        offer = Priced(facts(Kind.EVENT), ends_at=NOON + timedelta(seconds=1))
        assert _one(offer).total.amount == 100
        with pytest.raises(NotOnSale):
            _one(offer._replace(ends_at=NOON))

    def test_refuses_an_unknown_offer(self) -> None:
        with pytest.raises(UnknownOffer):
            _quote([QuoteLine(offer_id=uuid4(), quantity=1)])

    def test_refuses_two_currencies_in_one_order(self) -> None:
        two = [Priced(facts(currency=code)) for code in ("RUB", "GBP")]
        with pytest.raises(MixedCurrencies):
            _quote([_line(offer) for offer in two], *two)

    def test_refuses_more_than_money_can_be(self) -> None:
        offer = Priced(facts(Kind.STAY, pricing.PRICE_MAX))
        year = _dates(0, 366)
        with pytest.raises(InvalidFields):
            _one(offer, 1000, year)
        with pytest.raises(InvalidFields):
            _quote([_line(offer, 200, year)] * 2, offer)


HOURS = HourRange(start=NOON, end=NOON + timedelta(hours=3))
DAYS = _dates(0, 1)


class TestCheckPeriod:
    @pytest.mark.parametrize(
        ("kind", "by_hour", "dates", "hours"),
        [
            (Kind.PRODUCT, False, None, None),
            (Kind.EVENT, False, None, None),
            (Kind.STAY, False, DAYS, None),
            (Kind.RENTAL, False, DAYS, None),
            (Kind.RENTAL, True, None, HOURS),
        ],
    )
    def test_takes_what_an_offer_is_let_by_and_nothing_else(
        self, kind, by_hour, dates, hours
    ) -> None:
        offer = Priced(facts(kind).model_copy(update={"by_hour": by_hour}))
        for other in ((None, None), (DAYS, None), (None, HOURS), (DAYS, HOURS)):
            if other == (dates, hours):
                assert _one(offer, 1, *other).total.amount > 0
            else:
                with pytest.raises(WrongDates):
                    _one(offer, 1, *other)


SUMMER = Season(first=date(2026, 6, 1), last=date(2026, 8, 31), price=700)
WEEKEND = Pricing(weekdays=(WeekdayPrice(weekday=4, price=600), WeekdayPrice(weekday=5, price=600)))


def _summary(line):
    return [(part.kind.value, part.units, part.price, part.amount) for part in line.parts]


class TestUnitPrices:
    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            # The last day of a season is in it, the day after is not.
            ("2026-05-31", 2, [500, 700]),
            ("2026-08-31", 2, [700, 500]),
            # A season goes before a weekend: 28 and 29 August are Friday and Saturday.
            ("2026-08-27", 4, [700, 700, 700, 700]),
            # Friday and Saturday nights, not Sunday's.
            ("2026-10-01", 4, [500, 600, 600, 500]),
            # Over New Year: 31 December 2026 is a Thursday.
            ("2026-12-30", 4, [500, 500, 600, 600]),
        ],
    )
    def test_a_night_costs_what_its_own_day_says(self, start, length, expected) -> None:
        first = date.fromisoformat(start)
        dates = DateRange(start=first, end=first + timedelta(days=length))
        line = _one(Priced(facts(Kind.STAY, 500), (SUMMER,), WEEKEND), 1, dates)
        assert list(line.day_prices) == expected

    @pytest.mark.parametrize(
        ("zone", "start", "expected"),
        [
            # Friday, 2 October 2026, begins at 21:00 UTC in Moscow, at 14:00 UTC in Vladivostok.
            ("Europe/Moscow", "2026-10-01T20:00Z", [500, 600, 600]),
            ("Asia/Vladivostok", "2026-10-01T13:00Z", [500, 600, 600]),
            ("UTC", "2026-10-01T23:00Z", [500, 600, 600]),
            # The last hour of the last summer day, in Moscow.
            ("Europe/Moscow", "2026-08-31T20:00Z", [700, 500, 500]),
            # The night of 25 October has two hours from 2 to 3 in Berlin; each costs a Sunday's.
            ("Europe/Berlin", "2026-10-24T21:00Z", [600, 500, 500]),
            ("Europe/Berlin", "2026-10-25T00:00Z", [500, 500, 500]),
        ],
    )
    def test_an_hour_costs_what_the_day_costs_on_which_it_begins_there(
        self, zone, start, expected
    ) -> None:
        begins = datetime.fromisoformat(start).astimezone(UTC)
        offer = facts(Kind.RENTAL, 500).model_copy(update={"by_hour": True, "timezone": zone})
        hours = HourRange(start=begins, end=begins + timedelta(hours=3))
        line = _one(Priced(offer, (SUMMER,), WEEKEND), 2, None, hours)
        assert list(line.day_prices) == expected
        assert (line.units, line.hours, line.total.amount) == (3, hours, 2 * sum(expected))


class TestExplained:
    def test_tells_nights_by_what_makes_their_price(self) -> None:
        dates = DateRange(start=date(2026, 8, 30), end=date(2026, 9, 6))
        line = _one(Priced(facts(Kind.STAY, 500), (SUMMER,), WEEKEND), 2, dates)
        assert _summary(line) == [
            ("base", 3, 500, 3000),
            ("weekday", 2, 600, 2400),
            ("season", 2, 700, 2800),
        ]
        assert [part.weekdays for part in line.parts] == [(), (4, 5), ()]

    def test_goods_have_one_part(self) -> None:
        assert _summary(_one(Priced(facts(price=100)), 3)) == [("base", 1, 100, 300)]

    @pytest.mark.parametrize(("nights", "off"), [(6, 0), (7, 10), (29, 10), (30, 25), (31, 25)])
    def test_the_greatest_length_that_is_reached_counts(self, nights, off) -> None:
        steps = (Discount(least=30, percent=25), Discount(least=7, percent=10))
        offer = Priced(facts(Kind.STAY, 1000), (), Pricing(length_discounts=steps))
        line = _one(offer, 1, _dates(0, nights))
        assert line.total.amount == nights * 10 * (100 - off)
        assert [part.percent for part in line.parts[1:]] == ([off] if off else [])

    def test_the_quantity_discount_is_of_what_the_length_discount_left(self) -> None:
        steps = (Discount(least=2, percent=50),)
        both = Pricing(length_discounts=steps, quantity_discounts=steps)
        line = _one(Priced(facts(Kind.STAY, 100), (), both), 2, _dates(0, 2))
        assert [(part.kind, part.amount) for part in line.parts] == [
            (PartKind.BASE, 400),
            (PartKind.LENGTH_DISCOUNT, -200),
            (PartKind.QUANTITY_DISCOUNT, -100),
        ]

    @pytest.mark.parametrize(
        ("price", "percent", "total"),
        [(5, 10, 9), (4, 10, 7), (1, 25, 1), (1, 24, 2), (3, 100, 0), (0, 50, 0)],
    )
    def test_half_a_kopeck_is_rounded_up_once(self, price, percent, total) -> None:
        steps = (Discount(least=2, percent=percent),)
        offer = Priced(facts(price=price), (), Pricing(quantity_discounts=steps))
        assert _one(offer, 2).total.amount == total
