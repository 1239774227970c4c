"""What becomes of money: the provider is asked first, then our books follow what it says.

Outside any transaction the provider decides; inside one, a conditional update takes over what it
said. Whoever comes second changes nothing, so answers, webhooks and our own questions may all tell
the same, in any order and any number of times.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from dvor.contracts.payments import (
    NotAuthorised,
    PaymentCaptured,
    PaymentDisputed,
    PaymentRefunded,
    PaymentStatus,
    RefundFailed,
    RefundTooLarge,
    Shares,
    UnknownPayment,
    Webhook,
)
from dvor.kernel import clock, metrics, telemetry
from dvor.kernel.batch import GroupCommit
from dvor.kernel.db import Database, Record, Tx
from dvor.kernel.errors import Conflict, InvalidFields, Unavailable
from dvor.kernel.ids import derived, new
from dvor.kernel.money import Money
from dvor.services.payments import ledger, queries, webhook_queries
from dvor.services.payments import ledger_queries as books
from dvor.services.payments.providers import (
    DisputeState,
    OutcomeUnknown,
    Provider,
    Refused,
    Standing,
    State,
)
from dvor.services.payments.tasks import (
    DeliverWebhook,
    RefundWork,
    deliver_webhook,
    finish_refund,
)

LOG = telemetry.log("payments")

MOVES_MAX = 5000
"""So many payments may wait to be moved on in one way."""
FOLLOWING = (
    "payments.authorised",
    "payments.declined",
    "payments.captured",
    "payments.voided",
    "payments.followed",
)
"""Transactions that take over what the provider says: of each kind of reason to ask it."""
RESCUE_AFTER = timedelta(seconds=10)
"""A refund whose request ended in between is taken up by a task after this."""

VOID_TRIES = 3
"""A payment may be authorised just while it is let go; the second try knows."""

_DISPUTE_STEPS = {
    DisputeState.NONE: (),
    DisputeState.OPEN: (("open", "disputed", [""]),),
    DisputeState.WON: (("won", "dispute_won", ["", "open"]),),
    DisputeState.LOST: (("open", "disputed", [""]), ("lost", "dispute_lost", ["open"])),
}
"""What the provider says -> what has happened since: outcome, step, outcomes before it."""


class Settlement:
    """Moves payments on."""

    def __init__(self, db: Database, providers: Mapping[str, Provider]) -> None:
        self.db = db
        self._providers = providers
        self._commits = {name: GroupCommit(db, name, queue_max=MOVES_MAX) for name in FOLLOWING}

    async def close(self) -> None:
        """Take no more; what was begun is written first."""
        for commit in self._commits.values():
            await commit.close()

    def at(self, row: Record) -> Provider:
        """Who moves a payment's money. Raises Unavailable where it is not configured any more."""
        provider = self._providers.get(row["provider"])
        if provider is None:
            LOG.warning("provider of a payment is not configured", provider=row["provider"])
            raise Unavailable
        return provider

    async def ask(self, row: Record) -> Standing | None:
        """Where a payment stands at the provider. Raises Unavailable."""
        try:
            return await self.at(row).retrieve(row["reference"])
        except OutcomeUnknown:
            raise Unavailable from None

    async def look(self, row: Record) -> Record:
        """Ask, and take over what is so."""
        standing = await self.ask(row)
        if standing is None:
            await queries.standing_open(self.db, row["id"], row["reference"], "")
            return known(await queries.payment(self.db, row["id"]))
        return await self.follow(row, standing)

    async def follow(
        self,
        before: Record,
        standing: Standing,
        name: str = "payments.followed",
        event: "Event | None" = None,
    ) -> Record:
        """Take over what the provider says; answers the payment as it then is.

        `before`: as it was read, at any time. `name`: one of FOLLOWING.
        """
        payment_id = before["id"]

        async def write(tx: Tx) -> Record:
            row = None
            if before["status"] == PaymentStatus.REQUESTED:
                row = await _follow_opening(tx, payment_id, standing)
            if standing.captured or standing.state is State.CAPTURED:
                row = await note_capture(tx, payment_id, standing.captured) or row
            if await _follow_dispute(tx, payment_id, standing):
                row = None
            if standing.state is State.VOIDED:
                row = await note_void(tx, payment_id) or row
            if event is not None:
                tx.gather(webhook_queries.note_events, (*event, payment_id))
            return row or known(await queries.payment(tx, payment_id))

        row = await self._commits[name].run(write)
        if row["status"] == PaymentStatus.VOIDED and standing.state is State.AUTHORISED:
            await self._let_stray_money_go(row)
        return row

    async def _let_stray_money_go(self, row: Record) -> None:
        """Money that was set aside after we had closed the payment."""
        LOG.info("late authorisation let go", payment=str(row["id"]))
        try:
            await self.at(row).void(row["reference"], f"{row['id']} stray")
        except OutcomeUnknown:
            raise Unavailable from None

    async def capture(self, row: Record) -> Record:
        """Take the authorised money."""
        if row["status"] == PaymentStatus.AUTHORISED:
            row = await self._captured(row)
        if row["status"] not in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED):
            raise NotAuthorised
        if row["captured"] < row["amount"]:  # the bank gave less: it is no sale
            if row["status"] == PaymentStatus.CAPTURED:
                key = derived(row["id"], "short")
                await self.refund(row, row["captured"], key, "short", ())
            raise NotAuthorised
        return row

    async def _captured(self, row: Record) -> Record:
        try:
            standing = await self.at(row).capture(
                row["reference"], row["amount"], f"{row['id']} capture", final=True
            )
        except (Refused, OutcomeUnknown) as problem:
            standing = await self.ask(row)
            unclear = standing is not None and standing.state is State.AUTHORISED
            if isinstance(problem, OutcomeUnknown) and unclear:
                raise Unavailable from None
        if standing is None:
            raise NotAuthorised
        return await self.follow(row, standing, "payments.captured")

    async def void(self, row: Record) -> Record:
        """Close a payment of which nothing was taken."""
        if row["status"] == PaymentStatus.REQUESTED and row["asked_at"] is None:
            async with self.db.tx("payments.voided") as tx:
                done = await note_void(tx, row["id"], "unasked")
            row = done or known(await queries.payment(self.db, row["id"]))
        for _ in range(VOID_TRIES):
            if row["status"] not in (PaymentStatus.REQUESTED, PaymentStatus.AUTHORISED):
                break
            row = await self._voided(row)
        if row["status"] != PaymentStatus.VOIDED:
            taken = row["status"] in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)
            raise Conflict if taken else Unavailable
        return row

    async def _voided(self, row: Record) -> Record:
        """One try. Authorised meanwhile: the next one lets it go."""
        try:
            standing = await self.at(row).void(row["reference"], f"{row['id']} void")
        except Refused:
            standing = None  # it never heard of the payment
        except OutcomeUnknown:
            raise Unavailable from None
        if standing is not None:
            row = await self.follow(row, standing, "payments.voided")
        if row["status"] == PaymentStatus.REQUESTED:  # nothing is set aside, as far as we know
            async with self.db.tx("payments.unheard_voided") as tx:
                done = await note_void(tx, row["id"], "requested")
            return done or known(await queries.payment(self.db, row["id"]))
        return row

    async def refund(
        self, row: Record, amount: int, key: UUID, reason: str, shares: Shares
    ) -> Record:
        """Give money back: set aside here, then asked of the provider, undone if it says no."""
        await self._set_aside(row, amount, key, reason, shares)
        refund = await queries.refund_of_key(self.db, key)
        if refund is None or (refund["payment_id"], refund["amount"]) != (row["id"], amount):
            raise Conflict
        return await self.finish_refund(refund)

    async def _set_aside(
        self, row: Record, amount: int, key: UUID, reason: str, shares: Shares
    ) -> None:
        """The key is claimed first: its twin waits and then changes nothing."""
        async with self.db.tx("payments.refund_asked") as tx:
            if not await queries.insert_refund(tx, key, row["id"], amount, reason):
                return
            async with tx.refusing(money_in_order=RefundTooLarge):
                if await queries.refund(tx, row["id"], amount) is None:
                    raise RefundTooLarge
            await self._charge_refund(tx, row, amount, key, shares)
            at = clock.now() + RESCUE_AFTER
            tx.enqueue(finish_refund, RefundWork(key=key), key=str(key), run_at=at)

    async def _charge_refund(
        self, tx: Tx, row: Record, amount: int, key: UUID, shares: Shares
    ) -> None:
        """Take the refund from those whose sales it is of."""
        left = await books.left(tx, row["id"])
        parts = ledger.split(amount, left)
        if shares:
            parts = ledger.borne(left, ((share.seller_id, share.amount) for share in shares))
            if sum(parts.values()) != amount:
                raise InvalidFields(problems={"shares": "not the amount that is given back"})
        if not parts.keys() <= left.keys() or await books.give_back(tx, row["id"], parts) != len(
            parts
        ):
            raise RefundTooLarge
        postings = ledger.refund_asked(parts, left, row["commission_bp"])
        await books.post(tx, [_transaction(key, "refund_asked", row, postings)])

    async def finish_refund(self, refund: Record) -> Record:
        """Ask the provider, unless it is known how the refund ended."""
        row = known(await queries.payment(self.db, refund["payment_id"]))
        if refund["state"] == "failed":
            raise RefundFailed
        if refund["state"] == "done":
            return row
        try:
            await self.at(row).refund(row["reference"], refund["amount"], f"{refund['key']} refund")
        except Refused:
            await self._undo_refund(row, refund)
            raise RefundFailed from None
        except OutcomeUnknown:
            standing = await self.ask(row)
            if standing is None or not standing.refunds.get(f"{refund['key']} refund"):
                raise Unavailable from None
        return await self._refunded(row, refund)

    async def _refunded(self, row: Record, refund: Record) -> Record:
        async with self.db.tx("payments.refunded") as tx:
            if await queries.end_refund(tx, refund["key"], "done"):
                row = known(await queries.all_refunded(tx, row["id"]))
                await step(tx, row, "refunded", refund["amount"])
                postings = ledger.refunded(refund["amount"])
                await books.post(tx, [_transaction(refund["key"], "refunded", row, postings)])
                amount = Money(amount=refund["amount"], currency=row["currency"])
                tx.count(metrics.moved, "refunded", amount.currency, amount.amount)
                tx.emit(
                    PaymentRefunded(order_id=row["order_id"], payment_id=row["id"], amount=amount)
                )
                return row
            return known(await queries.payment(tx, row["id"]))

    async def _undo_refund(self, row: Record, refund: Record) -> None:
        async with self.db.tx("payments.refund_undone") as tx:
            if await queries.end_refund(tx, refund["key"], "failed"):
                await queries.unrefund(tx, row["id"], refund["amount"])
                asked = await books.postings(tx, derived(refund["key"], "refund_asked"))
                back = {seller: -part for seller, part in ledger.parts_of(asked).items()}
                await books.give_back(tx, row["id"], back)
                undone = ledger.reversed_(asked)
                await books.post(tx, [_transaction(refund["key"], "refund_failed", row, undone)])
                await step(tx, row, "refund_failed", refund["amount"])


