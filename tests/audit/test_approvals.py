"""The audit sees what is booked and charged without everybody's yes."""

import pytest

from tests.audit.test_audit import CREATED, GUEST, HOTELIER, PAID, World, order, world

__all__ = ["world"]

ASKED = f"""
    ALTER TABLE orders DROP CONSTRAINT nothing_before_approval;
    UPDATE order_lines SET approval = true WHERE order_id = '{order(PAID)}' AND kind = 'stay';
    UPDATE orders SET approval = 'given' WHERE id = '{order(PAID)}';
    INSERT INTO order_approvals (order_id, seller_id) VALUES ('{order(PAID)}', '{HOTELIER}');
"""

SETTLED = f"""
    UPDATE order_lines SET approval = true WHERE order_id = '{order(CREATED)}';
    UPDATE orders SET approval = 'asked', status = 'processing', pending_action = 'settle',
        pending_since = dvor_now() WHERE id = '{order(CREATED)}'
"""


class TestI15:
    async def test_a_request_that_was_accepted_is_fine(self, world: World) -> None:
        await world.plant("orders", ASKED)
        assert (await world.audit()).clean

    @pytest.mark.parametrize(
        ("sql", "how"),
        [
            ("DELETE FROM order_approvals", f"paid without the yes of seller {HOTELIER}"),
            ("UPDATE orders SET approval = 'asked' WHERE approval = 'given'", "it says asked"),
            ("UPDATE orders SET approval = NULL", "it says nothing of that"),
            (SETTLED, "processing without the yes"),
        ],
    )
    async def test_finds_what_was_not_accepted(self, world: World, sql: str, how: str) -> None:
        await world.plant("orders", f"{ASKED}; {sql}")
        found = (await world.audit()).violations_of("I15")
        assert any(how in example for example in found), found


class TestI8:
    async def test_finds_who_was_not_told_that_sellers_are_asked(self, world: World) -> None:
        asked = f"""
            INSERT INTO order_history (order_id, at, what, status)
            SELECT '{order(PAID)}', dvor_now() - interval '2 minutes', 'approval_asked', 'paid'
        """
        told = f"""
            INSERT INTO notifications (id, recipient_id, topic, subject_id, mailed_at) VALUES
            (gen_random_uuid(), '{GUEST}', 'approval_waited', '{order(PAID)}', dvor_now()),
            (gen_random_uuid(), '{HOTELIER}', 'approval_asked', '{order(PAID)}', dvor_now())
        """
        await world.plant("orders", f"{ASKED}; {asked}")
        missing = (await world.audit()).violations_of("I8")
        assert {each.partition(", ")[2].partition(":")[0] for each in missing} == {
            f"approval_waited to {GUEST}",
            f"approval_asked to {HOTELIER}",
        }
        await world.plant("notifications", told)
        assert (await world.audit()).clean
