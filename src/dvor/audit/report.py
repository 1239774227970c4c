"""What a check is, and what an audit found."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

EXAMPLES = 5
"""Violations that a finding tells in words."""


@dataclass(frozen=True)
class Look:
    """One look at the data. `violations`: what is wrong -> how, so that two looks can be compared."""

    examined: int
    violations: Mapping[str, str] = field(default_factory=dict)
    in_flight: int = 0
    """Things in the middle of a step, too young to be judged."""


@dataclass(frozen=True)
class Check:
    """One promise. `look` reads snapshots of the databases that are named."""

    id: str
    sentence: str
    databases: tuple[str, ...]
    look: Callable[[Mapping[str, Any]], Awaitable[Look]]


@dataclass(frozen=True)
class Finding:
    """What became of one check. `skipped` says why it could not be made."""

    id: str
    sentence: str
    databases: tuple[str, ...] = ()
    examined: int = 0
    in_flight: int = 0
    violations: int = 0
    examples: tuple[str, ...] = ()
    skipped: str = ""

    @staticmethod
    def of(check: Check, look: Look) -> "Finding":
        """The finding of a look."""
        told = [f"{what}: {how}" for what, how in sorted(look.violations.items())[:EXAMPLES]]
        return Finding(
            id=check.id,
            sentence=check.sentence,
            databases=check.databases,
            examined=look.examined,
            in_flight=look.in_flight,
            violations=len(look.violations),
            examples=tuple(told),
        )


@dataclass(frozen=True)
class Report:
    """All findings of one audit."""

    at: datetime
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong. What was skipped was not looked at and is not held against it."""
        return not any(finding.violations for finding in self.findings)

    def violations_of(self, check_id: str) -> tuple[str, ...]:
        """Examples of what breaks one promise."""
        return tuple(e for f in self.findings if f.id == check_id for e in f.examples)

    def to_json(self) -> str:
        """For machines."""
        findings = [
            {
                "id": finding.id,
                "sentence": finding.sentence,
                "databases": list(finding.databases),
                "examined": finding.examined,
                "in_flight": finding.in_flight,
                "violations": finding.violations,
                "examples": list(finding.examples),
                "skipped": finding.skipped,
            }
            for finding in self.findings
        ]
        found = {"at": self.at.isoformat(), "clean": self.clean, "findings": findings}
        return json.dumps(found, indent=2, ensure_ascii=False)
