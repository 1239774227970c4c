"""Orders, inventory, payments and notifications on a stage where nothing moves by itself.

The services are the real ones and so are their databases. Time stands still until somebody moves
it. Whoever acts (a customer, a loop of the house, a webhook on its way) pauses at every call from
service to service and at both ends of every transaction of orders; a director lets exactly one of
them go on to its next pause. So one list of choices is one story, told the same way each time.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import (
    Kind,
    ListingStatus,
    OfferFacts,
    OfferFactsList,
    PricedLine,
    Quote,
    QuoteLine,
    Text,
)
from dvor.contracts.identity import Contact, Contacts
from dvor.contracts.orders import WebhookDelivery
from dvor.contracts.payments import ProviderDelivery
from dvor.contracts.pricing import PartKind, PricePart
from dvor.kernel import clock, ids, outbound, points, tasks
from dvor.kernel.batch import GroupCommit
from dvor.kernel.caller import ANONYMOUS, Caller, Role, asking
from dvor.kernel.config import Settings
from dvor.kernel.db import Tx, raw_connection
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.money import Money
from dvor.kernel.process import Process
from dvor.services.inventory import memory
from dvor.services.orders import saga
from dvor.services.payments import deposit_queries
from dvor.topology import SERVICES

BEGINNING = datetime(2027, 3, 1, 9, tzinfo=UTC)
PRICE = 1_000
NAMES = ("inventory", "payments", "orders", "notifications")
BANK_SAYS = "http://payments.example/"
LONG_SECONDS = 86_400.0
"""Nothing on the stage is stopped because the machine is slow."""

_numbers = count()
_me: ContextVar["Actor | None"] = ContextVar("actor", default=None)


class Crash(BaseException):
    """The process that did this is gone."""


class Actor:
    """Somebody who acts from pause to pause."""

    def __init__(self, name: str, *, mortal: bool) -> None:
        self.name = name
        self.mortal = mortal
        """Part of the house: ends when it crashes."""
        self.where = ""
        self.still = asyncio.Event()
        self.gate: asyncio.Future[None] | None = None
        self.task: asyncio.Task[Any] | None = None

    @property
    def done(self) -> bool:
        """Whether it has nothing more to do."""
        return self.task is not None and self.task.done()


class Director:
    """Lets one actor at a time go on."""

    def __init__(self) -> None:
        self.actors: dict[str, Actor] = {}
        self.story: list[str] = []
        """Who went on from where, in this order."""
        self.on_point: Callable[[str], bool] = lambda _: False
        """Whether the process dies at a named point that an actor has reached."""
        self.crashed = False
        points.watch(self._reached)

    def enter(self, name: str, work: Coroutine[Any, Any, Any], *, mortal: bool = False) -> Actor:
        """Somebody comes on stage, at a first pause."""
        actor = self.actors[name] = Actor(name, mortal=mortal)

        async def act() -> Any:
            _me.set(actor)
            await self.pause("begins")
            return await work

        actor.task = asyncio.create_task(act())

        def ended(task: asyncio.Task[Any]) -> None:
            work.close()
            if not task.cancelled() and isinstance(task.exception(), Crash):
                actor.where = "crashed"
            actor.still.set()

        actor.task.add_done_callback(ended)
        return actor

    async def pause(self, where: str) -> None:
        """Wait until the director says go. Does nothing off stage."""
        actor = _me.get()
        if actor is None:
            return
        actor.where = where
        actor.gate = asyncio.get_running_loop().create_future()
        actor.still.set()
        await actor.gate

    def ready(self) -> list[Actor]:
        """Who could go on, by name."""
        found = [actor for actor in self.actors.values() if not actor.done]
        return sorted(found, key=lambda actor: actor.name)

    async def let(self, actor: Actor) -> None:
        """Let somebody go on to the next pause, or the end."""
        await actor.still.wait()
        if actor.done:
            return
        assert actor.gate is not None
        self.story.append(f"{actor.name}: {actor.where}")
        gate, actor.gate = actor.gate, None
        actor.still.clear()
        gate.set_result(None)
        await actor.still.wait()

    async def until(self, actor: Actor, where: str = "") -> None:
        """Let somebody go on until a pause of this name comes, or the end."""
        while not actor.done and (not where or actor.where != where):
            await self.let(actor)

    async def crash(self) -> None:
        """The house loses its power: all its actors are gone in the middle of what they do."""
        self.story.append("crash")
        self.crashed = False
        for actor in self.ready():
            await actor.still.wait()
            if actor.mortal and actor.gate is not None:
                gate, actor.gate = actor.gate, None
                actor.still.clear()
                gate.set_exception(Crash())
                await actor.still.wait()
        self.actors = {a.name: a for a in self.actors.values() if not a.done}

    def _reached(self, point: str) -> None:
        actor = _me.get()
        if actor is not None and actor.mortal and not self.crashed and self.on_point(point):
            self.story.append(f"{actor.name} dies at {point}")
            self.crashed = True
            raise Crash


@dataclass
class Weather:
    """What lines between services do to calls: nothing unless a simulation decides otherwise."""

    fault: Callable[[str], str] = lambda _what: ""
    """`lost`, `unanswered`, `twice` or nothing, for a call of this name."""


class Line:
    """A contract across a line that delays, loses and repeats."""

    def __init__(self, contract: Any, name: str, stage: "Stage") -> None:
        self._contract, self._name, self._stage = contract, name, stage

    def __getattr__(self, method: str) -> Any:
        real, what, stage = getattr(self._contract, method), f"{self._name}.{method}", self._stage

        async def call(*args: Any, **kwargs: Any) -> Any:
            await stage.director.pause(f"{what} asked")
            fault = stage.weather.fault(what)
            if fault:
                stage.director.story.append(f"{what} {fault}")
            if fault == "lost":
                raise Unavailable
            if fault == "twice":
                with suppress(Refusal):
                    await real(*args, **kwargs)
            answer = await real(*args, **kwargs)
            await stage.director.pause(f"{what} answered")
            if fault == "unanswered":
                raise Unavailable
            return answer

        return call


class Goods:
    """A catalogue: everything costs the same at first."""

    def __init__(self) -> None:
        self.facts: dict[UUID, OfferFacts] = {}
        self.deposits: dict[UUID, int] = {}

    def add(self, seller_id: UUID, kind: Kind, *, approval: bool = False, deposit: int = 0) -> UUID:
        """A new offer; `approval`: its seller answers each request; `deposit`: for each."""
        made = ids.new()
        self.deposits[made] = deposit
        self.facts[made] = OfferFacts(
            id=made,
            listing_id=made,
            seller_id=seller_id,
            kind=kind,
            status=ListingStatus.PUBLISHED,
            title=Text(en="A thing"),
            name=Text(),
            price=Money(amount=PRICE, currency="RUB"),
            timezone="UTC",
            picture="",
            approval=approval,
        )
        return made

    async def offers(self, offer_ids: tuple[UUID, ...]) -> OfferFactsList:
        """Facts."""
        return OfferFactsList(items=tuple(self.facts[i] for i in offer_ids if i in self.facts))

    async def quote(self, lines: tuple[QuoteLine, ...], promo: str = "") -> Quote:
        """Prices."""
        priced = tuple(self._priced(line) for line in lines)
        total = sum(line.total.amount for line in priced)
        return Quote(lines=priced, total=Money(amount=total, currency="RUB"))

    def _priced(self, line: QuoteLine) -> PricedLine:
        units = line.dates.length if line.dates else 1
        price, deposit = self.facts[line.offer_id].price.amount, self.deposits[line.offer_id]
        total = price * units * line.quantity
        part = PricePart(
            kind=PartKind.WEEKDAY, units=units, price=price, weekdays=(0,), amount=total
        )
        return PricedLine(
            offer=self.facts[line.offer_id],
            quantity=line.quantity,
            dates=line.dates,
            hours=line.hours,
            units=units,
            unit_price=Money(amount=price, currency="RUB"),
            total=Money(amount=total, currency="RUB"),
            day_prices=(price,) * units,
            parts=(part,),
            deposit=Money(amount=deposit * line.quantity, currency="RUB") if deposit else None,
        )


class Strangers:
    """An identity service that knows everybody."""

    async def contacts(self, user_ids: tuple[UUID, ...]) -> Contacts:
        """How to reach them."""
        return Contacts(
            items=tuple(
                Contact(user_id=i, name="A", email=f"{i.hex}@example.org", language="en")
                for i in user_ids
            )
        )


class Still(Process):
    """A house in which nothing moves by itself."""

    def _loop(self, work: Any) -> None:
        work.close()


@dataclass
class Stage:
    """The services, their clock, the director."""

    process: Still
    goods: Goods
    director: Director
    weather: Weather = field(default_factory=Weather)
    seller: Caller = field(
        default_factory=lambda: Caller(user_id=ids.new(), roles=(Role.CUSTOMER, Role.SELLER))
    )
    sent: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    """Every webhook that orders were sent."""
    closed: bool = False
    """Nobody answers webhooks."""

    @property
    def orders(self) -> Any:
        """The contract as customers see it."""
        return self.process.proxy(self.process.contract_named("orders"), "")

    @property
    def payments(self) -> Any:
        """The bank's page, as customers see it."""
        return self.process.proxy(self.process.contract_named("payments"), "")

    @property
    def service(self) -> Any:
        """The object behind orders."""
        return self.process.implementation("orders")

    def db(self, service: str) -> Any:
        """A service's database."""
        return self.process.database(service)

    @property
    def database_urls(self) -> dict[str, str]:
        """For the audit."""
        return {name: self.process.settings.database(name) for name in NAMES}

    def customer(self) -> Caller:
        """Somebody new."""
        return Caller(user_id=ids.new(), roles=(Role.CUSTOMER,))

    async def offer(
        self,
        units: int,
        kind: Kind = Kind.PRODUCT,
        *,
        approval: bool = False,
        deposit: int = 0,
    ) -> UUID:
        """A new offer with so many units; `approval`: its seller answers each request."""
        assert self.seller.user_id is not None
        made = self.goods.add(self.seller.user_id, kind, approval=approval, deposit=deposit)
        with asking(self.seller):
            await self.process.implementation("inventory").set_supply(made, units)
        return made

    async def advance(self, seconds: float) -> None:
        """Time passes."""
        await self.process.shift_clock(clock.shift() + timedelta(seconds=seconds))

    # What the house does by itself, once.

    async def move_orders(self) -> bool:
        """Move on one order that was handed over or is due; answers whether there was one."""
        mover = self.service.saga
        if mover._given:
            _, order, trace = mover._given.popleft()
            await mover._move_alone(order, trace)
            return True
        rows = await saga.saga_queries.claim_due(self.service.db, 1)
        for order in rows:
            await mover._move_alone(order, {})
        return bool(rows)

    async def run_tasks(self, service: str) -> bool:
        """Run one task of a service."""
        return bool(await self.process.runners[service].run_due())

    async def sweep(self) -> bool:
        """End holds whose time is over."""
        return bool(await self.process.implementation("inventory").expire_due())

    async def publish(self) -> bool:
        """Publish what orders and payments told."""
        told = [await self.process.relays[name].publish_batch() for name in ("orders", "payments")]
        return any(told)

    async def consume(self) -> bool:
        """Let notifications and orders take what was published."""
        consumers = self.process.consumers
        taken = [
            await consumers[who].take_batch(of)
            for who, of in (
                ("notifications", "orders"),
                ("notifications", "payments"),
                ("orders", "payments"),
            )
        ]
        return any(taken)

    async def look_after_deposits(self) -> bool:
        """Do what is due with deposits, one after the other; whether there was anything."""
        kept = self.process.implementation("payments").kept
        due = await deposit_queries.due(kept.db, 100)
        for deposit_id in due:
            await kept.move_later(deposit_id)
        return bool(due)

    async def tell_all(self) -> None:
        """Publish whatever is left to tell, of all services."""
        for relay in self.process.relays.values():
            while await relay.publish_batch():
                pass

    async def forget_the_dead(self) -> None:
        """Leases of tasks, which go by real time, have lapsed."""
        for name in ("payments", "notifications", "orders", "inventory"):
            await self.db(name).execute("UPDATE tasks SET lease_until = NULL WHERE state = 'due'")

    async def settle(self, *, mails: bool = True) -> None:
        """Let the house do everything it can do now. Off stage."""
        await self.look_after_deposits()
        moving = (self.move_orders, lambda: self.run_tasks("payments"), self.sweep)
        telling = (self.publish, self.consume, lambda: self.run_tasks("notifications"))
        for work in (*moving, *telling) if mails else moving:
            while await work():
                pass
        if await self.service.busy() or await self._webhooks_due():
            await self.settle(mails=mails)

    async def _webhooks_due(self) -> bool:
        return await self.db("payments").fetchval(
            "SELECT EXISTS (SELECT FROM tasks WHERE state = 'due' AND run_at <= dvor_now())"
        )

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], _seconds: float, _lines: object
    ) -> int:
        """A webhook on its way, from the bank or from payments: instead of `outbound.post`."""
        if url == BANK_SAYS:
            return await self.tell_payments(headers, body)
        self.sent.append((dict(headers), body))
        await self.director.pause("webhook sent")
        if self.closed:
            raise ConnectionError("nobody there")
        status = await self.deliver(headers, body)
        await self.director.pause("webhook answered")
        return status

    async def tell_payments(self, headers: Mapping[str, str], body: bytes) -> int:
        """Give a webhook of the bank to payments; the status of the answer."""
        await self.director.pause("bank's webhook sent")
        if self.closed:
            raise ConnectionError("nobody there")
        status = 204
        try:
            with asking(ANONYMOUS):
                await self.payments.receive_webhook(
                    ProviderDelivery(headers=dict(headers), body=body)
                )
        except Refusal as refusal:
            status = refusal.http_status
        await self.director.pause("bank's webhook answered")
        return status

    async def deliver(self, headers: Mapping[str, str], body: bytes) -> int:
        """Give a webhook to orders; the status of the answer."""
        delivery = WebhookDelivery(
            webhook_id=headers["webhook-id"],
            timestamp=headers["webhook-timestamp"],
            signature=headers["webhook-signature"],
            body=body,
        )
        try:
            with asking(ANONYMOUS):
                await self.orders.receive_webhook(delivery)
        except Refusal as refusal:
            return refusal.http_status
        return 204


