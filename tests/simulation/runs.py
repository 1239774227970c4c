"""Checkouts on a virtual clock, with everything going wrong: lost and repeated calls, late webhooks,
crashes at named points, time that jumps. `./dvor test simulation --seed 7` tells story 7 again.

The services and their databases are the real ones (`stage.py`); one number decides who goes on
next, what is lost, what comes twice, where the process dies and how fast time passes. So a seed
tells the same story again, step by step: the test compares two of them.
"""

import argparse
import asyncio
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop

from dvor.audit import audit
from dvor.contracts.deposits import DepositClaim
from dvor.contracts.orders import Order, Wish
from dvor.contracts.payments import CardDeclined
from dvor.kernel import brokers, telemetry
from dvor.kernel import process as processes
from dvor.kernel.caller import ANONYMOUS, Caller, asking
from dvor.kernel.config import Settings
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.migrations import migrate
from dvor.kernel.postgres import EmbeddedPostgres
from dvor.services.payments.rules import BAD_CARD, CARDS, GOOD_CARD, Verdict
from dvor.topology import SERVICES
from tests.seeds import fresh
from tests.simulation.checks import facts_of, wind_up, wrong
from tests.simulation.stage import NAMES, Director, Stage, open_stage

CUSTOMERS = 60
"""Of one episode: the more, the less the end of each costs, where the house is asked until all is done."""
AT_ONCE = 8
"""Customers on stage at the same time."""
SCARCE_UNITS = 12
WANTED_SCARCE, WANTED_PLENTY = 0.5, 0.8
"""How likely a customer wants what half of those who want it can have, and what everybody can."""
FAULTS = {"lost": 0.02, "unanswered": 0.02, "twice": 0.03}
DYING = 0.002
"""How likely the house dies at a point."""
JUMPS_SECONDS = {0.1: 4, 0.5: 4, 1: 4, 3: 4, 12: 4, 40: 2, 130: 2, 500: 1, 900: 1}
"""How far time moves at once, and how often so far."""
MOVES = 4.0
"""How often one goes on who has something to do; loops of the house that look whether there is
something are chosen as often as `_start_house` says, for most looks find nothing."""
STEPS_MAX = 40_000
TOLD_OF = {"late_payment_returned", "payment_declined", "refunded"}


@dataclass
class Telling:
    """What a seed's story came to."""

    checkouts: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    """What happened how often."""
    problems: list[str] = field(default_factory=list)
    print: str = ""
    """The same for the same story: a hash of every step and every end."""
    slowest_seconds: float = 0
    """Virtual time from the last fault until everything under way was done, at most."""


