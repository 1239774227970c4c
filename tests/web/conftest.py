"""The pages with every contract faked, and browsers in front of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from dvor.contracts.identity import User
from dvor.kernel.caller import Role
from tests.conftest import House, MakeHouse
from tests.web.browser import Browser
from tests.web.fake_audits import FakeAudits
from tests.web.fakes import (
    PASSWORD,
    FakeCatalog,
    FakeIdentity,
    FakeInventory,
    FakeNotifications,
    FakeOrders,
    FakePayments,
    person,
)


@dataclass
class Web:
    """A house that has pages only."""

    identity: FakeIdentity = field(default_factory=FakeIdentity)
    catalog: FakeCatalog = field(default_factory=FakeCatalog)
    inventory: FakeInventory = field(default_factory=FakeInventory)
    orders: FakeOrders = field(default_factory=FakeOrders)
    payments: FakePayments = field(default_factory=FakePayments)
    notifications: FakeNotifications = field(default_factory=FakeNotifications)
    audits: FakeAudits = field(default_factory=FakeAudits)
    house: House | None = None
    browsers: list[Browser] = field(default_factory=list)

    def browser(self, language: str = "en") -> Browser:
        """A new browser of a stranger."""
        assert self.house is not None
        self.browsers.append(Browser(self.house, language))
        return self.browsers[-1]

    async def signed_in(
        self, name: str = "Anna", *roles: Role, language: str = "en"
    ) -> tuple[Browser, User]:
        """A browser of somebody who has just signed in."""
        user = person(name, *roles)
        self.identity.people.append(user)
        browser = self.browser(language)
        page = await browser.open("/sign-in?next=/notifications")
        page = await browser.submit(page, "/sign-in", email=user.email, password=PASSWORD)
        assert self.identity.sessions_open
        return browser, user


MakeWeb = Callable[..., Awaitable[Web]]


@pytest.fixture
async def make_web(make_house: MakeHouse) -> AsyncIterator[MakeWeb]:
    """`await make_web(demo=True)`: the pages with every contract faked."""
    made: list[Web] = []

    async def make(**options: Any) -> Web:
        web = Web()
        made.append(web)
        fakes = {
            "identity": web.identity,
            "catalog": web.catalog,
            "inventory": web.inventory,
            "orders": web.orders,
            "payments": web.payments,
            "notifications": web.notifications,
            "audits": web.audits,
        }
        web.house = await make_house(fakes=fakes, **options)
        return web

    yield make
    for web in made:
        for browser in web.browsers:
            await browser.http.aclose()


@pytest.fixture
async def web(make_web: MakeWeb) -> Web:
    """The pages with every contract faked."""
    return await make_web()
