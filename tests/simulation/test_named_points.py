"""Power cut at each named moment once, on the stage: also where a killed process is seldom met."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from dvor.contracts.catalog import Kind
from dvor.contracts.deposits import DepositClaim, Deposits
from dvor.contracts.order_changes import LineCut
from dvor.contracts.orders import Order
from dvor.contracts.payments import CardDeclined, RefundFailed
from dvor.kernel import clock, ids
from dvor.kernel.caller import ANONYMOUS, Caller, Role, asking
from dvor.kernel.errors import Refusal, Unavailable
from dvor.kernel.messages import PageRequest
from dvor.kernel.periods import DateRange
from dvor.services.payments.rules import BAD_CARD, CARDS, Verdict
from tests.crashes.points import CALLS, OTHERS, POINTS, RARE
from tests.simulation.checks import cancel, facts, pay, place, wind_up, wrong
from tests.simulation.stage import Stage

ELSEWHERE = (
    *("answer.", "inventory.", "Identity.contacts."),
    *("mail.after_send", "mail.before_send", "orders.cart_"),
)
"""Of HTTP, of lanes that work for many, of a mail server, of carts: only whole processes get there."""
NOT_HERE = ("orders.guest_cart_joined.", "orders.delivered.")
HERE = [point for point in (*POINTS, *RARE) if not point.startswith((*ELSEWHERE, *NOT_HERE))]

DAY = 90_000
"""Seconds: longer than a seller may take to answer."""

Story = Callable[[Stage, Caller, Order, list[Any]], Awaitable[None]]


async def bought(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Declined, then paid, then cancelled; somebody sees to it that the money came back."""
    with suppress(CardDeclined), asking(ANONYMOUS):
        await stage.payments.submit_card(order.pay_path.removeprefix("/pay/"), BAD_CARD)
    await pay(stage, order)
    await house_works(stage)
    await cancel(stage, order, customer)
    await stage.advance(11)
    await house_works(stage)