class Episode:
    """Some customers want some things, while everything goes wrong."""

    def __init__(self, stage: Stage, dice: random.Random, telling: Telling, customers: int) -> None:
        self.stage = stage
        self.dice = dice
        self.telling = telling
        self.customers = customers
        self.orders: set[UUID] = set()
        self.director = stage.director
        self.lives = 0
        self.looks: dict[str, float] = {}
        """How often a loop of the house looks whether there is something to do."""

    async def play(self) -> None:
        """From the first wish to the last settled order."""
        stage, dice = self.stage, self.dice
        offers = [await stage.offer(SCARCE_UNITS, deposit=300), await stage.offer(100)]
        stage.weather.fault = self._fault
        self.director.on_point = lambda _: dice.random() < DYING
        self._start_house()
        come = 0
        for _ in range(STEPS_MAX):
            shopping = sum(not actor.mortal for actor in self.director.ready())
            if shopping < AT_ONCE and come < self.customers:
                self.director.enter(f"customer {come}", self._shop(offers))
                come += 1
            elif not shopping:
                break
            await self._step()
        else:
            self.telling.problems.append("customers never came to an end")
        await self._end()

    async def _step(self) -> None:
        ready = self.director.ready()
        weights = [self.looks[a.name] if a.where == "looks" else MOVES for a in ready]
        await self.director.let(self.dice.choices(ready, weights)[0])
        if self.director.crashed or self.dice.random() < DYING / 4:
            self.telling.seen["crash"] += 1
            await self.director.crash()
            await self.stage.forget_the_dead()
            self.stage.service.saga._given.clear()
            self._start_house()

    def _start_house(self) -> None:
        stage, self.lives = self.stage, self.lives + 1
        for name, looks, work in (
            ("mover", 1, stage.move_orders),
            ("second mover", 1, stage.move_orders),
            ("bank", 1, lambda: stage.run_tasks("payments")),
            ("second bank", 1, lambda: stage.run_tasks("payments")),
            ("sweeper", 0.2, stage.sweep),
            ("keeper", 0.2, stage.look_after_deposits),
            ("relay", 0.3, stage.publish),
            ("consumer", 0.3, stage.consume),
            ("mails", 0.3, lambda: stage.run_tasks("notifications")),
            ("time", 0.5, self._pass_time),
            ("copier", 0.5, self._copy_webhook),
        ):
            actor = self.director.enter(f"{name} {self.lives}", self._again(work), mortal=True)
            self.looks[actor.name] = looks

    async def _again(self, work: Any) -> None:
        while True:
            await self.director.pause("looks")
            with suppress(Refusal):
                await work()

    async def _pass_time(self) -> None:
        (jump,) = self.dice.choices(list(JUMPS_SECONDS), list(JUMPS_SECONDS.values()))
        await self.stage.advance(jump)

    async def _copy_webhook(self) -> None:
        """Some old webhook comes once more."""
        if self.stage.sent and self.dice.random() < 0.2:
            self.telling.seen["old webhook"] += 1
            await self.stage.deliver(*self.dice.choice(self.stage.sent[-20:]))

    def _fault(self, what: str) -> str:
        chance = self.dice.random()
        for fault, share in FAULTS.items():
            if chance < share:
                self.telling.seen[fault] += 1
                return fault
            chance -= share
        return ""

    # Customers

    async def _shop(self, offers: Sequence[UUID]) -> None:
        who = self.stage.customer()
        key = UUID(int=self.dice.getrandbits(128), version=4)
        wishes = tuple(
            Wish(offer_id=offer)
            for offer, wanted in zip(offers, (WANTED_SCARCE, WANTED_PLENTY), strict=True)
            if self.dice.random() < wanted
        )
        order = await self._placed(who, key, wishes or (Wish(offer_id=offers[1]),))
        if order is None:
            return
        self.orders.add(order.id)
        self.telling.checkouts += 1
        if self.dice.random() < 0.2:
            await self._cancel(who, order)
        if self.dice.random() < 0.85 and order.pay_path:
            await self._pay(order)
            if self.dice.random() < 0.2:
                await self._claim(order)
            if self.dice.random() < 0.3:
                for _ in range(self.dice.choice((0, 20, 80))):
                    await self.director.pause("thinks it over")
                await self._cancel(who, order)

    async def _placed(self, who: Caller, key: UUID, wishes: tuple[Wish, ...]) -> Order | None:
        """The same request with the same key until it is answered."""
        for _ in range(12):
            await self.director.pause("wants to order")
            try:
                with asking(who.model_copy(update={"key": key})):
                    return await self.stage.orders.place(wishes)
            except Unavailable:
                continue
            except Refusal as refusal:
                self.telling.seen[type(refusal).__name__] += 1
                return None
        return None

    async def _pay(self, order: Order) -> None:
        await self.director.pause("wants to pay")
        cards = (BAD_CARD, CARDS[Verdict.NO_DEPOSIT], CARDS[Verdict.TIMEOUT], GOOD_CARD)
        (card,) = self.dice.choices(cards, (15, 5, 5, 75))
        with suppress(CardDeclined), suppress(Refusal), asking(ANONYMOUS):
            await self.stage.payments.submit_card(order.pay_path.removeprefix("/pay/"), card)

    async def _claim(self, order: Order) -> None:
        """Its seller keeps some of a deposit, more often than there is one to keep."""
        for _ in range(self.dice.choice((5, 40))):
            await self.director.pause("brings it back")
        with suppress(Refusal), asking(self.stage.seller):
            for deposit in (await self.stage.payments.deposits(order.id)).items:
                claim = DepositClaim(amount=self.dice.choice((100, 300)), reason="A scratch")
                await self.stage.payments.claim_deposit(deposit.id, claim)

    async def _cancel(self, who: Caller, order: Order) -> None:
        await self.director.pause("wants to cancel")
        with suppress(Refusal), asking(who):
            await self.stage.orders.cancel(order.id)

    # The end

    async def _end(self) -> None:
        """No more faults: what is under way is done within 30 s, everything is decided in the end."""
        stage = self.stage
        stage.weather.fault = lambda _: ""
        self.director.on_point = lambda _: False
        await self.director.crash()
        stage.service.saga._given.clear()
        await stage.forget_the_dead()
        for waited in (0, 6, 12, 20, 30):
            await stage.advance(min(waited, 10))
            await stage.settle()
            self.telling.slowest_seconds = max(self.telling.slowest_seconds, waited)
            if not await self._under_way():
                break
        else:
            self.telling.problems.append("something is under way after 30 s")
        await wind_up(stage)
        for order_id, found in (await facts_of(stage, self.orders)).items():
            self.telling.seen[found["status"]] += 1
            self.telling.seen.update(TOLD_OF & set(found["history"]))
            self.telling.seen.update(f"deposit {one['status']}" for one in found["deposits"])
            if problem := wrong(found):
                self.telling.problems.append(f"order {order_id}: {problem}")
            self.director.story.append(repr(found))

    async def _under_way(self) -> bool:
        sql = "SELECT EXISTS (SELECT FROM orders WHERE pending_action IS NOT NULL)"
        return await self.stage.db("orders").fetchval(sql)


