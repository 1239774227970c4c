"""The audit finds refunds that do not add up, and takes a partly cancelled order for what it is."""

from uuid import UUID

from tests.audit.test_audit import GOODS, HOTELIER, PAID, ROOM, TODAY, World, claim, world

__all__ = ["world"]

ORDER, LINE, PAYMENT = UUID(int=111), UUID(int=311), UUID(int=211)
CHANGE, KEY, AGAIN = UUID(int=501), UUID(int=502), UUID(int=503)

PARTLY = {
    "orders": f"""
        INSERT INTO order_changes (id, order_id, asked_by, lines) VALUES ('{CHANGE}', '{ORDER}',
            'customer', '[{{"line_id": "{LINE}", "seller_id": "{HOTELIER}", "quantity": 1,
            "paid": {{"amount": 100}}, "back": {{"amount": 60}}, "fee": 40, "seats": []}}]');
        INSERT INTO order_refunds (key, order_id, change_id, payment_id, amount)
            VALUES ('{KEY}', '{ORDER}', '{CHANGE}', '{PAYMENT}', 60);
        UPDATE order_lines SET cancelled = 1, refunded = 60, fee_kept = 40 WHERE id = '{LINE}';
        UPDATE orders SET refunded_amount = 60 WHERE id = '{ORDER}';
    """,
    "inventory": f"""
        UPDATE holds SET claims = ARRAY[{claim(ROOM, 1, f"{TODAY} + 1", f"{TODAY} + 3")},
            {claim(GOODS, 1)}] WHERE id = '{PAID}';
        UPDATE cells SET sold = 1 WHERE offer_id = '{GOODS}';
    """,
    "payments": f"""
        INSERT INTO refunds (key, payment_id, amount) VALUES ('{KEY}', '{PAYMENT}', 60);
        UPDATE payments SET refunded = 60 WHERE id = '{PAYMENT}';
    """,
}
"""One of two pieces of goods is cancelled, for 60 of its 100."""


class TestI4:
    async def test_finds_refunds_that_do_not_add_up(self, world: World) -> None:
        for database, sql in PARTLY.items():
            await world.plant(database, sql)
        assert await world.broken() == {}
        for database, spoil, mend, how in (
            ("orders", "order_lines SET refunded = 61", "order_lines SET refunded = 60", "61"),
            ("orders", "orders SET refunded_amount = 59", "orders SET refunded_amount = 60", "59"),
            ("orders", "order_refunds SET amount = 50", "order_refunds SET amount = 60", "50"),
            ("payments", "refunds SET amount = 59", "refunds SET amount = 60", "60 promised"),
            ("payments", f"refunds SET key = '{CHANGE}'", f"refunds SET key = '{KEY}'", "nothing"),
        ):
            where = f" WHERE id = '{LINE}'" if spoil.startswith("order_lines") else ""
            where = f" WHERE id = '{ORDER}'" if spoil.startswith("orders ") else where
            await world.plant(database, f"UPDATE {spoil}{where}")
            told = (await world.audit()).violations_of("I4")
            assert any(how in example for example in told), told
            await world.plant(database, f"UPDATE {mend}{where}")
        assert await world.broken() == {}

    async def test_follows_a_refund_that_was_refused_to_its_next_key(self, world: World) -> None:
        for database, sql in PARTLY.items():
            await world.plant(database, sql)
        await world.plant(
            "orders",
            "INSERT INTO refused_refunds (key, try, next_key, order_id)"
            f" VALUES ('{KEY}', 1, '{AGAIN}', '{ORDER}')",
        )
        assert "given back: nothing" in str((await world.audit()).violations_of("I4"))
        await world.plant("payments", f"UPDATE refunds SET key = '{AGAIN}'")
        assert await world.broken() == {}
        await world.plant("payments", "UPDATE refunds SET state = 'failed'")
        assert "given back: nothing" in str((await world.audit()).violations_of("I4"))

    async def test_knows_that_a_paid_order_has_something_left(self, world: World) -> None:
        for database, sql in PARTLY.items():
            await world.plant(database, sql)
        await world.plant("orders", f"UPDATE order_lines SET cancelled = 2 WHERE id = '{LINE}'")
        broken = await world.broken()
        assert "its hold is not exactly its lines" in broken["I5"]
        await world.plant("orders", "UPDATE order_lines SET cancelled = quantity")
        found = (await world.audit()).violations_of("I4")
        assert any("0 of its units are not cancelled" in how for how in found)
