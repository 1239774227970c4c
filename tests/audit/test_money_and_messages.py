"""Every check of money, sagas, mails and events finds what is planted for it."""

from uuid import UUID

import pytest

from dvor.audit import audit, looking, messages
from dvor.audit.report import Check, Look
from dvor.topology import SERVICES
from tests.audit.test_audit import CANCELLED, CREATED, GUEST, HOTELIER, PAID, World, order, world

__all__ = ["world"]

PAYMENT = UUID(int=200 + PAID.int)
CANCELLED_PAYMENT = UUID(int=200 + CANCELLED.int)
LOOSE = "ALTER TABLE payments DROP CONSTRAINT money_in_order, DROP CONSTRAINT money_fits_status"
LONG_AGO = "dvor_now() - interval '2 minutes'"


async def found(world: World, promise: str, how: str) -> bool:
    """Whether an audit tells of this."""
    return any(how in example for example in (await world.audit()).violations_of(promise))


class TestI3:
    @pytest.mark.parametrize(
        ("database", "sql", "how"),
        [
            ("payments", f"UPDATE payments SET captured = 400 WHERE id = '{PAYMENT}'",
             "paid, 400 EUR was kept of it, but 500 is due"),
            ("payments", f"UPDATE payments SET refunded = 100 WHERE id = '{PAYMENT}'",
             "paid, 400 EUR was kept of it, but 500 is due"),
            ("orders", f"UPDATE orders SET refunded_amount = 1 WHERE id = '{order(PAID)}'",
             "paid, 500 EUR was kept of it, but 499 is due"),
            ("payments",
             (f"UPDATE payments SET captured = 100, authorised = 100, status = 'captured'"
             f" WHERE order_id = '{order(CREATED)}'"), "created, but 100 EUR was captured"),
            ("payments", f"DELETE FROM payments WHERE id = '{PAYMENT}'",
             "paid 500, but there is no payment"),
            ("payments",
             (f"UPDATE payments SET captured = 100, authorised = 100, status = 'captured'"
             f" WHERE id = '{CANCELLED_PAYMENT}'"),
             "cancelled, but nothing of 100 EUR was given back"),
        ],
    )  # fmt: skip
    async def test_finds_money_that_no_order_explains(
        self, world: World, database: str, sql: str, how: str
    ) -> None:
        await world.plant(database, sql if database == "orders" else f"{LOOSE}; {sql}")
        assert await found(world, "I3", how)

    async def test_leaves_a_refund_under_way_a_minute(self, world: World) -> None:
        sql = f"{LOOSE}; UPDATE payments SET captured = 0 WHERE id = '{PAYMENT}'"
        await world.plant("payments", sql)
        for age, broken in ((30, False), (61, True)):
            await world.plant(
                "orders",
                f"""UPDATE orders SET pending_action = 'cancel',
                pending_since = dvor_now() - interval '{age} seconds' WHERE hold_id = '{PAID}'""",
            )
            assert await found(world, "I3", "0 EUR was kept of it") is broken


class TestI4:
    @pytest.mark.parametrize(
        ("sql", "how"),
        [
            ("UPDATE payments SET refunded = 501 WHERE captured = 500", "refunded 501 of 500"),
            ("UPDATE payments SET captured = 600 WHERE captured = 500", "captured 600, refunded 0"),
            ("DELETE FROM payment_steps", "captured 500, but its steps make 0"),
            ("UPDATE payments SET refunded = 10 WHERE captured = 500", "but its refunds make 0"),
            ((f"INSERT INTO refunds (key, payment_id, amount) VALUES ('{UUID(int=8)}',"
             f" '{PAYMENT}', 60), ('{UUID(int=9)}', '{PAYMENT}', 60)"), "its refunds make 120"),
            ((f"ALTER TABLE payments DROP CONSTRAINT one_payment_an_order;"
             f" UPDATE payments SET order_id = '{order(PAID)}', captured = 1 WHERE captured = 0"),
             "paid by 3 payments"),
        ],
    )  # fmt: skip
    async def test_finds_payments_out_of_bounds(self, world: World, sql: str, how: str) -> None:
        await world.plant("payments", f"{LOOSE}; {sql}")
        assert await found(world, "I4", how)


class TestI7:
    async def test_finds_an_order_that_does_not_go_on(self, world: World) -> None:
        await world.plant(
            "orders",
            f"UPDATE orders SET pending_action = 'settle', pending_since = {LONG_AGO}"
            f" WHERE hold_id = '{CREATED}'",
        )
        assert await found(world, "I7", "has to settle since")

    async def test_finds_an_order_that_nobody_looks_at(self, world: World) -> None:
        due = f"UPDATE orders SET due_at = {LONG_AGO} WHERE hold_id = '{CREATED}'"
        await world.plant("orders", due)
        assert await found(world, "I7", "nobody has looked at it since")
        await world.plant(
            "orders",
            "ALTER TABLE orders DROP CONSTRAINT nobody_is_forgotten;"
            f"UPDATE orders SET due_at = NULL WHERE hold_id = '{CREATED}'",
        )
        assert await found(world, "I7", "nobody has looked at it since")

    @pytest.mark.parametrize("database", ["orders", "payments"])
    async def test_finds_work_that_was_given_up(self, world: World, database: str) -> None:
        await world.plant(
            database,
            f"""INSERT INTO tasks (id, name, work, run_at, state, attempts, attempts_max, error)
            VALUES ('{UUID(int=1)}', 'refund', '{{}}', dvor_now(), 'failed', 3, 3, 'no')""",
        )
        assert await found(world, "I7", "given up after 3 attempts: no")


