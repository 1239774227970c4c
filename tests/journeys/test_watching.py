"""A real Prometheus looks at a running Dvor: every target is up, and a relay that stops is noticed."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dvor.kernel.db import raw_connection
from tests.house.test_observability import ALERTS, promtool
from tests.journeys.conftest import Site, free_port, running_site
from tests.journeys.test_purchase import offer

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1200)]
PATIENCE_SECONDS = 120
STOPPED = "UPDATE leases SET holder = gen_random_uuid(), until = clock_timestamp() + $1::interval"


@asynccontextmanager
async def watching(site: Site, folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Prometheus with our rules, which looks every three seconds and waits two before it tells."""
    promtool("--version")
    rules = re.sub(r"for: \w+", "for: 2s", ALERTS.read_text())
    (folder / "alerts.yml").write_text(rules)
    configuration = (ALERTS.parent / "prometheus.yml").read_text()
    configuration = configuration.replace("15s", "3s").replace("8000", str(site.settings.port))
    (folder / "prometheus.yml").write_text(configuration)
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                shutil.which("prometheus") or "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        process.terminate()
        process.wait(20)


async def until(client: httpx2.AsyncClient, path: str, found: Callable[[Any], Any]) -> Any:
    """What `found` makes of an answer, once that is something."""
    answer: Any = None
    for _ in range(PATIENCE_SECONDS * 2):
        try:
            answer = (await client.get(f"/api/v1{path}")).json()["data"]
            if told := found(answer):
                return told
        except (httpx2.HTTPError, ValueError):
            pass  # it starts
        await asyncio.sleep(0.5)
    raise AssertionError(answer)


def firing(answer: Any) -> set[tuple[str, str]]:
    """Names and services of the alerts that are told now."""
    told = [alert for alert in answer["alerts"] if alert["state"] == "firing"]
    return {(alert["labels"]["alertname"], alert["labels"].get("service", "")) for alert in told}


async def photograph(client: httpx2.AsyncClient, page: str, name: str) -> None:
    """A picture of a page of Prometheus in the folder DVOR_TEST_PICTURES, where that is set."""
    if folder := os.environ.get("DVOR_TEST_PICTURES"):
        from playwright.async_api import async_playwright

        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            view = await browser.new_page(viewport={"width": 1280, "height": 800})
            await view.goto(f"{client.base_url}{page}")
            await view.wait_for_timeout(3000)
            await view.screenshot(path=str(Path(folder) / f"{name}.png"))
            await browser.close()


class TestPrometheus:
    async def test_sees_all_and_tells_of_a_relay_that_stops(
        self, postgres: str, tmp_path: Path
    ) -> None:
        async with (
            running_site("workers", postgres) as site,
            watching(site, tmp_path) as prometheus,
        ):
            await until(prometheus, "/targets", self._all_up)
            workers = await until(
                prometheus, "/query?query=sum(dvor_worker_up)", lambda d: d["result"]
            )
            assert workers[0]["value"][1] == "2"
            await photograph(prometheus, "/classic/targets", "prometheus-targets")
            async with raw_connection(site.settings.database("orders")) as orders:
                stopped = f"{STOPPED} WHERE name = 'relay'"
                await orders.execute(stopped, timedelta(hours=1))
                api = await site.signed_in("customer@dvor.example")
                found = await offer(api, "product")
                await api.post("/orders", {"lines": [{"offer_id": found["id"]}]})
                alert = ("DvorRelayStopped", "orders")
                await until(prometheus, "/alerts", lambda d: alert in firing(d))
                await photograph(prometheus, "/classic/alerts", "prometheus-alerts")
                await orders.execute(stopped, timedelta())
            await until(prometheus, "/alerts", lambda d: alert not in firing(d))

    def _all_up(self, answer: Any) -> bool:
        targets = answer["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)
