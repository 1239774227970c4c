"""The mailbox: e-mails caught instead of sent, where no mail server is configured."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, Response

from dvor.contracts.notifications import Notifications
from dvor.kernel.errors import NotFound
from dvor.kernel.http import contract, page_router
from dvor.kernel.messages import PageRequest
from dvor.web.context import Cursor, Visiting, settings_of

LIST_SIZE = 30
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src 'self' data:; "
    "style-src 'unsafe-inline'; base-uri 'self'; form-action 'none'; frame-ancestors 'self'"
)

NotificationsHere = Annotated[Notifications, contract(Notifications)]


def _caught_here(request: Request) -> None:
    if settings_of(request).smtp_url:
        raise NotFound


router = page_router()
router.prefix = "/mailbox"
router.dependencies.append(Depends(_caught_here))


@router.get("")
async def list_mails(
    visit: Visiting, notifications: NotificationsHere, to: str = "", cursor: Cursor = ""
) -> Response:
    """Caught mails, newest first."""
    page = PageRequest(cursor=cursor or None, limit=LIST_SIZE)
    found = await notifications.mailbox(page, to[:254])
    return await visit.page("mailbox/list.html", found=found, to=to)


@router.get("/{mail_id}")
async def show_mail(mail_id: UUID, visit: Visiting, notifications: NotificationsHere) -> Response:
    """One mail: as it looks and as text."""
    return await visit.page("mailbox/mail.html", mail=await notifications.mail(mail_id))


@router.get("/{mail_id}/html")
async def show_mail_html(mail_id: UUID, notifications: NotificationsHere) -> Response:
    """The mail's own HTML, for the sandboxed frame: no scripts, no forms, no other sites."""
    mail = await notifications.mail(mail_id)
    headers = {
        "Content-Security-Policy": MAIL_POLICY,
        "X-Frame-Options": "SAMEORIGIN",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(f'<base target="_blank">{mail.html}', headers=headers)