async def tell(
    template: Settings, number: int, checkouts: int, *, customers: int = CUSTOMERS
) -> Telling:
    """The story of a seed, until so many orders have been placed, by so many people at a time."""
    telling, digest = Telling(), hashlib.sha256()
    async with open_stage(template, number) as stage:
        dice = random.Random(number)
        while telling.checkouts < checkouts and not telling.problems:
            stage.director = Director()
            stage.sent.clear()
            await Episode(stage, dice, telling, customers).play()
            digest.update("\n".join(stage.director.story).encode())
            if telling.problems:
                telling.problems.append("\n".join(stage.director.story[-60:]))
        telling.problems += await _audited(stage)
    telling.print = digest.hexdigest()[:16]
    return telling


def told_aside(template: Settings, number: int, checkouts: int) -> Telling:
    """The same on a loop of its own, which is a third faster than that of the tests."""

    def told() -> Telling:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(tell(template, number, checkouts))

    with ThreadPoolExecutor(1) as aside:
        return aside.submit(told).result()


async def _audited(stage: Stage) -> list[str]:
    await stage.tell_all()
    report = await audit(stage.database_urls, patience_seconds=0)
    return [f"{f.id}: {one}" for f in report.findings for one in f.examples]


async def _template(server: str) -> Settings:
    settings = Settings(database_url=server, database_prefix="simulation_")
    await brokers.prepare(settings)
    for service in SERVICES:
        if service.name in NAMES:
            await migrate(settings.database(service.name), service.package)
    return settings


async def _told(server: str, number: int, checkouts: int) -> Telling:
    return await tell(await _template(server), number, checkouts)


def main() -> int:
    """Exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="./dvor test simulation", description=__doc__)
    parser.add_argument("--checkouts", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    telemetry.configure(Settings(log_level="error"), "simulation")
    number = fresh() if options.seed is None else options.seed
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="dvor-simulation-") as folder,
        EmbeddedPostgres(Path(folder) / "pg", fsync=False, max_connections=100) as server,
    ):
        processes.collect_seldom()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            telling = runner.run(_told(server.dsn, number, options.checkouts))
    for what, times in sorted(telling.seen.items()):
        print(f"{what:24} {times:7}")
    print(
        f"seed {number}: {telling.checkouts} checkouts in {time.perf_counter() - began:.0f} s,"
        f" {len(telling.problems)} problems, under way at most {telling.slowest_seconds:.0f} s"
        f" after the last fault, story {telling.print}"
    )
    print(*telling.problems, sep="\n")
    return 1 if telling.problems else 0


if __name__ == "__main__":
    sys.exit(main())
