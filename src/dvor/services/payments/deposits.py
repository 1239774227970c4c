"""What becomes of deposits: set aside, renewed, claimed, let go.

A bank keeps nothing aside for long, so a deposit is a row of authorisations, one after the other
(`deposit_authorisations`): the next one is asked for before the last one is let go. As with payments
the bank is asked outside any transaction, by a key, and a transaction that begins with the deposit's
row takes over what it said. What is under way stands in these rows, and `due_at` says when somebody
must look: after a crash `move` goes on where it was.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from dvor.contracts.catalog import Text
from dvor.contracts.deposits import (
    ClaimTooLarge,
    DepositClaim,
    DepositDeclined,
    DepositTerms,
    NotClaimable,
)
from dvor.contracts.payments import (
    DepositCaptured,
    DepositLost,
    DepositRefused,
    DepositReleased,
    NotAuthorised,
    PaymentStatus,
)
from dvor.kernel import clock, telemetry
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record, Tx
from dvor.kernel.errors import Unavailable
from dvor.kernel.ids import derived
from dvor.kernel.money import Money
from dvor.services.payments import deposit_queries as queries
from dvor.services.payments import ledger, rules
from dvor.services.payments import ledger_queries as books
from dvor.services.payments.providers import Charge, OutcomeUnknown, Refused, Standing, State
from dvor.services.payments.queries import insert_step
from dvor.services.payments.settlement import Settlement

LOG = telemetry.log("payments")
STEPS_MAX = 20
"""More than a deposit ever needs at once."""
LOOKS_AT_ONCE = 100
PUT_OFF = timedelta(minutes=1)
"""Until the bank is asked again that did not answer."""
REFUSED_PAUSE = timedelta(hours=6)
"""Until the bank is asked again that said no."""


class Deposits:
    """Moves deposits on."""

    def __init__(self, db: Database, settings: Settings, settlement: Settlement) -> None:
        self.db = db
        self.settings = settings
        self.settlement = settlement
        self.times = rules.DepositTimes(
            renew=timedelta(seconds=settings.deposit_renew_seconds),
            lead=timedelta(seconds=settings.deposit_lead_seconds),
        )

    def stored(self, payment_id: UUID, terms: Sequence[DepositTerms]) -> list[dict[str, Any]]:
        """Deposits as they are written when a payment is asked for."""
        claim = timedelta(seconds=self.settings.deposit_claim_seconds)
        return [
            term.model_dump(mode="json")
            | {
                "id": derived(payment_id, "deposit", term.line_id),
                "claim_until": term.ends_at + claim,
            }
            for term in terms
        ]

    async def secure(self, payment: Record) -> list[Record]:
        """Set all aside. Raises NotAuthorised, DepositDeclined, Unavailable."""
        if payment["status"] not in (PaymentStatus.AUTHORISED, PaymentStatus.CAPTURED):
            raise NotAuthorised
        rows = await queries.of_payment(self.db, payment["id"])
        for row in rows:
            if row["status"] == "requested":
                await self._ask(row["id"])
                await self.move(row["id"])
        rows = await queries.of_payment(self.db, payment["id"])
        if any(row["status"] in rules.UNSECURED for row in rows):
            raise DepositDeclined
        if any(row["status"] == "requested" for row in rows):
            raise Unavailable
        return rows

    async def move(self, deposit_id: UUID) -> None:
        """Do what is to be done with a deposit now. Raises Unavailable: then it is done later."""
        for _ in range(STEPS_MAX):
            row = await queries.deposit(self.db, deposit_id)
            assert row is not None
            asked = await queries.authorisations(self.db, deposit_id)
            states = {one["state"]: one for one in asked}
            step = rules.deposit_step(row, states, clock.now(), self.times)
            match step:
                case None:
                    return
                case "answer":
                    await self._answer(row, states["asked"])
                case "let_go":
                    await self._let_go(row, states["letting_go"])
                case "capture":
                    await self._capture(row, states.get("held"))
                case "release":
                    await self._begin_release(deposit_id, "over")
                case "rest":
                    await self._rest(deposit_id)
                case "ask":
                    await self._ask(deposit_id)
                case "end":
                    await self._end(deposit_id)
                case unknown:
                    raise LookupError(f"nobody knows how to {unknown} a deposit")

    async def _ask(self, deposit_id: UUID) -> None:
        async with self.db.tx("payments.deposit_asked") as tx:
            row = await queries.locked(tx, deposit_id)
            known = await queries.authorisations(tx, deposit_id)
            open_ = any(one["state"] == "asked" for one in known)
            if open_ or row["status"] not in ("requested", "held", "resting"):
                return
            number = len(known) + 1
            reference = f"{derived(deposit_id, 'authorisation', number)}"
            left = row["amount"] - row["released"]
            await queries.insert_authorisation(tx, deposit_id, number, left, reference)
            if row["status"] != "requested":
                await queries.look_at(tx, deposit_id, clock.now())

    async def _answer(self, row: Record, asked: Record) -> None:
        """Ask the bank; whoever does it again by the same key hears the same."""
        charge = Charge(
            reference=asked["reference"],
            amount=asked["amount"],
            currency=row["currency"],
            expires_at=row["claim_until"],
            description=row["order_number"],
        )
        provider = self.settlement.at(row)
        try:
            standing = await provider.set_aside(
                charge, row["paid_by"], f"{row['id']} {asked['number']} set aside"
            )
        except OutcomeUnknown:
            raise Unavailable from None
        except Refused:
            standing = None
        if standing is not None and standing.state is State.PROCESSING:
            raise Unavailable
        yes = standing is not None and standing.state is State.AUTHORISED
        async with self.db.tx("payments.deposit_answered") as tx:
            row = await queries.locked(tx, row["id"])
            known = await queries.authorisations(tx, row["id"])
            if known[asked["number"] - 1]["state"] != "asked":
                return  # somebody else heard the answer
            if yes and standing is not None:
                await self._set_aside(tx, row, asked, standing)
            else:
                await self._refused(tx, row, asked)

    async def _set_aside(self, tx: Tx, row: Record, asked: Record, standing: Standing) -> None:
        """The new one is held; the one before is let go. Where it is over, the new one is."""
        waits = row["status"] in ("requested", "held", "resting")
        before = waits and await queries.let_all_go(tx, row["id"])
        after = "held" if waits else "letting_go"
        await queries.move_authorisation(
            tx, row["id"], asked["number"], "asked", after, standing.reference
        )
        if not waits:
            await queries.look_at(tx, row["id"], clock.now())
            return
        now = clock.now()
        due_at = now if before else rules.deposit_due("held", row, now, self.times)
        await queries.become(tx, row["id"], "held", due_at)
        await insert_step(tx, row["payment_id"], "deposit_held", asked["amount"], row["currency"])

    async def _refused(self, tx: Tx, row: Record, asked: Record) -> None:
        await queries.move_authorisation(tx, row["id"], asked["number"], "asked", "declined")
        if row["status"] == "requested":
            await queries.become(tx, row["id"], "declined", None, released=row["amount"])
            await insert_step(
                tx, row["payment_id"], "deposit_declined", asked["amount"], row["currency"]
            )
        elif row["status"] in ("held", "resting"):
            refusals = row["refusals"] + 1
            due_at = min(clock.now() + REFUSED_PAUSE, row["claim_until"])
            await queries.become(tx, row["id"], row["status"], due_at, refusals=refusals)
            if refusals == 1:
                tx.emit(DepositRefused(**_told(row), begins_at=row["begins_at"]))

    async def _let_go(self, row: Record, letting_go: Record) -> None:
        key = f"{row['id']} {letting_go['number']} void"
        try:
            await self.settlement.at(row).void(letting_go["reference"], key)
        except OutcomeUnknown:
            raise Unavailable from None
        except Refused:
            pass  # it knows nothing of it: nothing is set aside
        async with self.db.tx("payments.deposit_let_go") as tx:
            row = await queries.locked(tx, row["id"])
            await queries.move_authorisation(
                tx, row["id"], letting_go["number"], "letting_go", "gone"
            )
            held = {one["state"]: one for one in await queries.authorisations(tx, row["id"])}
            since = held["held"]["held_at"] if "held" in held else clock.now()
            await queries.look_at(
                tx, row["id"], rules.deposit_due(row["status"], row, since, self.times)
            )

    async def _rest(self, deposit_id: UUID) -> None:
        async with self.db.tx("payments.deposit_rested") as tx:
            row = await queries.locked(tx, deposit_id)
            if row["status"] != "held":
                return
            now = clock.now()
            held = await queries.let_all_go(tx, deposit_id)
            due_at = now if held else rules.deposit_due("resting", row, now, self.times)
            await queries.become(tx, deposit_id, "resting", due_at)
            left = row["amount"] - row["released"]
            await insert_step(tx, row["payment_id"], "deposit_rested", left, row["currency"])

    async def release(self, payment_id: UUID, needed: Mapping[UUID, int]) -> list[Record]:
        """Let go what is not needed; `needed`: line -> minor units; empty: nothing is."""
        rows = await queries.of_payment(self.db, payment_id)
        for row in rows:
            if not needed or not needed.get(row["line_id"], 1):
                await self._begin_release(row["id"], "cancelled")
            elif row["line_id"] in needed:
                await self._shrink(row["id"], needed[row["line_id"]])
        for row in rows:
            await self.move_later(row["id"])
        return await queries.of_payment(self.db, payment_id)

    async def give_back(self, row: Record) -> None:
        """Its seller wants nothing of it. Raises NotClaimable."""
        if not await self._begin_release(row["id"], "returned"):
            now = await queries.deposit(self.db, row["id"])
            if now is None or now["status"] not in ("releasing", "released"):
                raise NotClaimable
        await self.move_later(row["id"])

    async def move_later(self, deposit_id: UUID) -> None:
        """The same as `move`; where the bank is out of reach the timer goes on."""
        try:
            await self.move(deposit_id)
        except Unavailable:
            await queries.put_off(self.db, deposit_id, clock.now() + PUT_OFF)

    async def _begin_release(self, deposit_id: UUID, why: str) -> bool:
        """Nobody may claim it any more; False where it is claimed or decided already."""
        async with self.db.tx("payments.deposit_releasing") as tx:
            row = await queries.locked(tx, deposit_id)
            if row["status"] not in ("requested", "held", "resting"):
                return False
            await queries.let_all_go(tx, deposit_id)
            await queries.become(tx, deposit_id, "releasing", clock.now(), why=why)
            return True

    async def _shrink(self, deposit_id: UUID, needed: int) -> None:
        """A part is not needed: the bank is asked for the smaller one instead."""
        async with self.db.tx("payments.deposit_shrunk") as tx:
            row = await queries.locked(tx, deposit_id)
            if (
                row["status"] not in ("held", "resting")
                or row["amount"] - row["released"] <= needed
            ):
                return
            due_at = clock.now() if row["status"] == "held" else row["due_at"]
            released = row["amount"] - needed
            await queries.become(
                tx, deposit_id, row["status"], due_at, released=released, refusals=row["refusals"]
            )

    async def claim(self, row: Record, claim: DepositClaim) -> None:
        """Its seller keeps some of it. Raises ClaimTooLarge, NotClaimable."""
        wanted = (claim.amount, claim.reason, claim.evidence)
        async with self.db.tx("payments.deposit_claimed") as tx:
            row = await queries.locked(tx, row["id"])
            if (row["claimed"], row["reason"], row["evidence"]) != wanted:
                most = row["amount"] - row["released"]
                if claim.amount > most and row["status"] == "held":
                    raise ClaimTooLarge(most=most)
                if not await queries.claim(tx, row["id"], *wanted):
                    raise NotClaimable
                await insert_step(
                    tx, row["payment_id"], "deposit_claimed", claim.amount, row["currency"]
                )
        await self.move_later(row["id"])

    async def _capture(self, row: Record, held: Record | None) -> None:
        """Take what was claimed. `final`: the bank lets the rest go by itself."""
        standing = await self._taken(row, held) if held else None
        if held and standing is not None and standing.captured:
            await self._captured(row["id"], held, standing.captured)
        else:
            await self._lost(row["id"], held)

    async def _taken(self, row: Record, held: Record) -> Standing | None:
        provider = self.settlement.at(row)
        key = f"{row['id']} {held['number']} capture"
        try:
            return await provider.capture(held["reference"], row["claimed"], key, final=True)
        except (Refused, OutcomeUnknown) as problem:
            try:
                standing = await provider.retrieve(held["reference"])
            except OutcomeUnknown:
                raise Unavailable from None
            unclear = standing is not None and standing.state is State.AUTHORISED
            if isinstance(problem, OutcomeUnknown) and unclear:
                raise Unavailable from None
            return standing

    async def _captured(self, deposit_id: UUID, held: Record, captured: int) -> None:
        async with self.db.tx("payments.deposit_captured") as tx:
            row = await queries.locked(tx, deposit_id)
            if row["status"] != "claimed":
                return
            await queries.move_authorisation(tx, deposit_id, held["number"], "held", "captured")
            released = row["amount"] - captured
            await queries.become(
                tx, deposit_id, "captured", clock.now(), captured=captured, released=released
            )
            await insert_step(tx, row["payment_id"], "deposit_captured", captured, row["currency"])
            postings = ledger.deposit_captured(row["seller_id"], captured)
            entry = ledger.Transaction(
                derived(deposit_id, "deposit_captured"),
                "deposit_captured",
                row["payment_id"],
                row["currency"],
                postings,
            )
            tx.gather(books.post, entry)
            tx.emit(
                DepositCaptured(
                    **_told(row),
                    captured=Money(amount=captured, currency=row["currency"]),
                    reason=row["reason"],
                    evidence=row["evidence"],
                )
            )

    async def _lost(self, deposit_id: UUID, held: Record | None) -> None:
        LOG.error("a bank had let a deposit go", deposit=str(deposit_id))
        async with self.db.tx("payments.deposit_lost") as tx:
            row = await queries.locked(tx, deposit_id)
            if row["status"] != "claimed":
                return
            if held:
                await queries.move_authorisation(
                    tx, deposit_id, held["number"], "held", "letting_go"
                )
            await queries.become(tx, deposit_id, "lost", clock.now(), released=row["amount"])
            await insert_step(
                tx, row["payment_id"], "deposit_lost", row["claimed"], row["currency"]
            )
            told = _told(row)
            del told["amount"]
            claimed = Money(amount=row["claimed"], currency=row["currency"])
            tx.emit(DepositLost(**told, claimed=claimed, reason=row["reason"]))

    async def _end(self, deposit_id: UUID) -> None:
        """The bank keeps nothing aside any more: nobody has to look again."""
        async with self.db.tx("payments.deposit_released") as tx:
            row = await queries.locked(tx, deposit_id)
            if row["status"] == "releasing":
                await queries.become(tx, deposit_id, "released", None, released=row["amount"])
                await insert_step(
                    tx, row["payment_id"], "deposit_released", row["amount"], row["currency"]
                )
                tx.emit(DepositReleased(**_told(row), why=row["why"]))
            else:
                await queries.look_at(tx, deposit_id, None)

    async def look_after(self) -> None:
        """Do what is due, with every deposit. For the timer."""
        due = await queries.due(self.db, LOOKS_AT_ONCE)
        await asyncio.gather(*(self._look_after(deposit_id) for deposit_id in due))

    async def _look_after(self, deposit_id: UUID) -> None:
        try:
            await self.move_later(deposit_id)
        except Exception as problem:
            LOG.exception("deposit waits", deposit=str(deposit_id), problem=repr(problem))
            with suppress(Unavailable):
                await queries.put_off(self.db, deposit_id, clock.now() + PUT_OFF)


def _told(row: Record) -> dict[str, Any]:
    """What news of a deposit name it by."""
    return {
        "order_id": row["order_id"],
        "order_number": row["order_number"],
        "deposit_id": row["id"],
        "payer_id": row["payer_id"],
        "seller_id": row["seller_id"],
        "title": Text.model_validate(row["title"]),
        "amount": Money(amount=row["amount"], currency=row["currency"]),
    }
