"""The audit sees fees, taxes and promo codes that do not add up, and codes used too often."""

import os
from dataclasses import replace

import pytest

from dvor.kernel.config import Settings
from tests import databases
from tests.audit.test_audit import CART, GOODS, PAID, World, claim, order, world

__all__ = ["world"]

CODE = "00000000-0000-0000-0000-00000000c0de"
# The room's line still comes to 300: 30 off, twice a fee of 10, and 3.45 % of 290 on top.
CHARGED = f"""
    UPDATE orders SET promo_id = '{CODE}', promo_code = 'TEN' WHERE id = '{order(PAID)}';
    UPDATE order_lines SET parts = parts || '[
        {{"kind": "promo", "code": "TEN", "percent": 10, "amount": -30}},
        {{"kind": "fee", "units": 2, "price": 10, "amount": 20}},
        {{"kind": "tax", "rate": 345, "amount": 10}}]' WHERE total = 300;
"""
USED = f"""
    INSERT INTO offers (offer_id, listing_id, kind, quantity, open, rules)
    VALUES ('{CODE}', '{CODE}', 'promo', 1, true, '{{"per_customer": 1}}');
    INSERT INTO cells (offer_id, slot, capacity, held, sold) VALUES ('{CODE}', 0, 1, 0, 1);
    UPDATE holds SET customer_id = '{PAID}', limited = true,
        claims = claims || {claim(GOODS).replace(str(GOODS), CODE)} WHERE id = '{PAID}';
"""
PROMO = f"""
    INSERT INTO promos (id, code, percent, amount, currency, minimum, kinds, listing_ids, uses,
                        per_customer, created_at)
    VALUES ('{CODE}', 'TEN', 10, 0, 'EUR', 0, '{{}}', '{{}}', 1, 1, dvor_now());
"""


def part(number: int, name: str, value: int) -> str:
    """Falsify a part of the room's price."""
    return (
        f"UPDATE order_lines SET parts = jsonb_set(parts, '{{{number},{name}}}', '{value}')"
        " WHERE total = 300"
    )


class TestI12:
    async def test_what_was_charged_rightly_is_fine(self, world: World) -> None:
        await world.plant("orders", CHARGED)
        await world.plant("inventory", USED)
        report = await world.audit()
        assert report.clean, report.to_json()

    @pytest.mark.parametrize(
        ("sql", "how"),
        [
            (part(4, "amount", 21), "fee is 21"),
            (part(4, "units", 1), "should be 10"),
            (part(5, "amount", 11), "tax is 11"),
            (part(5, "included", 10), "tax is 10 and contains 10, but should be 0"),
            (part(3, "amount", -31), "31 off 300, but it takes 10 %"),
            (part(3, "percent", 11), "30 off 300, but it takes 11 %"),
            (part(3, "amount", 30), "-30 off 300"),
        ],
    )
    async def test_finds_charges_that_do_not_add_up(self, world: World, sql: str, how: str) -> None:
        await world.plant("orders", CHARGED + sql)
        await world.plant("inventory", USED)
        found = (await world.audit()).violations_of("I12")
        assert any(how in example for example in found), found

    async def test_finds_a_share_that_is_unfair(self, world: World) -> None:
        """All of it off one line, though the other one costs as much."""
        extra = f"""
            UPDATE order_lines SET total = total - 15, parts = parts ||
                '[{{"kind": "promo", "code": "TEN", "price": 15, "amount": -15}}]'
            WHERE order_id = '{order(PAID)}' AND total = 200;
            UPDATE order_lines SET parts = parts ||
                '[{{"kind": "promo", "code": "TEN", "price": 15, "amount": 0}}]' WHERE total = 300;
            UPDATE orders SET promo_id = '{CODE}', promo_code = 'TEN', total_amount = 485
            WHERE id = '{order(PAID)}';
        """
        await world.plant("orders", extra)
        found = (await world.audit()).violations_of("I12")
        assert any("no fair share of 15 of 500" in example for example in found), found


class TestI5:
    async def test_finds_a_code_that_is_in_no_hold(self, world: World) -> None:
        await world.plant("orders", CHARGED)
        assert "not exactly its lines" in (await world.broken())["I5"]


class TestI11:
    async def test_finds_codes_used_too_often(self, world: World) -> None:
        again = f"""
            ALTER TABLE cells DROP CONSTRAINT cells_within_capacity;
            UPDATE cells SET held = 1 WHERE offer_id = '{CODE}';
            UPDATE holds SET claims = claims || {claim(GOODS).replace(str(GOODS), CODE)}
            WHERE id = '{CART}';
        """
        await world.plant("inventory", USED + again)
        found = (await world.audit()).violations_of("I11")
        assert found == (f"promo code {CODE}: used 2 times of 1",)
        one = f"UPDATE holds SET customer_id = '{PAID}' WHERE id = '{CART}'"
        more = f"UPDATE offers SET quantity = 2 WHERE offer_id = '{CODE}'"
        await world.plant("inventory", f"{one}; {more}")
        found = (await world.audit()).violations_of("I11")
        assert f"used 2 times by customer {PAID}, who may 1" in found[0]

    async def test_finds_more_paid_orders_than_a_code_allows(
        self, world: World, template: Settings
    ) -> None:
        prefix = f"audited{os.getpid()}_promos_"
        await databases.take(template, prefix, ["catalog"])
        catalog = replace(template, database_prefix=prefix).database("catalog")
        two = World({"orders": world.urls["orders"], "catalog": catalog})
        await two.plant("catalog", PROMO)
        await two.plant("orders", CHARGED)
        assert (await two.audit()).clean
        more = f"UPDATE orders SET promo_id = '{CODE}', promo_code = 'TEN', status = 'paid'"
        await two.plant("orders", more)
        found = (await two.audit()).violations_of("I11")
        assert any("paid 3 times of 1" in example for example in found), found
        assert any("no discount for it" in example for example in found), found
        await databases.give_back(template, prefix, ["catalog"])
