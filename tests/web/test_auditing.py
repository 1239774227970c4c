"""The page on which admins see whether the promises are kept."""

from datetime import UTC, datetime
from typing import Any

from dvor.contracts.audits import AuditFinding, AuditReport, AuditStatus
from dvor.kernel.caller import Role
from tests.web.conftest import Web

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def finding(promise: str, sentence: str, violations: int = 0, **more: Any) -> AuditFinding:
    return AuditFinding(
        promise=promise,
        sentence=sentence,
        databases=("orders",),
        examined=1200,
        in_flight=3,
        violations=violations,
        **more,
    )


def report(*findings: AuditFinding) -> AuditReport:
    return AuditReport(begun_at=AT, ended_at=AT.replace(second=2), findings=findings)


async def admin(web: Web, answer: AuditStatus, language: str = "en") -> Any:
    web.audits.answer = answer
    browser, _ = await web.signed_in("Olga", Role.ADMIN, language=language)
    return browser


class TestAuditPage:
    async def test_is_for_admins(self, web: Web) -> None:
        browser, _ = await web.signed_in("Sam", Role.SELLER)
        assert (await browser.open("/admin/audit")).status == 403

    async def test_before_the_first_it_offers_one(self, web: Web) -> None:
        browser = await admin(web, AuditStatus())
        page = await browser.open("/admin/audit")
        assert "Nobody has looked yet" in page.text and "only when you ask" in page.text
        page = await browser.submit(page, "/admin/audit")
        assert web.audits.runs == 1
        assert "An audit has begun." in page.text and "Nobody has looked yet" not in page.text

    async def test_says_that_all_is_kept_and_what_was_looked_at(self, web: Web) -> None:
        kept = report(finding("I1", "no hold is alive more than 5 seconds after its deadline"))
        browser = await admin(web, AuditStatus(report=kept, every_seconds=60))
        page = await browser.open("/admin/audit")
        assert "Every promise is kept" in page.text and "1,200" in page.text
        assert "every 60 seconds" in page.text and "it took 2 seconds" in page.text

    async def test_what_is_broken_comes_first_with_examples_in_russian(self, web: Web) -> None:
        found = report(
            finding("I1", "no hold is alive more than 5 seconds after its deadline"),
            finding("I5", "a payment asks exactly for its order's total", skipped="too long"),
            finding("I12", "one key, one stored answer", 2, examples=("order N1: <b>5</b>",)),
        )
        browser = await admin(web, AuditStatus(report=found, broken=found), "ru")
        text = (await browser.open("/admin/audit")).text
        assert "Не сходится в 2 местах" in text and "order N1: <b>5</b>" in text
        order = [text.index(words) for words in ("I12 один ключ", "I5 платёж", "I1 ни одна")]
        assert order == sorted(order)
        assert "ни одна бронь не живёт дольше 5 секунд" in text and "Не проверено" in text
