"""A message for the next page: what was done, how to undo it, or why it was refused.

Carried by a cookie that only we can write, shown once.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass, field

from fastapi import Request, Response

from dvor.kernel.http.front import cookie
from dvor.kernel.http.routing import host

COOKIE = "notice"
LIFE_SECONDS = 120


@dataclass(frozen=True)
class Notice:
    """Words for people. `tone`: done, refused or note. `undo` fills a form that takes it back."""

    tone: str
    text: str
    link_path: str = ""
    link_text: str = ""
    undo_path: str = ""
    undo_fields: dict[str, str] = field(default_factory=dict)


def leave(request: Request, response: Response, notice: Notice) -> None:
    """Leave `notice` for the next page this browser asks for."""
    body = json.dumps(asdict(notice), ensure_ascii=False).encode()
    _set(
        request,
        response,
        f"{urlsafe_b64encode(body).decode()}.{_seal(request, body)}",
        LIFE_SECONDS,
    )


def read(request: Request) -> Notice | None:
    """The notice left for this browser; None when there is none or somebody forged it."""
    body, _dot, seal = request.cookies.get(COOKIE, "").rpartition(".")
    try:
        content = urlsafe_b64decode(body)
        if not body or not hmac.compare_digest(_seal(request, content).encode(), seal.encode()):
            return None
        return Notice(**json.loads(content))
    except (ValueError, TypeError):
        return None


def forget(request: Request, response: Response) -> None:
    """The notice has been shown."""
    _set(request, response, "", 0)


def _set(request: Request, response: Response, value: str, age_seconds: int) -> None:
    settings = host(request).settings
    response.headers.append("set-cookie", cookie(settings, COOKIE, value, age_seconds))


def _seal(request: Request, body: bytes) -> str:
    return hmac.new(host(request).settings.secret, b"notice " + body, hashlib.sha256).hexdigest()
