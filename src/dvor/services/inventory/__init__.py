"""Inventory: units, holds, availability."""

from dvor.contracts.inventory import Inventory
from dvor.kernel.service import Service
from dvor.services.inventory import api
from dvor.services.inventory.handlers import HANDLERS
from dvor.services.inventory.service import InventoryService
from dvor.services.inventory.tasks import follow_up_closures, learn_timezones, sweep

SERVICE = Service(
    name="inventory",
    contract=Inventory,
    implementation=InventoryService,
    calls=("catalog",),
    routers=(api.router, api.closures),
    handlers=HANDLERS,
    tasks=(learn_timezones,),
    timers=(sweep, follow_up_closures),
)
