"""One world for a module of attacks."""

from collections.abc import AsyncIterator

import pytest

from dvor.kernel.config import Settings
from tests.house.world import World, open_world


@pytest.fixture(scope="module")
async def world(template: Settings) -> AsyncIterator[World]:
    """A full house, five people, two shops."""
    async with open_world(template) as world:
        yield world
