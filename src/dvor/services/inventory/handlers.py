"""What the catalogue's news change here: which offers are on sale."""

from collections.abc import Mapping

from dvor.contracts.catalog import ListingArchived, ListingPublished, PromoMade
from dvor.contracts.inventory import Rules
from dvor.kernel import ids
from dvor.kernel.db import Tx
from dvor.kernel.events import Event
from dvor.kernel.inbox import Handler
from dvor.services.inventory import queries
from dvor.services.inventory.tasks import Offers, learn_facts


async def listing_published(tx: Tx, event: ListingPublished) -> None:
    """Open its offers; those it no longer has are closed."""
    await queries.close_others(tx, event.listing_id, event.offer_ids)
    await _show(tx, event, on_sale=True)
    tx.enqueue(learn_facts, Offers(offer_ids=event.offer_ids), key=str(ids.new()))


async def listing_archived(tx: Tx, event: ListingArchived) -> None:
    """Close its offers. What was promised stays promised."""
    await _show(tx, event, on_sale=False)


async def promo_made(tx: Tx, event: PromoMade) -> None:
    """Count its uses from now on."""
    rules = Rules(per_customer=event.per_customer)
    await queries.write_promo(tx, event.promo_id, event.seller_id, event.uses, rules)


async def _show(tx: Tx, event: ListingPublished | ListingArchived, *, on_sale: bool) -> None:
    await queries.show_offers(
        tx, event.listing_id, event.seller_id, event.kind, event.offer_ids, on_sale=on_sale
    )


HANDLERS: Mapping[type[Event], Handler] = {
    ListingPublished: listing_published,
    ListingArchived: listing_archived,
    PromoMade: promo_made,
}
