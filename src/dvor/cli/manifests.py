"""Kubernetes manifests of the parts, made from the topology: who runs, where, and who may call whom.

What is alike for all parts stands in `deploy/kubernetes/part.yaml.in`; the rest of that folder is
written by hand.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Template

from dvor.kernel.config import Settings
from dvor.kernel.service import Service

HTTP_PORT, GRPC_PORT = 8000, 9000
PAUSE_SECONDS = 5
"""Between a pod's leaving its Service and the end of its listening."""
_STAGES_OF_A_STOP = 3
"""HTTP requests, gRPC calls and background work may each take DVOR_SHUTDOWN_SECONDS."""
_AIR_SECONDS = 5
POSTGRES, REDIS, OTLP, HTTP, HTTPS = 5432, 6379, 4318, 80, 443
MAIL = (25, 465, 587, 1025)
_ABROAD = {
    "inventory": (HTTP, HTTPS),  # calendars of other places
    "notifications": MAIL,
    "payments": (HTTPS,),  # a real provider
}
"""What leaves the cluster, beside the database: part -> ports."""
_BY_HTTP = {"orders": ("payments",), "payments": ("payments",)}
"""Webhooks: payments reports to orders, and the simulated bank, a guest of payments, to payments."""
_HEAD = "# Made by `./dvor manifests` from topology.py: change that.\n"


def callers(name: str, services: Sequence[Service]) -> list[str]:
    """Who calls this service by gRPC: all ask identity who somebody is, web calls everybody."""
    if name == "identity":
        return [*(service.name for service in services if service.name != name), "web"]
    return [*(service.name for service in services if name in service.calls), "web"]


def grace_seconds(settings: Settings) -> int:
    """How long a pod may take to stop."""
    return PAUSE_SECONDS + _STAGES_OF_A_STOP * settings.shutdown_seconds + _AIR_SECONDS


def made(root: Path, services: Sequence[Service]) -> dict[str, str]:
    """The files of `deploy/kubernetes/base` that follow from the topology: name -> text."""
    template = Template((root / "deploy/kubernetes/part.yaml.in").read_text())
    files = {
        f"services/{name}.yaml": _part(template, name)
        for name in (*(service.name for service in services), "web")
    }
    files["network-policies.yaml"] = _HEAD + "---\n".join(_policies(services))
    return files


def write(root: Path, services: Sequence[Service]) -> list[str]:
    """Write them; answers which have changed."""
    changed = []
    for name, text in made(root, services).items():
        path = root / "deploy/kubernetes/base" / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(str(path.relative_to(root)))
    return changed


def _part(template: Template, name: str) -> str:
    ports = {"http": HTTP_PORT}
    variables = {"DVOR_RUN": name}
    if name == "web":
        variables |= {"DVOR_EDGE": "1", "DVOR_GRPC_PORT": "0"}
        balancing = "  type: ClusterIP"
    else:
        ports["grpc"] = GRPC_PORT
        balancing = "  # No address of its own: clients of gRPC see every pod and take turns.\n  clusterIP: None"
    return template.substitute(
        name=name,
        ports=_lines(12, (f"{{name: {n}, containerPort: {p}}}" for n, p in ports.items())),
        service_ports=_lines(
            4, (f"{{name: {n}, port: {p}, targetPort: {n}}}" for n, p in ports.items())
        ),
        variables=_lines(12, (f'{{name: {n}, value: "{v}"}}' for n, v in variables.items())),
        balancing=balancing,
        pause=PAUSE_SECONDS,
        grace=grace_seconds(Settings()),
    )


def _lines(indent: int, items: Iterator[str]) -> str:
    return "\n".join(f"{' ' * indent}- {item}" for item in items)


def _policies(services: Sequence[Service]) -> Iterator[str]:
    names = [service.name for service in services]
    for name in (*names, "web"):
        ingress = [_rule("from", [_monitoring()], [HTTP_PORT])]
        if name == "web":
            ingress.append(_rule("from", [_edge()], [HTTP_PORT]))
        else:
            ingress.append(_rule("from", map(_pods, callers(name, services)), [GRPC_PORT]))
        if name in _BY_HTTP:
            ingress.append(_rule("from", map(_pods, _BY_HTTP[name]), [HTTP_PORT]))
        called = [other for other in names if name in callers(other, services)]
        told = [other for other, tellers in _BY_HTTP.items() if name in tellers]
        egress = [_rule("to", map(_pods, called), [GRPC_PORT])] if called else []
        if told:
            egress.append(_rule("to", map(_pods, told), [HTTP_PORT]))
        abroad = [OTLP, REDIS, *_ABROAD.get(name, ())] + ([] if name == "web" else [POSTGRES])
        egress.append(_rule("to", [], sorted(abroad)))
        yield _policy(name, ingress, egress)


def _policy(name: str, ingress: Sequence[str], egress: Sequence[str]) -> str:
    return (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        f"metadata:\n  name: {name}\n  labels:\n    app.kubernetes.io/part-of: dvor\n"
        "    app.kubernetes.io/component: ground\n"
        f"spec:\n  podSelector:\n    matchLabels:\n      app.kubernetes.io/name: {name}\n"
        f"  policyTypes: [Ingress, Egress]\n  ingress:\n{''.join(ingress)}  egress:\n{''.join(egress)}"
    )


def _rule(word: str, peers: Iterable[str], ports: Sequence[int]) -> str:
    listed = "".join(f"        - {peer}\n" for peer in peers)
    words = [f"{word}:\n{listed}      "] if listed else []
    entries = "".join(f"        - {{port: {port}}}\n" for port in ports)
    return f"    - {''.join(words)}ports:\n{entries}"


def _pods(name: str) -> str:
    return f"podSelector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}"


def _monitoring() -> str:
    return "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}"


def _edge() -> str:
    return "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}"
