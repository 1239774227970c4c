"""The edge: an nginx before services that run apart, its configuration made from the topology.

An address goes to the service that has its route; pages, and what nobody has, go to `web`. Here
what can be refused cheaply is refused: too much, too often, too large, a token that has ended.
Services check all of it again: they trust nobody because of the edge.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvor.kernel.http.app import TOKEN_PATH
from dvor.kernel.service import Service

WEB = "web"
STATIC = Path(__file__).parents[1] / "web" / "static"
AVOIDED_SECONDS = 5
"""A replica that did not answer twice is left alone so long: the next may be restarted then."""
IDLE_SECONDS = 4
"""Idle connections to a process are closed by us, before it closes them (`DRAIN_SECONDS`, uvicorn's
30 s): what is sent while the other side closes is lost.
"""
DRAIN_SECONDS = 6
"""What DVOR_DRAIN_SECONDS of the processes behind is."""
_SIGNING_IN = re.compile(r"/api/v1/auth|/sign-(in|up)")
_PARAMETER = re.compile(r"\\{\w+(:path)?\\}")
_GROUP_SEGMENTS = 3  # /api/v1/orders


@dataclass(frozen=True, kw_only=True)
class Edge:
    """What stands before what, and how much it lets through."""

    upstreams: Mapping[str, Sequence[str]]
    """Of each service, and of `web`: the `host:port` of its replicas."""
    listen: str = "127.0.0.1:8000"
    static: Path = STATIC
    """The built assets, served from here where nginx may read them."""
    cache: Path
    """A folder for answers about tokens."""
    certificate: Path | None = None
    """PEM of a chain, with its `key`: then it speaks TLS and HTTP/2."""
    key: Path | None = None
    body_max_bytes: int = 6_000_000
    requests_per_second: int = 100
    """Of one address, beyond `requests_at_once` that may come together."""
    requests_at_once: int = 400
    sign_ins_per_second: int = 5
    sign_ins_at_once: int = 30
    connections: int = 200
    """Of one address."""
    token_seconds: int = 2
    """How long a token that was accepted is believed, as in the services."""


def routes(services: Sequence[Service]) -> list[tuple[str, str]]:
    """Regular expressions of paths and the service that has them, the first that fits counts.

    What begins alike and belongs to one service is one expression; where services share a
    beginning, each route is its own. Raises ValueError where two have the very same.
    """
    owners: dict[str, str] = {}
    for service in services:
        for router in (*service.hot_routers, *service.routers):
            for route in router.routes:
                path = getattr(route, "path", "")
                if owners.setdefault(path, service.name) != service.name:
                    raise ValueError(f"{path} is of {owners[path]} and of {service.name}")
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for path, owner in owners.items():
        groups[_beginning(path)][path] = owner
    found: list[tuple[str, str]] = []
    for beginning, members in groups.items():
        if len(set(members.values())) == 1:
            found.append((f"^{re.escape(beginning)}(/|$)", next(iter(members.values()))))
        else:
            found += [(f"^{_expression(path)}$", owner) for path, owner in members.items()]
    # `/offers/{id}` would also take `/offers/all`: what names more comes first.
    return sorted(found, key=lambda one: (one[0].count("[^/]+"), one[0]))


def _beginning(path: str) -> str:
    parts = path.split("/")
    length = next((n for n, part in enumerate(parts) if "{" in part), len(parts))
    return "/".join(parts[: min(length, _GROUP_SEGMENTS + 1)])


def _expression(path: str) -> str:
    return _PARAMETER.sub(lambda one: ".+" if one[1] else "[^/]+", re.escape(path))


def configuration(edge: Edge, services: Sequence[Service]) -> str:
    """What stands in nginx' `http` block."""
    return "\n".join(_lines(edge, services)) + "\n"


def _lines(edge: Edge, services: Sequence[Service]) -> Iterator[str]:
    yield from _limits(edge)
    for part, replicas in edge.upstreams.items():
        yield f"upstream {part} {{"
        yield "    least_conn;"
        for address in replicas:
            yield f"    server {address} max_fails=2 fail_timeout={AVOIDED_SECONDS}s;"
        if len(replicas) > 1:
            # One that is back counts as away until a request to it has ended, which may be one that
            # waits for news. If the other goes meanwhile, ask whoever there is.
            for address in replicas:
                yield f"    server {address} max_fails=0 backup;"
        yield "    keepalive 256;"
        yield f"    keepalive_timeout {IDLE_SECONDS}s;"
        yield "}"
    yield "server {"
    for line in _server(edge, services):
        yield f"    {line}" if line else ""
    yield "}"


def _limits(edge: Edge) -> Iterator[str]:
    yield f"limit_req_zone $binary_remote_addr zone=all:4m rate={edge.requests_per_second}r/s;"
    yield f"limit_req_zone $binary_remote_addr zone=signing:4m rate={edge.sign_ins_per_second}r/s;"
    yield "limit_conn_zone $binary_remote_addr zone=connections:4m;"
    yield f"proxy_cache_path {edge.cache} keys_zone=tokens:4m max_size=16m inactive=1m;"
    yield 'map $http_connection $dvor_connection { default ""; }'


