"""The audit sees cells that do not fit what is closed."""

import pytest

from tests.audit.test_audit import ROOM, TODAY, World, world

__all__ = ["world"]

CLOSED = f"""
    INSERT INTO closures (id, offer_id, first_slot, end_slot, units, source, unmet)
    VALUES ('{ROOM}', '{ROOM}', {TODAY} + 3, {TODAY} + 4, 1, 'owner', false);
    UPDATE cells SET capacity = 1 WHERE offer_id = '{ROOM}' AND slot = {TODAY} + 3;
"""


class TestI14:
    async def test_a_closure_that_was_applied_is_fine(self, world: World) -> None:
        await world.plant("inventory", CLOSED)
        assert (await world.audit()).clean

    async def test_what_is_promised_stays_where_a_closure_lacks_it(self, world: World) -> None:
        sql = "UPDATE closures SET units = 2, unmet = true"
        await world.plant("inventory", f"{CLOSED}; {sql}")
        assert (await world.audit()).clean

    @pytest.mark.parametrize(
        "sql",
        [
            f"UPDATE cells SET capacity = 2 WHERE offer_id = '{ROOM}' AND slot = {TODAY} + 3",
            f"UPDATE cells SET capacity = 9 WHERE offer_id = '{ROOM}' AND slot = {TODAY} + 2",
            "DELETE FROM closures",
            "UPDATE closures SET end_slot = end_slot + 20",
        ],
    )
    async def test_finds_cells_that_do_not_fit(self, world: World, sql: str) -> None:
        await world.plant("inventory", f"{CLOSED}; {sql}")
        assert f"offer {ROOM}" in (await world.broken())["I14"]
