"""The audit that an admin wants now."""

from typing import TYPE_CHECKING

from dvor.kernel.messages import Message
from dvor.kernel.tasks import task
from dvor.services.audits.rules import AUDIT_SECONDS_MAX

if TYPE_CHECKING:
    from dvor.services.audits.service import AuditsService


class Look(Message):
    """All promises."""


@task(timeout_seconds=AUDIT_SECONDS_MAX + 10, attempts_max=3)
async def look_now(service: "AuditsService", work: Look) -> None:
    """Audit, unless somebody is at it."""
    del work
    await service.look()
