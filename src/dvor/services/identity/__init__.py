"""Accounts, sessions, tokens and profiles. What the service brings."""

from dvor.contracts.identity import Identity
from dvor.kernel.service import Service
from dvor.services.identity.api import auth, me, pages, users
from dvor.services.identity.service import IdentityService
from dvor.services.identity.tasks import sweep

SERVICE = Service(
    name="identity",
    contract=Identity,
    implementation=IdentityService,
    routers=(auth, me, users, pages),
    timers=(sweep,),
    shares_memory=True,
)
