"""What people are told: in the interface and by e-mail."""

from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field

from dvor.kernel.errors import NotFound
from dvor.kernel.messages import Count, Instant, Message, PageRequest


class Notification(Message):
    """Something a person was told, in their language."""

    id: UUID
    topic: str
    """order_created, order_paid, payment_failed, order_cancelled, order_delivered, sale_paid, sale_cancelled, welcome, waiting_offered, waiting_lapsed, approval_asked, approval_waited, deposit_kept, deposit_came, deposit_released, deposit_refused,
    deposit_missing, deposit_lost"""
    title: str
    body: str
    path: str
    """The page it is about, on our own site."""
    read_at: Instant | None = None
    created_at: Instant


class NotificationPage(Message):
    """Some notifications, newest first."""

    items: tuple[Notification, ...]
    unread: Count
    next_cursor: str | None = None


class Unread(Message):
    """How many notifications were not read."""

    count: Count


class Mail(Message):
    """An e-mail as it was sent."""

    id: UUID
    message_id: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    sent_at: Instant


class MailPage(Message):
    """Some mails, newest first."""

    items: tuple[Mail, ...]
    next_cursor: str | None = None


class UnknownMail(NotFound):
    """There is no such mail."""


class Notifications(Protocol):
    """Messages to people, and the mailbox that catches e-mail in development."""

    async def notifications(self, page: PageRequest) -> NotificationPage:
        """The caller's notifications, in the caller's language."""
        ...

    async def unread(self) -> Unread:
        """How many the caller has not read."""
        ...

    async def mark_read(
        self, notification_ids: Annotated[tuple[UUID, ...], Field(max_length=200)] = ()
    ) -> Unread:
        """Mark some as read; none named: all."""
        ...

    async def mailbox(self, page: PageRequest, recipient: str = "") -> MailPage:
        """Mails caught instead of sent. Only where no mail server is configured."""
        ...

    async def mail(self, mail_id: UUID) -> Mail:
        """One caught mail. Raises UnknownMail."""
        ...
