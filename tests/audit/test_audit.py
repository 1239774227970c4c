"""Every check finds what it is there for: each violation is planted behind the services' backs."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dvor.audit import Report, audit, showing
from dvor.kernel.config import Settings
from dvor.kernel.db import raw_connection
from tests import databases
from tests.audit.booked import BOOKS

_numbers = itertools.count()
GOODS, ROOM, HOTELIER, GUEST = (UUID(int=n) for n in range(1, 5))
PAID, CREATED, CANCELLED, CART = (UUID(int=n) for n in range(11, 15))
"""Holds; the order of hold n has the id 100 + n, its payment 200 + n."""

TODAY = "(dvor_now()::date - date '1970-01-01')"


def claim(offer: UUID, quantity: int = 1, first: str = "0", end: str = "1") -> str:
    """A claim in SQL."""
    return f"ROW('{offer}', {first}, {end}, 0, {quantity}, NULL, NULL, NULL, NULL)::claim"


GOOD_WORLD = {
    "inventory": f"""
        INSERT INTO offers (offer_id, listing_id, seller_id, kind, quantity, open) VALUES
            ('{GOODS}', '{GOODS}', '{HOTELIER}', 'product', 5, true),
            ('{ROOM}', '{ROOM}', '{HOTELIER}', 'stay', 2, true);
        INSERT INTO holds (id, status, made_at, expires_at, claims) VALUES
            ('{PAID}', 'confirmed', dvor_now(), dvor_now() - interval '1 day',
                ARRAY[{claim(ROOM, 1, f"{TODAY} + 1", f"{TODAY} + 3")}, {claim(GOODS, 2)}]),
            ('{CREATED}', 'held', dvor_now(), dvor_now() + interval '1 hour',
                ARRAY[{claim(GOODS)}]),
            ('{CANCELLED}', 'released', dvor_now(), dvor_now(), ARRAY[{claim(GOODS)}]),
            ('{CART}', 'held', dvor_now(), dvor_now() + interval '1 hour',
                ARRAY[{claim(ROOM, 1, f"{TODAY} + 2", f"{TODAY} + 4")}]);
        INSERT INTO cells (offer_id, slot, capacity, held, sold) VALUES
            ('{GOODS}', 0, 5, 1, 2),
            ('{ROOM}', {TODAY} + 1, 2, 0, 1),
            ('{ROOM}', {TODAY} + 2, 2, 1, 1),
            ('{ROOM}', {TODAY} + 3, 2, 1, 0);
    """,
    "orders": "".join(
        f"""
        INSERT INTO orders (id, number, customer_id, status, hold_id, pay_until, held_until,
                            due_at, total_amount, currency, payment_id)
        VALUES ('{UUID(int=100 + hold.int)}', 'N{hold.int}', '{GUEST}', '{status}', '{hold}',
                dvor_now(), dvor_now(), dvor_now() + interval '1 hour', {goods * 100 + nights * 300}, 'EUR', '{UUID(int=200 + hold.int)}');
        INSERT INTO order_history (order_id, what, status)
        SELECT '{UUID(int=100 + hold.int)}', 'step', unnest(ARRAY{walk});
        INSERT INTO order_lines (id, order_id, position, offer_id, listing_id, seller_id, kind,
            title, name, picture, quantity, units, day_prices, unit_price, total, parts, deposit)
        VALUES ('{UUID(int=300 + hold.int)}', '{UUID(int=100 + hold.int)}', 2, '{GOODS}',
            '{GOODS}', '{HOTELIER}', 'product', '{{}}', '{{}}', '', {goods}, 1, '{{100}}', 100,
            {goods * 100}, '[{{"kind": "base", "units": 1, "price": 100,
            "amount": {goods * 100}}}]', 0);
        """
        for hold, status, goods, nights, walk in (
            (PAID, "paid", 2, 1, ["created", "processing", "processing", "paid"]),
            (CREATED, "created", 1, 0, ["created"]),
            (CANCELLED, "cancelled", 1, 0, ["created", "cancelled"]),
        )
    )
    + f"""
        INSERT INTO order_lines (id, order_id, position, offer_id, listing_id, seller_id, kind,
            title, name, picture, quantity, start_date, end_date, units, day_prices, unit_price,
            total, parts, deposit)
        VALUES ('{UUID(int=400)}', '{UUID(int=100 + PAID.int)}', 1, '{ROOM}', '{ROOM}',
            '{HOTELIER}', 'stay', '{{}}', '{{}}', '', 1, dvor_now()::date + 1,
            dvor_now()::date + 3, 2, '{{101,232}}', 167, 300, '[
            {{"kind": "base", "units": 1, "price": 101, "amount": 101}},
            {{"kind": "weekday", "units": 1, "price": 232, "amount": 232}},
            {{"kind": "length_discount", "percent": 10, "least": 2, "amount": -33}}]', 5000);
    """,
    "payments": "".join(
        f"""
        INSERT INTO payments (id, order_id, order_number, payer_id, amount, currency, status,
                              authorised, captured, pay_token, return_path, expires_at)
        VALUES ('{UUID(int=200 + hold.int)}', '{UUID(int=100 + hold.int)}', 'N{hold.int}',
                '{GUEST}', {amount}, 'EUR', '{status}', {taken}, {taken}, 'token{hold.int}', '/',
                dvor_now());
        """
        for hold, amount, status, taken in (
            (PAID, 500, "captured", 500),
            (CREATED, 100, "requested", 0),
            (CANCELLED, 100, "voided", 0),
        )
    )
    + f"""
        INSERT INTO payment_steps (payment_id, what, amount, currency, key)
        VALUES ('{UUID(int=200 + PAID.int)}', 'captured', 500, 'EUR', '{UUID(int=7)}');
        {BOOKS}
    """,
    "notifications": f"""
        INSERT INTO notifications (id, recipient_id, topic, subject_id, mailed_at) VALUES
            ('{CART}', '{GUEST}', 'order_paid', '{UUID(int=100 + PAID.int)}', dvor_now());
        INSERT INTO mails (id, notification_id, message_id, sender, recipient, subject, text, html)
        VALUES ('{CART}', '{CART}', '<1@dvor>', 's', 'r', '', '', '');
    """,
}


@dataclass
class World:
    """Three databases, consistent until somebody plants something."""

    urls: dict[str, str]

    async def plant(self, database: str, sql: str) -> None:
        """Write what the services never would: triggers and foreign keys look away."""
        async with raw_connection(self.urls[database]) as connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(sql)

    async def audit(self) -> Report:
        return await audit(self.urls, patience_seconds=0)

    async def broken(self) -> dict[str, str]:
        """Which promises an audit finds broken, and the first example of each."""
        report = await self.audit()
        return {f.id: f.examples[0] for f in reversed(report.findings) if f.violations}


@pytest.fixture
async def world(template: Settings) -> AsyncIterator[World]:
    prefix = f"audited{os.getpid()}_{next(_numbers)}_"
    settings = replace(template, database_prefix=prefix)
    await databases.take(template, prefix, GOOD_WORLD)
    made = World({name: settings.database(name) for name in GOOD_WORLD})
    for name, sql in GOOD_WORLD.items():
        async with raw_connection(made.urls[name]) as connection:
            await connection.execute(sql)
    yield made
    await databases.give_back(template, prefix, GOOD_WORLD)


def order(hold: UUID) -> UUID:
    """The order of a hold."""
    return UUID(int=100 + hold.int)


class TestCleanWorld:
    async def test_nothing_is_wrong_and_everything_was_looked_at(self, world: World) -> None:
        report = await world.audit()
        assert report.clean, report.to_json()
        looked = {f.id for f in report.findings if f.examined and not f.skipped}
        assert looked >= {f"I{n}" for n in range(1, 15)} - {"I7", "I9", "I10", "I11"}

    async def test_databases_that_are_not_given_are_named_as_skipped(self, world: World) -> None:
        report = await audit({"inventory": world.urls["inventory"]}, patience_seconds=0)
        skipped = {f.id: f.skipped for f in report.findings if f.skipped}
        assert skipped["I5"] == "no database of orders"
        assert report.clean


class TestI1:
    @pytest.mark.parametrize(
        "sql",
        [
            f"UPDATE cells SET sold = sold + 1 WHERE offer_id = '{GOODS}'",
            f"UPDATE cells SET held = 0 WHERE offer_id = '{GOODS}'",
            f"UPDATE holds SET status = 'released' WHERE id = '{PAID}'",
            f"UPDATE holds SET claims = '{{}}' WHERE id = '{CART}'",
            f"DELETE FROM cells WHERE offer_id = '{GOODS}'",
            f"""UPDATE holds SET claims = claims || {claim(ROOM, 1, f"{TODAY} + 50", f"{TODAY} + 51")}
            WHERE id = '{CREATED}'""",
        ],
    )
    async def test_finds_counters_that_differ_from_claims(self, world: World, sql: str) -> None:
        await world.plant("inventory", sql)
        assert "I1" in await world.broken()

    @pytest.mark.parametrize("change", ["capacity = 2", "held = -1", "sold = -1"])
    async def test_finds_counters_out_of_bounds(self, world: World, change: str) -> None:
        await world.plant(
            "inventory",
            f"""ALTER TABLE cells DROP CONSTRAINT cells_within_capacity;
            UPDATE cells SET {change} WHERE offer_id = '{GOODS}'""",
        )
        assert "I1" in await world.broken()


class TestI2:
    async def test_finds_a_night_promised_twice_even_if_counters_hide_it(
        self, world: World
    ) -> None:
        await world.plant(
            "inventory",
            f"""UPDATE holds SET claims[1].quantity = 2 WHERE id = '{CART}';
            UPDATE cells SET held = 0 WHERE offer_id = '{ROOM}'""",
        )
        assert f"offer {ROOM}" in (await world.broken())["I2"]

    async def test_finds_more_promised_than_the_seller_has(self, world: World) -> None:
        await world.plant("inventory", f"UPDATE offers SET quantity = 1 WHERE offer_id = '{ROOM}'")
        broken = await world.broken()
        assert "2 promised of 1" in broken["I2"]
        assert "I1" not in broken


class TestI5:
    @pytest.mark.parametrize("status", ["held", "released", "expired"])
    async def test_finds_a_paid_order_that_is_not_booked(self, world: World, status: str) -> None:
        await world.plant("inventory", f"UPDATE holds SET status = '{status}' WHERE id = '{PAID}'")
        assert (await world.broken())["I5"].endswith(f"paid, but its hold is {status}")

    async def test_finds_a_paid_order_without_a_hold(self, world: World) -> None:
        await world.plant("inventory", f"DELETE FROM holds WHERE id = '{PAID}'")
        assert (await world.broken())["I5"].endswith("paid, but its hold is missing")

    @pytest.mark.parametrize(
        "sql",
        [
            f"UPDATE holds SET claims = claims[1:1] WHERE id = '{PAID}'",
            f"UPDATE holds SET claims[2].quantity = 9 WHERE id = '{PAID}'",
            f"UPDATE holds SET claims[1].end_slot = claims[1].end_slot + 1 WHERE id = '{PAID}'",
        ],
    )
    async def test_finds_a_paid_order_booked_in_part_or_otherwise(
        self, world: World, sql: str
    ) -> None:
        await world.plant("inventory", sql)
        assert (await world.broken())["I5"].endswith("its hold is not exactly its lines")

    @pytest.mark.parametrize("status", ["held", "confirmed"])
    async def test_finds_a_cancelled_order_that_keeps_units(
        self, world: World, status: str
    ) -> None:
        await world.plant(
            "inventory", f"UPDATE holds SET status = '{status}' WHERE id = '{CANCELLED}'"
        )
        assert (await world.broken())["I5"].endswith(f"cancelled, but its hold is {status}")

    async def test_finds_units_sold_without_payment_or_without_an_order(self, world: World) -> None:
        for hold, how in ((CREATED, "created, but its hold is confirmed"), (CART, "no order")):
            await world.plant(
                "inventory", f"UPDATE holds SET status = 'confirmed' WHERE id = '{hold}'"
            )
            assert how in " ".join((await world.audit()).violations_of("I5"))

    async def test_leaves_orders_under_way_a_minute(self, world: World) -> None:
        await world.plant("inventory", f"UPDATE holds SET status = 'held' WHERE id = '{PAID}'")
        for age, found in ((30, False), (61, True)):
            await world.plant(
                "orders",
                f"""UPDATE orders SET pending_action = 'settle',
                pending_since = dvor_now() - interval '{age} seconds' WHERE hold_id = '{PAID}'""",
            )
            report = await world.audit()
            assert bool(report.violations_of("I5")) is found
            (finding,) = (f for f in report.findings if f.id == "I5")
            assert finding.in_flight == (0 if found else 1)


class TestI6:
    async def test_finds_a_hold_that_nobody_ended(self, world: World) -> None:
        await world.plant(
            "inventory",
            f"""UPDATE holds SET expires_at = dvor_now() - interval '6 seconds'
            WHERE id = '{CART}'""",
        )
        assert str(CART) in (await world.broken())["I6"]


class TestI10:
    KEY = """INSERT INTO idempotency_keys (principal, operation, key, fingerprint, state,
        lease_until, status, body) VALUES ('p', 'POST /x', '{key}', '{print}', 'done',
        dvor_now(), {status}, '{body}')"""

    def row(self, *, status: int = 201, body: str = "{}", fingerprint: str = "ab" * 32) -> str:
        return self.KEY.format(key=UUID(int=1), status=status, body=body, print="\\x" + fingerprint)

    async def test_finds_two_answers_to_one_key(self, world: World) -> None:
        await world.plant(
            "orders",
            "ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey;"
            f"{self.row()}; {self.row(status=409)}",
        )
        assert "2 answers" in (await world.broken())["I10"]

    async def test_finds_answers_that_are_missing_or_not_definite(self, world: World) -> None:
        await world.plant("payments", self.row(status=503))
        assert "not definite" in (await world.broken())["I10"]
        await world.plant(
            "payments",
            "ALTER TABLE idempotency_keys DROP CONSTRAINT done_has_an_answer;"
            "UPDATE idempotency_keys SET status = NULL",
        )
        assert "without an answer" in (await world.broken())["I10"]

    async def test_finds_a_fingerprint_that_tells_nothing_apart(self, world: World) -> None:
        await world.plant("inventory", self.row(fingerprint="ab"))
        assert "fingerprint" in (await world.broken())["I10"]

    async def test_finds_money_taken_twice(self, world: World) -> None:
        await world.plant(
            "payments",
            f"""DROP INDEX one_capture_a_payment;
            INSERT INTO payment_steps (payment_id, what, amount, currency)
            VALUES ('{UUID(int=200 + PAID.int)}', 'captured', 500, 'EUR')""",
        )
        assert "captured 2 times" in (await world.broken())["I10"]


def part(number: int, amount: int) -> str:
    """Falsify a part of the room's price."""
    return (
        f"UPDATE order_lines SET parts = jsonb_set(parts, '{{{number},amount}}', '{amount}')"
        " WHERE total = 300"
    )


