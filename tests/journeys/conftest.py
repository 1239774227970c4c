"""Dvor as people run it: in one process, in two workers on one port, every service in its own.

Services apart stand behind the nginx of `up --distributed`; or, nightly, behind the process of the
pages, which then serves the REST of all of them. Their events travel through PostgreSQL, RabbitMQ
or Kafka. In each run the purchase is made on both of these, all other journeys nightly.
"""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from dvor import topology
from dvor.audit import audit
from dvor.cli.edge import Edge, configuration
from dvor.cli.servers import Kafka, Missing, Nginx, RabbitMQ, Server
from dvor.cli.servers.processes import free_ports
from dvor.contracts.catalog import Catalog
from dvor.contracts.identity import Identity
from dvor.contracts.inventory import Inventory
from dvor.demo import accounts
from dvor.demo.world import fill
from dvor.kernel.config import Settings
from tests import databases, servers
from tests.journeys.mother import Mother, Running

BROKERS: Mapping[str, type[Server]] = {"rabbitmq": RabbitMQ, "kafka": Kafka}
"""Shapes of services apart whose events travel through it."""
SHAPES = ("edge", *BROKERS, "separate", "workers", "embedded")
"""The one that costs most while it stands there comes first: the last one stays until the end."""
ON_BROKERS = "test_purchase.py"
"""The journeys that are made on brokers in each run, and with services apart on none else."""
SECRET = "6a" * 32
ROOT = Path(__file__).parents[2]
START_SECONDS = 180  # nine processes at once on a busy machine
_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys in shapes that are for the night."""
    for item in items:
        call = getattr(item, "callspec", None)
        shape = call.params.get("site") if call else None
        apart = {"separate"} if item.path.name == ON_BROKERS else {*BROKERS}
        if shape in {"edge", *apart}:
            item.add_marker(pytest.mark.nightly)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Place:
    """Where one process of a site serves: it may be another one by now."""

    part: str
    port: int
    environment: dict[str, str]


@dataclass
class Site:
    """A running Dvor."""

    shape: str
    settings: Settings
    environment: dict[str, str]
    sabotage: str = ""
    """The guard that is taken away, see tests/sabotage.py; empty: none."""
    world: Any = None
    """What the maker of its world answered."""
    data: str = ""
    """The folder of `up`, where it is used."""
    processes: dict[str, Running] = field(default_factory=dict)
    mother: Mother | None = None
    """Who starts the processes of services apart."""
    places: dict[str, Place] = field(default_factory=dict)
    """Of services apart: by the names of the processes, `orders` or `orders 2`."""
    clients: list[httpx2.AsyncClient] = field(default_factory=list)
    nginx: Nginx | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def database_urls(self) -> dict[str, str]:
        """Service -> URL, as the audit wants them."""
        return {s.name: self.settings.database(s.name) for s in topology.SERVICES}

    def client(self, **headers: str) -> httpx2.AsyncClient:
        """A client with its own cookies, closed with the site."""
        made = httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=30)
        self.clients.append(made)
        return made

    async def signed_in(self, email: str, password: str = accounts.PASSWORD) -> "Api":
        """An API client of this person."""
        client = self.client()
        response = await client.post(
            "/api/v1/auth/token", json={"email": email, "password": password}
        )
        assert response.status_code in (200, 201), response.text
        body = response.json()
        client.headers["authorization"] = f"Bearer {body['access_token']}"
        return Api(client, UUID(body["user"]["id"]))

    async def start(self, part: str, environment: dict[str, str], *command: str) -> None:
        """Start a process."""
        if self.mother is not None:
            self.processes[part] = self.mother.bear(self.environment | environment)
            return
        program = ["tests.sabotage", self.sabotage] if self.sabotage else ["dvor"]
        process = subprocess.Popen(
            [sys.executable, "-m", *program, *(command or ("serve",))],
            env=os.environ | self.environment | environment,
            cwd=ROOT,
        )
        self.processes[part] = process

    async def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End one process of services apart, and wait until it has."""
        self.processes[name].send_signal(how)
        await asyncio.to_thread(self.processes[name].wait, 30)

    async def begin(self, name: str) -> None:
        """Start it again where it was; returns when it is ready."""
        place = self.places[name]
        await self.start(name, place.environment)
        await self.ready(place.port, name)

    async def ready(self, port: int, part: str) -> None:
        """Wait until the process that serves `port` is ready."""
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(START_SECONDS * 10):
                assert self.processes[part].poll() is None, f"{part} ended"
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        return
                except httpx2.HTTPError:
                    pass
                await asyncio.sleep(0.1)
        raise TimeoutError(f"{part} was not ready after {START_SECONDS} s")

    async def stop(self) -> None:
        """Stop all processes, kindly."""
        for client in self.clients:
            await client.aclose()
        if self.nginx is not None:
            self.nginx.stop()
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait(20)
        if self.mother is not None:
            self.mother.end()


