"""Mails: words and a page about them, as a MIME message with a name that never changes."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from uuid import UUID

from dvor.contracts.identity import Contact
from dvor.kernel.caller import asking, current
from dvor.kernel.ids import derived
from dvor.kernel.pages import Templates
from dvor.services.notifications.wording import Details, path, wording

templates = Templates(package="dvor.services.notifications")


@dataclass(frozen=True)
class Letter:
    """A mail before it is a message."""

    message_id: str
    sender: str
    recipient: str
    recipient_name: str
    language: str
    subject: str
    text: str
    html: str


def letter(
    topic: str, subject_id: UUID, details: Details, contact: Contact, *, sender: str, site: str
) -> Letter:
    """A notification as a mail in its recipient's language."""
    with asking(current().model_copy(update={"language": contact.language})):
        words = wording(topic, details)
        shown = {
            "words": words,
            "name": contact.name,
            "language": contact.language,
            "link": site + path(topic, subject_id, details),
            "other_link": site + words.other_path,
            "site": site,
        }
        return Letter(
            message_id=message_id(topic, subject_id, contact.user_id, sender),
            sender=sender,
            recipient=contact.email,
            recipient_name=contact.name,
            language=contact.language,
            subject=" ".join(words.title.split()),
            text=templates.render("mail.txt", **shown),
            html=templates.render("mail.html", **shown),
        )


def message_id(topic: str, subject_id: UUID, recipient_id: UUID, sender: str) -> str:
    """One name for all copies of a mail: whoever gets two can tell that they are one."""
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<{derived('mail', topic, subject_id, recipient_id)}@{domain}>"


def message(letter: Letter, at: datetime) -> EmailMessage:
    """The letter as MIME: plain text, and HTML for those who prefer it."""
    mime = EmailMessage(policy=SMTP)
    mime["Message-ID"] = letter.message_id
    mime["Date"] = format_datetime(at)
    mime["From"] = letter.sender
    mime["To"] = _address(letter)
    mime["Subject"] = letter.subject
    mime["Auto-Submitted"] = "auto-generated"
    mime["Content-Language"] = letter.language
    mime.set_content(letter.text)
    mime.add_alternative(letter.html, subtype="html")
    return mime


def _address(letter: Letter) -> Address:
    user, _at, domain = letter.recipient.rpartition("@")
    # Mail programs decode "=?…?=": a name must not become something else on the way.
    name = " ".join(letter.recipient_name.replace("=?", "").split())
    return Address(display_name=name, username=user, domain=domain.encode("idna").decode())
