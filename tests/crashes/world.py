"""A small world to be killed in: some customers, an admin, a seller with one thing of each kind."""

from datetime import timedelta
from uuid import UUID

from pydantic import SecretStr

from dvor import topology
from dvor.contracts.catalog import Catalog, Kind
from dvor.contracts.identity import Identity, Registration, User
from dvor.contracts.inventory import Inventory
from dvor.kernel import clock
from dvor.kernel.caller import ANONYMOUS, Caller, Role, asking
from dvor.kernel.config import Settings
from tests.house.world import draft

PASSWORD = "korova-moloko-82-luna"
CUSTOMERS = tuple(f"customer{n}@example.org" for n in range(5))
SELLER, ADMIN = "seller@example.org", "admin@example.org"
UNITS = 100_000
DAYS = 700
"""So long time may pass before the event begins: it passes quickly here."""


async def small_world(settings: Settings) -> dict[str, str]:
    """Make it; answers kind -> offer."""
    await topology.migrate(settings)
    offers: dict[str, str] = {}
    async with topology.running(settings) as house:
        identity = house.proxy(Identity, "setup")
        catalog, inventory = house.proxy(Catalog, ""), house.proxy(Inventory, "")
        for email in CUSTOMERS:
            await _person(identity, email, Role.CUSTOMER)
        await _person(identity, ADMIN, Role.CUSTOMER, Role.ADMIN)
        seller = await _person(identity, SELLER, Role.CUSTOMER, Role.SELLER)
        with asking(Caller(user_id=seller.id, roles=seller.roles)):
            for kind in Kind:
                listed = draft(kind)
                if kind is Kind.EVENT:
                    begins = clock.now() + timedelta(days=DAYS)
                    listed = listed.model_copy(update={"starts_at": begins})
                listing = await catalog.create(listed)
                await inventory.set_supply(UUID(str(listing.offers[0].id)), UNITS)
                await catalog.publish(listing.id)
                offers[kind] = str(listing.offers[0].id)
        await house.settle()
    return offers


async def _person(identity: Identity, email: str, *roles: Role) -> User:
    registration = Registration(
        email=email, password=SecretStr(PASSWORD), name="Vera", seller=Role.SELLER in roles
    )
    with asking(ANONYMOUS):
        return await identity.ensure_user(registration, roles)
