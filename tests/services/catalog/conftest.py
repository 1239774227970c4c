"""A house with a catalogue, and hands to fill it."""

from uuid import UUID, uuid4

import pytest

from dvor.contracts.catalog import Listing, ListingDraft
from dvor.kernel.caller import Caller
from tests.services.catalog.drafts import seller


class FakeIdentity:
    """Knows who holds a token, because the token says so."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}

    async def authenticate(self, access_token: str) -> Caller:
        return self.callers[access_token]

    async def session(self, token: str) -> Caller:
        return self.callers[token]


class Scene:
    """A catalogue, and somebody who sells in it."""

    def __init__(self, house, identity: FakeIdentity) -> None:
        self.house = house
        self.catalog = house.catalog
        self.seller = seller()
        identity.callers["seller"] = self.seller
        identity.callers["other"] = seller()

    async def send(self, method: str, path: str, *, by: str = "", key: UUID | None = None, **more):
        """An unsafe request by REST, signed in as the holder of the token `by`."""
        headers = {"Idempotency-Key": str(key or uuid4())}
        if by:
            headers["Authorization"] = f"Bearer {by}"
        return await self.house.http.request(method, f"/api/v1{path}", headers=headers, **more)

    async def create(self, draft: ListingDraft, caller: Caller | None = None) -> Listing:
        """A new draft."""
        with self.house.calling(caller or self.seller):
            return await self.catalog.create(draft)

    async def publish(self, draft: ListingDraft, caller: Caller | None = None) -> Listing:
        """A new listing on sale."""
        listing = await self.create(draft, caller)
        with self.house.calling(caller or self.seller):
            return await self.catalog.publish(listing.id)

    async def told(self) -> list[tuple[str, dict]]:
        """Events of the catalogue so far: type and content."""
        rows = await self.house.db("catalog").fetch("SELECT type, data FROM outbox ORDER BY id")
        return [(row["type"], row["data"]) for row in rows]


@pytest.fixture
async def scene(make_house) -> Scene:
    identity = FakeIdentity()
    return Scene(await make_house("catalog", fakes={"identity": identity}), identity)
