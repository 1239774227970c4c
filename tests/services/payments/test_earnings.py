"""What sellers have earned: split, commission, refunds, disputes, payouts; to the kopeck."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from dvor.contracts.earnings import Balance, PayoutSearch, StatementSearch
from dvor.contracts.payments import Payment, RefundFailed, RefundTooLarge, Share
from dvor.kernel.caller import Caller, Role
from dvor.kernel.errors import Forbidden, InvalidFields
from dvor.kernel.ids import new
from dvor.services.payments.providers import Refused
from dvor.services.payments.rules import Verdict
from tests.services.payments.conftest import SIMULATED, Scene

ADMIN = Caller(user_id=new(), roles=(Role.ADMIN,))


def seller() -> Caller:
    return Caller(user_id=new(), roles=(Role.SELLER,))


def share(who: Caller, amount: int) -> Share:
    assert who.user_id is not None
    return Share(seller_id=who.user_id, amount=amount)


async def sold(
    scene: Scene, *parts: tuple[Caller, int], amount: int = 0, verdict: Verdict = Verdict.APPROVED
) -> Payment:
    """A captured payment for things of these sellers."""
    shares = tuple(share(who, part) for who, part in parts)
    total = amount or sum(part for _, part in parts)
    return await scene.captured(total, verdict, shares=shares)


async def balance(scene: Scene, who: Caller) -> tuple[int, int, int]:
    with scene.house.calling(who):
        found: tuple[Balance, ...] = (await scene.house.payments.balances()).items
    return (found[0].available, found[0].contested, found[0].paid_out) if found else (0, 0, 0)


async def statement(scene: Scene, who: Caller) -> list[tuple[str, int, int, int]]:
    with scene.house.calling(who):
        page = await scene.house.payments.statement(StatementSearch())
    return [(e.what, e.gross, e.commission, e.amount) for e in page.items]


async def run(scene: Scene, key: UUID) -> Any:
    with scene.house.calling(ADMIN):
        return await scene.house.payments.run_payouts(key)


class TestBalances:
    async def test_each_is_owed_their_sales_less_ten_percent(self, scene: Scene) -> None:
        one, two = seller(), seller()
        await sold(scene, (one, 10_000), (two, 5_005), amount=16_000)
        assert await balance(scene, one) == (9_000, 0, 0)
        assert await balance(scene, two) == (4_504, 0, 0)
        assert await statement(scene, two) == [("captured", 5_005, 501, 4_504)]

    async def test_nothing_is_owed_before_the_capture(self, scene: Scene) -> None:
        one = seller()
        await scene.tried(Verdict.APPROVED, amount=100, shares=(share(one, 100),))
        assert await balance(scene, one) == (0, 0, 0)

    async def test_two_captures_at_once_owe_once(self, scene: Scene) -> None:
        one = seller()
        payment = await sold(scene, (one, 100))
        await asyncio.gather(*(scene.orders.capture(payment.id) for _ in range(5)))
        assert await balance(scene, one) == (90, 0, 0)

    async def test_a_refund_takes_its_part_from_everybody_with_its_commission(
        self, scene: Scene
    ) -> None:
        one, two = seller(), seller()
        payment = await sold(scene, (one, 7_500), (two, 2_500))
        await scene.orders.refund(payment.id, 1_000, new(), "rule 2")
        assert await balance(scene, one) == (6_075, 0, 0)
        assert await balance(scene, two) == (2_025, 0, 0)
        assert (await statement(scene, one))[0] == ("refund_asked", -750, -75, -675)

    async def test_a_refund_of_one_seller_s_sale_is_theirs_alone(self, scene: Scene) -> None:
        one, two = seller(), seller()
        payment = await sold(scene, (one, 5_000), (two, 5_000))
        theirs = (share(one, 5_000),)
        await scene.orders.refund(payment.id, 5_000, new(), "", theirs)
        assert await balance(scene, one) == (0, 0, 0)
        assert await balance(scene, two) == (4_500, 0, 0)
        with pytest.raises(RefundTooLarge):  # nothing of theirs is left
            await scene.orders.refund(payment.id, 1, new(), "", (share(one, 1),))
        with pytest.raises(InvalidFields):
            await scene.orders.refund(payment.id, 2, new(), "", (share(two, 1),))

    async def test_a_refund_that_failed_is_put_back(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = seller()
        payment = await sold(scene, (one, 1_000))

        async def refusing(*_: Any) -> None:
            raise Refused("in a test")

        with monkeypatch.context() as patch:
            patch.setattr(scene.service.provider, "refund", refusing)
            with pytest.raises(RefundFailed):
                await scene.orders.refund(payment.id, 333, new())
        assert await balance(scene, one) == (900, 0, 0)
        assert [what for what, *_ in await statement(scene, one)] == [
            "refund_failed",
            "refund_asked",
            "captured",
        ]
        await scene.orders.refund(payment.id, 1_000, new())
        assert await balance(scene, one) == (0, 0, 0)

    @pytest.mark.parametrize("won", [True, False])
    async def test_a_dispute_keeps_the_money_until_it_is_decided(
        self, scene: Scene, *, won: bool
    ) -> None:
        one = seller()
        payment = await sold(scene, (one, 1_000), verdict=Verdict.CHARGEBACK)
        await scene.objects(payment)
        await scene.settle()
        assert await balance(scene, one) == (0, 1_000, 0)
        await scene.decides(payment, won=won)
        await scene.settle()
        assert await balance(scene, one) == ((900, 0, 0) if won else (0, 0, 0))

    @SIMULATED
    async def test_half_of_the_money_owes_nobody_anything(self, scene: Scene) -> None:
        one = seller()
        shares = (share(one, 1_000),)
        payment = await scene.tried(Verdict.PARTIAL, amount=1_000, shares=shares)
        with pytest.raises(Exception, match="not been authorised"):
            await scene.orders.capture(payment.id)
        assert await balance(scene, one) == (0, 0, 0)


class TestPayouts:
    async def test_pay_everybody_who_is_owed_once_a_key(self, scene: Scene) -> None:
        one, two = seller(), seller()
        await sold(scene, (one, 1_000), (two, 2_000))
        key = new()
        runs = await asyncio.gather(*(run(scene, key) for _ in range(5)))
        assert {r.key for r in runs} == {key}
        assert await balance(scene, one) == (0, 0, 900)
        assert await balance(scene, two) == (0, 0, 1_800)
        await sold(scene, (one, 500))
        await run(scene, key)  # the same run: it is over
        assert await balance(scene, one) == (450, 0, 900)
        await run(scene, new())
        assert await balance(scene, one) == (0, 0, 1_350)
        assert [what for what, *_ in await statement(scene, one)][:2] == ["paid_out", "captured"]

    async def test_two_runs_at_once_pay_once(self, scene: Scene) -> None:
        one = seller()
        await sold(scene, (one, 1_000))
        await asyncio.gather(*(run(scene, new()) for _ in range(8)))
        assert await balance(scene, one) == (0, 0, 900)

    async def test_what_went_back_after_the_payout_is_owed_by_the_seller(
        self, scene: Scene
    ) -> None:
        one = seller()
        payment = await sold(scene, (one, 1_000))
        await run(scene, new())
        await scene.orders.refund(payment.id, 1_000, new())
        assert await balance(scene, one) == (-900, 0, 900)
        await run(scene, new())
        assert await balance(scene, one) == (-900, 0, 900)

    async def test_come_by_themselves_once_a_day(self, scene: Scene) -> None:
        one = seller()
        await sold(scene, (one, 1_000))
        await scene.house.clock.advance(days=1)
        hour = scene.house.settings.payout_hour
        for _ in range(25):
            await scene.house.clock.advance(hours=1)
            await scene.service.pay_out_daily()
        assert await balance(scene, one) == (0, 0, 900)
        assert 0 <= hour < 24

    async def test_are_listed_for_the_seller_and_for_admins(self, scene: Scene) -> None:
        one = seller()
        await sold(scene, (one, 1_000))
        made = await run(scene, new())
        assert sum(total.payouts for total in made.totals) >= 1
        with scene.house.calling(one):
            mine = await scene.house.payments.payouts(PayoutSearch())
            with pytest.raises(Forbidden):
                await scene.house.payments.payouts(PayoutSearch(everybody=True))
            with pytest.raises(Forbidden):
                await scene.house.payments.run_payouts(new())
            with pytest.raises(Forbidden):
                await scene.house.payments.statement(StatementSearch(seller_id=new()))
        assert [(p.seller_id, p.amount.amount) for p in mine.items] == [(one.user_id, 900)]
        with scene.house.calling(ADMIN):
            books = await scene.house.payments.books()
            theirs = await scene.house.payments.statement(StatementSearch(seller_id=one.user_id))
        assert sum(account.amount for account in books.accounts) == 0
        assert len(theirs.items) == 2
