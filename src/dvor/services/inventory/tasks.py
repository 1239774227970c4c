"""The passing of time (holds that run out) and what has to be asked of the catalogue later."""

from typing import TYPE_CHECKING
from uuid import UUID

from dvor.kernel.messages import Message
from dvor.kernel.tasks import task, timer

if TYPE_CHECKING:
    from dvor.services.inventory.service import InventoryService


class Fetch(Message):
    """A calendar to look at."""

    import_id: UUID


class Offers(Message):
    """Offers that may have moved."""

    offer_ids: tuple[UUID, ...]


@task(timeout_seconds=30, attempts_max=10)
async def learn_facts(service: "InventoryService", work: Offers) -> None:
    """Learn where the days of offers begin and what they are let by: both may have changed."""
    await service.learn_facts(work.offer_ids)


@task(timeout_seconds=30, attempts_max=10)
async def serve_line(service: "InventoryService", work: Offers) -> None:
    """Offer those who wait for it what may fit now."""
    await service.serve_line(work.offer_ids)


@timer(every_seconds=600)
async def end_waiting_for_past(service: "InventoryService") -> None:
    """Nobody waits for what has begun."""
    await service.end_waiting_for_past()


@timer(every_seconds=1)
async def sweep(service: "InventoryService") -> None:
    """Free what is held past its deadline."""
    while await service.expire_due():
        pass


@timer(every_seconds=2)
async def follow_up_closures(service: "InventoryService") -> None:
    """Close what should have been closed and has become free."""
    await service.desk.follow_up()


@task(timeout_seconds=60, attempts_max=3)
async def fetch_import(service: "InventoryService", work: Fetch) -> None:
    """Look at the address of an imported calendar."""
    await service.shelf.fetch(work.import_id)


@timer(every_seconds=60)
async def fetch_imports(service: "InventoryService") -> None:
    """Have imported calendars looked at again."""
    await service.shelf.enqueue_due()
