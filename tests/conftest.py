"""What tests stand on: a real PostgreSQL, and houses of services on fresh databases in it."""

import asyncio
import importlib
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dvor.audit import audit
from dvor.cli.servers import Kafka, RabbitMQ, Running
from dvor.kernel import brokers, clock, telemetry
from dvor.kernel.caller import Caller, asking
from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from dvor.kernel.migrations import migrate
from dvor.kernel.postgres import EmbeddedPostgres
from dvor.kernel.process import Process
from dvor.topology import SERVICES
from tests import databases, servers

telemetry.configure(Settings(log_level="error"), "tests")
_numbers = itertools.count()
LONG_FILES = (
    "crashes/test_crashes.py",
    "browser/test_pages.py",
    "cli/test_up.py",
    "house/test_authorization.py",
    "security/test_fuzz.py",
    "cli/test_commands.py",
    "cli/test_bootstrap.py",
    "simulation/test_messages.py",
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server for this test run."""
    if url := os.environ.get("DVOR_TEST_DATABASE_URL"):
        yield url
        return
    with (
        tempfile.TemporaryDirectory(prefix="dvor-tests-") as folder,
        EmbeddedPostgres(Path(folder) / "pg", fsync=False, max_connections=400) as server,
    ):
        yield server.dsn


@pytest.fixture(scope="session")
def rabbitmq() -> Running:
    """A RabbitMQ for this test run; shared, so names must be a test's own."""
    return servers.running(RabbitMQ)


@pytest.fixture(scope="session")
def kafka() -> Running:
    """A Kafka for this test run; shared, so names must be a test's own."""
    return servers.running(Kafka)


@pytest.fixture(scope="session")
async def template(postgres: str) -> Settings:
    """Migrated, empty databases that every house is copied from."""
    settings = Settings(database_url=postgres, database_prefix=f"template{os.getpid()}_")
    await brokers.prepare(settings)
    for service in SERVICES:
        await migrate(settings.database(service.name), service.package)
    return settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first: the others fit in beside them."""
    ranks = {name: rank for rank, name in enumerate(LONG_FILES)}

    def rank(item: pytest.Item) -> int:
        return ranks.get("/".join(item.path.parts[-2:]), len(ranks))

    items.sort(key=rank)


class Clock:
    """The virtual clock of a house."""

    def __init__(self, owner: Process) -> None:
        self._process = owner

    async def advance(self, **amount: float) -> None:
        """Move forward: `advance(minutes=16)`."""
        await self._process.shift_clock(clock.shift() + timedelta(**amount))


class House:
    """Some services running in this process. `house.catalog` is a contract as clients see it."""

    def __init__(self, owner: Process) -> None:
        self.process = owner
        self.clock = Clock(owner)
        self.settings = owner.settings
        self.sabotaged = False
        """A test broke a promise on purpose: the audit that ends every test would find it."""
        self._http: httpx2.AsyncClient | None = None

    def __getattr__(self, name: str) -> Any:
        return self.proxy(name)

    def proxy(self, service: str, calling: str = "") -> Any:
        """A contract as the part `calling` sees it."""
        return self.process.proxy(self.process.contract_named(service), calling)

    def db(self, service: str) -> Database:
        """A service's database."""
        database = self.process.database(service)
        assert database is not None
        return database

    def calling(self, caller: Caller) -> AbstractContextManager[Caller]:
        """Within, `caller` asks."""
        return asking(caller)

    async def settle(self) -> None:
        """Wait until no event and no due task is left."""
        await self.process.settle()

    @property
    def http(self) -> httpx2.AsyncClient:
        """A client of the application, without a network."""
        if self._http is None:
            self._http = self.client()
        return self._http

    @property
    def audited(self) -> dict[str, str]:
        """The databases whose promises are checked at the end; none where nothing is promised."""
        here = {s.name: self.settings.database(s.name) for s in self.process.here}
        promising = {"inventory", "orders", "payments"} & here.keys()
        return here if promising and not self.sabotaged else {}

    def client(self) -> httpx2.AsyncClient:
        """Another client: another browser."""
        transport = httpx2.ASGITransport(app=self.process.app())
        return httpx2.AsyncClient(transport=transport, base_url="http://test")


MakeHouse = Callable[..., Awaitable[House]]


@asynccontextmanager
async def houses(template: Settings) -> AsyncIterator[MakeHouse]:
    """What `make_house` gives; for fixtures that keep a house for a whole module."""
    opened: list[House] = []
    clock.follow(timedelta())

    async def make(*names: str, fakes: Mapping[str, Any] | None = None, **options: Any) -> House:
        prefix = f"t{os.getpid()}_{next(_numbers)}_"
        run = names or tuple(s.name for s in SERVICES if s.name not in (fakes or {}))
        await databases.take(template, prefix, ("broker", *run))
        usual: dict[str, Any] = {
            "database_url": template.database_url,
            "database_prefix": prefix,
            "run": frozenset((*run, "web")),
            "secret": b"s" * 32,
            "poll_seconds": 0.05,
            "caller_cache_seconds": 0.0,
            "call_timeout_seconds": 60.0,  # as slow as the machine is
            "database_wait_seconds": 60.0,
            "statement_timeout_ms": 60_000,
            "audit_seconds": 0,  # every test ends with an audit of its own
            "payments_webhook_url": "http://127.0.0.1:9/",  # nobody listens there
            "provider_webhook_url": "http://127.0.0.1:9/",
        }
        pages = importlib.import_module("dvor.web").PAGES
        house = House(Process(Settings(**(usual | options)), SERVICES, pages, fakes))
        opened.append(house)
        await house.process.open()
        return house

    reports = []
    try:
        yield make
        reports = [await audit(house.audited) for house in opened if house.audited]
    finally:
        for house in opened:
            await house.process.close()
            here = ("broker", *(s.name for s in house.process.here))
            await databases.give_back(template, house.settings.database_prefix, here)
        clock.follow(timedelta())
        await asyncio.sleep(0)
    for report in reports:
        assert report.clean, report


@pytest.fixture
async def make_house(template: Settings) -> AsyncIterator[MakeHouse]:
    """`await make_house("catalog", fakes={"identity": fake}, hold_ttl_seconds=5)`; no names: all."""
    async with houses(template) as make:
        yield make
