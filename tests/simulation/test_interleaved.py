"""Whatever two do to one order at once: one stops at each of its lines while the other does it all."""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations
from uuid import UUID

import pytest

from dvor.contracts.order_changes import LineCut
from dvor.contracts.orders import Order
from dvor.kernel.caller import Caller, asking
from dvor.kernel.errors import Refusal
from dvor.kernel.money import Money
from tests.simulation.checks import cancel, facts_of, pay, place, wind_up, wrong
from tests.simulation.stage import PRICE, Stage

PAUSES_MAX = 60
STRIDE = 1 if os.environ.get("DVOR_TEST_TIER") == "nightly" else 7
"""Nightly each line is stopped at, else every so many; which ones, is another for each pair."""
DEARER = 7
"""By so much a thing costs more after an edit: nobody who has ordered it pays that."""


@dataclass
class Scene:
    """An order, and what can be done to it."""

    stage: Stage
    customer: Caller
    order: Order
    offers: tuple[UUID, ...]

    async def pay(self) -> None:
        """The customer pays, the bank tells, the house does its step."""
        await pay(self.stage, self.order)
        await self.stage.run_tasks("payments")
        await self.stage.move_orders()

    async def webhook(self) -> None:
        """An old webhook of the bank comes again."""
        for headers, body in self.stage.sent[-2:]:
            await self.stage.deliver(headers, body)
        await self.stage.move_orders()

    async def expire(self) -> None:
        """The time to pay is over: the sweeper ends the hold, somebody looks at the order."""
        await self.stage.advance(901)
        await self.stage.director.pause("time has passed")
        await self.stage.sweep()
        await self.stage.director.pause("swept")
        await self.stage.move_orders()

    async def cancel(self) -> None:
        """The customer cancels."""
        await cancel(self.stage, self.order, self.customer)

    async def refuse(self) -> None:
        """The seller cancels."""
        await cancel(self.stage, self.order, self.stage.seller)

    async def send_back(self) -> None:
        """The customer gives one of the two things back."""
        with asking(self.customer):
            await self.stage.orders.cancel(
                self.order.id, (LineCut(line_id=self.order.lines[0].id),)
            )

    async def edit(self) -> None:
        """The seller asks more for it from now on."""
        facts = self.stage.goods.facts
        for offer in self.offers:
            dearer = Money(amount=facts[offer].price.amount + DEARER, currency="RUB")
            facts[offer] = facts[offer].model_copy(update={"price": dearer})
            await self.stage.director.pause("edited")

    async def resize(self) -> None:
        """The seller finds that there is none left, then finds it again."""
        inventory = self.stage.process.implementation("inventory")
        for units in (0, 1):
            with asking(self.stage.seller), suppress(Refusal):
                await inventory.set_supply(self.offers[0], units)
            await self.stage.director.pause(f"counted {units}")

    async def deliver(self) -> None:
        """The seller hands everything over."""
        with asking(self.stage.seller):
            await self.stage.orders.deliver(self.order.id)

    async def rival(self) -> None:
        """Somebody else wants the last unit."""
        other = await place(self.stage, self.stage.customer(), self.offers[0])
        await self.stage.director.pause("the rival has it")
        await pay(self.stage, other)


Action = Callable[[Scene], Awaitable[None]]
OF_SELLERS: tuple[Action, ...] = (Scene.edit, Scene.resize)
UNPAID: tuple[Action, ...] = (Scene.pay, Scene.expire, Scene.cancel, Scene.refuse, Scene.rival)
AUTHORISED: tuple[Action, ...] = (Scene.webhook, Scene.expire, Scene.cancel, Scene.rival)
PAID: tuple[Action, ...] = (
    *(Scene.webhook, Scene.cancel, Scene.refuse, Scene.send_back, Scene.deliver),
)
CASES = [
    pytest.param(
        *(state, first, second),
        id=f"{state}-{second.__name__}-within-{first.__name__}",
        # What was ordered is priced: the pairs with an unpaid order say the same sooner.
        marks=[pytest.mark.nightly] * (state != "unpaid" and Scene.edit in (first, second)),
    )
    for state, actions in (("unpaid", UNPAID), ("authorised", AUTHORISED), ("paid", PAID))
    for first, second in permutations((*actions, *OF_SELLERS), 2)
    if {first, second} != set(OF_SELLERS)
]


async def opened(stage: Stage, state: str) -> Scene:
    """A new order of the only units there are of two things, so far on its way."""
    offers, customer = (await stage.offer(1), await stage.offer(1)), stage.customer()
    scene = Scene(stage, customer, await place(stage, customer, *offers), offers)
    if state != "unpaid":
        await pay(stage, scene.order)
        stage.closed = state == "authorised"
        await stage.run_tasks("payments")
        stage.closed = False
    if state == "paid":
        await stage.settle()
    return scene


async def quietly(action: Awaitable[None]) -> None:
    """Refusals are answers, too."""
    with suppress(Refusal):
        await action


class TestPairs:
    @pytest.mark.parametrize(("state", "first", "second"), CASES)
    async def test_end_well_in_every_order(
        self, stage: Stage, state: str, first: Action, second: Action
    ) -> None:
        orders = dict[int, UUID]()
        stage.director.story.clear()
        begin = (len(first.__name__) + len(second.__name__)) % STRIDE
        for pauses in range(begin, PAUSES_MAX, STRIDE):
            stage.director.story.append(f"{pauses} pauses")
            scene = await opened(stage, state)
            one = stage.director.enter("one", quietly(first(scene)))
            for _ in range(pauses):
                await stage.director.let(one)
            await one.still.wait()
            over = one.done
            other = stage.director.enter("other", quietly(second(scene)))
            await stage.director.until(other)
            await stage.director.until(one)
            for actor in (one, other):
                assert actor.task is not None
                actor.task.result()
            orders[pauses] = scene.order.id
            await stage.settle(mails=False)  # so that the next one is alone
            if over:
                break
        else:
            raise AssertionError(f"more than {PAUSES_MAX} pauses")
        await wind_up(stage)
        found = await facts_of(stage, orders.values())
        for pauses, order_id in orders.items():
            problem = wrong(found[order_id])
            if found[order_id]["captured"] not in (0, 2 * PRICE):
                problem = f"took another amount: {found[order_id]}"
            assert not problem, f"after {pauses} pauses: {problem}\n" + "\n".join(
                stage.director.story
            )
