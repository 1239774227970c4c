"""Services stand in the order of their calls, and a new one needs no change elsewhere."""

import inspect
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib import import_module
from pkgutil import walk_packages
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from dvor import topology
from dvor.kernel import process, rpc
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, raw_connection
from dvor.kernel.process import Process
from dvor.kernel.rpc.contract import methods
from dvor.kernel.service import Service
from dvor.topology import SERVICES
from tests.house import applause
from tests.house.applause.applause import Applause, Silence
from tests.house.test_authorization import free_port
from tests.house.world import draft

CONTRACTS = {service.contract: service.name for service in SERVICES}


def modules_of(service: Service) -> list[Any]:
    """Everything a service is written in."""
    package = import_module(service.package)
    names = [m.name for m in walk_packages(package.__path__, f"{service.package}.")]
    return [package, *map(import_module, names)]


class TestOrder:
    def test_calls_go_up_the_list_only(self) -> None:
        topology.check()

    def test_a_call_down_the_list_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(topology, "SERVICES", SERVICES[::-1])
        with pytest.raises(ValueError, match="stand below it"):
            topology.check()

    def test_a_process_in_the_wrong_order_is_not_assembled(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = replace(SERVICES[0], calls=(SERVICES[-1].name,))
        monkeypatch.setattr(topology, "SERVICES", (first, *SERVICES[1:]))
        with pytest.raises(ValueError, match=f"{first.name} calls"):
            topology.assemble(Settings())

    @pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
    def test_a_service_is_built_from_what_it_says_it_calls(self, service: Service) -> None:
        taken = set(inspect.signature(service.implementation).parameters)
        shared = {"cache"} if service.shares_memory else set()
        assert taken == {"db", "settings", *shared, *service.calls}

    @pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
    def test_a_service_knows_no_other_contract(self, service: Service) -> None:
        known = {
            CONTRACTS[value]
            for module in modules_of(service)
            for value in vars(module).values()
            if inspect.isclass(value) and value in CONTRACTS
        }
        assert known <= {service.name, *service.calls}

    @pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
    def test_handlers_work_on_facts_of_others(self, service: Service) -> None:
        assert all(event.source != service.name for event in service.handlers)


class TestCallsInTransactions:
    """A call inside an open transaction would hold locks while it waits."""

    @pytest.fixture
    async def database(self, template: Settings) -> AsyncIterator[Database]:
        database = Database("catalog", template.database("catalog"), template)
        await database.open()
        yield database
        await database.close()

    @pytest.mark.parametrize("shape", ["local", "remote"])
    async def test_every_method_asserts(self, database: Database, shape: str) -> None:
        settings = Settings(secret=b"s" * 32)
        for service in SERVICES:
            if shape == "local":
                proxy: Any = rpc.local(service.contract, object(), "orders", settings)
            else:
                proxy = rpc.remote(service.contract, "127.0.0.1:1", "orders", settings)
            async with database.tx():
                for name in methods(service.contract):
                    with pytest.raises(AssertionError, match="inside an open transaction"):
                        await getattr(proxy, name)()

    async def test_a_second_transaction_inside_one_asserts(self, database: Database) -> None:
        with pytest.raises(AssertionError, match="inside an open transaction"):
            async with database.tx(), database.tx():
                pass


class TestANewService:
    """Applause (tests/house/applause) beside the others: one entry in the list, no other change."""

    @pytest.fixture
    async def house(self, postgres: str) -> AsyncIterator[Process]:
        settings = Settings(
            database_url=postgres,
            database_prefix=f"applause{os.getpid()}_",
            run=frozenset({"catalog", "applause"}),
            secret=b"s" * 32,
            poll_seconds=0.05,
            grpc_port=free_port(),
            addresses={"identity": "127.0.0.1:1"},
        )
        services = (*SERVICES, applause.SERVICE)
        await process.migrate_all(settings, services)
        async with process.running(Process(settings, services)) as house:
            yield house
        async with raw_connection(postgres) as admin:
            for name in ("broker", *(service.name for service in house.here)):
                database = f"{settings.database_prefix}{name}"
                await admin.execute(f'DROP DATABASE "{database}" WITH (FORCE)')

    async def test_it_lives_like_the_others(self, house: Process) -> None:
        catalog = house.proxy(house.contract_named("catalog"), "")
        with asking(Caller(user_id=uuid4(), roles=(Role.SELLER,), key=uuid4())):
            listing = await catalog.create(draft())
            await catalog.publish(listing.id)
        await house.settle()

        # In this process, over REST and over gRPC it says the same.
        ours: Any = house.proxy(Applause, "")
        heard = await ours.claps(listing.id)
        assert (heard.count, heard.title) == (1, "A lamp")
        transport = httpx2.ASGITransport(app=house.app())
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            shown = await http.get(f"/api/v1/applause/{listing.id}")
            missing = await http.get(f"/api/v1/applause/{uuid4()}")
            schema = (await http.get("/api/openapi.json")).json()
        assert shown.json() == heard.model_dump(mode="json")
        assert (missing.status_code, missing.json()["code"]) == (404, Silence.code)
        assert "/api/v1/applause/{listing_id}" in schema["paths"]
        address = f"127.0.0.1:{house.settings.grpc_port}"
        far: Any = rpc.remote(Applause, address, "orders", house.settings)
        assert await far.claps(listing.id) == heard
        with pytest.raises(Silence):
            await far.claps(uuid4())
        await far.close()

        # Its own fact was told as well, and is there for whoever may want it.
        database = house.database("applause")
        assert database is not None
        told = await database.fetchval("SELECT type FROM outbox WHERE sent_at IS NOT NULL")
        assert told == "applause.clapped.v1"