@dataclass
class Api:
    """REST as one person uses it."""

    http: httpx2.AsyncClient
    user_id: UUID

    async def get(self, path: str, **params: Any) -> Any:
        """What stands there."""
        response = await self.http.get(f"/api/v1{path}", params=params)
        assert response.status_code == 200, response.text
        return response.json()

    async def send(self, method: str, path: str, body: Any = None, key: UUID | None = None) -> Any:
        """Change something; the response as it is."""
        headers = {"idempotency-key": str(key or uuid4())}
        return await self.http.request(method, f"/api/v1{path}", json=body, headers=headers)

    async def post(self, path: str, body: Any = None, key: UUID | None = None) -> Any:
        """Change something that must succeed."""
        response = await self.send("POST", path, body, key)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None


_demo_worlds: dict[str, Settings] = {}
"""Server -> databases with the demo world, filled once in this process and copied by each site."""


async def demo_world(settings: Settings) -> None:
    """What `./dvor up` shows at first."""
    server = settings.database_url
    if server not in _demo_worlds:
        made = Settings(
            database_url=server, database_prefix=f"demo{os.getpid()}_", secret=settings.secret
        )
        await topology.migrate(made)
        async with topology.running(made) as house:
            contracts = (Identity, Catalog, Inventory)
            await fill(*(house.proxy(contract, "setup") for contract in contracts))
            await house.settle()
        _demo_worlds[server] = made
    names = ("broker", *(service.name for service in topology.SERVICES))
    await databases.copy(_demo_worlds[server], settings.database_prefix, names)


MakeWorld = Callable[[Settings], Awaitable[Any]]


@asynccontextmanager
async def running_site(
    shape: str,
    server: str,
    *,
    sabotage: str = "",
    world: MakeWorld | None = None,
    extra: Mapping[str, str] | None = None,
    replicas: int = 1,
) -> AsyncIterator[Site]:
    """A Dvor of this shape on fresh databases, with the demo world or another one in it.

    `replicas`: so many processes of each service, where they are apart.
    """
    port = free_port()
    prefix = f"j{os.getpid()}_{next(_numbers)}_"
    environment = {
        "DVOR_DATABASE_URL": server,
        "DVOR_DATABASE_PREFIX": prefix,
        "DVOR_DATABASE_POOL": "6",
        "DVOR_SECRET": SECRET,
        "DVOR_PORT": str(port),
        "DVOR_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DVOR_PAYMENTS_WEBHOOK_URL": f"http://127.0.0.1:{port}/api/v1/orders/payment-webhooks",
        "DVOR_PROVIDER_WEBHOOK_URL": f"http://127.0.0.1:{port}/api/v1/payments/provider-webhooks",
        "DVOR_LOG_LEVEL": "warning",
        "DVOR_DEMO": "1",
        **({} if "DVOR_BROKER_URL" in (extra or {}) else _broker(shape, prefix)),
        # As slow as the machine is: what is tested is what people get, not how soon.
        "DVOR_CALL_TIMEOUT_SECONDS": "60",
        "DVOR_DATABASE_WAIT_SECONDS": "60",
        "DVOR_STATEMENT_TIMEOUT_MS": "60000",
        **(extra or {}),
    }
    settings = Settings.from_environment(environment)
    if world is None:
        await demo_world(settings)
    else:
        await topology.migrate(settings)
    made = await world(settings) if world else None
    folder = tempfile.TemporaryDirectory(prefix="dvor-journey-")
    site = Site(shape, settings, environment, sabotage, made, data=folder.name)
    try:
        if shape == "embedded":
            await site.start("all", {})
            await site.ready(port, "all")
        elif shape == "workers":
            await _start_workers(site)
        else:
            await _start_separately(site, replicas, behind_nginx=shape != "edge")
        yield site
        if not sabotage:
            report = await audit(site.database_urls)
            assert report.clean, report
    finally:
        await site.stop()
        folder.cleanup()


