"""Notifications: what a person was told, and the mailbox of development."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from dvor.contracts.catalog import Catalog, QuoteLine
from dvor.contracts.identity import Contact, Identity
from dvor.contracts.notifications import (
    Mail,
    MailPage,
    Notification,
    NotificationPage,
    UnknownMail,
    Unread,
)
from dvor.contracts.waiting import Waiting
from dvor.kernel.batch import GroupCommit, reader
from dvor.kernel.caller import require_service, require_user
from dvor.kernel.config import Settings
from dvor.kernel.db import Database, Record
from dvor.kernel.errors import InvalidFields, NotFound, Refusal
from dvor.kernel.messages import PageRequest
from dvor.services.notifications import queries
from dvor.services.notifications.wording import Details, path, wording

MAILS_MAX = 1000
"""So many mails may be under way in one process."""


class NotificationsService:
    """Implements `dvor.contracts.notifications.Notifications`."""

    def __init__(
        self, db: Database, settings: Settings, catalog: Catalog, identity: Identity
    ) -> None:
        self.db = db
        self.settings = settings
        self.catalog = catalog
        self.identity = identity
        self.to_mail = reader(partial(queries.to_mail, db), queue_max=MAILS_MAX)
        self.contacts = reader(self._contacts, queue_max=MAILS_MAX)
        self.caught = GroupCommit(db, "mail.caught", queue_max=MAILS_MAX)

    async def _contacts(self, user_ids: Sequence[UUID]) -> dict[UUID, Contact]:
        found = await self.identity.contacts(tuple(user_ids))
        return {contact.user_id: contact for contact in found.items}

    async def stop(self) -> None:
        """Answer those who wait."""
        await self.to_mail.close()
        await self.contacts.close()
        await self.caught.close()

    async def notifications(self, page: PageRequest) -> NotificationPage:
        """The caller's notifications in the caller's language."""
        person = require_user()
        async with self.db.snapshot() as db:
            rows = await queries.notifications(db, person, _before(page), page.limit + 1)
            unread = await queries.unread(db, person)
        shown, next_cursor = _page(rows, page.limit)
        return NotificationPage(
            items=tuple(map(_notification, shown)), unread=unread, next_cursor=next_cursor
        )

    async def unread(self) -> Unread:
        """How many the caller has not read."""
        return Unread(count=await queries.unread(self.db, require_user()))

    async def mark_read(self, notification_ids: tuple[UUID, ...] = ()) -> Unread:
        """Mark one's own as read; those of others are left alone."""
        person = require_user()
        await queries.mark_read(self.db, person, notification_ids)
        return Unread(count=await queries.unread(self.db, person))

    async def mailbox(self, page: PageRequest, recipient: str = "") -> MailPage:
        """Caught mails: for the page `/mailbox`."""
        self._require_mailbox(NotFound)
        rows = await queries.mails(self.db, recipient, _before(page), page.limit + 1)
        shown, next_cursor = _page(rows, page.limit)
        return MailPage(items=tuple(map(_mail, shown)), next_cursor=next_cursor)

    async def mail(self, mail_id: UUID) -> Mail:
        """One caught mail."""
        self._require_mailbox(UnknownMail)
        row = await queries.mail(self.db, mail_id)
        if row is None:
            raise UnknownMail
        return _mail(row)

    async def price_of(self, topic: str, details: Details) -> Details:
        """What costs now what somebody is offered who waited; nothing where nobody can say."""
        if topic != "waiting_offered":
            return {}
        entry = Waiting.model_validate(details["entry"], strict=False)
        line = QuoteLine(
            offer_id=entry.offer_id, quantity=entry.quantity, dates=entry.dates, hours=entry.hours
        )
        try:
            return {"price": (await self.catalog.quote((line,))).total.model_dump()}
        except Refusal:
            return {}

    def _require_mailbox(self, refusal: type[NotFound]) -> None:
        # It shows everybody's mail: it exists in development only, and only as a page.
        require_service("web")
        if self.settings.smtp_url is not None:
            raise refusal


def _before(page: PageRequest) -> UUID | None:
    try:
        return UUID(page.cursor) if page.cursor else None
    except ValueError:
        raise InvalidFields(problems={"cursor": "not a cursor of this list"}) from None


def _page(rows: list[Record], limit: int) -> tuple[list[Record], str | None]:
    shown = rows[:limit]
    return shown, str(shown[-1]["id"]) if len(rows) > limit else None


def _notification(row: Record) -> Notification:
    words = wording(row["topic"], row["details"])
    return Notification(
        id=row["id"],
        topic=row["topic"],
        title=words.title,
        body=words.body,
        path=path(row["topic"], row["subject_id"], row["details"]),
        read_at=row["read_at"],
        created_at=row["created_at"],
    )


def _mail(row: Record) -> Mail:
    return Mail.model_validate(dict(row))
