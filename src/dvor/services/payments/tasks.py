"""Webhooks on their way to whoever asked for the money."""

from typing import TYPE_CHECKING
from uuid import UUID

from dvor.kernel import clock, outbound, points, webhooks
from dvor.kernel.messages import Message
from dvor.kernel.tasks import task
from dvor.services.payments import queries

if TYPE_CHECKING:
    from dvor.services.payments.service import PaymentsService

ANSWER_TIMEOUT_SECONDS = 15
TRIES_MAX = 100
"""With pauses that grow to five minutes: about six hours of trying."""


class DeliverWebhook(Message):
    """One webhook, by its row."""

    webhook_id: UUID


class NotDelivered(Exception):
    """Nobody took the webhook; it will be sent again."""


@task(timeout_seconds=ANSWER_TIMEOUT_SECONDS + 5, attempts_max=TRIES_MAX)
async def deliver_webhook(service: "PaymentsService", work: DeliverWebhook) -> None:
    """Send a webhook until somebody says 2xx. The receiver knows repeated ones by their id."""
    body = await queries.webhook_to_deliver(service.db, work.webhook_id)
    if body is None:
        return
    newest = webhooks.secrets_of("payments", service.settings.secret)[0]
    headers = webhooks.sign(newest, str(work.webhook_id), clock.now(), body)
    headers["content-type"] = "application/json"
    points.reached("webhook.before_post")
    try:
        status = await outbound.post(
            service.settings.webhook_url, body, headers, ANSWER_TIMEOUT_SECONDS
        )
        answer, delivered = str(status), 200 <= status < 300
    except (ConnectionError, TimeoutError) as problem:
        answer, delivered = f"{type(problem).__name__}: {problem}"[:500], False
    points.reached("webhook.after_post")
    await queries.mark_webhook(service.db, work.webhook_id, answer, delivered=delivered)
    points.reached("webhook.after_marking")
    if not delivered:
        raise NotDelivered(answer)
