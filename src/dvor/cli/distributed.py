"""`dvor up --distributed`: every service in processes of its own, behind an nginx, on real servers."""

import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from dvor import __version__, topology
from dvor.cli import assets
from dvor.cli.edge import DRAIN_SECONDS, WEB, Edge, configuration
from dvor.cli.health_page import HealthPage, Row
from dvor.cli.problems import Problem
from dvor.cli.servers import Kafka, Nginx, RabbitMQ, Running, Server
from dvor.cli.servers.processes import free_ports
from dvor.cli.supervisor import Options, Supervisor, is_ready, taken
from dvor.cli.workers import Worker

BROKERS: Mapping[str, type[Server] | None] = {
    "local": None,
    "rabbitmq": RabbitMQ,
    "kafka": Kafka,
}
_HERE = "127.0.0.1"
_POOL = 6
_SPARE_CONNECTIONS = 60


@dataclass(frozen=True)
class Apart:
    """How the services are set apart."""

    broker: str
    replicas: int
    """Processes of each service."""


@dataclass(frozen=True)
class _Replica:
    part: str
    worker: Worker
    port: int
    grpc_port: int = 0


@dataclass
class _Map:
    """Who is where."""

    replicas: list[_Replica] = field(default_factory=list)

    def upstreams(self) -> dict[str, Sequence[str]]:
        parts = dict.fromkeys(one.part for one in self.replicas)
        return {p: [f"{_HERE}:{r.port}" for r in self.replicas if r.part == p] for p in parts}

    def addresses(self) -> dict[str, str]:
        """Of each service as gRPC wants it: calls go to its replicas in turn."""
        found: dict[str, list[str]] = {}
        for one in self.replicas:
            if one.grpc_port:
                found.setdefault(one.part, []).append(f"{_HERE}:{one.grpc_port}")
        return {f"DVOR_ADDRESS_{p.upper()}": f"ipv4:{','.join(at)}" for p, at in found.items()}


