"""One Dvor with the demo world, a chromium, and visitors whose troubles fail the test."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from dvor.cli import assets
from dvor.demo.accounts import PASSWORD
from tests.browser import chromium
from tests.browser.court import Court, furnish
from tests.browser.visitor import WAIT_MS, Language, Visitor, visiting
from tests.journeys.conftest import Site, running_site

expect.set_options(timeout=WAIT_MS)

Visit = Callable[..., Awaitable[Visitor]]
Register = Callable[[Language], Awaitable[str]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's chromium. Where it is missing tests are skipped, but never by a CI."""
    if chromium.program() is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("chromium is missing: apt-get install chromium")
    async with chromium.running() as browser:
        yield browser


@pytest.fixture(scope="session")
async def shop(browser: Browser, postgres: str) -> AsyncIterator[Site]:
    """A running Dvor, all in one process."""
    assets.build()
    async with running_site("embedded", postgres) as site:
        yield site


@pytest.fixture(scope="session")
async def court(shop: Site) -> Court:
    """Something to see on every page."""
    return await furnish(shop)


@pytest.fixture
async def visit(browser: Browser, shop: Site) -> AsyncIterator[Visit]:
    """`await visit(screen="phone", language="ru")`: a new visitor. Their troubles fail the test."""
    visitors: list[Visitor] = []
    async with AsyncExitStack() as stack:

        async def arrive(**wishes: Any) -> Visitor:
            visitor = await stack.enter_async_context(visiting(browser, shop.url, **wishes))
            visitors.append(visitor)
            return visitor

        yield arrive
    troubles = [trouble for visitor in visitors for trouble in visitor.troubles]
    assert not troubles, "\n".join(troubles)


@pytest.fixture
async def register(shop: Site) -> Register:
    """`await register("ru")`: the e-mail of a new customer who reads this language."""

    async def make(language: Language) -> str:
        email = f"visitor-{uuid4().hex[:8]}@dvor.example"
        body = {"email": email, "password": PASSWORD, "name": "Гость", "language": language}
        response = await shop.client().post("/api/v1/auth/register", json=body)
        assert response.status_code == 201, response.text
        return email

    return make
