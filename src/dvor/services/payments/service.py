"""Payments: who may do what, and what each change writes, in one transaction."""

import secrets
from uuid import UUID

from dvor.contracts.payments import (
    CardDeclined,
    NotAuthorised,
    Payment,
    PaymentCaptured,
    PaymentEnded,
    PaymentHistory,
    PaymentPage,
    PaymentRefunded,
    PaymentRequest,
    PaymentSearch,
    PaymentStatus,
    PaymentStep,
    RefundTooLarge,
    UnknownPayment,
    Webhook,
)
from dvor.kernel.caller import Role, current, require_role, require_service, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record, Tx
from dvor.kernel.errors import Conflict, InvalidFields
from dvor.kernel.ids import new
from dvor.kernel.money import Money
from dvor.services.payments import queries, rules
from dvor.services.payments.rules import Verdict
from dvor.services.payments.tasks import DeliverWebhook, deliver_webhook

TOKEN_BYTES = 32
"""Randomness of the secret address of a hosted page: 256 bits."""

_TAKEN = (PaymentStatus.AUTHORISED, PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)


class PaymentsService:
    """Implements `dvor.contracts.payments.Payments`."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.db = db
        self.settings = settings

    async def request(self, request: PaymentRequest) -> Payment:
        """Ask for money; the order's one payment, however often it is asked for."""
        require_service(*rules.SERVICES)
        async with self.db.tx("payments.requested") as tx:
            row = await queries.insert_payment(
                tx,
                id=new(),
                order_id=request.order_id,
                order_number=request.order_number,
                payer_id=request.payer_id,
                amount=request.amount.amount,
                currency=request.amount.currency,
                pay_token=secrets.token_urlsafe(TOKEN_BYTES),
                return_path=request.return_path,
                expires_at=request.expires_at,
            )
            if row is not None:
                await _step(tx, row, "requested", row["amount"])
                return _payment(row)
            row = await queries.payment_of_order(tx, request.order_id)
        if row is None or (row["payer_id"], _money(row)) != (request.payer_id, request.amount):
            raise Conflict
        return _payment(row)

    async def payment(self, payment_id: UUID) -> PaymentHistory:
        """A payment with its history, of one moment."""
        async with self.db.snapshot() as db:
            row = await queries.payment(db, payment_id)
            # Strangers cannot tell a foreign payment from none.
            if row is None or not rules.may_see(current(), row["payer_id"]):
                raise UnknownPayment
            steps = await queries.steps(db, payment_id)
        return PaymentHistory(payment=_payment(row), steps=tuple(map(_shown_step, steps)))

    async def payments(self, search: PaymentSearch) -> PaymentPage:
        """One's own payments, or everybody's."""
        payer = None if search.everybody else require_user()
        if search.everybody:
            require_role(Role.ADMIN)
        rows = await queries.payments(self.db, payer, _before(search.cursor), search.limit + 1)
        more = len(rows) > search.limit
        shown = rows[: search.limit]
        return PaymentPage(
            items=tuple(_payment(row) for row in shown),
            next_cursor=str(shown[-1]["id"]) if more else None,
        )

    async def open_page(self, pay_token: str) -> Payment:
        """The payment of a hosted page: whoever knows the token may see and pay it."""
        return _payment(_known(await queries.payment_of_token(self.db, pay_token)), paying=True)

    async def submit_card(self, pay_token: str, card_number: str) -> Payment:
        """Try a card. The bank decides before the transaction; the row decides within."""
        row = _known(await queries.payment_of_token(self.db, pay_token))
        verdict = rules.verdict(card_number)
        if row["status"] in _TAKEN:
            return _payment(row, paying=True)
        if verdict is Verdict.MISTYPED:
            raise InvalidFields(problems={"card_number": "not the number of a card"})
        if verdict is Verdict.APPROVED:
            return await self._authorise(row, card_number)
        await self._decline(row)
        raise CardDeclined

    async def _authorise(self, seen: Record, card_number: str) -> Payment:
        async with self.db.tx("payments.authorised") as tx:
            row = await queries.authorise(
                tx,
                seen["pay_token"],
                rules.digits(card_number)[-4:],
                seen["amount"],
                seen["currency"],
            )
            if row is not None:
                await _step(tx, row, "authorised", row["amount"])
                await _tell(tx, row, "authorised")
                return _payment(row, paying=True)
            row = _known(await queries.payment(tx, seen["id"]))
        if row["status"] in _TAKEN:
            return _payment(row, paying=True)
        raise PaymentEnded

    async def _decline(self, seen: Record) -> None:
        """Count a failed try once per key of its form."""
        async with self.db.tx("payments.declined") as tx:
            row = await queries.count_decline(tx, seen["pay_token"])
            if row is None:
                raise PaymentEnded
            key = current().key
            if not await queries.insert_step(
                tx, row["id"], "declined", row["amount"], row["currency"], key
            ):
                raise CardDeclined  # sent twice: counted already, so nothing is written
            await _tell(tx, row, "declined")

    async def capture(self, payment_id: UUID) -> Payment:
        """Take the authorised money."""
        require_service(*rules.SERVICES)
        async with self.db.tx("payments.captured") as tx:
            row = await queries.capture(tx, payment_id)
            if row is not None:
                await _step(tx, row, "captured", row["captured"])
                await _tell(tx, row, "captured")
                tx.emit(
                    PaymentCaptured(
                        order_id=row["order_id"], payment_id=payment_id, amount=_money(row)
                    )
                )
                return _payment(row)
            row = _known(await queries.payment(tx, payment_id))
        if row["status"] in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED):
            return _payment(row)
        raise NotAuthorised

    async def void(self, payment_id: UUID) -> Payment:
        """Close a payment of which nothing was taken."""
        require_service(*rules.SERVICES)
        async with self.db.tx("payments.voided") as tx:
            row = await queries.void(tx, payment_id)
            if row is not None:
                await _step(tx, row, "voided", row["authorised"])
                await _tell(tx, row, "voided")
                return _payment(row)
            row = _known(await queries.payment(tx, payment_id))
        if row["status"] == PaymentStatus.VOIDED:
            return _payment(row)
        raise Conflict

    async def refund(self, payment_id: UUID, amount: int, key: UUID) -> Payment:
        """Give money back. The key is claimed first: its twin waits and then changes nothing."""
        require_service(*rules.SERVICES)
        _known(await queries.payment(self.db, payment_id))
        async with self.db.tx("payments.refunded") as tx:
            if not await queries.insert_refund(tx, key, payment_id, amount):
                return await _repeated_refund(tx, payment_id, amount, key)
            async with tx.refusing(money_in_order=RefundTooLarge):
                row = await queries.refund(tx, payment_id, amount)
            if row is None:
                raise RefundTooLarge
            await _step(tx, row, "refunded", amount)
            await _tell(tx, row, "refunded")
            given_back = Money(amount=amount, currency=row["currency"])
            tx.emit(
                PaymentRefunded(order_id=row["order_id"], payment_id=payment_id, amount=given_back)
            )
            return _payment(row)


