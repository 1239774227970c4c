"""Deposits: set aside apart from the price, renewed, claimed or let go; with either provider."""

from collections.abc import AsyncIterator

import pytest

from dvor.contracts.deposits import (
    ClaimTooLarge,
    DepositDeclined,
    DepositPart,
    NotClaimable,
    UnknownDeposit,
)
from dvor.contracts.payments import NotAuthorised
from dvor.kernel.caller import Role, asking
from dvor.kernel.errors import Unavailable
from dvor.services.payments.rules import Verdict
from tests.services.payments.conftest import SIMULATED, STRIPED, Scene, StripeScene, asked
from tests.services.payments.lent import AMOUNT, DAY, Lent, let_go_by_bank, person, refuses
from tests.services.payments.stripe_fake import ONCE


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
        await let_go_by_bank(lent)
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
        await refuses(lent, refuses=True)
        await lent.pass_time(5)
        await lent.pass_time(0.3)
        assert (await lent.status(), (await lent.deposit()).refusals) == ("resting", 2)
        assert await lent.events() == ["deposit_refused"]
        await refuses(lent, refuses=False)
        await lent.pass_time(0.3)
        assert (await lent.status(), (await lent.deposit()).refusals) == ("held", 0)

    async def test_the_old_one_is_kept_until_the_new_one_is_held(self, lent: Lent) -> None:
        await lent.secured(begins=DAY / 2, lasts=20 * DAY)
        await refuses(lent, refuses=True)
        await lent.pass_time(4.1)
        assert (await lent.status(), await lent.held_at_bank()) == ("held", AMOUNT)

    async def test_who_never_got_it_again_has_nothing_to_claim(self, lent: Lent) -> None:
        await lent.secured(begins=10 * DAY, lasts=DAY)
        await lent.pass_time(4.1)
        await refuses(lent, refuses=True)
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
