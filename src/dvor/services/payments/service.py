"""Payments: who may do what; `settlement.py` does it."""

import asyncio
import secrets
from contextlib import suppress
from datetime import timedelta
from functools import partial
from uuid import UUID

from dvor.contracts.deposits import (
    Deposit,
    DepositClaim,
    DepositParts,
    UnknownDeposit,
)
from dvor.contracts.deposits import Deposits as DepositList
from dvor.contracts.earnings import (
    Balances,
    Books,
    PayoutRun,
    Payouts,
    PayoutSearch,
    Statement,
    StatementSearch,
)
from dvor.contracts.payments import (
    CardDeclined,
    ForgedWebhook,
    Payment,
    PaymentEnded,
    PaymentHistory,
    PaymentPage,
    PaymentRequest,
    PaymentSearch,
    PaymentStatus,
    ProviderDelivery,
    SentWebhook,
    SentWebhooks,
    Shares,
    UnknownPayment,
    UnknownWebhook,
)
from dvor.kernel import clock, outbound, telemetry
from dvor.kernel.batch import GroupCommit, reader, writer
from dvor.kernel.caller import Role, current, require_role, require_service, require_user
from dvor.kernel.config import BadConfiguration, Settings
from dvor.kernel.db import Database, Record, Tx
from dvor.kernel.errors import Conflict, InvalidFields, Unavailable
from dvor.kernel.ids import derived, new
from dvor.kernel.messages import PageRequest
from dvor.services.payments import (
    deposit_queries,
    ledger,
    queries,
    rules,
    views,
    webhook_queries,
)
from dvor.services.payments.deliveries import Deliveries
from dvor.services.payments.deposits import Deposits
from dvor.services.payments.earnings import Earnings
from dvor.services.payments.providers import (
    Charge,
    Forged,
    OutcomeUnknown,
    Provider,
    Refused,
    State,
)
from dvor.services.payments.providers.simulator import Simulator
from dvor.services.payments.providers.stripe import Stripe
from dvor.services.payments.settlement import Settlement, known, nothing_new
from dvor.services.payments.tasks import (
    BankWebhook,
    DeliverWebhook,
    deliver_webhook,
    send_bank_webhook,
)

TOKEN_BYTES = 32
"""Randomness of the secret address of a hosted page: 256 bits."""
WAITING_MAX = 5000
"""So many may wait for one kind of reading or writing."""
LOOKS_AT_ONCE = 100
"""Payments that are asked about by one run of the timer."""

_TAKEN = (PaymentStatus.AUTHORISED, PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)