class TestI8:
    OLD = "UPDATE order_history SET at = dvor_now() - interval '2 minutes' WHERE status = 'paid'"

    @pytest.mark.parametrize(
        ("told", "how"),
        [
            ((("order_paid", GUEST), ("sale_paid", HOTELIER)), ""),
            ((("order_paid", GUEST),), f"sale_paid to {HOTELIER}: told 0 times"),
            ((("sale_paid", HOTELIER),), f"order_paid to {GUEST}: told 0 times"),
            ((("order_paid", GUEST), ("order_paid", GUEST), ("sale_paid", HOTELIER)),
             f"order_paid to {GUEST}: told 2 times"),
        ],
    )  # fmt: skip
    async def test_finds_people_not_told_or_told_twice(
        self, world: World, told: tuple[tuple[str, UUID], ...], how: str
    ) -> None:
        await world.plant("orders", self.OLD)
        rows = ", ".join(
            f"(gen_random_uuid(), '{who}', '{topic}', '{order(PAID)}', dvor_now())"
            for topic, who in told
        )
        await world.plant(
            "notifications",
            "DELETE FROM notifications; ALTER TABLE notifications DROP CONSTRAINT told_once;"
            "INSERT INTO notifications (id, recipient_id, topic, subject_id, mailed_at)"
            f" VALUES {rows}",
        )
        examples = (await world.audit()).violations_of("I8")
        assert any(how in example for example in examples) if how else not examples

    @pytest.mark.parametrize(
        ("sql", "how"),
        [
            (("INSERT INTO mails SELECT gen_random_uuid(), notification_id, '<2@dvor>', sender,"
             " recipient, subject, text, html, sent_at FROM mails"), "2 mails"),
            (("ALTER TABLE mails DROP CONSTRAINT caught_once; INSERT INTO mails SELECT"
             " gen_random_uuid(), gen_random_uuid(), message_id, sender, recipient, subject, text,"
             " html, sent_at FROM mails"), "2 mails have this Message-ID"),
            (("UPDATE notifications SET mailed_at = NULL,"
             " created_at = dvor_now() - interval '11 minutes'"), "not mailed since"),
        ],
    )  # fmt: skip
    async def test_finds_mails_sent_twice_or_never(self, world: World, sql: str, how: str) -> None:
        await world.plant("notifications", sql)
        assert await found(world, "I8", how)


class TestI9:
    EVENT = """INSERT INTO outbox (message_id, aggregate, version, type, data, trace, at, sent_at)
        VALUES ('{id}', '{about}', {version}, '{type}', '{{}}', '{{}}', {at}, {sent})"""

    def event(self, number: int, version: int = 1, **more: str) -> str:
        usual = {"type": "orders.order_paid.v1", "at": LONG_AGO, "sent": LONG_AGO}
        about = UUID(int=900)
        return self.EVENT.format(id=UUID(int=number), about=about, version=version, **usual | more)

    async def test_finds_events_that_are_not_sent(self, world: World) -> None:
        await world.plant("inventory", self.event(1, sent="NULL"))
        assert await found(world, "I9", "not sent since")

    async def test_finds_a_version_that_is_left_out(self, world: World) -> None:
        await world.plant("inventory", f"{self.event(1)}; {self.event(2, version=3)}")
        assert await found(world, "I9", "comes after 1")

    async def test_finds_what_did_not_arrive(self, world: World) -> None:
        await world.plant("orders", self.event(1))
        assert await found(world, "I9", "sent, but notifications has not taken it")
        await world.plant(
            "notifications",
            f"""INSERT INTO inbox (message_id, aggregate, version, type)
            VALUES ('{UUID(int=1)}', '{UUID(int=900)}', 1, 'orders.order_paid.v1')""",
        )
        assert not await found(world, "I9", "")

    async def test_finds_what_is_parked(self, world: World) -> None:
        await world.plant(
            "notifications",
            f"""INSERT INTO parked_messages (message_id, aggregate, version, type, envelope, error)
            VALUES ('{UUID(int=1)}', '{UUID(int=900)}', 1, 'x', '{{}}', 'boom')""",
        )
        assert await found(world, "I9", "parked: boom")

    def test_knows_who_listens_to_whom(self) -> None:
        heard: dict[tuple[str, str], set[str]] = {}
        for service in SERVICES:
            for event in service.handlers:
                heard.setdefault((event.source, service.name), set()).add(event.wire_name)
        assert heard == {pair: set(types) for pair, types in messages.LISTENERS.items()}


class TestCost:
    async def test_a_check_that_takes_long_is_given_up_and_the_others_are_made(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def sleeps(databases: object) -> Look:
            await databases["orders"].fetch("SELECT pg_sleep(60)")  # type: ignore[index]
            return Look(examined=1)

        async def counts(databases: object) -> Look:
            return Look(examined=await databases["orders"].fetchval("SELECT count(*) FROM orders"))  # type: ignore[index]

        checks = (
            Check("S1", "sleeps", ("orders", "payments"), sleeps),
            Check("S2", "counts", ("orders",), counts),
        )
        monkeypatch.setattr(looking, "CHECKS", checks)
        report = await audit(world.urls, check_seconds=0.5)
        slow, fast = report.findings
        assert slow.skipped == "given up after 0.5 s"
        assert (fast.skipped, fast.examined) == ("", 3)