class TestI12:
    @pytest.mark.parametrize(
        ("sql", "how"),
        [
            ("UPDATE order_lines SET total = 299 WHERE total = 300", "its parts make 300"),
            ("UPDATE order_lines SET parts = '[]' WHERE total = 300", "its parts make 0"),
            (part(2, -34), "is -34 and contains 0, but should be -33"),
            (part(0, 100), "is 100 and contains 0, but should be 101"),
            ("UPDATE order_lines SET day_prices = '{101,233}' WHERE total = 300", "but 334 × 1"),
            ("UPDATE order_lines SET parts = parts - 1 WHERE total = 300", "list 101 for 1 units"),
            ("UPDATE order_lines SET day_prices = '{333}' WHERE total = 300", "1 prices for 2"),
            ("UPDATE order_lines SET end_date = end_date + 1 WHERE total = 300", "2 prices for 2"),
            ("UPDATE order_lines SET unit_price = 1 WHERE total = 300", "no average"),
            ("UPDATE orders SET total_amount = 1 WHERE status = 'paid'", "its lines make 500"),
            ("DELETE FROM order_lines WHERE total = 100", "its lines make 0"),
        ],
    )
    async def test_finds_sums_that_do_not_add_up(self, world: World, sql: str, how: str) -> None:
        await world.plant("orders", sql)
        assert any(how in example for example in (await world.audit()).violations_of("I12"))

    async def test_finds_more_refunded_than_the_total(self, world: World) -> None:
        await world.plant(
            "orders",
            """ALTER TABLE orders DROP CONSTRAINT refund_within_total;
            UPDATE orders SET refunded_amount = 501 WHERE status = 'paid'""",
        )
        assert "refunded 501 of 500" in (await world.broken())["I12"]

    @pytest.mark.parametrize("change", ["amount = 499", "currency = 'RUB'"])
    async def test_finds_a_payment_of_another_amount(self, world: World, change: str) -> None:
        await world.plant("payments", f"UPDATE payments SET {change} WHERE status = 'requested'")
        if "amount" in change:
            assert "asked 499 EUR, costs 100 EUR" in (await world.broken())["I12"]
        else:
            assert "asked 100 RUB, costs 100 EUR" in (await world.broken())["I12"]

    async def test_finds_money_asked_for_nothing(self, world: World) -> None:
        await world.plant("orders", f"DELETE FROM orders WHERE hold_id = '{CREATED}'")
        assert "an order that is not there" in (await world.broken())["I12"]