class PaymentsService:
    """Implements `dvor.contracts.payments.Payments`."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.db = db
        self.settings = settings
        self._whole = reader(partial(queries.whole, db), queue_max=WAITING_MAX)
        self._of_tokens = reader(partial(queries.of_tokens, db), queue_max=WAITING_MAX)
        self._requested = GroupCommit(db, "payments.requested", queue_max=WAITING_MAX)
        self._asked = GroupCommit(db, "payments.asked", queue_max=WAITING_MAX)
        self._heard = writer(partial(webhook_queries.note_events, db), queue_max=WAITING_MAX)
        self.lines = outbound.Lines()
        """To those who hear of payments."""
        self.deliveries = Deliveries(db, "webhook_deliveries")
        self.bank = Simulator(db, settings)
        self.providers = _providers(self.bank, settings)
        self.provider = self.providers[settings.payment_provider]
        self.settlement = Settlement(db, self.providers)
        self.kept = Deposits(db, settings, self.settlement)
        self.earnings = Earnings(db)

    async def request(self, request: PaymentRequest) -> Payment:
        """Ask for money; the order's one payment, however often it is asked for."""
        require_service(*rules.SERVICES)
        shares = [(share.seller_id, share.amount) for share in request.shares]
        payment_id = new()
        deposits = self.kept.stored(payment_id, request.deposits)

        async def write(tx: Tx) -> Record | None:
            row = await queries.insert_payment(
                tx,
                id=payment_id,
                order_id=request.order_id,
                order_number=request.order_number,
                payer_id=request.payer_id,
                amount=request.amount.amount,
                currency=request.amount.currency,
                pay_token=secrets.token_urlsafe(TOKEN_BYTES),
                return_path=request.return_path,
                expires_at=request.expires_at,
                provider=self.provider.name,
                commission_bp=self.settings.commission_basis_points,
                shares=ledger.whole(request.amount.amount, shares),
                trace=telemetry.carried(),
                deposit=sum(terms.amount for terms in request.deposits),
            )
            if row and deposits:
                await deposit_queries.insert_deposits(tx, payment_id, row["currency"], deposits)
            return row or await queries.payment_of_order(tx, request.order_id)

        row = await self._requested.run(write)
        if row is None or (row["payer_id"], views.money(row)) != (request.payer_id, request.amount):
            raise Conflict
        return views.payment(row)

    async def payment(self, payment_id: UUID) -> PaymentHistory:
        """A payment with its history, of one moment; services hear what the provider says now."""
        row = (await self._whole.ask([payment_id])).get(payment_id)
        # Strangers cannot tell a foreign payment from none.
        if row is None or not rules.may_see(current(), row["payer_id"]):
            raise UnknownPayment
        waiting = row["underway"] or row["action_path"]
        if current().service in rules.SERVICES and waiting:
            with suppress(Unavailable):  # what we know is true as far as it goes
                await self.settlement.look(row)
                row = (await self._whole.ask([payment_id]))[payment_id]
        return PaymentHistory(payment=views.payment(row), steps=views.history(row))

    async def payments(self, search: PaymentSearch) -> PaymentPage:
        """One's own payments, or everybody's."""
        payer = None if search.everybody else require_user()
        if search.everybody:
            require_role(Role.ADMIN)
        rows = await queries.payments(self.db, payer, views.before(search.cursor), search.limit + 1)
        more = len(rows) > search.limit
        shown = rows[: search.limit]
        return PaymentPage(
            items=tuple(views.payment(row) for row in shown),
            next_cursor=str(shown[-1]["id"]) if more else None,
        )

    async def open_page(self, pay_token: str) -> Payment:
        """The payment of a hosted page: whoever knows the token may see and pay it."""
        return views.payment(await self._of_token(pay_token), paying=True)

    async def _of_token(self, pay_token: str) -> Record:
        return known((await self._of_tokens.ask([pay_token])).get(pay_token))

    async def submit_card(self, pay_token: str, card_number: str) -> Payment:
        """Try a card: the provider decides, then the row follows."""
        row = await self._of_token(pay_token)
        if row["status"] in _TAKEN:
            return views.payment(row, paying=True)
        provider = self.settlement.at(row)
        if not provider.readable(card_number):
            raise InvalidFields(problems={"card_number": "not the number of a card"})
        silence = timedelta(seconds=self.settings.provider_silence_seconds)
        row = await self._asked.run(lambda tx: queries.asking(tx, pay_token, silence))
        if row is None:
            return self._ended(await self._of_token(pay_token))
        try:
            standing = await provider.authorise(
                self._charge(row), card_number, f"{row['id']} {current().key or new()}"
            )
        except OutcomeUnknown:
            return views.payment(row, paying=True)
        except Refused:
            return self._ended(await self.settlement.look(row))
        name = "payments.declined" if standing.state is State.OPEN else "payments.authorised"
        row = await self.settlement.follow(row, standing, name)
        if standing.state is State.OPEN:
            raise CardDeclined
        if row["status"] == PaymentStatus.VOIDED:
            raise PaymentEnded
        return views.payment(row, paying=True)

    def _charge(self, row: Record) -> Charge:
        site = self.settings.site
        return Charge(
            reference=row["reference"],
            amount=row["amount"],
            currency=row["currency"],
            expires_at=row["expires_at"],
            description=row["order_number"],
            paid_url=f"{site}/pay/{row['pay_token']}/confirm",
            back_url=site + row["return_path"],
            again=row["deposit"] > 0,
        )

    def _ended(self, row: Record) -> Payment:
        """What is said of a payment that cannot be paid: that it is, or that it is over."""
        if row["status"] in _TAKEN:
            return views.payment(row, paying=True)
        raise PaymentEnded

    async def confirm_card(self, pay_token: str, accepted: bool) -> Payment:
        """The payer's answer goes to the bank; then we ask the bank, as a browser comes back.

        Other providers have asked the payer themselves.
        """
        row = await self._of_token(pay_token)
        if row["action_path"] and row["status"] == PaymentStatus.REQUESTED:
            if row["provider"] == self.bank.name:
                await self.bank.confirm(row["reference"], accepted=accepted)
            row = await self.settlement.look(row)
        if row["status"] == PaymentStatus.REQUESTED and not accepted:
            raise CardDeclined
        return self._ended(row)

    async def receive_webhook(self, delivery: ProviderDelivery) -> None:
        """Take a webhook of the provider: verified, then only a reason to ask."""
        sender = self._sender(delivery)
        try:
            news = sender.read(delivery.headers, delivery.body, clock.now())
        except Forged:
            raise ForgedWebhook from None
        if news is None:
            return
        ids = [id for id in map(rules.our_id, news.references) if id]
        row = known(
            await queries.payment_of_news(self.db, sender.name, news.references, ids, news.id)
        )
        if row["heard"]:
            return
        standing = await self.settlement.ask(row)
        if standing is None:
            raise UnknownPayment
        if nothing_new(row, standing):  # as most often: the answer to our own call came first
            await self._heard.ask((news.id, news.type, row["id"]))
        else:
            await self.settlement.follow(row, standing, event=(news.id, news.type))

    def _sender(self, delivery: ProviderDelivery) -> Provider:
        """Who says to have sent a webhook; whether that is so, its signature says."""
        name = "stripe" if delivery.headers.get("stripe-signature") else self.bank.name
        return self.providers.get(name, self.bank)

    async def webhooks(self, page: PageRequest) -> SentWebhooks:
        """What was sent, by the bank and by us."""
        require_role(Role.ADMIN)
        rows = await webhook_queries.sent_webhooks(
            self.db, views.moment(page.cursor), page.limit + 1
        )
        shown, more = views.cut(rows, page.limit)
        return SentWebhooks(items=tuple(SentWebhook(**row) for row in shown), next_cursor=more)

    async def replay_webhook(self, webhook_id: UUID) -> SentWebhook:
        """Send it once more: once for each key of a form."""
        require_role(Role.ADMIN)
        row = await webhook_queries.sent_webhook(self.db, webhook_id)
        if row is None:
            raise UnknownWebhook
        key = f"{webhook_id} replay {current().key or new()}"
        async with self.db.tx("payments.webhook_replayed") as tx:
            if row["sender"] == "bank":
                tx.enqueue(
                    send_bank_webhook, BankWebhook(webhook_id=webhook_id, copy_number=1), key=key
                )
            else:
                work = DeliverWebhook(webhook_id=webhook_id, again=True)
                tx.enqueue(deliver_webhook, work, key=key)
        return SentWebhook(**row)

    async def capture(self, payment_id: UUID) -> Payment:
        """Take the authorised money."""
        require_service(*rules.SERVICES)
        row = known(await queries.payment(self.db, payment_id))
        return views.payment(await self.settlement.capture(row))

    async def void(self, payment_id: UUID) -> Payment:
        """Close a payment of which nothing was taken."""
        require_service(*rules.SERVICES)
        row = known(await queries.payment(self.db, payment_id))
        return views.payment(await self.settlement.void(row))

    async def refund(
        self, payment_id: UUID, amount: int, key: UUID, reason: str = "", shares: Shares = ()
    ) -> Payment:
        """Give money back, once a key."""
        require_service(*rules.SERVICES)
        row = known(await queries.payment(self.db, payment_id))
        return views.payment(await self.settlement.refund(row, amount, key, reason, shares))

    async def secure_deposits(self, payment_id: UUID) -> DepositList:
        """Set deposits aside."""
        require_service(*rules.SERVICES)
        payment = known(await queries.payment(self.db, payment_id))
        return views.deposits(await self.kept.secure(payment), current(), clock.now())

    async def release_deposits(self, payment_id: UUID, parts: DepositParts = ()) -> DepositList:
        """Let go what is not needed of deposits."""
        require_service(*rules.SERVICES)
        known(await queries.payment(self.db, payment_id))
        rows = await self.kept.release(payment_id, {part.line_id: part.needed for part in parts})
        return views.deposits(rows, current(), clock.now())

    async def deposits(self, order_id: UUID) -> DepositList:
        """What the caller may see of an order's deposits."""
        if current().service not in rules.SERVICES:
            require_user()
        rows = await deposit_queries.of_order(self.db, order_id)
        return views.deposits(rows, current(), clock.now())

    async def claim_deposit(self, deposit_id: UUID, claim: DepositClaim) -> Deposit:
        """Keep some of a deposit."""
        await self.kept.claim(await self._kept_by_caller(deposit_id), claim)
        return views.deposit(await self._kept_by_caller(deposit_id), current(), clock.now())

    async def return_deposit(self, deposit_id: UUID) -> Deposit:
        """Want nothing of a deposit."""
        await self.kept.give_back(await self._kept_by_caller(deposit_id))
        return views.deposit(await self._kept_by_caller(deposit_id), current(), clock.now())

    async def _kept_by_caller(self, deposit_id: UUID) -> Record:
        require_user()
        row = await deposit_queries.deposit(self.db, deposit_id)
        if row is None or not rules.may_claim(current(), row["seller_id"]):
            raise UnknownDeposit
        return row

    async def look_after_deposits(self) -> None:
        """Renew, let go, go on with what was interrupted. For the timer."""
        await self.kept.look_after()

    async def stop(self) -> None:
        """Answer those who wait."""
        for waiting in (self._whole, self._of_tokens, self._requested, self._asked, self._heard):
            await waiting.close()
        await self.settlement.close()
        await self.bank.close()
        await self.deliveries.close()
        await self.lines.close()

    async def balances(self) -> Balances:
        return await self.earnings.balances()

    async def statement(self, search: StatementSearch) -> Statement:
        return await self.earnings.statement(search)

    async def payouts(self, search: PayoutSearch) -> Payouts:
        return await self.earnings.payouts(search)

    async def run_payouts(self, key: UUID) -> PayoutRun:
        return await self.earnings.ask_for_run(key)

    async def books(self) -> Books:
        return await self.earnings.books()

    async def finish_refund(self, key: UUID) -> None:
        """Ask the provider for what nobody has seen the end of. For tasks."""
        refund = await queries.refund_of_key(self.db, key)
        if refund is not None and refund["state"] == "pending":
            await self.settlement.finish_refund(refund)

    async def pay_out_daily(self) -> None:
        """The run of this day, once its hour has come. For the timer."""
        now = clock.now()
        if 0 <= self.settings.payout_hour <= now.hour:
            await self.earnings.run(derived("payouts", now.date()))

    async def reconcile(self) -> None:
        """Ask about payments that are silent too long. For the timer."""
        rows = await queries.to_look_at(self.db, LOOKS_AT_ONCE)
        await asyncio.gather(*(self._reconcile(row) for row in rows))

    async def _reconcile(self, row: Record) -> None:
        with suppress(Unavailable):  # it is asked again later
            await self.settlement.look(row)
        await queries.look_later(self.db, row["id"])


def _providers(bank: Simulator, settings: Settings) -> dict[str, Provider]:
    """All that are configured: what was begun with one ends with it. Raises BadConfiguration."""
    found: dict[str, Provider] = {bank.name: bank}
    chosen = settings.payment_provider
    if chosen == Stripe.name or settings.stripe_secret_key:
        found[Stripe.name] = Stripe(settings)
    if chosen not in found:
        raise BadConfiguration(f"DVOR_PAYMENT_PROVIDER={chosen!r}: simulator or stripe")
    return found
