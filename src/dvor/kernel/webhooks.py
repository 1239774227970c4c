"""Webhooks as Standard Webhooks 1.0 writes them: signed by the sender, checked by the receiver.

Both sides hold the same secrets, newest first: the sender signs with the first, the receiver
accepts any, so that a secret can be changed without losing a message.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

TOLERANCE = timedelta(seconds=300)
"""How far a webhook's timestamp may lie from now, either way."""

BODY_BYTES_MAX = 65_536
"""The longest body we send or take."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURES_MAX = 8


def secrets_of(sender: str, *masters: bytes) -> tuple[bytes, ...]:
    """The secrets of `sender`'s webhooks, derived from the installation's own, newest first."""
    return tuple(hmac.digest(key, f"dvor webhook {sender}".encode(), "sha256") for key in masters)


def sign(secret: bytes, id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a webhook. `id` names the message and stays the same when it is sent again."""
    if not _ID.fullmatch(id):
        # A dot in the id would let another message have the same signature.
        raise ValueError("a webhook id is 1 to 100 letters, digits, '_' or '-'")
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": _signature(secret, id, int(at.timestamp()), body),
    }


def verify(
    secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime
) -> None:
    """Check a webhook as it came in: the raw body, before anything reads it.

    Raises ValueError when a header is missing or misshapen, the timestamp is more than 300 s from
    `now`, or no signature fits.
    """
    given = {name.lower(): value for name, value in headers.items()}
    id = given.get("webhook-id", "")
    timestamp = given.get("webhook-timestamp", "")
    signatures = given.get("webhook-signature", "").split(" ")[:_SIGNATURES_MAX]
    if not _ID.fullmatch(id) or not _TIMESTAMP.fullmatch(timestamp):
        raise ValueError("the webhook's id or timestamp is missing or misshapen")
    if len(body) > BODY_BYTES_MAX:
        raise ValueError("the webhook's body is too long")
    if abs(int(timestamp) - int(now.timestamp())) > TOLERANCE.total_seconds():
        raise ValueError("the webhook's timestamp is too old or too new")
    if not _fits(secrets, id, int(timestamp), signatures, body):
        raise ValueError("no signature of the webhook fits")


def _fits(
    secrets: Sequence[bytes], id: str, timestamp: int, signatures: Sequence[str], body: bytes
) -> bool:
    expected = [_signature(secret, id, timestamp, body).encode() for secret in secrets]
    # Every pair is compared: the time taken says nothing of which one fits.
    pairs = [hmac.compare_digest(a, b.encode()) for a in expected for b in signatures]
    return any(pairs)


def _signature(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    # The library's own `verify` reads the wall clock and takes fractional timestamps; ours reads
    # the virtual clock, so only its signing is used.
    at = datetime.fromtimestamp(timestamp, UTC)
    return Webhook(secret).sign(id, at, body.decode())
