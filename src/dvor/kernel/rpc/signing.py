"""The caller between processes: `dvor-caller-bin`, signed so that no outsider can pose as us.

The header is an instant (8 bytes, milliseconds since 1970), an HMAC-SHA256 (32 bytes) over that
instant, the called method and the caller, and the caller as JSON.
"""

import hmac
import time

from pydantic import ValidationError

from dvor.kernel.caller import Caller
from dvor.kernel.errors import Unauthenticated

HEADER = "dvor-caller-bin"
AGE_SECONDS_MAX = 60
"""Older, or further ahead by a wrong clock, and the header is refused."""
_SECRET_BYTES_MIN = 16


def calling_key(secret: bytes) -> bytes:
    """The key that signs callers, derived from the secret all our processes share."""
    if len(secret) < _SECRET_BYTES_MIN:
        raise ValueError("calls between processes need DVOR_SECRET: 32 random bytes in hex")
    return hmac.digest(secret, b"dvor rpc caller v1", "sha256")


def signed(caller: Caller, path: str, key: bytes) -> bytes:
    """The header for a call of `path` (`/package.Service/Method`)."""
    at = int(time.time() * 1000).to_bytes(8, "big")
    body = caller.model_dump_json().encode()
    return at + _signature(key, at, path, body) + body


def verified(header: bytes, path: str, key: bytes) -> Caller:
    """The caller of a header. Raises Unauthenticated where it is not ours, fresh and for `path`."""
    at, signature, body = header[:8], header[8:40], header[40:]
    if not hmac.compare_digest(signature, _signature(key, at, path, body)):
        raise Unauthenticated
    if abs(time.time() - int.from_bytes(at, "big") / 1000) > AGE_SECONDS_MAX:
        raise Unauthenticated
    try:
        return Caller.model_validate_json(body, extra="ignore")  # a newer version may say more
    except ValidationError:
        raise Unauthenticated from None


def _signature(key: bytes, at: bytes, path: str, body: bytes) -> bytes:
    return hmac.digest(key, b"\n".join((at, path.encode(), body)), "sha256")
