"""Are the promises kept? An independent look at live data, with SQL of its own.

Knows the tables, not the code that writes them: a service cannot make this program share its
mistake. Invariants are numbered as in the reliability design.
"""

from dvor.audit.looking import audit
from dvor.audit.report import Check, Finding, Look, Report

__all__ = ["Check", "Finding", "Look", "Report", "audit"]
