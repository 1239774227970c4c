"""Mail servers: one message, one conversation. The only door to aiosmtplib."""

from email.message import EmailMessage
from email.utils import getaddresses
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from dvor.kernel import telemetry
from dvor.kernel.db import assert_no_transaction

_PORTS = {"smtp": 25, "smtps": 465}


class RecipientRefused(Exception):
    """The server will never take mail for this recipient."""


async def send(smtp_url: str, message: EmailMessage, timeout_seconds: float) -> None:
    """Hand a message over; returns when the server has taken responsibility for it.

    `smtp://` upgrades to TLS where the server offers it, `smtp://…?tls=required` insists,
    `smtps://` speaks TLS from the start. Raises RecipientRefused when trying again is of no use,
    ConnectionError or TimeoutError when it may be.
    """
    assert_no_transaction("a mail")
    server = urlsplit(smtp_url)
    if server.scheme not in _PORTS or not server.hostname:
        raise ConnectionError("DVOR_SMTP_URL is not smtp://… or smtps://…")
    insist = parse_qs(server.query).get("tls") == ["required"]
    try:
        with telemetry.span("mail", kind="client", **{"server.address": server.hostname}):
            await aiosmtplib.send(
                message,
                sender=_bare(message["From"]),
                recipients=[_bare(message["To"])],
                hostname=server.hostname,
                port=server.port or _PORTS[server.scheme],
                username=unquote(server.username) if server.username else None,
                password=unquote(server.password) if server.password else None,
                use_tls=server.scheme == "smtps",
                start_tls=True if insist else None if server.scheme == "smtp" else False,
                timeout=timeout_seconds,
            )
    except aiosmtplib.SMTPRecipientsRefused as refused:
        if all(500 <= one.code < 600 for one in refused.recipients):
            raise RecipientRefused(str(refused)) from refused
        raise ConnectionError(str(refused)) from refused
    except (aiosmtplib.SMTPTimeoutError, ConnectionError):
        raise
    except aiosmtplib.SMTPException as problem:
        raise ConnectionError(str(problem)) from problem


def _bare(header: str) -> str:
    return getaddresses([str(header)])[0][1]
