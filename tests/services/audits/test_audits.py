"""Audits in the background and on demand: one at a time, remembered, measured."""

import asyncio
from typing import Any

import pytest

from dvor.audit import Report
from dvor.contracts.audits import AuditStatus
from dvor.kernel import ids
from dvor.kernel.caller import ANONYMOUS, Caller, Role
from dvor.kernel.errors import Forbidden, Unauthenticated
from dvor.kernel.metrics import SHARED
from dvor.services.audits import rules, service
from dvor.services.audits.service import AuditsService
from tests.services.inventory.conftest import FakeCatalog, Nobody

ADMIN = Caller(user_id=ids.new(), roles=(Role.ADMIN,))
SELLER = Caller(user_id=ids.new(), roles=(Role.SELLER,))
BROKEN = """
    INSERT INTO offers (offer_id, listing_id, seller_id, kind, quantity, open)
    VALUES ($1, $1, $1, 'product', 5, true);
"""


async def opened(make_house: Any, **options: Any) -> Any:
    """A house with an inventory to look at and nothing else."""
    fakes = {"identity": Nobody(), "catalog": FakeCatalog()}
    house = await make_house("inventory", "audits", fakes=fakes, **options)
    house.sabotaged = True  # its own audit is what is tested
    return house


async def break_a_promise(house: Any) -> None:
    offer = ids.new()
    db = house.db("inventory")
    await db.execute(BROKEN, offer)
    await db.execute(
        "INSERT INTO cells (offer_id, slot, capacity, sold) VALUES ($1, 0, 5, 1)", offer
    )


async def status(house: Any) -> AuditStatus:
    with house.calling(ADMIN):
        return await house.audits.status()


async def audited(house: Any) -> AuditStatus:
    """The status once an audit is finished."""
    async with asyncio.timeout(60):
        while not (found := await status(house)).report or found.under_way:
            await asyncio.sleep(0.1)
    return found


class TestAsking:
    async def test_before_the_first_there_is_nothing_to_see(self, make_house: Any) -> None:
        house = await opened(make_house)
        assert await status(house) == AuditStatus()

    async def test_is_for_admins(self, make_house: Any) -> None:
        house = await opened(make_house)
        for who, refusal in ((ANONYMOUS, Unauthenticated), (SELLER, Forbidden)):
            with house.calling(who):
                for method in (house.audits.status, house.audits.run):
                    with pytest.raises(refusal):
                        await method()

    async def test_an_audit_is_made_at_once_and_says_what_it_could_not_see(
        self, make_house: Any
    ) -> None:
        house = await opened(make_house)
        with house.calling(ADMIN):
            assert (await house.audits.run()).under_way
            assert (await house.audits.run()).under_way  # impatience makes no second one
        found = await audited(house)
        assert found.report and not found.report.violations and found.broken is None
        skipped = {f.promise: f.skipped for f in found.report.findings if f.skipped}
        assert skipped["I5"] == "no database of orders" and "I1" not in skipped
        assert await house.db("audits").fetchval("SELECT count(*) FROM audits") == 1

    async def test_what_is_broken_is_told_and_remembered(self, make_house: Any) -> None:
        house = await opened(make_house)
        await break_a_promise(house)
        looking: AuditsService = house.process.implementation("audits")
        assert await looking.look()
        report = (await status(house)).report
        assert report
        (broken,) = [finding for finding in report.findings if finding.violations]
        assert broken.promise == "I1" and "sold 1 of 5" in broken.examples[0]
        await looking._measure()
        assert SHARED.get_sample_value("dvor_audit_violations", {"promise": "I1"}) == 1
        assert SHARED.get_sample_value("dvor_audit_violations", {"promise": "I6"}) == 0
        age = SHARED.get_sample_value("dvor_audit_age_seconds")
        assert age is not None and 0 <= age < 60
        await house.db("inventory").execute("DELETE FROM cells")
        assert await looking.look()
        mended = await status(house)
        assert mended.report and not mended.report.violations
        assert mended.broken and mended.broken.violations == 1


class TestOneAtATime:
    async def test_another_process_looks_only_when_nobody_does(
        self, make_house: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = await opened(make_house)
        here, there = (AuditsService(house.db("audits"), house.settings) for _ in range(2))
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(*_: Any, **__: Any) -> Report:
            begun.set()
            await go_on.wait()
            return Report(at=None, findings=())  # type: ignore[arg-type]

        monkeypatch.setattr(service, "audit", slowly)
        first = asyncio.create_task(here.look())
        await begun.wait()
        assert not await there.look()
        assert (await status(house)).under_way
        go_on.set()
        assert await first
        assert await there.look()

    async def test_one_that_fails_leaves_the_way_free(
        self, make_house: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = await opened(make_house)
        here, there = (AuditsService(house.db("audits"), house.settings) for _ in range(2))

        async def fails(*_: Any, **__: Any) -> Report:
            raise OSError("gone")

        with monkeypatch.context() as patched:
            patched.setattr(service, "audit", fails)
            with pytest.raises(OSError, match="gone"):
                await here.look()
        assert await there.look()


class TestInTheBackground:
    async def test_it_is_made_by_itself(
        self, make_house: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rules, "WATCH_SECONDS", 0.1)
        house = await opened(make_house, audit_seconds=3600)
        assert (await audited(house)).every_seconds == 3600
        await asyncio.sleep(0.5)
        assert await house.db("audits").fetchval("SELECT count(*) FROM audits") == 1

    async def test_old_reports_go_and_broken_ones_stay_a_month(self, make_house: Any) -> None:
        house = await opened(make_house)
        rows = (2, 0), (2, 1), (31, 1)
        for days, violations in rows:
            await house.db("audits").execute(
                """
                INSERT INTO audits (id, begun_at, ended_at, violations)
                VALUES ($1, dvor_now() - make_interval(days => $2), dvor_now(), $3)
                """,
                ids.new(),
                days,
                violations,
            )
        await house.process.implementation("audits").look()
        kept = await house.db("audits").fetch("SELECT violations FROM audits ORDER BY begun_at")
        assert [row["violations"] for row in kept] == [1, 0]
