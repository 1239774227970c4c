"""compose.yaml and the Kubernetes manifests say of parts, ports and variables what the code says."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from dvor.cli import manifests
from dvor.kernel.config import Settings
from dvor.topology import SERVICES

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
NAMES = [service.name for service in SERVICES]
PARTS = [*NAMES, "web"]
NOT_OURS = {"DVOR_IMAGE", "DVOR_VERSION", "DVOR_LISTEN"}
"""Variables of compose.yaml itself."""


@cache
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


@cache
def base() -> list[dict[str, Any]]:
    """All objects of the base."""
    listed = yaml.safe_load((KUBERNETES / "base/kustomization.yaml").read_text())["resources"]
    texts = [(KUBERNETES / "base" / name).read_text() for name in listed]
    return [found for text in texts for found in yaml.safe_load_all(text)]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in base() if found["kind"] == kind}


def env_file() -> dict[str, str]:
    lines = (KUBERNETES / "base/settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return found


def kubernetes_variables(part: str) -> dict[str, str]:
    own = {entry["name"]: entry["value"] for entry in container(of_kind("Deployment")[part])["env"]}
    return env_file() | own


def compose_variables(part: str) -> dict[str, str]:
    """As compose fills them in where nothing is set but the secrets."""

    def filled(text: str) -> str:
        return re.sub(r"\$\{\w+(?::-([^}]*))?(?::\?[^}]*)?\}", lambda m: m[1] or "", text)

    return {n: filled(str(v)) for n, v in compose()["services"][part]["environment"].items()}


def known(variable: str) -> bool:
    """Whether Dvor reads a variable."""
    written = (ROOT / "docs/reference/configuration.md").read_text()
    names = re.findall(r"^\| `(\w+)(\*?)` \|", written, re.MULTILINE)
    return any(variable.startswith(n) if star else variable == n for n, star in names)


WORLDS = pytest.mark.parametrize("variables", [compose_variables, kubernetes_variables])


class TestBoth:
    @WORLDS
    def test_each_part_runs_alone_and_finds_all_others(self, variables: Any) -> None:
        for part in PARTS:
            settings = Settings.from_environment(variables(part))
            assert settings.run == {part}
            assert settings.port == manifests.HTTP_PORT
            assert settings.grpc_port == (0 if part == "web" else manifests.GRPC_PORT)
            assert settings.edge == (part == "web")
            assert settings.addresses == {n: f"{n}:{manifests.GRPC_PORT}" for n in NAMES}

    @WORLDS
    def test_webhooks_go_to_routes_that_there_are(self, variables: Any) -> None:
        settings = Settings.from_environment(variables("payments"))
        for url, owner in (
            (settings.webhook_url, "orders"),
            (settings.bank_webhook_url, "payments"),
        ):
            server, path = re.fullmatch(r"http://([\w:]+)(/.*)", url).groups()  # pyright: ignore[reportOptionalMemberAccess]
            assert server == f"{owner}:{manifests.HTTP_PORT}"
            (service,) = [s for s in SERVICES if s.name == owner]
            routes = [
                r.path for one in (*service.hot_routers, *service.routers) for r in one.routes
            ]
            assert path in routes

    def test_every_variable_is_one_that_dvor_reads(self) -> None:
        named = (
            set(re.findall(r"\b(DVOR_[A-Z_]+)\b", (ROOT / "compose.yaml").read_text())) - NOT_OURS
        )
        for path in [
            *KUBERNETES.rglob("*.yaml"),
            *KUBERNETES.rglob("*.env"),
            KUBERNETES / "part.yaml.in",
        ]:
            named |= set(re.findall(r"\b(DVOR_[A-Z_]+)\b", path.read_text()))
        assert [name for name in sorted(named) if not known(name)] == []
        assert not known("DVOR_BANANAS")

    def test_no_secret_stands_in_the_files(self) -> None:
        secret = {
            f.metadata["variable"] for f in Settings.__dataclass_fields__.values() if not f.repr
        }
        assert "DVOR_SECRET" in secret
        for part in PARTS:
            given = kubernetes_variables(part).keys() & (secret | {"DVOR_DATABASE_URL"})
            assert not given
            assert compose_variables(part)["DVOR_SECRET"] == ""
            assert "dvor:@" in compose_variables(part)["DVOR_DATABASE_URL"]


class TestCompose:
    def test_has_the_parts_of_the_topology_and_what_they_stand_on(self) -> None:
        services = compose()["services"]
        ours = {name for name, one in services.items() if one["image"].startswith("${DVOR_IMAGE")}
        assert ours == {*PARTS, "migrate", "demo"}

    def test_each_of_ours_is_limited_unprivileged_and_read_only(self) -> None:
        for part in (*PARTS, "migrate", "demo"):
            one = compose()["services"][part]
            assert one["read_only"] is True and one["cap_drop"] == ["ALL"]
            assert one["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
            assert "privileged" not in one

    def test_parts_start_when_the_databases_are_ready(self) -> None:
        services = compose()["services"]
        done, healthy = "service_completed_successfully", "service_healthy"
        for part in PARTS:
            assert services[part]["depends_on"] == {"migrate": {"condition": done}}
        assert services["migrate"]["depends_on"] == {"postgres": {"condition": healthy}}
        assert services["migrate"]["command"] == ["migrate"]

    def test_the_connections_of_all_pools_fit_postgresql(self) -> None:
        command = compose()["services"]["postgres"]["command"]
        (most,) = [int(word.partition("=")[2]) for word in command if "max_connections" in word]
        # Its own pool, the broker's, and those that listen; audits and migrations look at all of them.
        pool = Settings.from_environment(compose_variables("web")).database_pool
        assert len(NAMES) * (2 * pool + 4) + 2 * len(NAMES) <= most

    def test_prometheus_looks_at_each_part(self) -> None:
        said = yaml.safe_load((ROOT / "deploy/compose/prometheus.yaml").read_text())
        (targets,) = [one["static_configs"][0]["targets"] for one in said["scrape_configs"]]
        assert targets == [f"{part}:{manifests.HTTP_PORT}" for part in PARTS]


class TestKubernetes:
    def test_what_follows_from_the_topology_is_up_to_date(self) -> None:
        for name, text in manifests.made(ROOT, SERVICES).items():
            assert (KUBERNETES / "base" / name).read_text() == text, "run ./dvor manifests"
        kept = {path.stem for path in (KUBERNETES / "base/services").iterdir()}
        assert kept == set(PARTS)

    def test_each_part_has_what_keeps_it_going(self) -> None:
        for kind in ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
            assert of_kind(kind).keys() == set(PARTS), kind

    def test_a_roll_out_leaves_no_gap(self) -> None:
        shutdown = int(env_file()["DVOR_SHUTDOWN_SECONDS"])
        assert shutdown == Settings().shutdown_seconds
        for name, deployment in of_kind("Deployment").items():
            spec = deployment["spec"]
            assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
            assert "replicas" not in spec, "the autoscaler says how many"
            one = container(deployment)
            pause = int(one["lifecycle"]["preStop"]["exec"]["command"][1])
            assert pause > 0
            assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > pause + 3 * shutdown
            assert one["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
            assert one["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
            assert of_kind("PodDisruptionBudget")[name]["spec"]["minAvailable"] == 1

    def test_all_that_runs_is_unprivileged_and_read_only(self) -> None:
        for kind in ("Deployment", "Job"):
            for found in of_kind(kind).values():
                pod = found["spec"]["template"]["spec"]
                assert pod["securityContext"]["runAsNonRoot"] is True
                assert pod["automountServiceAccountToken"] is False
                security = container(found)["securityContext"]
                assert security["readOnlyRootFilesystem"] is True
                assert security["allowPrivilegeEscalation"] is False
                assert security["capabilities"] == {"drop": ["ALL"]}
                assert container(found)["resources"].keys() == {"requests", "limits"}

    def test_who_may_call_whom_is_who_calls_whom(self) -> None:
        """Counted here from the topology once more, pair by pair, and on both ends of the line."""
        policies = of_kind("NetworkPolicy")
        calls = {(s.name, called) for s in SERVICES for called in s.calls}
        calls |= {(part, "identity") for part in PARTS if part != "identity"}  # who is asking?
        calls |= {("web", name) for name in NAMES}
        for caller, called in product(PARTS, NAMES):
            expected = (caller, called) in calls
            grpc = manifests.GRPC_PORT
            assert (caller in peers(policies[called], "ingress", grpc)) == expected, (
                caller,
                called,
            )
            assert (called in peers(policies[caller], "egress", grpc)) == expected, (caller, called)
        assert peers(policies["orders"], "ingress", manifests.HTTP_PORT) == {"payments"}
        assert policies["nobody"]["spec"]["podSelector"] == {}
        assert "ingress" not in policies["nobody"]["spec"]

    def test_each_pod_is_reached_where_it_listens(self) -> None:
        for part in PARTS:
            listens = {
                p["name"]: p["containerPort"]
                for p in container(of_kind("Deployment")[part])["ports"]
            }
            offered = {
                p["targetPort"]: p["port"] for p in of_kind("Service")[part]["spec"]["ports"]
            }
            assert offered == listens
            settings = Settings.from_environment(kubernetes_variables(part))
            ports = {"http": settings.port} | (
                {"grpc": settings.grpc_port} if settings.grpc_port else {}
            )
            assert listens == ports


def peers(policy: dict[str, Any], way: str, port: int) -> set[str]:
    """Names of pods that a policy lets talk on a port."""
    word = "from" if way == "ingress" else "to"
    rules = [r for r in policy["spec"].get(way, ()) if {"port": port} in r["ports"]]
    assert all(rule.get(word) for rule in rules if port == manifests.GRPC_PORT)
    return set(_names(rules, word))


def _names(rules: list[dict[str, Any]], word: str) -> Iterator[str]:
    for rule in rules:
        for peer in rule.get(word, ()):
            if "podSelector" in peer:
                yield peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]


class TestImage:
    SAID = (ROOT / "Dockerfile").read_text()

    def test_runs_as_nobody_special_and_says_how_it_is(self) -> None:
        last = self.SAID.rpartition("\nFROM ")[2]
        assert "USER 10001:10001" in last
        assert "/readyz" in last.partition("HEALTHCHECK")[2]
        ids = {
            d["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
            for d in of_kind("Deployment").values()
        }
        assert ids == {10001}

    def test_ports_are_those_of_the_manifests(self) -> None:
        assert f"EXPOSE {manifests.HTTP_PORT} {manifests.GRPC_PORT}" in self.SAID

    def test_scripts_are_well_formed(self) -> None:
        for script in (KUBERNETES / "roll-out",):
            done = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


class TestPipeline:
    SAID: dict[str, Any] = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    JOBS = {
        n: j for n, j in SAID.items() if isinstance(j, dict) and ("script" in j or "extends" in j)
    }

    def test_each_job_stands_in_a_stage_and_extends_what_there_is(self) -> None:
        for name, job in self.JOBS.items():
            whole = self.JOBS.get(job.get("extends", ""), {}) | job
            assert job.get("extends", name) in self.SAID
            assert "script" in whole or name == ".prepared"
            assert name.startswith(".") or whole["stage"] in self.SAID["stages"]
            assert set(job.get("needs", ())) <= self.JOBS.keys()

    def test_programs_and_files_that_it_names_are_there(self) -> None:
        lines = [line for job in self.JOBS.values() for line in job.get("script", ())]
        named = {w for line in lines for w in re.findall(r"(?:\./)?[\w./-]+", line)}
        paths = {w for w in named if w.startswith(("deploy/", "./", ".ci/", "requirements"))}
        assert {"./dvor", ".ci/run", "deploy/kubernetes/roll-out"} <= paths
        assert [p for p in paths if not (ROOT / p.removesuffix("/")).exists()] == []

    def test_production_waits_for_somebody_and_has_a_way_back(self) -> None:
        for job in ("to production", "production back", "staging back"):
            (rule,) = self.JOBS[job]["rules"]
            assert rule["when"] == "manual"
        assert "when" not in self.JOBS["to staging"]["rules"][0]
        for place in ("staging", "production"):
            assert (
                KUBERNETES / "overlays" / self.JOBS[f"to {place}"]["environment"]["name"]
            ).is_dir()
