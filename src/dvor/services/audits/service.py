"""Looks again and again whether the promises are kept, and remembers what it saw."""

import asyncio
import time
from contextlib import suppress
from datetime import timedelta

from dvor.audit import Report, audit
from dvor.audit.looking import DATABASES
from dvor.contracts.audits import AuditFinding, AuditReport, AuditStatus
from dvor.kernel import caller, ids, metrics, telemetry
from dvor.kernel.caller import Role, caller_key
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record, raw_connection
from dvor.kernel.tasks import lease
from dvor.services.audits import queries, rules
from dvor.services.audits.tasks import Look, look_now

LOG = telemetry.log("audits")
COUNT_MAX = 1_000_000_000


class AuditsService:
    """Implements `dvor.contracts.audits.Audits`."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.db = db
        self.settings = settings
        self._holder = ids.new()
        self._since = time.monotonic()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Audit in the background, where that is wanted."""
        if self.settings.audit_seconds > 0:
            self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Leave an audit that is under way."""
        if self._watching:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    async def status(self) -> AuditStatus:
        """The newest report."""
        caller.require_role(Role.ADMIN)
        newest, broken = await queries.newest(self.db), await queries.newest(self.db, broken=True)
        return AuditStatus(
            report=_report(newest),
            broken=_report(broken),
            under_way=await queries.is_under_way(self.db),
            every_seconds=self.settings.audit_seconds,
        )

    async def run(self) -> AuditStatus:
        """Have an audit made by whichever process is free."""
        caller.require_role(Role.ADMIN)
        async with self.db.tx() as tx:
            if not await queries.is_under_way(tx):
                tx.enqueue(look_now, Look(), key=str(caller_key("audit")))
        return await self.status()

    async def look(self) -> bool:
        """Audit now; False where another process is at it."""
        if not await lease(self.db, "audit", self._holder, rules.AUDIT_SECONDS_MAX):
            return False
        try:
            audit_id = ids.new()
            await queries.begin(self.db, audit_id)
            async with asyncio.timeout(rules.AUDIT_SECONDS_MAX - 10):
                report = await audit(await self._reachable(), check_seconds=rules.CHECK_SECONDS)
            findings = [finding.model_dump(mode="json") for finding in _findings(report)]
            violations = sum(finding.violations for finding in report.findings)
            await queries.finish(self.db, audit_id, violations, findings)
            if violations:
                LOG.error("promises are broken", violations=violations)
        finally:
            await lease(self.db, "audit", self._holder, 0)
        return True

    async def _reachable(self) -> dict[str, str]:
        """The databases that this process can look at: others may be none of its business."""
        found = {}
        for name in DATABASES:
            url = self.settings.database(name)
            try:
                async with raw_connection(url):
                    found[name] = url
            except Exception as problem:  # noqa: BLE001 - the report says that it was not looked at
                LOG.info("cannot be audited", database=name, problem=repr(problem))
        return found

    async def _watch(self) -> None:
        every = timedelta(seconds=self.settings.audit_seconds)
        while True:
            try:
                if await queries.is_due(self.db, every):
                    await self.look()
                await self._measure()
            except Exception as problem:  # noqa: BLE001 - it must outlive a bad moment
                LOG.warning("audit failed", problem=repr(problem))
            await asyncio.sleep(min(rules.WATCH_SECONDS, self.settings.audit_seconds))

    async def _measure(self) -> None:
        """What every process says of the last audit, whoever made it. Before the first: our age."""
        newest = await queries.newest(self.db)
        report = _report(newest)
        if newest is None or report is None:
            metrics.AUDIT_AGE.set(time.monotonic() - self._since)
            return
        metrics.AUDIT_AGE.set(newest["age_seconds"])
        sums = dict.fromkeys((finding.promise for finding in report.findings), 0)
        for finding in report.findings:
            sums[finding.promise] += finding.violations
        for promise, violations in sums.items():
            metrics.AUDIT_VIOLATIONS.labels(promise).set(violations)
        skipped = sum(bool(finding.skipped) for finding in report.findings)
        metrics.AUDIT_SKIPPED.set(skipped)


def _findings(report: Report) -> tuple[AuditFinding, ...]:
    return tuple(
        AuditFinding(
            promise=finding.id,
            sentence=finding.sentence,
            databases=finding.databases,
            examined=min(finding.examined, COUNT_MAX),
            in_flight=finding.in_flight,
            violations=finding.violations,
            examples=finding.examples,
            skipped=finding.skipped,
        )
        for finding in report.findings
    )


def _report(row: Record | None) -> AuditReport | None:
    if row is None:
        return None
    findings = tuple(AuditFinding.model_validate(each, strict=False) for each in row["findings"])
    return AuditReport(begun_at=row["begun_at"], ended_at=row["ended_at"], findings=findings)