class Distributed(Supervisor):
    """Starts servers, services and the edge; watches the processes; stops all it started."""

    def __init__(self, options: Options, apart: Apart) -> None:
        if apart.broker not in BROKERS:
            raise Problem(f"--broker is one of {', '.join(BROKERS)}, not {apart.broker!r}")
        super().__init__(options)
        self._apart = apart
        self._map = _Map()
        self._servers: list[Server] = []
        self._ours: list[Server] = []
        """Those of the servers that did not run before: they end with us."""
        self._page: HealthPage | None = None

    def _connections(self) -> int:
        # Each process has a pool for its database and one for the local broker's.
        processes = len(topology.SERVICES) * self._apart.replicas
        return max(super()._connections(), 2 * _POOL * processes + _SPARE_CONNECTIONS)

    def _start(self, stack: ExitStack) -> None:
        host = _number(self._options.host)
        with taken(host, self._options.port) as listening:
            port = listening.getsockname()[1]  # nginx takes it when all else is ready
            with self._console.status("Building the pages' styles and scripts") as status:
                self._place()
                assets.build()
                status.update("Starting PostgreSQL")
                variables = self._variables(port)
                variables["DVOR_DATABASE_URL"] = (
                    self._settings.database_url or self._start_postgres()
                )
                if kind := BROKERS[self._apart.broker]:
                    status.update(f"Starting {kind.name}")
                    variables["DVOR_BROKER_URL"] = self._server(kind).address
            self._prepare(variables)
            with self._console.status("Starting the services"):
                self._begin(variables)
        with self._console.status("Starting nginx"):
            self._open(host, port)
        self._folder.tell(port=port, database_url=variables["DVOR_DATABASE_URL"])
        self._page = HealthPage(self._rows)
        stack.callback(self._page.close)
        self._welcome(port)

    def _place(self) -> None:
        """Start the processes, which load their code while the rest gets ready."""
        names = [service.name for service in topology.SERVICES for _ in range(self._apart.replicas)]
        names += [WEB] * self._apart.replicas
        ports = iter(free_ports(2 * len(names)))
        for name in names:
            worker = Worker("serve", "--held", name=name)
            worker.start()
            self._workers.append(worker)
            self._map.replicas.append(
                _Replica(name, worker, next(ports), 0 if name == WEB else next(ports))
            )

    def _variables(self, port: int) -> dict[str, str]:
        site = self._settings.public_url or f"http://localhost:{port}"
        inside = f"http://{_HERE}:{port}/api/v1"
        return {
            "DVOR_SECRET": (self._settings.secret or self._folder.secret()).hex(),
            "DVOR_DATABASE_POOL": str(_POOL),
            "DVOR_HOST": _HERE,
            "DVOR_PUBLIC_URL": site,
            "DVOR_PAYMENTS_WEBHOOK_URL": f"{inside}/orders/payment-webhooks",
            "DVOR_PROVIDER_WEBHOOK_URL": f"{inside}/payments/provider-webhooks",
            "DVOR_BROKER": self._apart.broker,
            "DVOR_DRAIN_SECONDS": str(DRAIN_SECONDS),
            "DVOR_DEMO": "1" if self._options.demo else "0",
            "DVOR_DATA": str(self._folder.path),
        }

    def _server(self, kind: type[Server]) -> Running:
        server = kind(self._folder.path / "servers")
        ran_before = server.given() is not None or server.found() is not None
        self._servers.append(server)
        if not ran_before:
            self._ours.append(server)
        return server.start(say=True)

    def _prepare(self, variables: Mapping[str, str]) -> None:
        """Bring the databases up to date and fill the demo world, before anybody serves."""
        with_demo = self._options.demo and not self._folder.has_demo_world
        first = ["migrate", *(["demo"] if with_demo else []), "only"]
        builder = Worker("serve", "--held", name="the first process")
        builder.start()
        builder.begin({**variables, "DVOR_RUN": "all"}, first=first)
        self._workers.append(builder)  # it is stopped as all others if we must
        while (code := builder.ended()) is None:
            self._sleep()
        self._workers.remove(builder)
        if code:
            raise Problem("the databases could not be prepared; the reason stands above")

    def _begin(self, variables: Mapping[str, str]) -> None:
        addresses = self._map.addresses()
        for one in self._map.replicas:
            own = {"DVOR_RUN": one.part, "DVOR_PORT": str(one.port)}
            own |= {"DVOR_EDGE": "1"} if one.part == WEB else {"DVOR_GRPC_PORT": str(one.grpc_port)}
            one.worker.begin({**variables, **addresses, **own})
        for one in self._map.replicas:
            self._wait_until_ready(_HERE, one.port)

    def _open(self, host: str, port: int) -> None:
        nginx = Nginx(self._folder.path / "servers" / "edge")
        self._write_site(nginx, host, port)
        self._servers.append(nginx)
        self._ours.append(nginx)
        nginx.stop()  # of a Dvor that was killed: it has another map
        nginx.start(say=True)
        self._wait_until_ready(host, port)

    def _write_site(self, nginx: Nginx, host: str, port: int) -> None:
        sites = nginx.folder / "sites"
        sites.mkdir(parents=True, exist_ok=True)
        edge = Edge(
            upstreams=self._map.upstreams(),
            listen=f"{host}:{port}",
            cache=nginx.folder / "temporary" / "tokens",
            body_max_bytes=self._settings.body_max_bytes,
            requests_per_second=self._settings.edge_requests_per_second,
            requests_at_once=4 * self._settings.edge_requests_per_second,
        )
        (sites / "dvor.conf").write_text(configuration(edge, topology.SERVICES))

    def _stop_servers(self) -> None:
        for server in reversed(self._ours):
            server.stop()
        super()._stop_servers()

    def _rows(self) -> list[Row]:
        """Everything there is, and how it is now. Asked by the page, in a thread of its own."""
        rows = [
            Row(
                one.part,
                f"http://{_HERE}:{one.port}" + (f", gRPC {one.grpc_port}" if one.grpc_port else ""),
                is_ready(_HERE, one.port),
                f"process {one.worker.number}" if one.worker.number else "starting again",
            )
            for one in self._map.replicas
        ]
        for server in self._servers:
            running = server.given() or server.found()
            answers = running is not None and (
                running.ports is None or server.is_ready(running.ports)
            )
            rows.append(Row(server.name, running.address if running else "", answers, ""))
        return rows

    def _welcome(self, port: int) -> None:
        site = (self._settings.public_url or f"http://localhost:{port}").rstrip("/")
        self._say(f"\n[bold]Dvor {__version__}[/] is open at [bold]{site}[/]")
        for row in self._rows():
            self._say(f"  {row.name:<14} {row.address}")
        self._say(f"  {'PostgreSQL':<14} one database for each service")
        self._say(f"  {'broker':<14} {self._apart.broker}")
        assert self._page is not None
        self._say(f"\n  Health     {self._page.address}")
        self._say(f"  API docs   {site}/api/docs")
        self._say(f"  Data       {self._folder.path}")
        if self._options.demo:
            self._welcome_to_demo()
        self._say("\nCtrl-C closes it.")


def _number(host: str) -> str:
    """As nginx wants it. Raises Problem."""
    if host == "localhost":
        return _HERE
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise Problem(f"--distributed listens on an IPv4 address, not on {host!r}") from None