Event = tuple[str, str]
"""Id and type of the webhook that made us ask."""


def nothing_new(row: Record, standing: Standing) -> bool:
    """Whether what the provider says is what is written already."""
    if (row["dispute"], row["captured"]) != (standing.dispute.value, standing.captured):
        return False
    if standing.state is State.AUTHORISED:
        return row["status"] == PaymentStatus.AUTHORISED
    return standing.state is State.CAPTURED and row["status"] in (
        PaymentStatus.CAPTURED,
        PaymentStatus.REFUNDED,
    )


async def _follow_opening(tx: Tx, payment_id: UUID, standing: Standing) -> Record | None:
    """Declines, waiting for the payer, and the authorisation itself: then the payment."""
    if standing.declines:
        row = await queries.count_declines(tx, payment_id, standing.declines)
        if row is not None:
            await step(tx, row, "declined", row["amount"])
            await tell(tx, row, "declined")
    if standing.state in (State.OPEN, State.ACTION):
        waits = standing.state is State.ACTION
        path = (standing.action_url or "confirm") if waits else ""
        await queries.standing_open(tx, payment_id, standing.reference, path)
    if standing.state in (State.AUTHORISED, State.CAPTURED):
        row = await queries.authorise(
            tx,
            payment_id,
            standing.reference,
            standing.card_ending,
            standing.amount,
            standing.currency,
        )
        if row is not None:
            await tell(tx, row, "authorised")
        return row
    return None


