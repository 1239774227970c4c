"""A process: the services that run in it, wired to each other, with all that keeps them going."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI

from dvor.kernel import brokers, idempotency, metrics, rpc, telemetry, virtual_clock
from dvor.kernel.cache import SESSIONS, Cache
from dvor.kernel.config import Settings
from dvor.kernel.db import Database
from dvor.kernel.errors import Unavailable
from dvor.kernel.http import build_app
from dvor.kernel.http.front import Callers
from dvor.kernel.http.gate import Gate
from dvor.kernel.inbox import Consumer
from dvor.kernel.migrations import migrate
from dvor.kernel.outbox import Relay
from dvor.kernel.scrape import Scrape
from dvor.kernel.service import Service, groups
from dvor.kernel.tasks import Runner, Timer

LOG = telemetry.log("process")
BROKER_OBSERVED_SECONDS = 5
"""How often the broker is looked at, for the metrics."""


class Process:
    """Services running here and the way to those that run elsewhere.

    `fakes` stand in for services by name: tests put them at a contract.
    """

    def __init__(
        self,
        settings: Settings,
        services: Sequence[Service],
        pages: Sequence[APIRouter] = (),
        fakes: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings = settings
        self.services = services
        self._pages = pages
        self._fakes = dict(fakes or {})
        self._databases: dict[str, Database] = {}
        self._keys: dict[str, idempotency.Keys] = {}
        self._implementations: dict[str, Any] = {}
        self._proxies: dict[tuple[type, str], Any] = {}
        self._by_contract = {service.contract: service for service in services}
        self.gate = Gate(settings.changes_at_once, settings.changes_waiting)
        self.broker: brokers.Broker = brokers.broker(settings, groups(services))
        self.cache = Cache(settings)
        self.relays: dict[str, Relay] = {}
        self.consumers: dict[str, Consumer] = {}
        self.runners: dict[str, Runner] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._grpc: Any = None
        self.scrape = Scrape(
            settings,
            self._databases,
            self._implementations,
            self.gate,
        )

    @property
    def here(self) -> list[Service]:
        """The services that run in this process."""
        return [
            s for s in self.services if self.settings.runs(s.name) and s.name not in self._fakes
        ]

    def database(self, service: str) -> Database | None:
        """A service's database, if the service runs here."""
        return self._databases.get(service)

    def keys(self, service: str) -> idempotency.Keys | None:
        """The idempotency keys of a service, if it runs here."""
        return self._keys.get(service)

    def implementation(self, service: str) -> Any:
        """The object that does a service's work here."""
        return self._implementations[service]

    def proxy(self, contract: type, calling: str) -> Any:
        """A contract as the part `calling` sees it: in this process, or by gRPC."""
        found = self._proxies.get((contract, calling))
        if found is None:
            found = self._proxies[contract, calling] = self._connect(contract, calling)
        return found

    def _connect(self, contract: type, calling: str) -> Any:
        service = self._by_contract[contract]
        implementation = self._fakes.get(service.name) or self._implementations.get(service.name)
        if implementation is not None:
            whole = service.name not in self._fakes
            return rpc.local(contract, implementation, calling, self.settings, complete=whole)
        address = self.settings.addresses.get(service.name)
        if address is None:
            raise Unavailable
        return rpc.remote(contract, address, calling, self.settings)

    def contract_named(self, name: str) -> type:
        """The Protocol of a service."""
        return next(s.contract for s in self.services if s.name == name)

    async def open(self) -> None:
        """Connect, build the services in call order, start what runs in the background."""
        for service in self.here:
            database = Database(service.name, self.settings.database(service.name), self.settings)
            await database.open()
            self._databases[service.name] = database
            self._keys[service.name] = idempotency.Keys(database, self.settings)
        if self.here:
            await virtual_clock.follow(next(iter(self._databases.values())))
            await self.broker.open()
            self._loop(self._observe_broker())
        for service in self.here:
            calls = {
                name: self.proxy(self.contract_named(name), service.name) for name in service.calls
            }
            if service.shares_memory:
                calls["cache"] = self.cache
            self._implementations[service.name] = service.implementation(
                db=self._databases[service.name], settings=self.settings, **calls
            )
        for service in self.here:
            start = getattr(self._implementations[service.name], "start", None)
            if start is not None:
                await start()
        for service in self.here:
            self._start_loops(service)
        if self.settings.grpc_port:
            await self._serve_grpc()
        await self.scrape.open()

    def _start_loops(self, service: Service) -> None:
        database = self._databases[service.name]
        implementation = self._implementations[service.name]
        relay = self.relays[service.name] = Relay(database, self.broker, self.settings)
        hints = {"dvor_outbox": relay.notice, "dvor_clock": self._clock_moved}
        self._loop(relay.run())
        timers = (
            *service.timers,
            Timer("forget_events", lambda _: relay.forget(), 3600),
            Timer("forget_answers", lambda _: self._forget_answers(database), 3600),
            Timer("forget_taken_events", lambda _: self.broker.forget(), 3600),
        )
        patience = service.patience_seconds
        turn = partial(self.gate.calm, patience) if patience else None
        runner = self.runners[service.name] = Runner(
            service.name, implementation, database, self.settings, service.tasks, timers, turn
        )
        hints["dvor_tasks"] = runner.notice
        self._loop(runner.run())
        if service.handlers:
            consumer = self.consumers[service.name] = Consumer(
                database, self.broker, service.handlers, self.settings, turn
            )
            self._loop(consumer.run())
            self._loop(consumer.observe())
            self._loop(self.broker.watch(consumer.notice))
        if news := getattr(implementation, "notice", None):
            hints["dvor_news"] = news
        if run := getattr(implementation, "run", None):
            self._loop(run())
        self._loop(database.listen(hints))

    def _loop(self, work: Any) -> None:
        self._loops.append(asyncio.create_task(work))

    def _clock_moved(self, _payload: str) -> None:
        database = next(iter(self._databases.values()))
        self._loop(virtual_clock.follow(database))

    async def _forget_answers(self, database: Database) -> None:
        await idempotency.forget(database, self.settings.idempotency_kept_days)

    async def _serve_grpc(self) -> None:
        identity = next((s.contract for s in self.services if s.name == "identity"), None)
        authenticate = None
        if identity is not None:
            authenticate = self.proxy(identity, "").authenticate
        served = {s.contract: self._implementations[s.name] for s in self.here}
        self._grpc = rpc.Server(served, self.settings, authenticate)
        await self._grpc.start()

    def app(self) -> FastAPI:
        """The HTTP application of what runs here."""
        served = self.services if self.settings.edge else self.here
        routers = [router for service in served for router in service.hot_routers]
        routers += [router for service in served for router in service.routers]
        if self.settings.runs("web"):
            routers += self._pages
        identity = next((s for s in self.services if s.name == "identity"), None)
        guard = self.proxy(identity.contract, "") if identity else None
        callers = Callers(guard, self.settings)
        if self.cache.shared:
            self._loop(self.cache.listen(SESSIONS, callers.forget_all_of, callers.told))
        return build_app(self, routers, callers)

    async def ready(self) -> dict[str, bool]:
        """Each database of this process, and whether it answers."""
        found = {}
        for name, database in self._databases.items():
            try:
                found[name] = await database.fetchval("SELECT true")
            except Unavailable:
                found[name] = False
        return found

    async def _observe_broker(self) -> None:
        while True:
            await asyncio.sleep(BROKER_OBSERVED_SECONDS)
            await self.helped()

    async def helped(self) -> dict[str, bool]:
        """What this process does without for a while, and whether it answers."""
        if not self.here:  # an edge: no event begins or ends here
            return {}
        there = await self.broker.reachable()
        metrics.BROKER_UP.set(there)
        return {"broker": there}

    async def settle(self, timeout_seconds: float = 30) -> None:
        """Wait until no event and no due task is left here. For tests and replays.

        Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_seconds):
            quiet = 0
            while quiet < 2:
                quiet = 0 if await self._busy() else quiet + 1
                await asyncio.sleep(0 if quiet else 0.01)

    async def _busy(self) -> bool:
        for database in self._databases.values():
            if await database.fetchval(
                "SELECT EXISTS (SELECT FROM outbox WHERE sent_at IS NULL) OR EXISTS"
                " (SELECT FROM tasks WHERE state = 'due' AND run_at <= dvor_now())"
            ):
                return True
        for name, consumer in self.consumers.items():
            for source in consumer.sources:
                if await self.broker.lag(name, source):
                    return True
        busy = [getattr(one, "busy", None) for one in self._implementations.values()]
        return any([await ask() for ask in busy if ask])

    async def shift_clock(self, shift: timedelta) -> None:
        """Move the virtual clock to real time plus `shift`."""
        await virtual_clock.move(list(self._databases.values()), shift)

    async def wind_down(self) -> None:
        """The process will close: implementations let go of calls that wait for news, and who
        calls by gRPC is told to go to others.
        """
        if self._grpc is not None:
            await self._grpc.leave()
        for implementation in self._implementations.values():
            if let_go := getattr(implementation, "wind_down", None):
                let_go()

    async def close(self) -> None:
        """Stop everything; what was committed continues at the next start."""
        await self.scrape.close()
        if self._grpc is not None:
            await self._grpc.stop(self.settings.shutdown_seconds)
        for loop in self._loops:
            loop.cancel()
        if self._loops:
            _, stuck = await asyncio.wait(self._loops, timeout=self.settings.shutdown_seconds)
            for loop in stuck:
                LOG.error("does not end", loop=repr(loop.get_coro()), at=repr(loop.get_stack()))
        for proxy in self._proxies.values():
            closing = getattr(proxy, "close", None)
            if closing is not None and asyncio.iscoroutinefunction(closing):
                await closing()
        await self.broker.close()
        await self.cache.close()
        for implementation in self._implementations.values():
            stop = getattr(implementation, "stop", None)
            if stop is not None:
                await stop()
        for used in (*self._keys.values(), *self._databases.values()):
            await used.close()


def collect_seldom() -> None:
    """For a process that serves: what it has by now stays, and garbage is looked for less often.

    Most of what a request makes is freed by reference counting; looking for cycles among it every
    700 objects, as Python does by default, was a sixth of all time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def migrate_all(settings: Settings, services: Sequence[Service]) -> None:
    """Create and bring up to date the databases of the services that run here, and the broker's."""
    await brokers.prepare(settings)
    for service in services:
        if settings.runs(service.name):
            await migrate(settings.database(service.name), service.package)


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    """The process for the time of a block."""
    try:
        await process.open()
        yield process
    finally:
        await process.close()
