"""All SQL of notifications."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dvor.kernel.db import Connection, Record
from dvor.kernel.ids import new
from dvor.services.notifications.letters import Letter

_MAIL = "id, message_id, sender, recipient, subject, text, html, sent_at"


async def insert_notifications(
    db: Connection,
    topic: str,
    subject_id: UUID,
    recipient_ids: Sequence[UUID],
    details: dict[str, Any],
    *,
    only_after: str | None = None,
) -> list[UUID]:
    """Tell people something, each once; answers the new notifications.

    `only_after`: only those who were told this topic about the same subject before.
    """
    rows = await db.fetch(
        """
        INSERT INTO notifications (id, recipient_id, topic, subject_id, details)
        SELECT told.id, told.recipient_id, $3, $4, $5
        FROM unnest($1::uuid[], $2::uuid[]) AS told (id, recipient_id)
        WHERE $6::text IS NULL OR EXISTS (
            SELECT FROM notifications AS before
            WHERE before.topic = $6 AND before.subject_id = $4
              AND before.recipient_id = told.recipient_id
        )
        ORDER BY told.recipient_id
        ON CONFLICT ON CONSTRAINT told_once DO NOTHING
        RETURNING id
        """,
        [new() for _ in recipient_ids],
        list(recipient_ids),
        topic,
        subject_id,
        details,
        only_after,
    )
    return [row["id"] for row in rows]


async def notifications(
    db: Connection, recipient_id: UUID, before: UUID | None, limit: int
) -> list[Record]:
    """A person's notifications, newest first, older than `before`."""
    return await db.fetch(
        """
        SELECT id, topic, subject_id, details, read_at, created_at FROM notifications
        WHERE recipient_id = $1 AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC LIMIT $3
        """,
        recipient_id,
        before,
        limit,
    )


async def unread(db: Connection, recipient_id: UUID) -> int:
    """How many a person has not read."""
    return await db.fetchval(
        "SELECT count(*) FROM notifications WHERE recipient_id = $1 AND read_at IS NULL",
        recipient_id,
    )


async def mark_read(db: Connection, recipient_id: UUID, ids: Sequence[UUID]) -> None:
    """Mark some of a person's own as read; none named: all."""
    await db.execute(
        """
        UPDATE notifications SET read_at = dvor_now()
        WHERE recipient_id = $1 AND read_at IS NULL
          AND (cardinality($2::uuid[]) = 0 OR id = ANY($2))
        """,
        recipient_id,
        list(ids),
    )


async def to_mail(db: Connection, ids: Sequence[UUID]) -> dict[UUID, Record]:
    """Those of these notifications that are still to be mailed, and can be."""
    rows = await db.fetch(
        """
        SELECT id, recipient_id, topic, subject_id, details FROM notifications
        WHERE id = ANY($1::uuid[]) AND mailed_at IS NULL AND mail_problem = ''
        """,
        ids,
    )
    return {row["id"]: row for row in rows}


async def mark_mailed(db: Connection, ids: Sequence[UUID]) -> None:
    """Their mails are out."""
    await db.execute(
        "UPDATE notifications SET mailed_at = dvor_now()"
        " WHERE id = ANY($1::uuid[]) AND mailed_at IS NULL",
        ids,
    )


async def mark_unmailable(db: Connection, notification_id: UUID, problem: str) -> None:
    """No mail can reach this person."""
    await db.execute(
        "UPDATE notifications SET mail_problem = $2 WHERE id = $1 AND mailed_at IS NULL",
        notification_id,
        problem,
    )


async def catch_mails(db: Connection, mails: Sequence[tuple[UUID, Letter]]) -> None:
    """Keep the mails of notifications in the mailbox; the same ones again change nothing."""
    rows = [
        (
            new(),
            of,
            mail.message_id,
            mail.sender,
            mail.recipient,
            mail.subject,
            mail.text,
            mail.html,
        )
        for of, mail in mails
    ]
    await db.execute(
        """
        INSERT INTO mails (id, notification_id, message_id, sender, recipient, subject, text, html)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
                             $7::text[], $8::text[])
        ON CONFLICT ON CONSTRAINT caught_once DO NOTHING
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def mails(db: Connection, recipient: str, before: UUID | None, limit: int) -> list[Record]:
    """Caught mails, newest first, of one recipient or of everybody."""
    return await db.fetch(
        f"""
        SELECT {_MAIL} FROM mails
        WHERE ($1 = '' OR recipient = $1) AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC LIMIT $3
        """,
        recipient,
        before,
        limit,
    )


async def mail(db: Connection, mail_id: UUID) -> Record | None:
    """One caught mail."""
    return await db.fetchrow(f"SELECT {_MAIL} FROM mails WHERE id = $1", mail_id)
