"""Audits: are the promises kept? Looked at again and again, by SQL that no service shares."""

from typing import Annotated, Protocol

from pydantic import Field

from dvor.kernel.messages import Bool, Count, Instant, Line, Message


class AuditFinding(Message):
    """What became of one check."""

    promise: Line
    """I1, I2 …: what it belongs to; several checks may belong to one promise."""
    sentence: Line
    """What is promised, in English; a key of the texts."""
    databases: tuple[Line, ...]
    """Services whose data was looked at."""
    examined: Count
    in_flight: Count
    """Things in the middle of a step, too young to be judged."""
    violations: Count
    examples: tuple[str, ...] = ()
    """Some violations: identifiers and numbers, in English."""
    skipped: str = ""
    """Why it could not be made; empty: it was."""


class AuditReport(Message):
    """One audit."""

    begun_at: Instant
    ended_at: Instant
    findings: tuple[AuditFinding, ...]

    @property
    def violations(self) -> int:
        """How many things are wrong in all."""
        return sum(finding.violations for finding in self.findings)

    @property
    def examined(self) -> int:
        """How many things were looked at in all."""
        return sum(finding.examined for finding in self.findings)


class AuditStatus(Message):
    """Where auditing stands."""

    report: AuditReport | None = None
    """The newest that is finished."""
    broken: AuditReport | None = None
    """The newest that found something, of the last 30 days."""
    under_way: Bool = False
    """Another one is being made, or will be at once."""
    every_seconds: Annotated[int, Field(ge=0)] = 0
    """How often one is made by itself; 0: never."""


class Audits(Protocol):
    """The look at all data. For admins."""

    async def status(self) -> AuditStatus:
        """The newest report."""
        ...

    async def run(self) -> AuditStatus:
        """Have an audit made now, unless one is under way. It is ready some seconds later."""
        ...
