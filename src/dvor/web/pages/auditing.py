"""For admins: whether the promises are kept."""

from typing import Annotated

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from dvor.contracts.audits import AuditFinding, Audits
from dvor.kernel import caller
from dvor.kernel.caller import Role
from dvor.kernel.http import contract
from dvor.kernel.texts import gettext as _
from dvor.web import notices
from dvor.web.context import Visiting, members_router

router = members_router("/admin/audit")

AuditsHere = Annotated[Audits, contract(Audits)]


@router.get("")
async def show_audit(visit: Visiting, audits: AuditsHere) -> Response:
    """The newest audit, what is broken first."""
    caller.require_role(Role.ADMIN)
    audit = await audits.status()
    findings = sorted(audit.report.findings, key=_weight) if audit.report else ()
    return await visit.page("admin/audit.html", audit=audit, findings=findings)


@router.post("")
async def run_audit(request: Request, audits: AuditsHere) -> Response:
    """Have one made now."""
    caller.require_role(Role.ADMIN)
    await audits.run()
    response = RedirectResponse("/admin/audit", 303)
    notices.leave(request, response, notices.Notice("done", _("An audit has begun.")))
    return response


def _weight(finding: AuditFinding) -> tuple[bool, bool, int]:
    return not finding.violations, not finding.skipped, int(finding.promise.lstrip("I") or 0)
