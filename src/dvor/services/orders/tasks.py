"""What an order needs done later, or again after a crash."""

from typing import TYPE_CHECKING
from uuid import UUID

from dvor.kernel.messages import Message
from dvor.kernel.tasks import task, timer

if TYPE_CHECKING:
    from dvor.services.orders.service import OrdersService


class OrderWork(Message):
    """An order to work on."""

    order_id: UUID


@task(timeout_seconds=20, attempts_max=60)
async def finish_order(service: "OrdersService", work: OrderWork) -> None:
    """Do what is under way with an order."""
    await service.finish(work.order_id)


@task(timeout_seconds=20, attempts_max=60)
async def expire_order(service: "OrdersService", work: OrderWork) -> None:
    """The time to pay has run out: settle what was paid at the last moment, cancel the rest."""
    await service.expire(work.order_id)


@timer(every_seconds=3600)
async def forget_cart_keys(service: "OrdersService") -> None:
    """Requests of a week ago are not repeated any more."""
    await service.forget_cart_keys()
