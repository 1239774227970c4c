"""Dvor as people run it: in one process, in two workers on one port, every service in its own.

Services apart stand behind the nginx of `up --distributed`; or, nightly, behind the process of the
pages, which then serves the REST of all of them.
"""

import asyncio
import itertools
import os
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
from dvor.cli.servers import Missing, Nginx
from dvor.contracts.catalog import Catalog
from dvor.contracts.identity import Identity
from dvor.contracts.inventory import Inventory
from dvor.demo import accounts
from dvor.demo.world import fill
from dvor.kernel.config import Settings
from tests import servers

SHAPES = (
    pytest.param("edge", marks=pytest.mark.nightly),
    "separate",
    "workers",
    "embedded",
)
"""The one that costs most while it stands there comes first: the last one stays until the end."""
SECRET = "6a" * 32
ROOT = Path(__file__).parents[2]
START_SECONDS = 180  # nine processes at once on a busy machine
_numbers = itertools.count()


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
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
        program = ["tests.sabotage", self.sabotage] if self.sabotage else ["dvor"]
        process = subprocess.Popen(
            [sys.executable, "-m", *program, *(command or ("serve",))],
            env=os.environ | self.environment | environment,
            cwd=ROOT,
        )
        self.processes[part] = process

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
            process.terminate()
        for process in self.processes.values():
            process.wait(20)


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


async def demo_world(settings: Settings) -> None:
    """What `./dvor up` shows at first."""
    async with topology.running(settings) as house:
        contracts = (Identity, Catalog, Inventory)
        await fill(*(house.proxy(contract, "setup") for contract in contracts))
        await house.settle()


MakeWorld = Callable[[Settings], Awaitable[Any]]


@asynccontextmanager
async def running_site(
    shape: str,
    server: str,
    *,
    sabotage: str = "",
    world: MakeWorld | None = None,
    extra: Mapping[str, str] | None = None,
) -> AsyncIterator[Site]:
    """A Dvor of this shape on fresh databases, with the demo world or another one in it."""
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
        # As slow as the machine is: what is tested is what people get, not how soon.
        "DVOR_CALL_TIMEOUT_SECONDS": "60",
        "DVOR_DATABASE_WAIT_SECONDS": "60",
        "DVOR_STATEMENT_TIMEOUT_MS": "60000",
        **(extra or {}),
    }
    settings = Settings.from_environment(environment)
    await topology.migrate(settings)
    made = await (world or demo_world)(settings)
    folder = tempfile.TemporaryDirectory(prefix="dvor-journey-")
    site = Site(shape, settings, environment, sabotage, made, data=folder.name)
    try:
        if shape == "embedded":
            await site.start("all", {})
            await site.ready(port, "all")
        elif shape == "workers":
            await _start_workers(site)
        else:
            await _start_separately(site, behind_nginx=shape != "edge")
        yield site
        if not sabotage:
            report = await audit(site.database_urls)
            assert report.clean, report
    finally:
        await site.stop()
        folder.cleanup()


async def _start_workers(site: Site) -> None:
    port = str(site.settings.port)
    command = ("up", "--port", port, "--workers", "2", "--no-demo", "--data", site.data)
    await site.start("up", {}, *command)
    await site.ready(site.settings.port, "up")


async def _start_separately(site: Site, *, behind_nginx: bool) -> None:
    names = [service.name for service in topology.SERVICES]
    grpc = {name: free_port() for name in names}
    http = {name: free_port() for name in names}
    http["web"] = free_port() if behind_nginx else site.settings.port
    addresses = {f"DVOR_ADDRESS_{n.upper()}": f"127.0.0.1:{grpc[n]}" for n in names}
    for name in names:
        own = {"DVOR_RUN": name, "DVOR_GRPC_PORT": str(grpc[name]), "DVOR_PORT": str(http[name])}
        await site.start(name, addresses | own)
    own = {"DVOR_RUN": "web", "DVOR_EDGE": "1", "DVOR_PORT": str(http["web"])}
    await site.start("web", addresses | own)
    for name, port in http.items():
        await site.ready(port, name)
    if behind_nginx:
        _start_nginx(site, http)


def _start_nginx(site: Site, http: Mapping[str, int]) -> None:
    try:
        site.nginx = Nginx(Path(site.data))
        site.nginx.install()
    except Missing as missing:
        servers.without(missing)
    sites = site.nginx.folder / "sites"
    sites.mkdir(parents=True)
    edge = Edge(
        upstreams={name: [f"127.0.0.1:{port}"] for name, port in http.items()},
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