class TestI13:
    @pytest.mark.parametrize(
        ("sql", "how"),
        [
            ("INSERT INTO order_history (order_id, what, status) VALUES ('{paid}', 'x', 'created')",
             "went from paid to created"),
            ("DELETE FROM order_history WHERE order_id = '{paid}' AND status = 'processing'",
             "went from created to paid"),
            ("DELETE FROM order_history WHERE order_id = '{paid}' AND status = 'created'",
             "went from nothing to processing"),
            ("UPDATE orders SET status = 'delivered' WHERE id = '{paid}'",
             "is delivered, but its history ends with paid"),
            ("DELETE FROM order_history WHERE order_id = '{paid}'",
             "is paid, but its history ends with nothing"),
            ("ALTER TABLE order_history DISABLE TRIGGER append_only", "nothing refuses DELETE"),
            ("DROP TRIGGER append_only ON order_history", "nothing refuses DELETE"),
        ],
    )  # fmt: skip
    async def test_finds_histories_that_were_changed(
        self, world: World, sql: str, how: str
    ) -> None:
        await world.plant("orders", sql.replace("{paid}", str(order(PAID))))
        assert any(how in example for example in (await world.audit()).violations_of("I13"))

    async def test_finds_an_unprotected_history_of_payments(self, world: World) -> None:
        await world.plant("payments", "DROP TRIGGER append_only ON payment_steps")
        assert "payment_steps" in (await world.broken())["I13"]