async def note_capture(tx: Tx, payment_id: UUID, amount: int) -> Record | None:
    """Money was taken; None where that is written already."""
    row = await queries.capture(tx, payment_id, amount)
    if row is None:
        return None
    shares = await books.left(tx, payment_id)
    if amount < row["amount"]:
        shares = ledger.split(amount, shares)
        await books.shrink_shares(tx, payment_id, shares)
    postings = ledger.captured(shares, row["commission_bp"])
    tx.gather(books.post, _transaction(payment_id, "captured", row, postings))
    taken = Money(amount=amount, currency=row["currency"])
    tx.count(metrics.moved, "captured", taken.currency, taken.amount)
    tx.emit(PaymentCaptured(order_id=row["order_id"], payment_id=payment_id, amount=taken))
    return row


async def note_void(tx: Tx, payment_id: UUID, before: str = "authorised") -> Record | None:
    """Nothing will be taken; None where the payment is past `before`."""
    return await queries.void(tx, payment_id, before)


async def _follow_dispute(tx: Tx, payment_id: UUID, standing: Standing) -> bool:
    """Whether something is new of it."""
    moved = False
    for outcome, what, before in _DISPUTE_STEPS[standing.dispute]:
        row = await queries.dispute(tx, payment_id, outcome, before, standing.disputed)
        if row is None:
            continue
        await step(tx, row, what, row["contested"])
        await _post_dispute(tx, row, what)
        contested = Money(amount=row["contested"], currency=row["currency"])
        if what == "disputed":
            tx.count(metrics.moved, what, contested.currency, contested.amount)
        tx.emit(
            PaymentDisputed(
                order_id=row["order_id"],
                payment_id=payment_id,
                amount=contested,
                outcome=outcome,
            )
        )
        moved = True
    return moved


