"""Audits, faked."""

from dataclasses import dataclass, field

from dvor.contracts.audits import AuditStatus


@dataclass
class FakeAudits:
    """Answers a status; counts what it is asked for."""

    answer: AuditStatus = field(default_factory=AuditStatus)
    runs: int = 0

    async def status(self) -> AuditStatus:
        return self.answer

    async def run(self) -> AuditStatus:
        self.runs += 1
        self.answer = self.answer.model_copy(update={"under_way": True})
        return self.answer
