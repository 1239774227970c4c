"""Fees, taxes and promo codes: exact to the kopeck, and explained."""

from datetime import timedelta
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvor.contracts.catalog import Kind, QuoteLine
from dvor.contracts.pricing import Fee, FeePer, Label, PartKind, Tax
from dvor.contracts.promos import (
    Promo,
    PromoElsewhere,
    PromoEnded,
    PromoNeedsMore,
    PromoNotYet,
)
from dvor.kernel.errors import InvalidFields
from dvor.kernel.periods import DateRange
from dvor.services.catalog import charges, pricing
from dvor.services.catalog.pricing import Priced
from tests.services.catalog.drafts import FIRST_DAY, NOON, facts

CLEANING = Label(ru="Уборка", en="Cleaning")
VAT = Label(ru="НДС", en="VAT")
fees = st.lists(
    st.builds(Fee, name=st.just(CLEANING), price=st.integers(1, 10**7), per=st.sampled_from(FeePer)),
    max_size=5,
)  # fmt: skip
taxes = st.builds(Tax, name=st.just(VAT), rate=st.integers(0, 10_000), included=st.booleans())
quantities = st.integers(1, 50)
nights = st.integers(1, 30)


def promo(**more) -> Promo:
    """A code of the platform's: 10 % off everything."""
    usual = {
        "id": uuid4(), "code": "SUMMER", "seller_id": None, "percent": 10, "amount": 0,
        "currency": "RUB", "minimum": 0, "kinds": (), "listing_ids": (), "valid_from": None,
        "valid_until": None, "uses": 1, "per_customer": 1, "active": True, "created_at": NOON,
    }  # fmt: skip
    return Promo(**(usual | more))


promos = st.one_of(
    st.builds(promo, percent=st.integers(1, 100)),
    st.builds(promo, percent=st.just(0), amount=st.integers(1, 10**9)),
)
rooms = st.builds(
    lambda price, charged, tax: Priced(facts(Kind.STAY, price), fees=charged, tax=tax),
    st.integers(0, 10**7),
    fees,
    taxes,
)


def stay(room: Priced, quantity: int = 1, length: int = 1) -> QuoteLine:
    dates = DateRange(start=FIRST_DAY, end=FIRST_DAY + timedelta(days=length))
    return QuoteLine(offer_id=room.facts.id, quantity=quantity, dates=dates)


def thing(price: int = 1000, **more) -> Priced:
    return Priced(facts(price=price), **more)


def quoted(*wanted: tuple[Priced, int], code: Promo | None = None):
    lines = [QuoteLine(offer_id=p.facts.id, quantity=n) for p, n in wanted]
    return pricing.price_lines(lines, {p.facts.id: p for p, _ in wanted}, NOON, code)


def amounts(line, kind: PartKind) -> list[int]:
    return [part.amount for part in line.parts if part.kind is kind]


class TestFees:
    @pytest.mark.parametrize(
        ("per", "times"), [(FeePer.ORDER, 1), (FeePer.ITEM, 2), (FeePer.UNIT, 6)]
    )
    def test_are_charged_as_often_as_they_say(self, per, times) -> None:
        fee = Fee(name=CLEANING, price=500, per=per)
        room = Priced(facts(Kind.STAY, 1000), fees=(fee,))
        (line,) = pricing.price_lines([stay(room, 2, 3)], {room.facts.id: room}, NOON).lines
        (part,) = line.parts[1:]
        assert (part.units, part.price, part.amount) == (times, 500, times * 500)
        assert part.name.of("ru") == "Уборка"
        assert line.total.amount == 6000 + times * 500

    def test_once_an_order_is_once_for_a_listing(self) -> None:
        fee = Fee(name=CLEANING, price=500)
        first, other = thing(fees=(fee,)), thing(fees=(fee,))
        twin = thing(fees=(fee,))
        twin = twin._replace(
            facts=twin.facts.model_copy(update={"listing_id": first.facts.listing_id})
        )
        quote = quoted((first, 1), (twin, 1), (other, 1))
        assert [sum(amounts(line, PartKind.FEE)) for line in quote.lines] == [500, 0, 500]

    def test_more_than_money_can_be_is_refused(self) -> None:
        room = Priced(facts(Kind.STAY, 1), fees=(Fee(name=VAT, price=10**10, per=FeePer.UNIT),))
        with pytest.raises(InvalidFields):
            pricing.price_lines([stay(room, 1000, 366)], {room.facts.id: room}, NOON)


class TestTax:
    @pytest.mark.parametrize(
        ("rate", "included", "amount", "contains", "total"),
        [
            (2000, True, 0, 167, 1000),
            (2000, False, 200, 0, 1200),
            (550, False, 55, 0, 1055),
            (1, False, 0, 0, 1000),
            (5, False, 1, 0, 1001),  # half a kopeck is rounded up
            (10_000, True, 0, 500, 1000),
        ],
    )
    def test_is_in_the_price_or_on_top(self, rate, included, amount, contains, total) -> None:
        taxed = thing(tax=Tax(name=VAT, rate=rate, included=included))
        (line,) = quoted((taxed, 1)).lines
        assert (line.parts[-1].amount, line.parts[-1].included) == (amount, contains)
        assert line.total.amount == total

    def test_is_of_fees_and_of_what_a_promo_code_left(self) -> None:
        taxed = thing(fees=(Fee(name=CLEANING, price=100),), tax=Tax(name=VAT, rate=1000, included=False))  # fmt: skip
        (line,) = quoted((taxed, 1), code=promo(percent=50)).lines
        assert [part.amount for part in line.parts] == [1000, -500, 100, 60]

    def test_nobody_taxes_by_nothing(self) -> None:
        assert len(quoted((thing(), 1)).lines[0].parts) == 1


