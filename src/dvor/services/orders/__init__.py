"""Orders: what this service brings."""

from dvor.contracts.orders import Orders
from dvor.kernel.service import Service
from dvor.services.orders import api, tasks
from dvor.services.orders.handlers import HANDLERS
from dvor.services.orders.service import OrdersService

SERVICE = Service(
    name="orders",
    contract=Orders,
    implementation=OrdersService,
    calls=("catalog", "inventory", "payments"),
    hot_routers=(api.rush,),
    routers=(api.carts, api.router),
    handlers=HANDLERS,
    timers=(tasks.watch_orders, tasks.forget_cart_keys),
)
