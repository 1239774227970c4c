"""Many want the same few things: exactly what there is gets sold."""

import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx2
import pytest
from pydantic import SecretStr

from dvor import topology
from dvor.audit import audit
from dvor.contracts.catalog import Kind, ListingDraft, OfferDraft, Text
from dvor.contracts.identity import Credentials, Registration
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.config import Settings
from tests.journeys.conftest import Api, Site, running_site
from tests.journeys.test_purchase import SUCCESS, pay, until

BUYERS, UNITS = 200, 20
FEWER_BUYERS = 50
"""Enough to oversell where the guard is off."""
AT_ONCE = 50
"""Connections of the load generator."""
PASSWORD = "a race for twenty units"


async def stage(settings: Settings, buyers: int, units: int = UNITS) -> tuple[UUID, list[str]]:
    """A listing with so many units, and the access tokens of its buyers."""
    async with topology.running(settings) as house:
        contracts = {service.name: service.contract for service in topology.SERVICES}
        identity = house.proxy(contracts["identity"], "setup")
        catalog = house.proxy(contracts["catalog"], "setup")
        inventory = house.proxy(contracts["inventory"], "setup")
        seller = await identity.ensure_user(_registration("racer-seller"), (Role.SELLER,))
        with asking(Caller(user_id=seller.id, roles=(Role.SELLER,))):
            draft = ListingDraft(
                kind=Kind.PRODUCT,
                category="home",
                title=Text(en="The last few lamps"),
                offers=(OfferDraft(price=250_000),),
            )
            categories = await catalog.categories()
            slug = next(c.slug for c in categories.items if c.kind is Kind.PRODUCT and c.parent)
            listing = await catalog.create(draft.model_copy(update={"category": slug}))
            offer_id = listing.offers[0].id
            await inventory.set_supply(offer_id, units)
            await catalog.publish(listing.id)
        gate = asyncio.Semaphore(8)

        async def arrive(number: int) -> str:
            person = _registration(f"buyer-{number}")
            credentials = Credentials(email=person.email, password=person.password)
            async with gate:
                await identity.ensure_user(person, (Role.CUSTOMER,))
                return (await identity.issue_tokens(credentials)).access_token

        tokens = await asyncio.gather(*(arrive(number) for number in range(buyers)))
        await house.settle()
    return offer_id, tokens


def _registration(name: str) -> Registration:
    return Registration(
        email=f"{name}@dvor.example", password=SecretStr(PASSWORD), name=name, language="en"
    )


async def race(site: Site, offer_id: UUID, tokens: list[str]) -> Counter[str]:
    """Everybody orders one unit at once and pays; answers how each ended."""
    gate = asyncio.Semaphore(AT_ONCE)
    limits = httpx2.Limits(max_connections=AT_ONCE)
    async with httpx2.AsyncClient(base_url=site.url, timeout=60, limits=limits) as shared:

        async def buy(token: str) -> str:
            headers = {"authorization": f"Bearer {token}", "idempotency-key": str(uuid4())}
            body = {"lines": [{"offer_id": str(offer_id)}]}
            async with gate:
                answer = await shared.post("/api/v1/orders", json=body, headers=headers)
                if answer.status_code != 201:
                    return f"{answer.status_code} {answer.json()['code']}"
            async with site.client(authorization=f"Bearer {token}") as own:
                api = Api(own, UUID(answer.json()["customer_id"]))
                await pay(api, answer.json()["pay_path"], SUCCESS)
                return (await until(api, answer.json()["id"], "paid"))["status"]

        return Counter(await asyncio.gather(*(buy(token) for token in tokens)))


@pytest.fixture
async def arena(
    request: pytest.FixtureRequest, postgres: str
) -> AsyncIterator[tuple[Site, UUID, list[str]]]:
    """A Dvor of its own with the listing and its buyers; parameters: sabotage, buyers."""
    sabotage, buyers = request.param
    world = functools.partial(stage, buyers=buyers)
    async with running_site("embedded", postgres, sabotage=sabotage, world=world) as site:
        offer_id, tokens = site.world
        yield site, offer_id, tokens


class TestTwoHundredBuyers:
    @pytest.mark.parametrize("arena", [("", BUYERS)], indirect=True)
    async def test_exactly_twenty_units_are_sold(self, arena: tuple[Site, UUID, list[str]]) -> None:
        site, offer_id, tokens = arena
        ended = await race(site, offer_id, tokens)
        assert ended == {"paid": UNITS, "409 inventory.sold_out": BUYERS - UNITS}

    @pytest.mark.parametrize("arena", [("unjudged_holds", FEWER_BUYERS)], indirect=True)
    async def test_with_the_guard_off_the_same_race_oversells(
        self, arena: tuple[Site, UUID, list[str]]
    ) -> None:
        site, offer_id, tokens = arena
        ended = await race(site, offer_id, tokens)
        assert ended["paid"] > UNITS
        assert not (await audit(site.database_urls)).clean