class TestShares:
    @settings(deadline=None)
    @given(st.lists(st.integers(0, 10**13), min_size=1, max_size=50), st.data())
    def test_make_the_whole_and_are_fair_to_less_than_a_kopeck(self, parts, data) -> None:
        off = data.draw(st.integers(0, sum(parts)))
        found = charges.shares(off, parts)
        assert sum(found) == off
        assert all(0 <= share <= part for share, part in zip(found, parts, strict=True))
        whole = max(sum(parts), 1)
        exact = [Fraction(off * part, whole) for part in parts]
        assert all(abs(share - e) < 1 for share, e in zip(found, exact, strict=True))


class TestPromoCodes:
    @settings(deadline=None)
    @given(st.lists(st.tuples(rooms, quantities, nights), min_size=1, max_size=6), promos)
    def test_a_quote_is_exact_and_never_below_zero(self, wanted, code) -> None:
        known = {room.facts.id: room for room, _, _ in wanted}
        lines = [stay(room, n, length) for room, n, length in wanted]
        plain = pricing.price_lines(lines, known, NOON)
        quote = pricing.price_lines(lines, known, NOON, code)
        assert quote.promo is not None
        for line in quote.lines:
            assert line.total.amount == sum(part.amount for part in line.parts) >= 0
        off = [-amount for line in quote.lines for amount in amounts(line, PartKind.PROMO)]
        own = [sum(amounts(line, PartKind.BASE)) for line in plain.lines]
        whole = sum(own)
        expected = (2 * whole * code.percent + 100) // 200 or min(code.amount, whole)
        assert sum(off) == expected == quote.promo.discount.amount
        assert all(0 <= less <= amount for less, amount in zip(off, own, strict=True))
        assert quote.total.amount == sum(line.total.amount for line in quote.lines)
        assert quote.total.amount <= plain.total.amount
        for line in quote.lines:
            before = 0
            for part in line.parts:
                if part.kind is PartKind.TAX and part.included:
                    # What is left without the tax, taxed, is the price again, within a kopeck.
                    bare = before - part.included
                    assert abs(Fraction(bare * (10_000 + part.rate), 10_000) - before) <= 2
                elif part.kind is PartKind.TAX:
                    assert abs(part.amount - Fraction(before * part.rate, 10_000)) <= Fraction(1, 2)
                before += part.amount

    def test_a_sellers_code_is_for_the_sellers_lines_only(self) -> None:
        mine, other = thing(), thing()
        quote = quoted((mine, 1), (other, 1), code=promo(seller_id=mine.facts.seller_id))
        assert [line.total.amount for line in quote.lines] == [900, 1000]
        assert [len(amounts(line, PartKind.PROMO)) for line in quote.lines] == [1, 0]

    @pytest.mark.parametrize(
        "terms",
        [
            {"seller_id": uuid4()},
            {"kinds": ("stay", "event")},
            {"listing_ids": (uuid4(),)},
            {"percent": 0, "amount": 100, "currency": "EUR"},
            {"minimum": 1, "currency": "EUR"},
        ],
    )
    def test_a_code_for_something_else_is_refused(self, terms) -> None:
        with pytest.raises(PromoElsewhere):
            quoted((thing(), 1), code=promo(**terms))

    def test_a_code_may_name_kinds_and_listings(self) -> None:
        good = thing()
        code = promo(kinds=("product",), listing_ids=(good.facts.listing_id,))
        assert quoted((good, 1), code=code).total.amount == 900

    def test_a_minimum_counts_what_the_code_is_for(self) -> None:
        mine, other = thing(), thing(10**6)
        code = promo(seller_id=mine.facts.seller_id, minimum=1001)
        with pytest.raises(PromoNeedsMore) as refusal:
            quoted((mine, 1), (other, 1), code=code)
        assert refusal.value.minimum.amount == 1001
        assert quoted((mine, 2), (other, 1), code=code).promo

    def test_is_valid_from_then_until_before_then(self) -> None:
        with pytest.raises(PromoNotYet):
            quoted((thing(), 1), code=promo(valid_from=NOON + timedelta(seconds=1)))
        with pytest.raises(PromoEnded):
            quoted((thing(), 1), code=promo(valid_until=NOON))
        with pytest.raises(PromoEnded):
            quoted((thing(), 1), code=promo(active=False))
        assert quoted((thing(), 1), code=promo(valid_from=NOON)).promo

    def test_a_fixed_sum_takes_no_more_than_there_is(self) -> None:
        quote = quoted((thing(), 1), (thing(1), 1), code=promo(percent=0, amount=5000))
        assert [line.total.amount for line in quote.lines] == [0, 0]
