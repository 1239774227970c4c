"""What is measured is told truly, once, and by every process of a port."""

import asyncio
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from dvor.kernel import metrics
from dvor.kernel.batch import Batcher
from dvor.kernel.config import Settings
from dvor.kernel.scrape import Scrape
from tests.conftest import MakeHouse


def value(page: str, name: str, **labels: str) -> float | None:
    """A sample of a page; None where it is missing."""
    for line in page.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name:
            told = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
            if labels.items() <= told.items():
                return float(found[3])
    return None


class TestPage:
    async def test_counts_requests_calls_and_waiting_events(self, make_house: MakeHouse) -> None:
        house = await make_house("catalog", "identity")
        await house.http.get("/api/v1/listings")
        page = (await house.http.get("/metrics")).text
        route = {"method": "GET", "route": "/api/v1/listings", "status": "200"}
        assert value(page, "dvor_http_request_seconds_count", **route)
        call = {"contract": "Catalog", "method": "search", "outcome": "ok"}
        assert value(page, "dvor_call_seconds_count", **call)
        assert value(page, "dvor_database_up", service="catalog") == 1
        assert value(page, "dvor_database_connections_max", service="catalog") == 8
        assert value(page, "dvor_database_waiting", service="catalog") == 0
        assert value(page, "dvor_changes", state="under way") == 0

    async def test_says_what_stands_in_the_databases(self, make_house: MakeHouse) -> None:
        house = await make_house("notifications", fakes={"catalog": object(), "identity": object()})
        db = house.db("notifications")
        for relay in (
            house.process.relays["notifications"],
            house.process.runners["notifications"],
        ):
            del relay  # nobody may take what is written next
        for loop in house.process._loops:
            loop.cancel()
        await db.execute(
            "INSERT INTO outbox (message_id, aggregate, version, type, data, trace, at)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), 1, 'x', '{}', '{}',"
            " dvor_now() - interval '90 seconds')"
        )
        await db.execute(
            "INSERT INTO tasks (id, name, work, run_at, attempts_max, trace)"
            " VALUES (gen_random_uuid(), 'x', '{}', dvor_now() - interval '60 seconds', 1, '{}')"
        )
        page = await house.process.scrape.page()
        told = {"service": "notifications"}
        assert value(page, "dvor_outbox_waiting", **told) == 1
        assert 90 <= (value(page, "dvor_outbox_age_seconds", **told) or 0) < 120
        assert value(page, "dvor_tasks_waiting", **told) == 1
        assert 60 <= (value(page, "dvor_tasks_age_seconds", **told) or 0) < 90
        assert value(page, "dvor_parked_events", **told) == 0

    async def test_says_nothing_of_a_database_that_does_not_answer(
        self, make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = await make_house("catalog", fakes={"identity": object()})
        assert (
            value(await house.process.scrape.page(), "dvor_outbox_waiting", service="catalog") == 0
        )

        async def silent(*_: object) -> None:
            await asyncio.sleep(60)

        monkeypatch.setattr("dvor.kernel.scrape.REMEMBERED_SECONDS", 0)
        monkeypatch.setattr("dvor.kernel.scrape.PATIENCE_SECONDS", 0.05)
        with monkeypatch.context() as patched:
            patched.setattr(house.db("catalog"), "fetchrow", silent)
            page = await house.process.scrape.page()
        assert value(page, "dvor_database_up", service="catalog") == 0
        assert value(page, "dvor_outbox_waiting", service="catalog") is None


class TestMoney:
    async def test_is_counted_when_it_is_committed_and_only_then(
        self, make_house: MakeHouse
    ) -> None:
        house = await make_house("catalog", fakes={"identity": object()})
        noted: list[str] = []
        async with house.db("catalog").tx() as tx:
            tx.count(noted.append, "kept")
            with suppress(KeyError):
                async with tx.savepoint():
                    tx.count(noted.append, "undone")
                    raise KeyError
            assert noted == []
        with suppress(KeyError):
            async with house.db("catalog").tx() as tx:
                tx.count(noted.append, "lost")
                raise KeyError
        assert noted == ["kept"]

    def test_tells_few_currencies_apart(self) -> None:
        for number in range(100):
            metrics.moved("captured", f"X{number:02}", 1)
        written = metrics.written(metrics.HERE)
        told = re.findall(r'dvor_money_total{currency="(\w+)",movement="captured"}', written)
        assert "other" in told
        assert len(told) <= metrics.CURRENCIES_MAX + 1


class TestBatches:
    async def test_are_measured_by_size(self) -> None:
        async def work(items: Any) -> list[int]:
            await asyncio.sleep(0)
            return list(items)

        batcher: Batcher[int, int] = Batcher(work, batch_max=9, queue_max=9, name="tests.sizes")
        await asyncio.gather(*(batcher.ask(number) for number in range(4)))
        page = metrics.written(metrics.HERE)
        assert value(page, "dvor_batch_size_count", batch="tests.sizes") == 1
        assert value(page, "dvor_batch_size_sum", batch="tests.sizes") == 4
        assert value(page, "dvor_batch_size_bucket", batch="tests.sizes", le="2.0") == 0
        assert value(page, "dvor_batch_size_bucket", batch="tests.sizes", le="5.0") == 1


class TestTold:
    def test_nothing_is_said_of_what_nobody_knows(self) -> None:
        registry = CollectorRegistry()
        gauge = metrics.Told("tests_told", "A number", registry=registry)
        assert value(metrics.written(registry), "tests_told") is None
        gauge.set(0)
        assert value(metrics.written(registry), "tests_told") == 0


class TestHolds:
    def test_are_counted_by_outcome(self) -> None:
        metrics.observe_call("Inventory", "hold", "ok", time.perf_counter())
        metrics.observe_call("Inventory", "hold", "TooShort", time.perf_counter())
        page = metrics.written(metrics.HERE)
        assert value(page, "dvor_holds_total", outcome="granted")
        assert value(page, "dvor_holds_total", outcome="TooShort") == 1


class TestWorkers:
    async def test_one_answers_for_all(self, tmp_path: Path) -> None:
        """Two workers here share a process, and so its counters: what matters is who is told."""
        one, two = (self._scrape(tmp_path, str(n)) for n in (1, 2))
        await one.open()
        await two.open()
        metrics.ORDERS_STUCK.set(0)
        page = await one.page()
        assert value(page, "dvor_worker_up", worker="1") == 1
        assert value(page, "dvor_worker_up", worker="2") == 1
        assert value(page, "process_start_time_seconds", worker="2")
        assert page.count("# TYPE process_start_time_seconds ") == 1
        assert value(page, "dvor_orders_stuck") == 0
        assert value(page, "dvor_orders_stuck", worker="1") is None
        two._server.close()  # type: ignore[union-attr]
        page = await one.page()
        assert value(page, "dvor_worker_up", worker="2") == 0
        assert value(page, "process_start_time_seconds", worker="2") is None
        await one.close()

    def test_samples_keep_their_labels(self) -> None:
        pages = {"1": '# HELP a x\n# TYPE a gauge\na{b="c d"} 1\n', "2": "# HELP a x\na 2\n"}
        assert metrics.merged(pages).splitlines() == [
            "# HELP a x",
            "# TYPE a gauge",
            'a{worker="1",b="c d"} 1',
            'a{worker="2"} 2',
        ]

    def _scrape(self, folder: Path, worker: str) -> Scrape:
        settings = Settings(metrics_folder=str(folder), worker=worker)
        nothing: Any = {}
        gate: Any = _Gate()
        return Scrape(settings, nothing, nothing, gate)


class _Gate:
    def under_way(self) -> int:
        return 0

    def waiting(self) -> int:
        return 0
