"""Inventory: units, holds, availability."""

from dvor.contracts.inventory import Inventory
from dvor.kernel.service import Service
from dvor.services.inventory import api, tasks
from dvor.services.inventory.handlers import HANDLERS
from dvor.services.inventory.service import InventoryService

SERVICE = Service(
    name="inventory",
    contract=Inventory,
    implementation=InventoryService,
    calls=("catalog",),
    hot_routers=(api.holds,),
    routers=(api.router, api.closures, api.calendars, api.files),
    handlers=HANDLERS,
    tasks=(tasks.learn_facts, tasks.fetch_import, tasks.serve_line),
    timers=(
        tasks.sweep,
        tasks.follow_up_closures,
        tasks.fetch_imports,
        tasks.end_waiting_for_past,
    ),
)
