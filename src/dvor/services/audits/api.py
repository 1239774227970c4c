"""REST: audits."""

from typing import Annotated

from dvor.contracts.audits import Audits, AuditStatus
from dvor.kernel.http import api_router, contract

router = api_router(prefix="/audits", tags=["audits"])

Asked = Annotated[Audits, contract(Audits)]


@router.get("")
async def status(audits: Asked) -> AuditStatus:
    """The newest audit. Admins."""
    return await audits.status()


@router.post("", status_code=202)
async def run(audits: Asked) -> AuditStatus:
    """Have an audit made now; look again some seconds later. Admins."""
    return await audits.run()
