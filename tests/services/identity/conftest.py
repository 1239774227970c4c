"""A house with identity alone, and people in it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any

import pytest
from pydantic import SecretStr

from dvor.contracts.identity import Credentials, Registration, Tokens, User
from dvor.kernel.caller import Caller, Role, asking


class People:
    """Who they are and what they do in these tests."""

    password = "korova-moloko-82-luna"
    other_password = "parovoz.edet.v.tundru"

    def __init__(self, house: Any) -> None:
        self.house = house
        self.setup = house.proxy("identity", "setup")

    def registration(self, email: str, **more: Any) -> Registration:
        """Somebody who wants an account."""
        given = {"email": email, "password": self.password, "name": "Vera Lund"}
        return Registration.model_validate(given | more)

    def credentials(self, email: str, password: str = password) -> Credentials:
        """What they prove themselves with."""
        return Credentials(email=email, password=SecretStr(password))

    def calling(self, user: User, **more: Any) -> AbstractContextManager[Caller]:
        """Within, this person asks."""
        return asking(Caller(user_id=user.id, roles=user.roles, **more))

    async def admin(self, email: str) -> User:
        """Another admin."""
        return await self.setup.ensure_user(self.registration(email), (Role.ADMIN,))

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        """What identity told the others, in order."""
        rows = await self.house.db("identity").fetch("SELECT type, data FROM outbox ORDER BY id")
        return [(row["type"], row["data"]) for row in rows]

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        return await self.house.db("identity").fetchval(f"SELECT count(*) FROM {table}")


@pytest.fixture
async def house(make_house: Callable[..., Awaitable[Any]]) -> Any:
    """Identity alone."""
    return await make_house("identity")


@pytest.fixture
def people(house: Any) -> People:
    """People of this house."""
    return People(house)


@pytest.fixture
async def vera(people: People) -> User:
    """A customer."""
    return await people.house.identity.register(people.registration("vera@example.org"))


@pytest.fixture
async def admin(people: People) -> User:
    """The only admin."""
    return await people.admin("admin@example.org")


@pytest.fixture
async def tokens(people: People, vera: User) -> Tokens:
    """Vera's API client."""
    return await people.house.identity.issue_tokens(people.credentials(vera.email), "curl")


@pytest.fixture
def outcomes() -> Callable[..., Coroutine[Any, Any, list[Any]]]:
    """What parallel calls come to: results and refusals."""

    async def gather(*calls: Awaitable[Any]) -> list[Any]:
        return await asyncio.gather(*calls, return_exceptions=True)

    return gather
