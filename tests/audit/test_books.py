"""The audit of money: what is in no book is found."""

import pytest

from tests.audit.test_audit import World, world

__all__ = ["world"]


class TestI3:
    @pytest.mark.parametrize(
        ("sql", "how"),
        [
            ("UPDATE postings SET amount = 499 WHERE position = 1", "its EUR postings make -1"),
            (
                "UPDATE postings SET currency = 'RUB' WHERE position = 1",
                "its RUB postings make 500",
            ),
            (
                "DELETE FROM postings",
                "500 taken, 0 kept of deposits, 0 given back, 0 disputed, but the books say 0",
            ),
            ("UPDATE payments SET refunded = 5 WHERE captured > 0", "its refunds make 0"),
            ("UPDATE payment_shares SET amount = 99 WHERE amount = 100", "its shares make 99"),
            ("UPDATE seller_balances SET balance = 451", "owed 451, but the books say 450"),
            ("DELETE FROM seller_balances", "owed 0, but the books say 450"),
            ("DROP TRIGGER append_only ON postings", "nothing refuses DELETE"),
        ],
    )
    async def test_finds_money_that_is_nowhere(self, world: World, sql: str, how: str) -> None:
        await world.plant("payments", sql)
        assert any(how in example for example in (await world.audit()).violations_of("I3"))
