"""Mails on their way: to a mail server, or to the mailbox where there is none."""

from typing import TYPE_CHECKING
from uuid import UUID

from dvor.kernel import clock, mail, points
from dvor.kernel.db import Tx
from dvor.kernel.messages import Message
from dvor.kernel.tasks import task
from dvor.services.notifications import letters, queries
from dvor.services.notifications.letters import Letter

if TYPE_CHECKING:
    from dvor.services.notifications.service import NotificationsService

SMTP_TIMEOUT_SECONDS = 20
TRIES_MAX = 300
"""With pauses that grow to five minutes: most of a day of trying."""


class SendMail(Message):
    """The mail of one notification."""

    notification_id: UUID


@task(timeout_seconds=SMTP_TIMEOUT_SECONDS + 10, attempts_max=TRIES_MAX)
async def send_mail(service: "NotificationsService", work: SendMail) -> None:
    """Mail a notification once.

    Between the server's yes and our note of it we may die and send again: the copy has the same
    Message-ID. The other order would lose mails.
    """
    row = (await service.to_mail.ask([work.notification_id])).get(work.notification_id)
    if row is None:
        return
    contact = (await service.contacts.ask([row["recipient_id"]])).get(row["recipient_id"])
    if contact is None:
        await queries.mark_unmailable(service.db, row["id"], "no such person any more")
        return
    letter = letters.letter(
        row["topic"],
        row["subject_id"],
        row["details"] | await service.price_of(row["topic"], row["details"]),
        contact,
        sender=service.settings.mail_sender,
        site=service.settings.site,
    )
    if service.settings.smtp_url is None:
        await _catch(service, row["id"], letter)
    else:
        await _send(service, row["id"], letter, service.settings.smtp_url)


async def _catch(service: "NotificationsService", notification_id: UUID, letter: Letter) -> None:
    async def keep(tx: Tx) -> None:
        tx.gather(queries.catch_mails, (notification_id, letter))
        tx.gather(queries.mark_mailed, notification_id)

    await service.caught.run(keep)


async def _send(
    service: "NotificationsService", notification_id: UUID, letter: Letter, smtp_url: str
) -> None:
    try:
        mime = letters.message(letter, clock.now())
        points.reached("mail.before_send")
        await mail.send(smtp_url, mime, SMTP_TIMEOUT_SECONDS)
        points.reached("mail.after_send")
    except (mail.RecipientRefused, ValueError) as problem:
        # For good: trying again would bother the server and help nobody.
        await queries.mark_unmailable(service.db, notification_id, str(problem)[:500])
        return
    await queries.mark_mailed(service.db, [notification_id])
