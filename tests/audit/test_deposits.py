"""The audit sees deposits that were taken beyond what was set aside, twice, or kept too long."""

from uuid import UUID

import pytest

from tests.audit.test_audit import CANCELLED, HOTELIER, PAID, World, order, world

__all__ = ["world"]

LINE, PAYMENT, DEPOSIT = UUID(int=400), UUID(int=200 + PAID.int), UUID(int=500)
ORDERS = f"UPDATE orders SET deposit = 'secured' WHERE id = '{order(PAID)}'"
HELD = f"""
    INSERT INTO deposits (id, payment_id, line_id, seller_id, title, amount, currency, status,
        begins_at, ends_at, claim_until, due_at)
    VALUES ('{DEPOSIT}', '{PAYMENT}', '{LINE}', '{HOTELIER}', '{{}}', 5000, 'EUR', 'held',
        dvor_now(), dvor_now() + interval '1 day', dvor_now() + interval '4 days',
        dvor_now() + interval '4 days');
    INSERT INTO deposit_authorisations (deposit_id, number, amount, reference, state)
    VALUES ('{DEPOSIT}', 1, 5000, 'a1', 'held');
    INSERT INTO bank_payments (reference, amount, currency, description, expires_at, state, ends_at)
    VALUES ('a1', 5000, 'EUR', '', dvor_now(), 'authorised', dvor_now() + interval '5 days')
"""
TAKEN = f"""
    {HELD};
    UPDATE deposits SET status = 'captured', claimed = 2000, captured = 2000, released = 3000,
        due_at = NULL;
    UPDATE deposit_authorisations SET state = 'captured';
    UPDATE bank_payments SET state = 'captured', captured = 2000 WHERE reference = 'a1';
    INSERT INTO ledger_transactions (id, what, payment_id)
    VALUES ('{DEPOSIT}', 'deposit_captured', '{PAYMENT}');
    INSERT INTO postings (transaction_id, position, account, seller_id, currency, amount)
    VALUES ('{DEPOSIT}', 1, 'provider', NULL, 'EUR', 2000),
           ('{DEPOSIT}', 2, 'seller', '{HOTELIER}', 'EUR', -2000);
    UPDATE seller_balances SET balance = balance + 2000
"""
LATE = """
    UPDATE deposits SET begins_at = dvor_now() - interval '9 days',
        ends_at = dvor_now() - interval '9 days', claim_until = dvor_now() - interval '2 hours'
"""
DECLINED = """
    UPDATE deposits SET status = 'declined', released = 5000, due_at = NULL;
    UPDATE deposit_authorisations SET state = 'declined'
"""
LOOSE = "ALTER TABLE deposits DROP CONSTRAINT deposit_in_order, DROP CONSTRAINT deposit_fits_status"


async def planted(world: World, sql: str, orders: str = ORDERS) -> World:
    await world.plant("orders", orders)
    await world.plant("payments", sql)
    return world


class TestI16:
    @pytest.mark.parametrize("sql", [HELD, TAKEN])
    async def test_what_is_held_or_taken_is_fine(self, world: World, sql: str) -> None:
        report = await (await planted(world, sql)).audit()
        assert report.clean, report.to_json()
        assert any(f.id == "I16" and f.examined for f in report.findings)

    @pytest.mark.parametrize(
        ("sql", "how"),
        [
            (
                f"{TAKEN}; {LOOSE}; UPDATE deposits SET released = 4000",
                "2000 taken and 4000 let go",
            ),
            (f"{TAKEN}; {LOOSE}; UPDATE deposits SET claimed = 1000", "2000 taken"),
            (
                f"{TAKEN}; UPDATE deposit_authorisations SET state = 'held'",
                "captured, but the bank keeps money aside",
            ),
            (f"{HELD}; UPDATE deposit_authorisations SET state = 'gone'", "0 authorisations are"),
            (
                f"{HELD}; UPDATE deposits SET status = 'released', released = 5000, due_at = NULL",
                "released, but the bank keeps money aside",
            ),
            (f"{HELD}; {LATE}", "its time was over"),
            (
                f"{HELD}; UPDATE deposits SET due_at = dvor_now() - interval '2 hours'",
                "nobody has looked at it",
            ),
            (f"{TAKEN}; UPDATE bank_payments SET captured = 5000", "the bank has taken 5000"),
            (
                f"{TAKEN}; UPDATE bank_payments SET state = 'authorised'",
                "keeps 1 authorisations",
            ),
            (f"{HELD}; UPDATE deposits SET amount = 6000", "but 6000 was asked for"),
            ("SELECT 1", "its deposit is missing"),
            (f"{HELD}; {DECLINED}", "paid, but its deposit is declined"),
        ],
    )
    async def test_finds_what_is_not(self, world: World, sql: str, how: str) -> None:
        found = (await (await planted(world, sql)).audit()).violations_of("I16")
        assert any(how in example for example in found), found

    async def test_finds_one_that_a_cancelled_order_still_has(self, world: World) -> None:
        orders = f"""
            UPDATE order_lines SET order_id = '{order(CANCELLED)}' WHERE id = '{LINE}';
            UPDATE orders SET deposit = 'secured' WHERE id = '{order(CANCELLED)}'
        """
        found = (await (await planted(world, HELD, orders)).audit()).violations_of("I16")
        assert any("cancelled, but its deposit is held" in example for example in found), found


class TestI3:
    async def test_finds_what_was_kept_beside_the_books(self, world: World) -> None:
        sql = f"{TAKEN}; UPDATE bank_payments SET captured = 2500; UPDATE deposits SET captured = 2500, claimed = 2500, released = 2500"
        found = (await (await planted(world, sql)).audit()).violations_of("I3")
        assert any("2500 kept of deposits" in example for example in found), found
