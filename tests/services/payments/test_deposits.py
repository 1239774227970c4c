"""Deposits: set aside apart from the price, renewed, claimed or let go; with either provider."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.catalog import Text
from dvor.contracts.deposits import (
    ClaimTooLarge,
    Deposit,
    DepositClaim,
    DepositDeclined,
    DepositPart,
    DepositTerms,
    NotClaimable,
    UnknownDeposit,
)
from dvor.contracts.payments import NotAuthorised, Payment
from dvor.kernel import clock
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.errors import Unavailable
from dvor.kernel.ids import new
from dvor.services.payments.rules import Verdict
from tests.services.payments.conftest import SIMULATED, STRIPED, Scene, StripeScene, asked
from tests.services.payments.stripe_fake import ONCE

DAY = timedelta(days=1)
AMOUNT = 500


def person(*roles: Role) -> Caller:
    return Caller(user_id=new(), roles=roles or (Role.CUSTOMER,))


class Lent:
    """Something lent: its payment, its people, the deposit as the bank has it."""

    def __init__(self, scene: Scene, seller: Caller, customer: Caller) -> None:
        self.scene, self.seller, self.customer = scene, seller, customer
        self.payment: Payment
        self.line = new()

    async def paid(self, *terms: DepositTerms) -> "Lent":
        """The price is set aside, deposits are asked for by nobody yet."""
        assert self.customer.user_id is not None
        self.payment = await self.scene.tried(
            Verdict.APPROVED, payer=self.customer.user_id, deposits=terms
        )
        return self

    async def secured(
        self, begins: timedelta = DAY, lasts: timedelta = DAY, parts: int = 1
    ) -> "Lent":
        """Paid with a deposit that is held, or with some."""
        await self.paid(*(self.terms(begins, lasts, line) for line in self.lines(parts)))
        await self.scene.orders.secure_deposits(self.payment.id)
        return self

    def lines(self, parts: int) -> list[UUID]:
        return [self.line, *(new() for _ in range(parts - 1))]

    def terms(self, begins: timedelta, lasts: timedelta, line: UUID, amount: int = AMOUNT) -> Any:
        assert self.seller.user_id is not None
        return DepositTerms(
            line_id=line,
            seller_id=self.seller.user_id,
            title=Text(en="A bicycle"),
            amount=amount,
            begins_at=clock.now() + begins,
            ends_at=clock.now() + begins + lasts,
        )

    async def deposits(self) -> list[Deposit]:
        return list((await self.scene.orders.deposits(self.payment.order_id)).items)

    async def deposit(self) -> Deposit:
        return next(one for one in await self.deposits() if one.line_id == self.line)

    async def status(self) -> str:
        return (await self.deposit()).status.value

    async def claim(
        self, amount: int, reason: str = "A bent wheel", by: Caller | None = None
    ) -> Any:
        claim = DepositClaim(amount=amount, reason=reason, evidence="It was straight before.")
        with asking(by or self.seller):
            return await self.scene.house.payments.claim_deposit((await self.deposit()).id, claim)

    async def give_back(self, by: Caller | None = None) -> Any:
        with asking(by or self.seller):
            return await self.scene.house.payments.return_deposit((await self.deposit()).id)

    async def pass_time(self, days: float) -> None:
        """Time passes; then the timer looks, as often as there is something to do."""
        await self.scene.house.clock.advance(seconds=days * 86_400)
        await self.look()

    async def look(self) -> None:
        await self.scene.service.look_after_deposits()

    async def held_at_bank(self) -> int:
        """What the bank keeps aside for deposits of this payment now, in all."""
        return sum(amount for amount, state, _ in await self._at_bank() if state == "held")

    async def captured_at_bank(self) -> int:
        return sum(captured for _, _, captured in await self._at_bank())

    async def asked_at_bank(self) -> int:
        return len(await self._at_bank())

    async def _at_bank(self) -> list[tuple[int, str, int]]:
        ours = await self.scene.db.fetch(
            "SELECT reference FROM deposit_authorisations a JOIN deposits d ON d.id = a.deposit_id"
            " WHERE payment_id = $1",
            self.payment.id,
        )
        references = [row["reference"] for row in ours]
        if isinstance(self.scene, StripeScene):
            known = self.scene.fake.intents
            rows = [known[name] for name in references if name in known]
            return [
                (
                    one["amount"],
                    "held" if one["status"] == "requires_capture" else "over",
                    one["amount_received"],
                )
                for one in rows
            ]
        rows = await self.scene.db.fetch(
            "SELECT amount, captured, state = 'authorised' AND ends_at > dvor_now() AS held"
            " FROM bank_payments WHERE reference = ANY($1)",
            references,
        )
        return [(row["amount"], "held" if row["held"] else "over", row["captured"]) for row in rows]

    async def events(self) -> list[str]:
        rows = await self.scene.db.fetch(
            "SELECT type FROM outbox WHERE aggregate = $1 AND type LIKE '%deposit%' ORDER BY id",
            self.payment.order_id,
        )
        return [row["type"].split(".")[1] for row in rows]


@pytest.fixture
async def lent(scene: Scene) -> AsyncIterator[Lent]:
    lent = Lent(scene, person(Role.CUSTOMER, Role.SELLER), person())
    yield lent
    if isinstance(scene, StripeScene):
        scene.fake.refusing = False
    await lent.look()


class TestSecure:
    async def test_sets_each_aside_apart_from_the_price(self, lent: Lent) -> None:
        await lent.secured(parts=3)
        assert [one.status for one in await lent.deposits()] == ["held"] * 3
        assert await lent.held_at_bank() == 3 * AMOUNT
        assert lent.payment.amount.amount == 100_00 and lent.payment.deposit == 3 * AMOUNT
        assert (await lent.scene.orders.payment(lent.payment.id)).payment.status == "authorised"

    async def test_is_harmless_when_repeated(self, lent: Lent) -> None:
        await lent.secured()
        await lent.scene.orders.secure_deposits(lent.payment.id)
        assert await lent.asked_at_bank() == 1

    async def test_nothing_is_set_aside_before_the_price_is(self, lent: Lent) -> None:
        payment = await asked(lent.scene.orders, deposits=(lent.terms(DAY, DAY, lent.line),))
        with pytest.raises(NotAuthorised):
            await lent.scene.orders.secure_deposits(payment.id)

    @SIMULATED
    async def test_a_bank_that_says_no_is_said(self, lent: Lent) -> None:
        lent.payment = await lent.scene.tried(
            Verdict.NO_DEPOSIT, deposits=(lent.terms(DAY, DAY, lent.line),)
        )
        for _ in range(2):
            with pytest.raises(DepositDeclined):
                await lent.scene.orders.secure_deposits(lent.payment.id)
        assert await lent.status() == "declined" and await lent.held_at_bank() == 0
        assert "deposit_declined" in await lent.scene.steps(lent.payment)

    @STRIPED
    async def test_a_card_that_cannot_be_used_without_its_payer_is_a_no(self, lent: Lent) -> None:
        scene = lent.scene
        assert isinstance(scene, StripeScene)
        payment, page = await scene.opened(deposits=(lent.terms(DAY, DAY, lent.line),))
        await scene.fake.pay(page, ONCE)
        lent.payment = await scene.came_back(payment)
        with pytest.raises(DepositDeclined):
            await scene.orders.secure_deposits(payment.id)
        assert await lent.held_at_bank() == 0

    @STRIPED
    async def test_only_payments_with_a_deposit_keep_the_card(self, lent: Lent) -> None:
        scene = lent.scene
        assert isinstance(scene, StripeScene)
        plain, _ = await scene.opened()
        await lent.secured()
        assert scene.fake.sessions_of(plain.id)[0]["customer"] is None
        assert scene.fake.sessions_of(lent.payment.id)[0]["customer"]

    @SIMULATED
    async def test_an_answer_that_never_came_is_asked_for_by_the_same_key(self, lent: Lent) -> None:
        lent.payment = await lent.scene.tried(
            Verdict.TIMEOUT, deposits=(lent.terms(DAY, DAY, lent.line),)
        )
        await lent.scene.orders.payment(lent.payment.id)
        with pytest.raises(Unavailable):
            await lent.scene.orders.secure_deposits(lent.payment.id)
        await lent.scene.orders.secure_deposits(lent.payment.id)
        assert (await lent.asked_at_bank(), await lent.held_at_bank()) == (1, AMOUNT)

    @STRIPED
    async def test_a_broken_line_sets_nothing_aside_twice(self, lent: Lent) -> None:
        """Even when Stripe has forgotten the key: its intents are looked at first."""
        scene = lent.scene
        assert isinstance(scene, StripeScene)
        await lent.paid(lent.terms(DAY, DAY, lent.line))
        scene.fake.lose["POST payment_intents"] = 1
        with pytest.raises(Unavailable):
            await scene.orders.secure_deposits(lent.payment.id)
        scene.fake.keys.clear()
        await scene.orders.secure_deposits(lent.payment.id)
        customer = scene.fake.of(lent.payment.id)["customer"]
        assert len([i for i in scene.fake.intents.values() if i["customer"] == customer]) == 2


class TestClaim:
    async def test_takes_a_part_once_and_lets_the_rest_go(self, lent: Lent) -> None:
        await lent.secured()
        await lent.pass_time(2.1)
        claimed = await lent.claim(200)
        assert (claimed.status, claimed.captured, claimed.released) == ("captured", 200, 300)
        assert (await lent.captured_at_bank(), await lent.held_at_bank()) == (200, 0)
        await lent.pass_time(30)
        assert await lent.status() == "captured"
        assert await lent.events() == ["deposit_captured"]

    async def test_pays_the_seller_without_commission_and_the_books_balance(
        self, lent: Lent
    ) -> None:
        await lent.secured()
        await lent.scene.orders.capture(lent.payment.id)
        await lent.pass_time(2.1)
        await lent.claim(AMOUNT)
        with asking(lent.seller):
            (balance,) = (await lent.scene.house.payments.balances()).items
        assert balance.available == AMOUNT

    async def test_the_same_claim_may_be_repeated_another_may_not(self, lent: Lent) -> None:
        await lent.secured()
        await lent.pass_time(2.1)
        await lent.claim(200)
        await lent.claim(200)
        with pytest.raises(NotClaimable):
            await lent.claim(300)
        assert await lent.captured_at_bank() == 200

    async def test_never_beyond_the_deposit(self, lent: Lent) -> None:
        await lent.secured()
        await lent.pass_time(2.1)
        with pytest.raises(ClaimTooLarge) as refusal:
            await lent.claim(AMOUNT + 1)
        assert refusal.value.most == AMOUNT

    async def test_neither_before_the_end_nor_after_its_time(self, lent: Lent) -> None:
        await lent.secured()
        await lent.pass_time(1.9)
        with pytest.raises(NotClaimable):
            await lent.claim(100)
        await lent.scene.house.clock.advance(seconds=3.2 * 86_400)
        with pytest.raises(NotClaimable):  # also where the timer has not looked yet
            await lent.claim(100)

    async def test_only_its_seller_and_admins(self, lent: Lent) -> None:
        await lent.secured()
        await lent.pass_time(2.1)
        for who in (lent.customer, person(Role.CUSTOMER, Role.SELLER)):
            with pytest.raises(UnknownDeposit):
                await lent.claim(100, by=who)
            with pytest.raises(UnknownDeposit):
                await lent.give_back(by=who)
        assert (await lent.claim(100, by=person(Role.ADMIN))).status == "captured"

    async def test_of_what_the_bank_let_go_nothing_is_taken(self, lent: Lent) -> None:
        await lent.secured()
        await lent.scene.house.clock.advance(seconds=2.1 * 86_400)
        await _let_go_by_bank(lent)
        lost = await lent.claim(200)
        assert (lost.status, lost.captured) == ("lost", 0)
        assert await lent.events() == ["deposit_lost"]

    @STRIPED
    async def test_an_unknown_outcome_is_found_out(self, lent: Lent) -> None:
        scene = lent.scene
        assert isinstance(scene, StripeScene)
        await lent.secured()
        await lent.pass_time(2.1)
        scene.fake.fail["POST capture"] = [500]
        assert (await lent.claim(200)).status == "claimed"
        await lent.pass_time(0.01)
        assert (await lent.status(), await lent.captured_at_bank()) == ("captured", 200)

    @STRIPED
    async def test_a_capture_whose_answer_is_lost_counts_once(self, lent: Lent) -> None:
        scene = lent.scene
        assert isinstance(scene, StripeScene)
        await lent.secured()
        await lent.pass_time(2.1)
        scene.fake.lose["POST capture"] = 1
        assert (await lent.claim(200)).captured == 200


class TestRelease:
    async def test_happens_by_itself_when_the_time_to_claim_is_over(self, lent: Lent) -> None:
        await lent.secured()
        await lent.pass_time(4.9)
        assert await lent.status() == "held"
        await lent.pass_time(0.2)
        assert (await lent.status(), await lent.held_at_bank()) == ("released", 0)
        assert await lent.events() == ["deposit_released"]
        with pytest.raises(NotClaimable):
            await lent.claim(100)

    async def test_a_seller_may_give_it_back_at_once(self, lent: Lent) -> None:
        await lent.secured()
        assert (await lent.give_back()).status == "released"
        assert (await lent.give_back()).status == "released"
        assert await lent.held_at_bank() == 0

    async def test_what_was_claimed_is_not_given_back(self, lent: Lent) -> None:
        await lent.secured()
        await lent.pass_time(2.1)
        await lent.claim(200)
        with pytest.raises(NotClaimable):
            await lent.give_back()
        await lent.scene.orders.release_deposits(lent.payment.id)
        assert (await lent.deposit()).captured == 200

    async def test_of_one_line_leaves_the_others(self, lent: Lent) -> None:
        await lent.secured(parts=2)
        part = DepositPart(line_id=lent.line, needed=0)
        await lent.scene.orders.release_deposits(lent.payment.id, (part,))
        assert sorted(one.status for one in await lent.deposits()) == ["held", "released"]
        assert await lent.held_at_bank() == AMOUNT

    async def test_of_a_part_holds_the_smaller_one_instead(self, lent: Lent) -> None:
        await lent.secured(begins=DAY / 2)
        part = DepositPart(line_id=lent.line, needed=200)
        for _ in range(2):
            await lent.scene.orders.release_deposits(lent.payment.id, (part,))
        found = await lent.deposit()
        assert (found.status, found.released) == ("held", AMOUNT - 200)
        assert await lent.held_at_bank() == 200
        await lent.pass_time(1.6)
        with pytest.raises(ClaimTooLarge):
            await lent.claim(201)
        assert (await lent.claim(200)).captured == 200

    async def test_before_anything_was_set_aside_ends_it(self, lent: Lent) -> None:
        await lent.paid(lent.terms(DAY, DAY, lent.line))
        await lent.scene.orders.release_deposits(lent.payment.id)
        assert await lent.status() == "released"
        with pytest.raises(DepositDeclined):
            await lent.scene.orders.secure_deposits(lent.payment.id)

    @STRIPED
    async def test_goes_on_when_the_bank_can_be_reached_again(self, lent: Lent) -> None:
        scene = lent.scene
        assert isinstance(scene, StripeScene)
        await lent.secured()
        scene.fake.fail["POST cancel"] = [503]
        await scene.orders.release_deposits(lent.payment.id)
        assert (await lent.status(), await lent.held_at_bank()) == ("releasing", AMOUNT)
        await lent.pass_time(0.01)
        assert (await lent.status(), await lent.held_at_bank()) == ("released", 0)


class TestRenewal:
    async def test_the_bank_never_lets_it_go_while_something_is_lent(self, lent: Lent) -> None:
        await lent.secured(begins=DAY / 2, lasts=20 * DAY)
        for _ in range(20):
            await lent.pass_time(1)
            assert (await lent.status(), await lent.held_at_bank()) == ("held", AMOUNT)
        await lent.pass_time(1)
        assert (await lent.claim(AMOUNT)).captured == AMOUNT
        assert await lent.asked_at_bank() == 6

    async def test_rests_until_shortly_before_it_begins(self, lent: Lent) -> None:
        await lent.secured(begins=30 * DAY, lasts=DAY)
        await lent.pass_time(4.1)
        assert (await lent.status(), await lent.held_at_bank()) == ("resting", 0)
        await lent.pass_time(20)
        assert (await lent.status(), await lent.asked_at_bank()) == ("resting", 1)
        await lent.pass_time(5)
        assert (await lent.status(), await lent.held_at_bank()) == ("held", AMOUNT)

    async def test_a_bank_that_refuses_is_told_once_and_asked_again(self, lent: Lent) -> None:
        await lent.secured(begins=10 * DAY, lasts=3 * DAY)
        await lent.pass_time(4.1)
        await _refuses(lent, refuses=True)
        await lent.pass_time(5)
        await lent.pass_time(0.3)
        assert (await lent.status(), (await lent.deposit()).refusals) == ("resting", 2)
        assert await lent.events() == ["deposit_refused"]
        await _refuses(lent, refuses=False)
        await lent.pass_time(0.3)
        assert (await lent.status(), (await lent.deposit()).refusals) == ("held", 0)

    async def test_the_old_one_is_kept_until_the_new_one_is_held(self, lent: Lent) -> None:
        await lent.secured(begins=DAY / 2, lasts=20 * DAY)
        await _refuses(lent, refuses=True)
        await lent.pass_time(4.1)
        assert (await lent.status(), await lent.held_at_bank()) == ("held", AMOUNT)

    async def test_who_never_got_it_again_has_nothing_to_claim(self, lent: Lent) -> None:
        await lent.secured(begins=10 * DAY, lasts=DAY)
        await lent.pass_time(4.1)
        await _refuses(lent, refuses=True)
        for _ in range(7):
            await lent.pass_time(1)
        with pytest.raises(NotClaimable):
            await lent.claim(100)
        await lent.pass_time(3.5)
        assert await lent.status() == "released"

    @STRIPED
    async def test_a_claim_while_it_is_renewed_leaves_nothing_aside(self, lent: Lent) -> None:
        scene = lent.scene
        assert isinstance(scene, StripeScene)
        await lent.secured(begins=DAY / 2, lasts=4 * DAY)
        scene.fake.lose["POST payment_intents"] = 1
        await lent.pass_time(4.6)  # the answer to the second asking is lost
        claimed = await lent.claim(200)
        await lent.pass_time(0.01)
        assert claimed.captured + (await lent.deposit()).captured >= 200
        assert (await lent.captured_at_bank(), await lent.held_at_bank()) == (200, 0)


class TestSeeing:
    async def test_payer_and_admins_see_all_sellers_their_own_others_none(self, lent: Lent) -> None:
        await lent.secured(parts=2)
        counts = []
        for who in (lent.customer, person(Role.ADMIN), lent.seller, person(Role.SELLER)):
            with asking(who):
                found = await lent.scene.house.payments.deposits(lent.payment.order_id)
                counts.append(len(found.items))
        assert counts == [2, 2, 2, 0]


async def _let_go_by_bank(lent: Lent) -> None:
    scene = lent.scene
    if isinstance(scene, StripeScene):
        customer = scene.fake.of(lent.payment.id)["customer"]
        for intent in scene.fake.set_aside():
            if intent["customer"] == customer:
                intent |= {"status": "canceled", "amount_capturable": 0}
        return
    await scene.db.execute(
        "UPDATE bank_payments SET ends_at = dvor_now() WHERE reference IN (SELECT reference"
        " FROM deposit_authorisations a JOIN deposits d ON d.id = deposit_id"
        " WHERE payment_id = $1)",
        lent.payment.id,
    )


async def _refuses(lent: Lent, *, refuses: bool) -> None:
    """From now on the bank does not set more aside on this card, or does again."""
    scene = lent.scene
    if isinstance(scene, StripeScene):
        scene.fake.refusing = refuses
        return
    outcome = Verdict.NO_DEPOSIT if refuses else Verdict.APPROVED
    await scene.db.execute(
        "UPDATE bank_payments SET outcome = $2 WHERE reference = $1",
        str(lent.payment.id),
        outcome,
    )
