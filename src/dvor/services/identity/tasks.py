"""What time does to accounts."""

from typing import TYPE_CHECKING

from dvor.kernel.tasks import timer
from dvor.services.identity import rules, session_queries

if TYPE_CHECKING:
    from dvor.services.identity.service import IdentityService

SWEEP_ROWS = 500
"""Sessions deleted by one statement."""


@timer(every_seconds=3600)
async def sweep(service: "IdentityService") -> None:
    """Forget ended sessions, quiet attempts and unfamiliar networks; renew the signing key."""
    while (
        await session_queries.delete_ended_sessions(service.db, service.idle, SWEEP_ROWS)
        == SWEEP_ROWS
    ):
        pass
    await session_queries.delete_old_attempts(service.db, rules.FORGET_ATTEMPTS)
    await session_queries.delete_old_networks(service.db, rules.FORGET_NETWORKS)
    await service.keyring.renew()
