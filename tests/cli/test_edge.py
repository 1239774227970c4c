"""The edge: made from the topology, taken by nginx, and what it does before real processes."""

import http.client
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dvor import topology
from dvor.cli.edge import TOKEN_PATH, Edge, configuration, routes
from dvor.cli.problems import Problem
from dvor.cli.servers import Missing, Nginx
from dvor.cli.servers.processes import free_ports
from dvor.web import PAGES
from tests import servers


def owner(path: str) -> str:
    """Whom the first expression that fits names."""
    return next((part for like, part in routes(topology.SERVICES) if re.search(like, path)), "web")


def example(path: str) -> str:
    return re.sub(r"\{\w+(:path)?\}", "x7", path)


class TestRoutes:
    def test_every_route_goes_to_its_service(self) -> None:
        seen = 0
        for service in topology.SERVICES:
            for router in (*service.hot_routers, *service.routers):
                for route in router.routes:
                    path = getattr(route, "path", "")
                    assert owner(example(path)) == service.name, path
                    seen += 1
        assert seen > 50

    def test_every_page_and_what_nobody_has_goes_to_web(self) -> None:
        paths = [getattr(route, "path", "") for router in PAGES for route in router.routes]
        for path in (*map(example, paths), "/api/docs", "/api/v1/ordersx", "/nowhere"):
            assert owner(path) == "web", path

    def test_two_services_cannot_have_the_same(self) -> None:
        route = SimpleNamespace(path="/api/v1/things")
        router = SimpleNamespace(routes=[route])
        one, two = (
            SimpleNamespace(name=name, hot_routers=(), routers=[router]) for name in ("one", "two")
        )
        with pytest.raises(ValueError, match="/api/v1/things is of one and of two"):
            routes([one, two])  # pyright: ignore[reportArgumentType]


