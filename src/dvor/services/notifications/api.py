"""Notifications over REST."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import Field

from dvor.contracts.notifications import NotificationPage, Notifications, Unread
from dvor.kernel.http import api_router, contract
from dvor.kernel.messages import Message, PageRequest

router = api_router(prefix="/notifications", tags=["notifications"])

Asked = Annotated[Notifications, contract(Notifications)]


class Reading(Message):
    """Which notifications were read; none named: all."""

    notification_ids: Annotated[tuple[UUID, ...], Field(max_length=200)] = ()


@router.get("")
async def list_notifications(
    notifications: Asked,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> NotificationPage:
    """Your notifications, newest first, in your language."""
    return await notifications.notifications(PageRequest(cursor=cursor, limit=limit))


@router.get("/unread")
async def count_unread(notifications: Asked) -> Unread:
    """How many you have not read."""
    return await notifications.unread()


@router.post("/read")
async def mark_read(reading: Reading, notifications: Asked) -> Unread:
    """Mark notifications as read."""
    return await notifications.mark_read(reading.notification_ids)
