"""Something lent against a deposit: its payment, its people, the deposit as a bank has it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from dvor.contracts.catalog import Text
from dvor.contracts.deposits import (
    Deposit,
    DepositClaim,
    DepositTerms,
)
from dvor.contracts.payments import Payment
from dvor.kernel import clock
from dvor.kernel.caller import Caller, Role, asking
from dvor.kernel.ids import new
from dvor.services.payments.rules import Verdict
from tests.services.payments.conftest import Scene, StripeScene

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


async def let_go_by_bank(lent: Lent) -> None:
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


async def refuses(lent: Lent, *, refuses: bool) -> None:
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