def _broker(shape: str, prefix: str) -> dict[str, str]:
    """How events travel; names of a site are its own, as it shares the server with others."""
    if shape not in BROKERS:
        return {}
    return {
        "DVOR_BROKER": shape,
        "DVOR_BROKER_URL": servers.running(BROKERS[shape]).address,
        "DVOR_BROKER_PREFIX": prefix.rstrip("_"),
        "DVOR_BROKER_PARTITIONS": "2",
    }


async def _start_workers(site: Site) -> None:
    port = str(site.settings.port)
    command = ("up", "--port", port, "--workers", "2", "--no-demo", "--data", site.data)
    await site.start("up", {}, *command)
    await site.ready(site.settings.port, "up")


async def _start_separately(site: Site, replicas: int, *, behind_nginx: bool) -> None:
    site.places = _places(site.settings.port, replicas, behind_nginx=behind_nginx)
    if not site.sabotage:
        site.mother = Mother()
    for name, place in site.places.items():
        await site.start(name, place.environment)
    for name, place in site.places.items():
        await site.ready(place.port, name)
    if behind_nginx:
        _start_nginx(site)


def _places(port: int, replicas: int, *, behind_nginx: bool) -> dict[str, Place]:
    parts = [*(service.name for service in topology.SERVICES), "web"]
    free = iter(free_ports(2 * replicas * len(parts)))
    http = {part: [next(free) for _ in range(replicas)] for part in parts}
    if not behind_nginx:
        http["web"] = [port]
    grpc = {part: [next(free) for _ in range(replicas)] for part in parts if part != "web"}
    addresses = {
        f"DVOR_ADDRESS_{part.upper()}": f"ipv4:{','.join(f'127.0.0.1:{one}' for one in ports)}"
        for part, ports in grpc.items()
    }
    found: dict[str, Place] = {}
    for part in parts:
        for number, own in enumerate(http[part]):
            more = {"DVOR_GRPC_PORT": str(grpc[part][number])} if part in grpc else _EDGE
            environment = {**addresses, **more, "DVOR_RUN": part, "DVOR_PORT": str(own)}
            found[f"{part} {number + 1}" if number else part] = Place(part, own, environment)
    return found


_EDGE = {"DVOR_EDGE": "1"}


def _start_nginx(site: Site) -> None:
    try:
        site.nginx = Nginx(Path(site.data))
        site.nginx.install()
    except Missing as missing:
        servers.without(missing)
    sites = site.nginx.folder / "sites"
    sites.mkdir(parents=True)
    upstreams: dict[str, list[str]] = {}
    for place in site.places.values():
        upstreams.setdefault(place.part, []).append(f"127.0.0.1:{place.port}")
    edge = Edge(
        upstreams=upstreams,
        listen=f"127.0.0.1:{site.settings.port}",
        cache=site.nginx.folder / "temporary" / "tokens",
        # All people of a test come from one address.
        requests_per_second=100_000,
        requests_at_once=10_000,
        sign_ins_per_second=10_000,
        sign_ins_at_once=10_000,
        connections=4000,
    )
    (sites / "dvor.conf").write_text(configuration(edge, topology.SERVICES))
    site.nginx.start(tied=True)


@pytest.fixture(scope="session", params=SHAPES)
async def site(request: pytest.FixtureRequest, postgres: str) -> AsyncIterator[Site]:
    """A running Dvor, in each shape."""
    async with running_site(request.param, postgres) as running:
        yield running


@pytest.fixture
async def customer(site: Site) -> Api:
    """The demo customer."""
    return await site.signed_in("customer@dvor.example")
