"""CR-3: PostgreSQL is stopped without warning and comes back, again and again, under load."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from dvor.kernel.postgres import EmbeddedPostgres
from tests.crashes.runs import HEAL_SECONDS, LATER, Crashes, crashing
from tests.seeds import fresh

RESTARTS = int(os.environ.get("DVOR_TEST_RESTARTS") or 50)
TOLD = 5
"""Between two stops, so many orders must have become what they were not, one of them paid."""
PATIENCE_SECONDS = 60


def stopped(server: EmbeddedPostgres) -> None:
    """Stop it as `pg_ctl stop -m immediate` does: nothing is finished, nothing written."""
    process = server._server
    assert process is not None
    process.send_signal(signal.SIGQUIT)
    process.wait(30)


class TestDatabaseRestarts:
    @pytest.mark.nightly
    @pytest.mark.timeout(60 * RESTARTS)
    async def test_nothing_that_was_acknowledged_is_lost_and_dvor_heals_without_a_restart(
        self,
    ) -> None:
        folder = tempfile.mkdtemp(prefix="dvor-restarts-")
        try:
            # With fsync: what was acknowledged must be on disk.
            with EmbeddedPostgres(Path(folder) / "pg", max_connections=200) as server:
                async with crashing(server.dsn, "restart_", fresh()) as crashes:
                    await self.restart(server, crashes)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def restart(self, server: EmbeddedPostgres, crashes: Crashes) -> None:
        """Everything with a server."""
        assert await crashes.start()
        shoppers = crashes.shoppers()
        for _ in range(RESTARTS):
            await self.work(crashes)
            stopped(server)
            if crashes.dice.random() < 0.5:  # once more while it recovers, and all reconnect
                server.revive()
                await asyncio.sleep(crashes.dice.uniform(0, 0.2))
                stopped(server)
            server.revive()
        back = time.monotonic()
        await self.work(crashes)
        assert time.monotonic() - back <= HEAL_SECONDS, "nobody could buy"
        for shopper in shoppers:
            shopper.cancel()
        await asyncio.gather(*shoppers, return_exceptions=True)
        await crashes.pass_time(LATER)
        seconds, problems = await crashes.healed()
        crashes.score.looked(seconds, problems)
        assert not problems
        assert seconds <= HEAL_SECONDS
        assert not await crashes.house.ended(crashes.child), "Dvor did not survive it"
        await crashes.kill()

    async def work(self, crashes: Crashes) -> None:
        """Until some people have been told something new."""
        before, give_up = dict(crashes.market.told), time.monotonic() + PATIENCE_SECONDS
        statuses: list[str] = []
        while len(statuses) < TOLD or not {"paid", "delivered"} & {*statuses}:
            assert time.monotonic() < give_up, "nobody gets what they pay for"
            await asyncio.sleep(0.02)
            statuses = [new[1] for new in crashes.market.told.items() - before.items()]
