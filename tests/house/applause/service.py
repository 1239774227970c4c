"""What it does: counts in its own table, asks the catalogue, tells what happened."""

from collections.abc import Mapping
from uuid import UUID

from dvor.contracts.catalog import Catalog, ListingPublished
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Tx
from dvor.kernel.events import Event
from dvor.kernel.inbox import Handler
from dvor.kernel.messages import Message
from dvor.kernel.tasks import task
from tests.house.applause.applause import Clapped, Claps, Silence


class Clap(Message):
    """Whom to clap for."""

    listing_id: UUID


class ApplauseService:
    """Implements `Applause`."""

    def __init__(self, db: Database, settings: Settings, catalog: Catalog) -> None:
        self.db = db
        self.catalog = catalog

    async def claps(self, listing_id: UUID) -> Claps:
        """How much there is."""
        count = await self.db.fetchval("SELECT count FROM claps WHERE listing_id = $1", listing_id)
        if count is None:
            raise Silence
        listing = await self.catalog.listing(listing_id)
        return Claps(listing_id=listing_id, title=listing.title.en, count=count)


@task(timeout_seconds=5, attempts_max=3)
async def clap(service: ApplauseService, work: Clap) -> None:
    """Clap once."""
    async with service.db.tx() as tx:
        await tx.execute(
            "INSERT INTO claps VALUES ($1, 1) ON CONFLICT (listing_id) DO UPDATE"
            " SET count = claps.count + 1",
            work.listing_id,
        )
        tx.emit(Clapped(listing_id=work.listing_id))


async def listing_published(tx: Tx, event: ListingPublished) -> None:
    """New things get applause."""
    tx.enqueue(clap, Clap(listing_id=event.listing_id), key=str(event.listing_id))


HANDLERS: Mapping[type[Event], Handler] = {ListingPublished: listing_published}