async def _post_dispute(tx: Tx, row: Record, what: str) -> None:
    """The books of a dispute: opened, then turned round or written off."""
    opened = await books.postings(tx, derived(row["id"], "disputed"))
    if what == "disputed":
        left = await books.left(tx, row["id"])
        parts = ledger.split(row["contested"], left)
        await books.give_back(tx, row["id"], parts)
        postings = ledger.disputed(parts, left, row["commission_bp"])
    elif what == "dispute_won":
        postings = ledger.reversed_(opened)
        back = {seller: -part for seller, part in ledger.parts_of(opened).items()}
        await books.give_back(tx, row["id"], back)
    else:
        postings = ledger.dispute_lost(ledger.parts_of(opened))
    await books.post(tx, [_transaction(row["id"], what, row, postings)])


def _transaction(
    cause: UUID, what: str, payment: Record, postings: list[ledger.Posting]
) -> ledger.Transaction:
    """What happened to a payment, under an identifier that follows from its cause."""
    return ledger.Transaction(
        derived(cause, what), what, payment["id"], payment["currency"], postings
    )


async def step(tx: Tx, row: Record, what: str, amount: int) -> None:
    """Write history."""
    await queries.insert_step(tx, row["id"], what, amount, row["currency"])


async def tell(tx: Tx, row: Record, what: str) -> None:
    """Write the webhook of a change that nobody here made, and have it delivered."""
    webhook_id = new()
    webhook = Webhook(type=f"payment.{what}", payment_id=row["id"], order_id=row["order_id"])
    body = webhook.model_dump_json().encode()
    tx.gather(webhook_queries.insert_webhooks, (webhook_id, row["id"], webhook.type, body))
    with telemetry.extract(row["trace"], f"payment {what}", kind="internal"):
        tx.enqueue(deliver_webhook, DeliverWebhook(webhook_id=webhook_id), key=str(webhook_id))


def known(row: Record | None) -> Record:
    """The payment, or UnknownPayment."""
    if row is None:
        raise UnknownPayment
    return row