@dataclass
class Backend:
    """Stands for every process: says where it is, and writes down what it was asked."""

    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path, token."""
    server: ThreadingHTTPServer | None = None
    gone: bool = False
    """Cuts whoever is still connected."""

    @property
    def address(self) -> str:
        assert self.server is not None
        return f"127.0.0.1:{self.server.server_address[1]}"

    def count(self, path: str) -> int:
        return sum(one == path for _, one, _ in self.asked)

    def start(self, port: int = 0) -> None:
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                self.rfile.read(length)
                if backend.gone:
                    self.close_connection = True
                    return
                token = self.headers.get("authorization", "")
                backend.asked.append((self.command, self.path, token))
                if self.path == "/stream":
                    self.stream()
                    return
                status = 401 if token == "Bearer ended" else 200
                if self.path == TOKEN_PATH and status == 200:
                    status = 204
                body = b"" if status == 204 else f"from {backend.address}".encode()
                self.send_response(status)
                self.send_header("cache-control", "private, no-store")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def stream(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("x-accel-buffering", "no")
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(b"data: first\n\n")
                self.wfile.flush()
                time.sleep(2)
                self.wfile.write(b"data: last\n\n")

            do_GET = do_POST = answer  # noqa: N815  the library's names

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Stand:
    """nginx before two backends: the first is every part, the second is a replica of catalog."""

    nginx: Nginx
    port: int
    first: Backend
    second: Backend

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body or None, headers)
            said = connection.getresponse()
            text = said.read().decode()
            return said.status, text, {k.lower(): v for k, v in said.getheaders()}
        finally:
            connection.close()


def settings(folder: Path, first: str, second: str, port: int, **more: Any) -> Edge:
    parts = [*(service.name for service in topology.SERVICES), "web"]
    upstreams: dict[str, list[str]] = {part: [first] for part in parts}
    upstreams["catalog"] = [first, second]
    return Edge(
        upstreams=upstreams,
        listen=f"127.0.0.1:{port}",
        cache=folder / "temporary" / "tokens",
        **more,
    )


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    made = Nginx(tmp_path)
    try:
        made.install()
    except Missing as missing:
        servers.without(missing)
    (made.folder / "sites").mkdir(parents=True)
    yield made
    made.stop()


@pytest.fixture
def stand(nginx: Nginx) -> Iterator[Stand]:
    first, second = Backend(), Backend()
    first.start()
    second.start()
    [port] = free_ports(1)
    (nginx.folder / "static").mkdir()
    (nginx.folder / "static" / "app.css").write_text("body {}")
    edge = settings(
        nginx.folder,
        first.address,
        second.address,
        port,
        body_max_bytes=1000,
        sign_ins_per_second=1,
        sign_ins_at_once=3,
        token_seconds=60,
        static=nginx.folder / "static",
    )
    (nginx.folder / "sites" / "dvor.conf").write_text(configuration(edge, topology.SERVICES))
    nginx.start(tied=True)
    yield Stand(nginx, port, first, second)
    first.stop()
    second.stop()


class TestNginx:
    def test_takes_it_with_tls_and_refuses_what_is_no_configuration(
        self, nginx: Nginx, tmp_path: Path
    ) -> None:
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        words = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec"]
        words += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"]
        words += ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run(words, check=True, capture_output=True)
        [port] = free_ports(1)
        edge = settings(
            nginx.folder,
            "127.0.0.1:9",
            "127.0.0.1:8",
            port,
            certificate=certificate,
            key=key,
        )
        site = nginx.folder / "sites" / "dvor.conf"
        site.write_text(configuration(edge, topology.SERVICES))
        nginx.start(tied=True)
        nginx.check()
        site.write_text("server { listen nowhere at all; }")
        with pytest.raises(Problem, match="nginx does not take its configuration"):
            nginx.check()


class TestEdge:
    def test_asks_identity_once_about_a_token(self, stand: Stand) -> None:
        for _ in range(3):
            assert stand.ask("GET", "/api/v1/orders", authorization="Bearer good")[0] == 200
        assert stand.first.count(TOKEN_PATH) == 1
        assert stand.first.count("/api/v1/orders") == 3
        assert stand.first.asked[-1][2] == "Bearer good", "the service looks at it again"

    def test_an_ended_token_does_not_reach_the_service(self, stand: Stand) -> None:
        for method in ("GET", "POST"):
            status, text, _ = stand.ask(
                method, "/api/v1/orders", b"{}", authorization="Bearer ended"
            )
            assert (status, text) == (401, f"from {stand.first.address}"), "identity says why"
        assert stand.first.count("/api/v1/orders") == 0

    def test_strangers_and_those_who_sign_in_are_not_checked(self, stand: Stand) -> None:
        assert stand.ask("GET", "/api/v1/orders")[0] == 200
        stand.ask("POST", "/api/v1/auth/refresh", b"{}", authorization="Bearer good")
        assert stand.first.count(TOKEN_PATH) == 0
        assert stand.first.count("/api/v1/auth/refresh") == 1

    def test_signing_in_is_limited_and_says_when_to_come_again(self, stand: Stand) -> None:
        answers = [stand.ask("POST", "/api/v1/auth/token", b"{}") for _ in range(8)]
        statuses = [status for status, _, _ in answers]
        assert statuses[:4] == [200] * 4
        assert statuses[-1] == 429
        assert answers[-1][2]["content-type"] == "application/problem+json"
        assert answers[-1][2]["retry-after"] == "1"
        assert stand.ask("GET", "/api/v1/orders")[0] == 200, "others are not"

    def test_what_is_too_large_is_refused_as_a_problem(self, stand: Stand) -> None:
        status, text, headers = stand.ask("POST", "/api/v1/orders", b"x" * 1001)
        assert status == 413
        assert headers["content-type"] == "application/problem+json"
        assert '"code": "kernel.too_large"' in text
        assert not stand.first.asked

    def test_replicas_share_the_work_and_stand_in_for_each_other(self, stand: Stand) -> None:
        for _ in range(6):
            stand.ask("GET", "/api/v1/listings/x7")
        assert stand.first.count("/api/v1/listings/x7") > 0
        assert stand.second.count("/api/v1/listings/x7") > 0
        stand.second.server.server_close()  # pyright: ignore[reportOptionalMemberAccess]
        for _ in range(6):
            assert stand.ask("GET", "/api/v1/listings/x7")[0] == 200

    def test_one_that_was_left_alone_is_asked_when_the_other_goes(self, stand: Stand) -> None:
        port = int(stand.second.address.rpartition(":")[2])
        stand.second.stop()
        for _ in range(10):
            assert stand.ask("GET", "/api/v1/listings")[0] == 200
        stand.second.start(port)
        stand.first.gone = True
        stand.first.stop()
        assert stand.ask("GET", "/api/v1/listings")[1] == f"from {stand.second.address}"

    def test_a_part_that_is_away_is_told_as_a_problem(self, stand: Stand) -> None:
        stand.first.server.server_close()  # pyright: ignore[reportOptionalMemberAccess]
        status, text, headers = stand.ask("GET", "/api/v1/orders")
        assert status == 503
        assert headers["retry-after"] == "1"
        assert '"status": 503' in text

    def test_news_arrive_when_they_are_sent(self, stand: Stand) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=20)
        began = time.monotonic()
        connection.request("GET", "/stream")
        assert connection.getresponse().readline() == b"data: first\n"
        assert time.monotonic() - began < 2
        connection.close()

    def test_measures_are_for_those_inside(self, stand: Stand) -> None:
        assert stand.ask("GET", "/metrics")[0] == 404
        assert not stand.first.asked

    def test_assets_come_from_the_edge_and_from_web_where_it_has_none(self, stand: Stand) -> None:
        status, text, headers = stand.ask("GET", "/static/app.css")
        assert (status, text) == (200, "body {}")
        assert headers["content-type"] == "text/css"
        assert "immutable" in headers["cache-control"]
        assert not stand.first.asked
        assert stand.ask("GET", "/static/other.css")[1] == f"from {stand.first.address}"
