"""What the orders service does again and again."""

from typing import TYPE_CHECKING

from dvor.kernel.tasks import timer

if TYPE_CHECKING:
    from dvor.services.orders.service import OrdersService


@timer(every_seconds=15)
async def watch_orders(service: "OrdersService") -> None:
    """Say aloud which orders make no progress."""
    await service.saga.watch()


@timer(every_seconds=3600)
async def forget_cart_keys(service: "OrdersService") -> None:
    """Requests of a week ago are not repeated any more."""
    await service.forget_cart_keys()