async def _alone(self: GroupCommit, work: Callable[[Tx], Awaitable[Any]]) -> Any:
    """A transaction for each actor: one who stands still keeps nobody else waiting."""
    async with self._db.tx(self._name) as tx:
        answer = await work(tx)
    if isinstance(answer, Refusal):
        raise answer
    return answer


def _paused(stage: Stage) -> Any:
    """`tx` of the orders database with a pause at both ends."""
    database = stage.service.db
    real = database.tx

    @asynccontextmanager
    async def tx(name: str = "") -> AsyncIterator[Any]:
        await stage.director.pause(f"{name} begins")
        async with real(name) as found:
            yield found
        await stage.director.pause(f"{name} committed")

    return tx


@asynccontextmanager
async def open_stage(template: Settings, number: int = 0) -> AsyncIterator[Stage]:
    """A stage on fresh databases. `number`: what everything random in the services follows from."""
    prefix = f"{template.database_prefix}stage{next(_numbers)}_"
    async with raw_connection(template.database_url) as admin:
        for name in ("broker", *NAMES):
            source = f"{template.database_prefix}{name}"
            await admin.execute(f'CREATE DATABASE "{prefix}{name}" TEMPLATE "{source}"')
    settings = replace(
        template,
        database_prefix=prefix,
        run=frozenset(NAMES),
        secret=b"s" * 32,
        call_timeout_seconds=LONG_SECONDS,
        database_wait_seconds=LONG_SECONDS,
        lock_timeout_ms=0,
        statement_timeout_ms=0,
        idle_transaction_timeout_ms=0,
        payments_webhook_url="http://orders.example/",
        provider_webhook_url=BANK_SAYS,
    )
    goods = Goods()
    process = Still(settings, SERVICES, fakes={"catalog": goods, "identity": Strangers()})
    with pytest.MonkeyPatch.context() as patch:
        clock.follow(timedelta())
        patch.setattr(GroupCommit, "run", _alone)
        patch.setattr(clock, "now", lambda: BEGINNING + clock.shift())
        dice, ticks = random.Random(number), count(BEGINNING.timestamp() * 1e9, 1e6)
        patch.setattr(ids, "os", SimpleNamespace(urandom=dice.randbytes))
        ids._ahead.clear()
        virtual = SimpleNamespace(monotonic=lambda: clock.shift().total_seconds())
        patch.setattr(memory, "time", virtual)
        patch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: int(next(ticks))))
        random.seed(number)
        patch.setattr(tasks, "BATCH", 1)
        patch.setattr(tasks, "LEASE", timedelta(days=1))
        patch.setattr(saga, "STEP_SECONDS", LONG_SECONDS)
        patch.setattr(saga, "FINISH_SECONDS", 0)
        stage = Stage(process, goods, Director())
        patch.setattr(outbound, "post", stage.post)
        try:
            for name in NAMES:
                async with raw_connection(settings.database(name)) as connection:
                    await connection.execute(
                        "CREATE OR REPLACE FUNCTION dvor_now() RETURNS timestamptz LANGUAGE sql"
                        f" STABLE AS $$ SELECT timestamptz '{BEGINNING.isoformat()}' + shift"
                        " FROM virtual_clock $$"
                    )
            await process.open()
            for runner in process.runners.values():
                known = runner._tasks.items()
                runner._tasks = {n: replace(t, timeout_seconds=LONG_SECONDS) for n, t in known}
            _set_lines(stage)
            yield stage
        finally:
            points.watch(None)
            ids._ahead.clear()
            await process.close()
            clock.follow(timedelta())
            async with raw_connection(template.database_url) as admin:
                for name in ("broker", *NAMES):
                    await admin.execute(f'DROP DATABASE "{prefix}{name}" WITH (FORCE)')


def _set_lines(stage: Stage) -> None:
    service = stage.service
    lines = {
        name: Line(getattr(owner, name), name, stage)
        for owner, name in (
            (service.steps, "inventory"),
            (service.steps, "payments"),
            (service, "catalog"),
        )
    }
    service.db.tx = _paused(stage)
    for owner in (service, service.steps, service.steps.changes, service.carts):
        for name, line in lines.items():
            if hasattr(owner, name):
                setattr(owner, name, line)
