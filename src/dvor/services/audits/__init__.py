"""Audits: whether the promises are kept, looked at in the background."""

from dvor.contracts.audits import Audits
from dvor.kernel.service import Service
from dvor.services.audits import api, tasks
from dvor.services.audits.service import AuditsService

SERVICE = Service(
    name="audits",
    contract=Audits,
    implementation=AuditsService,
    routers=(api.router,),
    tasks=(tasks.look_now,),
)