def _server(edge: Edge, services: Sequence[Service]) -> Iterator[str]:
    if edge.certificate and edge.key:
        yield f"listen {edge.listen} ssl http2 backlog=1024;"
        yield f"ssl_certificate {edge.certificate};"
        yield f"ssl_certificate_key {edge.key};"
        yield "ssl_protocols TLSv1.2 TLSv1.3;"
        yield "ssl_session_cache shared:tls:4m;"
        yield "add_header strict-transport-security max-age=31536000;"
    else:
        yield f"listen {edge.listen} backlog=1024;"
    yield from _CONSTANT
    yield f"client_max_body_size {edge.body_max_bytes};"
    yield f"limit_conn connections {edge.connections};"
    yield f"limit_req zone=all burst={edge.requests_at_once} nodelay;"
    yield from _refusals()
    yield from _token_check(edge)
    yield "location /static/ {"
    yield f"    root {edge.static.parent};"
    yield "    try_files $uri @web;"
    yield '    add_header cache-control "public, max-age=31536000, immutable";'
    yield "    add_header x-content-type-options nosniff;"
    yield "}"
    yield f"location @web {{ proxy_pass http://{WEB}; }}"
    yield "location = /metrics { return 404; }"  # for Prometheus, which comes from inside
    signing = f"limit_req zone=signing burst={edge.sign_ins_at_once} nodelay;"
    yield f"location ~ ^/sign-(in|up)$ {{ {signing} proxy_pass http://{WEB}; }}"
    for expression, part in routes(services):
        yield f'location ~ "{expression}" {{'
        if _SIGNING_IN.search(expression.replace("\\", "")):
            yield f"    {signing}"
        elif expression.startswith("^/api/"):
            yield "    auth_request /dvor-token;"
        yield f"    proxy_pass http://{part};"
        yield "}"
    yield f"location / {{ proxy_pass http://{WEB}; }}"


_CONSTANT = (
    "server_tokens off;",
    "default_type application/octet-stream;",
    "types { text/css css; text/javascript js; image/svg+xml svg; font/woff2 woff2; }",
    "limit_req_status 429;",
    "limit_conn_status 429;",
    "proxy_http_version 1.1;",
    "proxy_set_header connection $dvor_connection;",
    "proxy_set_header host $http_host;",
    "proxy_set_header x-forwarded-for $remote_addr;",
    "proxy_set_header x-forwarded-proto $scheme;",
    "proxy_set_header x-request-id $request_id;",
    # Streams of news say `x-accel-buffering: no` themselves.
    "proxy_connect_timeout 2s;",
    "proxy_read_timeout 30s;",  # longer than anybody waits for news
    # Another replica is asked where nothing was done yet: what changes something is sent once.
    "proxy_next_upstream error timeout;",
    "proxy_next_upstream_tries 4;",
    "proxy_next_upstream_timeout 45s;",
)


_SUBREQUEST = (
    # One header set here, and none of the server's are inherited.
    '    proxy_set_header content-length "";',
    "    proxy_set_header connection $dvor_connection;",
    "    proxy_set_header host $http_host;",
    "    proxy_set_header x-forwarded-for $remote_addr;",
    "    proxy_set_header x-forwarded-proto $scheme;",
    "    proxy_set_header x-request-id $request_id;",
)


def _refusals() -> Iterator[str]:
    """What the edge itself refuses looks like what a service refuses."""
    for status, name, code, detail in (
        (413, "too_large", "kernel.too_large", "This is larger than we take."),
        (429, "too_often", "kernel.too_often", "Too many requests at once; try again shortly."),
        (503, "away", "kernel.unavailable", "This part is away for a moment; try again shortly."),
    ):
        more = " 500 502 504" if status == 503 else ""
        body = (
            f'{{"type": "/problems/{code}", "title": "{detail}", "status": {status},'
            f' "detail": "{detail}", "code": "{code}"}}'
        )
        yield f"error_page {status}{more} = @{name};"
        yield f"location @{name} {{"
        yield "    default_type application/problem+json;"
        if status != 413:
            yield "    add_header retry-after 1 always;"
        yield "    add_header x-content-type-options nosniff always;"
        yield f"    return {status} '{body}';"
        yield "}"


def _token_check(edge: Edge) -> Iterator[str]:
    """Whether identity accepts the token that came along; without one services decide."""
    yield "error_page 401 = @ended;"
    # Who is refused is told by identity itself: in their language, with the request's number.
    yield f"location @ended {{ rewrite ^ {TOKEN_PATH} break; proxy_method GET;"
    yield "    proxy_pass_request_body off;"
    yield from _SUBREQUEST
    yield "    proxy_pass http://identity; }"
    yield "location = /dvor-token {"
    yield "    internal;"
    yield '    if ($http_authorization = "") { return 204; }'
    yield "    proxy_pass_request_body off;"
    yield from _SUBREQUEST
    yield "    proxy_cache tokens;"
    yield "    proxy_cache_key $http_authorization;"
    yield "    proxy_cache_lock on;"
    yield "    proxy_ignore_headers cache-control set-cookie vary;"
    yield f"    proxy_cache_valid 204 401 {edge.token_seconds}s;"
    yield f"    proxy_pass http://identity{TOKEN_PATH};"
    yield "}"
