"""Databases without anything running on them."""

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from dvor.kernel.brokers import LocalBroker
from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from tests import databases
from tests.kernel.rigs import KINDS, REMOTE, AddressOf, Rig, rig_of

_numbers = itertools.count()

OpenDatabase = Callable[..., Awaitable[Database]]


@pytest.fixture(scope="session")
def address_of(request: pytest.FixtureRequest) -> AddressOf:
    """`address_of("kafka")`: the URL of one that runs, started when it is first asked for."""

    def of(kind: str) -> str:
        return "" if kind == "local" else request.getfixturevalue(kind).address

    return of


@pytest.fixture
async def settings(template: Settings) -> AsyncIterator[Settings]:
    """Settings with fresh databases of catalog, inventory, orders and the broker."""
    prefix = f"k{os.getpid()}_{next(_numbers)}_"
    names = ("catalog", "inventory", "orders", "broker")
    await databases.take(template, prefix, names)
    yield replace(template, database_prefix=prefix, poll_seconds=0.05)
    await databases.give_back(template, prefix, names)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[OpenDatabase]:
    """`await database("catalog")`: an open one."""
    opened = []

    async def open_(name: str, **options: object) -> Database:
        found = Database(name, settings.database(name), replace(settings, **options))
        await found.open()
        opened.append(found)
        return found

    yield open_
    for found in opened:
        await found.close()


@pytest.fixture
async def broker(settings: Settings) -> AsyncIterator[LocalBroker]:
    """The local broker, connected."""
    found = LocalBroker(settings.database("broker"), settings)
    await found.open()
    yield found
    await found.close()


@pytest.fixture(params=KINDS)
async def rig(
    request: pytest.FixtureRequest, settings: Settings, address_of: AddressOf
) -> AsyncIterator[Rig]:
    """Each broker."""
    found = rig_of(request.param, settings, address_of(request.param))
    yield found
    await found.close()


@pytest.fixture(params=REMOTE)
async def remote(
    request: pytest.FixtureRequest, settings: Settings, address_of: AddressOf
) -> AsyncIterator[Rig]:
    """Each broker that is a server of its own."""
    found = rig_of(request.param, settings, address_of(request.param))
    yield found
    await found.close()
