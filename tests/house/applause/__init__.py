"""A service that Dvor has never heard of: what adding one takes, and nothing else."""

from dvor.kernel.service import Service
from tests.house.applause.api import router
from tests.house.applause.applause import Applause
from tests.house.applause.service import HANDLERS, ApplauseService, clap

SERVICE = Service(
    name="applause",
    contract=Applause,
    implementation=ApplauseService,
    calls=("catalog",),
    routers=(router,),
    handlers=HANDLERS,
    tasks=(clap,),
)