async def _repeated_refund(tx: Tx, payment_id: UUID, amount: int, key: UUID) -> Payment:
    before = await queries.refund_of_key(tx, key)
    if before is None or (before["payment_id"], before["amount"]) != (payment_id, amount):
        raise Conflict
    return _payment(_known(await queries.payment(tx, payment_id)))


async def _step(tx: Tx, row: Record, what: str, amount: int) -> None:
    await queries.insert_step(tx, row["id"], what, amount, row["currency"])


async def _tell(tx: Tx, row: Record, what: str) -> None:
    """Write the webhook of a change and have it delivered."""
    webhook_id = new()
    webhook = Webhook(type=f"payment.{what}", payment_id=row["id"], order_id=row["order_id"])
    body = webhook.model_dump_json().encode()
    await queries.insert_webhook(tx, webhook_id, row["id"], webhook.type, body)
    tx.enqueue(deliver_webhook, DeliverWebhook(webhook_id=webhook_id), key=str(webhook_id))


def _known(row: Record | None) -> Record:
    if row is None:
        raise UnknownPayment
    return row


def _before(cursor: str | None) -> UUID | None:
    try:
        return UUID(cursor) if cursor else None
    except ValueError:
        raise InvalidFields(problems={"cursor": "not a cursor of this list"}) from None


def _money(row: Record) -> Money:
    return Money(amount=row["amount"], currency=row["currency"])


def _payment(row: Record, *, paying: bool = False) -> Payment:
    """`paying`: asked for by the secret address itself, which then is no secret any more."""
    told = paying or rules.may_pay(current(), row["payer_id"])
    return Payment(
        id=row["id"],
        order_id=row["order_id"],
        order_number=row["order_number"],
        payer_id=row["payer_id"],
        amount=_money(row),
        status=PaymentStatus(row["status"]),
        captured=row["captured"],
        refunded=row["refunded"],
        declines=row["declines"],
        pay_path=f"/pay/{row['pay_token']}" if told else "",
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        return_path=row["return_path"],
    )


def _shown_step(row: Record) -> PaymentStep:
    return PaymentStep(
        at=row["at"],
        what=row["what"],
        amount=Money(amount=row["amount"], currency=row["currency"]),
    )
