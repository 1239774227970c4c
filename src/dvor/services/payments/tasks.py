"""Webhooks on their way, refunds that the provider has not answered, and payments to ask about."""

from typing import TYPE_CHECKING
from uuid import UUID

from dvor.kernel import clock, outbound, points, webhooks
from dvor.kernel.messages import Count, Message
from dvor.kernel.tasks import task, timer

if TYPE_CHECKING:
    from dvor.services.payments.service import PaymentsService

ANSWER_TIMEOUT_SECONDS = 15
TRIES_MAX = 100
"""With pauses that grow to five minutes: about six hours of trying."""


class DeliverWebhook(Message):
    """One webhook, by its row. `again`: also when it was delivered before."""

    webhook_id: UUID
    again: bool = False


class BankWebhook(Message):
    """One webhook of the simulated bank. Copies are sent whatever became of the first."""

    webhook_id: UUID
    copy_number: Count = 0


class BankWork(Message):
    """A payment at the simulated bank."""

    reference: str


class RefundWork(Message):
    """A refund by its key."""

    key: UUID


class NotDelivered(Exception):
    """Nobody took the webhook; it will be sent again."""


@task(timeout_seconds=ANSWER_TIMEOUT_SECONDS + 5, attempts_max=TRIES_MAX)
async def deliver_webhook(service: "PaymentsService", work: DeliverWebhook) -> None:
    """Send a webhook until somebody says 2xx. The receiver knows repeated ones by their id."""
    row = await service.deliveries.webhook(work.webhook_id)
    if row is None or (row["delivered_at"] is not None and not work.again):
        return
    body = row["body"]
    newest = webhooks.secrets_of("payments", *service.settings.secrets)[0]
    headers = webhooks.sign(newest, str(work.webhook_id), clock.now(), body)
    headers["content-type"] = "application/json"
    points.reached("webhook.before_post")
    answer, delivered = await _post(service, service.settings.webhook_url, body, headers)
    points.reached("webhook.after_post")
    await service.deliveries.tried(work.webhook_id, answer, taken=delivered)
    points.reached("webhook.after_marking")
    if not delivered:
        raise NotDelivered(answer)


@task(timeout_seconds=ANSWER_TIMEOUT_SECONDS + 5, attempts_max=TRIES_MAX)
async def send_bank_webhook(service: "PaymentsService", work: BankWebhook) -> None:
    """The simulated bank sends a webhook until we say 2xx."""
    row = await service.bank.deliveries.webhook(work.webhook_id)
    if row is None or (row["delivered_at"] is not None and not work.copy_number):
        return
    headers = service.bank.sign(str(work.webhook_id), row["body"])
    answer, delivered = await _post(
        service, service.settings.bank_webhook_url, row["body"], headers
    )
    await service.bank.deliveries.tried(work.webhook_id, answer, taken=delivered)
    if not delivered:
        raise NotDelivered(answer)


async def _post(
    service: "PaymentsService", url: str, body: bytes, headers: dict[str, str]
) -> tuple[str, bool]:
    """What was answered, and whether it was yes."""
    try:
        status = await outbound.post(url, body, headers, ANSWER_TIMEOUT_SECONDS, service.lines)
    except (ConnectionError, TimeoutError) as problem:
        return f"{type(problem).__name__}: {problem}"[:500], False
    return str(status), 200 <= status < 300


@task(timeout_seconds=20, attempts_max=TRIES_MAX)
async def decide_late(service: "PaymentsService", work: BankWork) -> None:
    """The simulated bank decides what took long."""
    await service.bank.decide_late(work.reference)


@task(timeout_seconds=20, attempts_max=TRIES_MAX)
async def open_dispute(service: "PaymentsService", work: BankWork) -> None:
    """A payer objects to a payment at the simulated bank."""
    await service.bank.open_dispute(work.reference)


@task(timeout_seconds=20, attempts_max=TRIES_MAX)
async def decide_dispute(service: "PaymentsService", work: BankWork) -> None:
    """The simulated bank decides for the payer."""
    await service.bank.decide_dispute(work.reference)


@task(timeout_seconds=20, attempts_max=TRIES_MAX)
async def finish_refund(service: "PaymentsService", work: RefundWork) -> None:
    """Ask the provider for a refund whose outcome nobody has seen."""
    await service.finish_refund(work.key)


@timer(every_seconds=15)
async def reconcile(service: "PaymentsService") -> None:
    """Ask about payments of which we should have heard: a webhook may never come."""
    await service.reconcile()


@timer(every_seconds=15)
async def look_after_deposits(service: "PaymentsService") -> None:
    """Renew deposits before the bank lets them go; let them go when their time is over."""
    await service.look_after_deposits()


@timer(every_seconds=300)
async def pay_out_daily(service: "PaymentsService") -> None:
    """Pay sellers once a day: the day is the key, so looking often pays once."""
    await service.pay_out_daily()
