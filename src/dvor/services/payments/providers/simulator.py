"""The simulated bank: an outside provider with a state of its own, and scripted outcomes.

It shares a database server with us, but no table and no transaction. We learn what it did by its
answers, its signed webhooks and by asking.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from dvor.kernel import clock, webhooks
from dvor.kernel.batch import GroupCommit, reader
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record, Tx
from dvor.kernel.ids import derived
from dvor.services.payments import rules
from dvor.services.payments.deliveries import Deliveries
from dvor.services.payments.providers import (
    Charge,
    DisputeState,
    Forged,
    News,
    OutcomeUnknown,
    Refused,
    Standing,
    State,
)
from dvor.services.payments.providers import simulator_queries as queries
from dvor.services.payments.rules import Verdict
from dvor.services.payments.tasks import (
    BankWebhook,
    BankWork,
    decide_dispute,
    decide_late,
    open_dispute,
    send_bank_webhook,
)

CALLS_MAX = 5000
"""So many calls of one kind may wait."""
COPIES = 3
"""How often a duplicated webhook is sent."""
STALE_AFTER = timedelta(seconds=3)
"""How late old news come when they come out of order."""
LATE_AFTER = timedelta(seconds=60)
"""How long after the time to pay a late decision falls."""
DISPUTED_AFTER = timedelta(minutes=1)
DISPUTE_LASTS = timedelta(days=7)
KEPT_FOR = timedelta(days=5)
"""So long the bank keeps aside what was set aside without the payer."""


class Simulator:
    """Implements `providers.Provider`."""

    name = "simulator"

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._standings = reader(partial(queries.payments, db), queue_max=CALLS_MAX)
        self._authorised = GroupCommit(db, "bank.authorised", queue_max=CALLS_MAX)
        self._captured = GroupCommit(db, "bank.captured", queue_max=CALLS_MAX)
        self.deliveries = Deliveries(db, "bank_webhooks")
        self._secrets = webhooks.secrets_of("bank", *settings.secrets)

    async def close(self) -> None:
        """Answer those who wait."""
        await self._standings.close()
        await self._authorised.close()
        await self._captured.close()
        await self.deliveries.close()

    def readable(self, method: str) -> bool:
        """Whether this can be the number of a card."""
        return rules.verdict(method) is not Verdict.MISTYPED

    async def authorise(self, charge: Charge, method: str, key: str) -> Standing:
        """Decide by the number of the card."""
        verdict = rules.verdict(method)

        async def decide(tx: Tx) -> Record | None:
            row = None
            if await queries.claim(tx, key, charge.reference, "authorise"):
                row = await queries.decide(
                    tx,
                    charge,
                    _decided(verdict),
                    verdict,
                    rules.digits(method)[-4:],
                    1 if verdict in rules.DECLINED else 0,
                )
            if row is None:
                return await queries.payment(tx, charge.reference)
            self._follow_up(tx, row, verdict)
            return row

        row = await self._authorised.run(decide)
        if row is None or State(row["state"]) in (State.VOIDED, State.CAPTURED):
            raise Refused(charge.reference)
        if verdict is Verdict.TIMEOUT:
            raise OutcomeUnknown(charge.reference)
        return _answered(row)

    def _follow_up(self, tx: Tx, row: Record, verdict: Verdict) -> None:
        """What is told of a decision, and when."""
        match verdict:
            case Verdict.APPROVED | Verdict.PARTIAL | Verdict.CHARGEBACK | Verdict.NO_DEPOSIT:
                self._tell(tx, row, "authorised")
            case Verdict.DECLINED | Verdict.UNKNOWN:
                self._tell(tx, row, "declined")
            case Verdict.DUPLICATE:
                self._tell(tx, row, "authorised", copies=COPIES)
            case Verdict.OUT_OF_ORDER:
                self._tell(tx, row, "authorised")
                self._tell(tx, row, "processing", at=clock.now() + STALE_AFTER)
            case Verdict.LATE:
                at = row["expires_at"] + LATE_AFTER
                work = BankWork(reference=row["reference"])
                tx.enqueue(decide_late, work, key=row["reference"], run_at=at)
            case _:
                pass

    async def set_aside(self, charge: Charge, like: str, key: str) -> Standing:
        """Decide by the card that paid before."""
        async with self._db.tx("bank.set_aside") as tx:
            paid = await queries.payment(tx, like)
            if paid is None:
                raise Refused(like)
            verdict, no = paid["outcome"], paid["outcome"] == Verdict.NO_DEPOSIT
            fresh = await queries.claim(tx, key, charge.reference, "set_aside")
            if fresh:
                await queries.decide(
                    tx,
                    charge,
                    State.OPEN if no else State.AUTHORISED,
                    Verdict.APPROVED,
                    paid["card_ending"],
                    1 if no else 0,
                    ends_at=clock.now() + KEPT_FOR,
                )
            standing = await self._standing(tx, charge.reference)
        if fresh and verdict == Verdict.TIMEOUT:
            raise OutcomeUnknown(charge.reference)
        return standing

    async def confirm(self, reference: str, *, accepted: bool) -> None:
        """What the payer said when the bank asked them: its own page, no call of ours."""
        after = State.AUTHORISED if accepted else State.OPEN
        async with self._db.tx("bank.confirmed") as tx:
            row = await queries.move(tx, reference, State.ACTION, after, 0 if accepted else 1)
            if row is not None:
                self._tell(tx, row, "authorised" if accepted else "declined")

    async def decide_late(self, reference: str) -> None:
        """What took long is decided. For tasks."""
        async with self._db.tx("bank.decided") as tx:
            row = await queries.move(tx, reference, State.PROCESSING, State.AUTHORISED)
            if row is not None:
                self._tell(tx, row, "authorised")

    async def capture(self, reference: str, amount: int, key: str, *, final: bool) -> Standing:
        """Take money that is set aside; of some cards only half of it comes."""

        async def take(tx: Tx) -> Record | None:
            row = await queries.payment(tx, reference)
            if row is None:
                return None
            short = row["outcome"] == Verdict.PARTIAL and amount > 1
            taken = amount // 2 if short else amount
            if not await queries.claim(tx, key, reference, "capture", taken):
                return await queries.payment(tx, reference)  # as its twin has left it
            row = await queries.capture(tx, reference, taken, final=final)
            if row is None:
                raise Refused(reference)
            if row["outcome"] == Verdict.CHARGEBACK:
                at = clock.now() + DISPUTED_AFTER
                tx.enqueue(open_dispute, BankWork(reference=reference), key=reference, run_at=at)
            return row

        row = await self._captured.run(take)
        if row is None:
            raise Refused(reference)
        return _standing(row)

    async def void(self, reference: str, key: str) -> Standing:
        """Let go what is set aside."""
        async with self._db.tx("bank.voided") as tx:
            # Repeated with the same key, too: what was set aside since is let go as well.
            await queries.claim(tx, key, reference, "void")
            await queries.let_go(tx, reference)
            return await self._standing(tx, reference)

    async def refund(self, reference: str, amount: int, key: str) -> None:
        """Give money back."""
        async with self._db.tx("bank.refunded") as tx:
            fresh = await queries.claim(tx, key, reference, "refund", amount)
            if fresh and not await queries.refund(tx, reference, amount):
                raise Refused(reference)

    async def retrieve(self, reference: str) -> Standing | None:
        """Where a payment stands."""
        row = (await self._standings.ask([reference])).get(reference)
        return _standing(row) if row else None

    async def open_dispute(self, reference: str) -> None:
        """The payer objects: the bank takes back what was not given back. For tasks."""
        async with self._db.tx("bank.disputed") as tx:
            row = await queries.open_dispute(tx, reference)
            if row is not None:
                self._tell(tx, row, "disputed")
                at = clock.now() + DISPUTE_LASTS
                tx.enqueue(decide_dispute, BankWork(reference=reference), key=reference, run_at=at)

    async def decide_dispute(self, reference: str, *, won: bool = False) -> None:
        """The bank decides for the payer, or, `won`, for the seller. For tasks."""
        async with self._db.tx("bank.dispute_decided") as tx:
            row = await queries.close_dispute(tx, reference, won=won)
            if row is not None:
                self._tell(tx, row, "dispute_won" if won else "dispute_lost")

    def read(self, headers: Mapping[str, str], body: bytes, now: datetime) -> News | None:
        """A webhook of the bank: Standard Webhooks."""
        try:
            webhooks.verify(self._secrets, headers, body, now)
            told = json.loads(body)
            return News(headers["webhook-id"], str(told["type"]), (str(told["reference"]),))
        except (ValueError, KeyError, TypeError):
            raise Forged from None

    def sign(self, webhook_id: str, body: bytes) -> dict[str, str]:
        """The headers of a webhook, signed now with the newest secret."""
        headers = webhooks.sign(self._secrets[0], webhook_id, clock.now(), body)
        return headers | {"content-type": "application/json"}

    def _tell(
        self, tx: Tx, row: Record, what: str, *, at: datetime | None = None, copies: int = 1
    ) -> None:
        type = f"payment.{what}"
        webhook_id = derived("bank", row["reference"], type, row["declines"])
        body = json.dumps({"type": type, "reference": row["reference"]}).encode()
        webhook = (webhook_id, row["reference"], type, row["description"], body)
        tx.gather(queries.insert_webhooks, webhook)
        for copy in range(copies):
            work = BankWebhook(webhook_id=webhook_id, copy_number=copy)
            tx.enqueue(send_bank_webhook, work, key=f"{webhook_id} {copy}", run_at=at)

    async def _standing(self, tx: Tx, reference: str) -> Standing:
        row = await queries.payment(tx, reference)
        if row is None:
            raise Refused(reference)
        return _standing(row)


def _decided(verdict: Verdict) -> State:
    if verdict in rules.DECLINED:
        return State.OPEN
    if verdict is Verdict.THREE_STEP:
        return State.ACTION
    return State.PROCESSING if verdict is Verdict.LATE else State.AUTHORISED


def _answered(row: Record) -> Standing:
    """What the one who asks is told at once: of some cards, only that it takes a while."""
    standing = _standing(row)
    if row["outcome"] in rules.DECIDED_LATER and standing.state is State.AUTHORISED:
        return Standing(standing.reference, State.PROCESSING, standing.amount, standing.currency)
    return standing


def _standing(row: Record) -> Standing:
    return Standing(
        reference=row["reference"],
        state=State(row["state"]),
        amount=row["amount"],
        currency=row["currency"],
        captured=row["captured"],
        declines=row["declines"],
        card_ending=row["card_ending"],
        disputed=row["disputed"],
        dispute=DisputeState(row["dispute"]),
        refunds=dict.fromkeys(row["refunds"], True),
    )