async def given_up(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Never paid."""
    await stage.advance(901)
    await house_works(stage)


async def heard_late(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Paid, but the bank's word is lost."""
    await pay(stage, order)
    stage.closed = True
    await house_works(stage)
    await stage.advance(125)
    await house_works(stage)
    stage.closed = False


async def sold_meanwhile(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Paid, but the bank's word is lost until somebody else has it."""
    await pay(stage, order)
    stage.closed = True
    await house_works(stage)
    await stage.advance(901)
    await stage.sweep()
    other = await place(stage, stage.customer(), offers[0])
    await pay(stage, other)
    await house_works(stage)
    stage.closed = False


async def changed_their_mind(stage: Stage, customer: Caller, order: Order, _: list[Any]) -> None:
    """Cancelled before paying."""
    await cancel(stage, order, customer)


async def sent_a_part_back(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Paid, then cancelled in part."""
    await pay(stage, order)
    await house_works(stage)
    with asking(customer):
        await stage.orders.cancel(order.id, (LineCut(line_id=order.lines[0].id),))


async def bank_was_slow(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Decided when the time to pay was over."""
    await pay(stage, order, CARDS[Verdict.LATE])
    for seconds in (901, 125):
        await stage.advance(seconds)
        await house_works(stage)


async def objected(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Paid; then the payer's bank takes the money back for a week."""
    await pay(stage, order, CARDS[Verdict.CHARGEBACK])
    await house_works(stage)
    for seconds in (61, 8 * 86_400):
        await stage.advance(seconds)
        await house_works(stage)


async def bank_asked_back(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Has to say at the bank that it is really them."""
    await pay(stage, order, CARDS[Verdict.THREE_STEP])
    with asking(ANONYMOUS):
        await stage.payments.confirm_card(order.pay_path.removeprefix("/pay/"), True)
    await house_works(stage)


async def refused_at_first(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Paid and objected to, which nobody has heard of; cancelled: the bank gives nothing back yet."""
    await pay(stage, order, CARDS[Verdict.CHARGEBACK])
    await house_works(stage)
    stage.closed = True
    await stage.advance(61)
    await house_works(stage)
    stage.closed = False
    await cancel(stage, order, customer)


async def bank_gives_in(stage: Stage, customer: Caller) -> None:
    """What comes after it: the bank decides against this payer."""
    found = await stage.db("payments").fetch(
        "SELECT reference FROM payments WHERE payer_id = $1", customer.user_id
    )
    for row in found:
        await stage.process.implementation("payments").bank.decide_dispute(
            row["reference"], won=True
        )


async def seller_was_paid(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Paid; an admin pays out what sellers have, and has a webhook sent again."""
    await pay(stage, order)
    await house_works(stage)
    admin = Caller(user_id=ids.new(), roles=(Role.ADMIN,))
    with asking(admin):
        await stage.payments.run_payouts(ids.new())
        for sent in (await stage.payments.webhooks(PageRequest(limit=3))).items:
            await stage.payments.replay_webhook(sent.id)
    await house_works(stage)


async def asked_yes(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Its seller is asked and accepts; whoever did not hear so says it again."""
    await pay(stage, order)
    await house_works(stage)
    with asking(stage.seller):
        for _ in range(2):
            await stage.orders.approve(order.id)


async def asked_no(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Its seller is asked and declines."""
    await pay(stage, order)
    await house_works(stage)
    with asking(stage.seller):
        await stage.orders.decline(order.id)


async def asked_in_vain(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Its seller is asked and says nothing."""
    await pay(stage, order)
    await house_works(stage)
    await stage.advance(DAY)
    await house_works(stage)


async def gone_unasked(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Before its seller could be asked somebody else had it."""
    await sold_meanwhile(stage, customer, order, offers)


DAYS = 86_400


async def lent_and_kept(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Lent against a deposit; its seller keeps some of it."""
    await pay(stage, order)
    await house_works(stage)
    await stage.advance(2.5 * DAYS)
    await stage.look_after_deposits()
    found = (await deposits_of(stage, order)).items[0]
    claim = DepositClaim(amount=DEPOSIT, reason="A bent wheel")
    with asking(stage.seller):
        await stage.payments.claim_deposit(found.id, claim)
    await house_works(stage)


async def lent_for_long(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Lent so long that the bank has to be asked anew, and brought back."""
    await pay(stage, order)
    await house_works(stage)
    for days in (4.1, 4.1, 4.1):
        await stage.advance(days * DAYS)
        await stage.look_after_deposits()
    await house_works(stage)


async def lent_far_ahead(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """Ordered so early that the deposit rests; one of two is cancelled, then the other."""
    await pay(stage, order)
    await house_works(stage)
    await stage.advance(4.1 * DAYS)
    await stage.look_after_deposits()
    with asking(customer):
        line = order.lines[0].id
        await stage.orders.cancel(order.id, (LineCut(line_id=line, quantity=1),))
    await stage.advance(15 * DAYS)
    await stage.look_after_deposits()
    await house_works(stage)
    await cancel(stage, order, customer)


async def lent_to_nobody(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """The bank does not set the deposit aside."""
    await pay(stage, order, CARDS[Verdict.NO_DEPOSIT])
    await house_works(stage)


async def lent_for_nothing(stage: Stage, customer: Caller, order: Order, offers: list[Any]) -> None:
    """The bank lets the deposit go before its seller wants some of it."""
    await pay(stage, order)
    await house_works(stage)
    await stage.advance(2.5 * DAYS)
    await stage.db("payments").execute(
        "UPDATE bank_payments SET state = 'voided' WHERE ends_at IS NOT NULL"
        " AND state = 'authorised' AND description = $1",
        order.number,
    )
    found = (await deposits_of(stage, order)).items[0]
    claim = DepositClaim(amount=DEPOSIT, reason="A bent wheel")
    with asking(stage.seller):
        await stage.payments.claim_deposit(found.id, claim)
    await house_works(stage)


async def deposits_of(stage: Stage, order: Order) -> Deposits:
    with asking(stage.seller):
        return await stage.payments.deposits(order.id)


DEPOSIT = 500
LENDING: dict[Story, tuple[int, int]] = {
    lent_and_kept: (1, 2),
    lent_for_long: (1, 9),
    lent_far_ahead: (20, 22),
    lent_to_nobody: (1, 2),
    lent_for_nothing: (1, 2),
}
"""Stories of two things that are lent against a deposit: days from now on which that begins and ends."""
ASKING = (asked_yes, asked_no, asked_in_vain, gone_unasked)
"""Stories of things whose seller answers each request."""
STORIES: tuple[Story, ...] = (
    bought,
    bank_asked_back,
    refused_at_first,
    seller_was_paid,
    sent_a_part_back,
    changed_their_mind,
    given_up,
    heard_late,
    sold_meanwhile,
    bank_was_slow,
    objected,
    *ASKING,
    *LENDING,
)


async def house_works(stage: Stage) -> None:
    """What loops do, by the one who acts: where the power is cut, it is cut here."""
    for work in (
        *(stage.move_orders, lambda: stage.run_tasks("payments"), stage.move_orders, stage.sweep),
        *(stage.publish, stage.consume, lambda: stage.run_tasks("notifications")),
    ):
        for _ in range(4):
            if not await work():
                break


@pytest.fixture(scope="module")
def missed() -> set[str]:
    """Points at which nobody has been killed yet."""
    return set(HERE)


class TestEveryPoint:
    @pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
    async def test_is_survived(self, stage: Stage, story: Story, missed: set[str]) -> None:
        """Each story is told once for each point that it comes to, and cut there."""
        todo = await self.tell(stage, story, cut="")
        assert todo
        for point in sorted(todo & missed):
            missed.discard(point)
            assert point in await self.tell(stage, story, cut=point)

    def test_was_met(self, missed: set[str]) -> None:
        assert sorted(missed) == []

    async def tell(self, stage: Stage, story: Story, cut: str) -> set[str]:
        """The points a story came to; the power is cut at one of them."""
        met = set[str]()

        def on_point(point: str) -> bool:
            met.add(point)
            return point == cut

        asks = story in ASKING
        offers = [await stage.offer(1, approval=asks) for _ in range(2)]
        terms: dict[str, Any] = {}
        if story in LENDING:
            offers = [await stage.offer(2, Kind.RENTAL, deposit=DEPOSIT)]
            first, end = (clock.now().date() + timedelta(days=n) for n in LENDING[story])
            terms = {"dates": DateRange(start=first, end=end), "quantity": 2}
        customer = stage.customer()
        stage.director.on_point = on_point
        key = customer.user_id

        async def act() -> None:
            with suppress(Refusal):
                order = await place(stage, customer, *offers, key=key, **terms)
                await story(stage, customer, order, offers)
                await house_works(stage)

        actor = stage.director.enter("everybody", act(), mortal=True)
        await stage.director.until(actor)
        assert not cut or actor.where == "crashed"
        stage.director.crashed = stage.closed = False
        stage.director.on_point = lambda _: False
        stage.service.saga._given.clear()
        await stage.forget_the_dead()
        await stage.advance(11)
        if story is refused_at_first:
            await bank_gives_in(stage, customer)
        order = None
        for _ in range(4):  # the customer asks again, with the same key
            with suppress(Unavailable, RefundFailed):
                order = await place(stage, customer, *offers, key=key, **terms)
                break
            await stage.advance(11)
        await wind_up(stage)
        if asks:  # who was asked and has not answered says no
            await stage.advance(DAY)
            await wind_up(stage)
        await stage.advance(11)  # what was given back last is looked at: no other story meets that
        await stage.settle()
        assert order is not None
        found = await facts(stage, order.id)
        assert not wrong(found), f"cut at {cut}: {found}"
        await self.told(stage, order, found, cut)
        return met

    async def told(self, stage: Stage, order: Order, found: dict[str, Any], cut: str) -> None:
        """Whatever was told has its mail, once."""
        rows = await stage.db("notifications").fetch(
            "SELECT topic, mailed_at FROM notifications WHERE subject_id = $1 AND recipient_id = $2",
            order.id,
            order.customer_id,
        )
        topics = {row["topic"] for row in rows}
        assert all(row["mailed_at"] for row in rows), f"cut at {cut}: not mailed: {rows}"
        for status, topic in (("paid", "order_paid"), ("cancelled", "order_cancelled")):
            if status in found["history"]:
                assert topic in topics, f"cut at {cut}: {found['status']}, but told {topics}"


def test_the_lists_are_not_empty() -> None:
    assert len(HERE) > len(CALLS) + len(OTHERS) // 2