class TestSecondLook:
    async def test_what_comes_right_meanwhile_is_no_violation(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from dvor.audit import looking

        late = f"expires_at = dvor_now() - interval '6 seconds' WHERE id = '{CART}'"
        await world.plant("inventory", f"UPDATE holds SET {late}")
        once = looking._look

        async def look_then_sweep(*asked: Any) -> Any:
            found = await once(*asked)
            await world.plant(
                "inventory",
                f"UPDATE holds SET expires_at = dvor_now() + interval '1 h' WHERE id = '{CART}'",
            )
            return found

        monkeypatch.setattr(looking, "_look", look_then_sweep)
        assert (await audit(world.urls, patience_seconds=1)).clean


class TestShowing:
    async def test_the_exit_code_tells(
        self, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert await showing.run(world.urls) == 0
        assert "Clean" in capsys.readouterr().out
        await world.plant("inventory", f"UPDATE cells SET sold = 0 WHERE offer_id = '{GOODS}'")
        monkeypatch.setattr(showing, "audit", lambda urls: audit(urls, patience_seconds=0))
        assert await showing.run(world.urls) == 1
        assert str(GOODS) in capsys.readouterr().out
        assert await showing.run(world.urls, as_json=True) == 1
        found = json.loads(capsys.readouterr().out)
        assert not found["clean"]
        assert [f["id"] for f in found["findings"] if f["violations"]] == ["I1"]


class TestIndependence:
    def test_it_knows_no_code_that_writes(self) -> None:
        """In a fresh interpreter, the audit loads no service and no contract."""
        code = (
            "import sys, dvor.audit;"
            "print([m for m in sys.modules if m.startswith(('dvor.services', 'dvor.contracts'))])"
        )
        source = Path(showing.__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source)},
            check=True,
        )
        assert done.stdout.strip() == "[]"
