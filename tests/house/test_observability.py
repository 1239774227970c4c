"""Alerts and dashboards ask for what is measured, and promtool agrees with the alerts."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dvor.kernel import metrics

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy/observability"
ALERTS = OBSERVABILITY / "prometheus/alerts.yml"
GUIDE = ROOT / "docs/guides/watch-dvor.md"
OF_PROMETHEUS = {"job", "instance"}
"""Labels that every sample has by being looked at."""


def promtool(*arguments: str) -> str:
    """What Prometheus' own tool says. Where it is missing tests are skipped, but never by a CI."""
    if shutil.which("promtool") is None and shutil.which("apt-get") and os.geteuid() == 0:
        command = ["apt-get", "install", "-y", "--no-install-recommends", "prometheus"]
        subprocess.run(command, capture_output=True, check=False)
    if shutil.which("promtool") is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("promtool is missing: it comes with Debian's package prometheus")
    done = subprocess.run(
        ["promtool", *arguments], cwd=ALERTS.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of alerts and dashboards, with where it stands."""
    rules = re.sub(r"(?m)^\s*#.*$", "", ALERTS.read_text())
    for name, rule in _rules(rules).items():
        yield name, rule.partition("annotations:")[0].partition("expr:")[2]
    for path in sorted((OBSERVABILITY / "grafana").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.name}: {panel['title']}", target["expr"]


def _rules(text: str) -> dict[str, str]:
    parts = re.split(r"- alert: (\w+)", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def unknown(expression: str) -> list[str]:
    """Metrics, and labels of matchers, that the code does not have."""
    known = metrics.names()
    found = [n for n in re.findall(r"\bdvor_\w+", expression) if n not in known]
    for name, matchers in re.findall(r"\b(dvor_\w+)\{([^}]*)\}", expression):
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', matchers)))
        found += sorted(used - OF_PROMETHEUS - set(known.get(name, ())))
    return found


class TestQueries:
    def test_name_what_is_measured(self) -> None:
        asked = list(expressions())
        assert len(asked) > 50
        assert {where: wrong for where, query in asked if (wrong := unknown(query))} == {}

    def test_others_would_be_found(self) -> None:
        assert unknown("max(dvor_outbox_years)") == ["dvor_outbox_years"]
        assert unknown('dvor_tasks_total{colour="red",job="x"}') == ["colour"]
        assert unknown("rate(dvor_call_seconds[5m])") == ["dvor_call_seconds"]

    def test_every_metric_is_looked_at(self) -> None:
        """What nobody looks at needs not be measured."""
        seen = {name for _, query in expressions() for name in re.findall(r"\bdvor_\w+", query)}
        bare = {re.sub("_(bucket|sum|count)$", "", name) for name in seen} | seen
        stems = {re.sub("_(bucket|sum|count)$", "", n) for n in metrics.names() if n not in bare}
        assert stems - bare == set()


class TestAlerts:
    def test_promtool_takes_the_rules(self) -> None:
        assert "SUCCESS" in promtool("check", "rules", "alerts.yml")

    def test_they_come_when_they_should_and_only_then(self) -> None:
        assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")

    def test_promtool_takes_the_configuration(self) -> None:
        promtool("check", "config", "prometheus.yml")

    def test_each_is_tested_both_ways_and_says_what_to_do(self) -> None:
        tested = (ALERTS.parent / "alerts_test.yml").read_text()
        for name, rule in _rules(ALERTS.read_text()).items():
            assert f"- {{alertname: {name}, " in tested, f"{name} is never quiet in the tests"
            assert re.search(rf"- alertname: {name}\n.*\n\s+exp_alerts:\n\s+- exp_l", tested), name
            for part in ("severity", "summary", "description"):
                assert f"{part}: " in rule, (name, part)
            assert f"`{name}`" in GUIDE.read_text(), (
                f"the guide does not say what to do about {name}"
            )


class TestDashboards:
    @pytest.mark.parametrize("path", sorted((OBSERVABILITY / "grafana").glob("*.json")), ids=str)
    def test_can_be_drawn(self, path: Path) -> None:
        board: dict[str, Any] = json.loads(path.read_text())
        assert board["title"]
        assert board["uid"]
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert at["x"] + at["w"] <= 24, panel["title"]
            assert not cells & taken, f"{panel['title']} lies upon another panel"
            taken |= cells
            if panel["type"] != "row":
                assert panel["targets"], panel["title"]
                assert panel["description"], panel["title"]
