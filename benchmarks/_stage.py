"""A seller with things to buy, more than anybody can."""

from uuid import UUID

from pydantic import SecretStr

from dvor import topology
from dvor.contracts.catalog import Kind, ListingDraft, OfferDraft, Text
from dvor.contracts.identity import Registration
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.config import Settings

OFFERS = 100
PLENTY = 1_000_000


async def stage(settings: Settings) -> list[UUID]:
    """The offers of as many published listings."""
    async with topology.running(settings) as house:
        contracts = {service.name: service.contract for service in topology.SERVICES}
        identity = house.proxy(contracts["identity"], "setup")
        catalog = house.proxy(contracts["catalog"], "setup")
        inventory = house.proxy(contracts["inventory"], "setup")
        person = Registration(
            email="bench-seller@dvor.example",
            password=SecretStr("sells a hundred lamps"),
            name="Lamps",
            language="en",
        )
        seller = await identity.ensure_user(person, (Role.SELLER,))
        categories = (await catalog.categories()).items
        slug = next(c.slug for c in categories if c.kind is Kind.PRODUCT and c.parent)
        found = []
        with asking(Caller(user_id=seller.id, roles=(Role.SELLER,))):
            for number in range(OFFERS):
                draft = ListingDraft(
                    kind=Kind.PRODUCT,
                    category=slug,
                    title=Text(en=f"Lamp {number}"),
                    offers=(OfferDraft(price=250_000),),
                )
                listing = await catalog.create(draft)
                await inventory.set_supply(listing.offers[0].id, PLENTY)
                await catalog.publish(listing.id)
                found.append(listing.offers[0].id)
        await house.settle()
    return found
