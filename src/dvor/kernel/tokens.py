"""Access tokens: Ed25519 signatures on JWTs of RFC 9068. The only door to PyJWT.

The door takes one algorithm, key objects of our own by `kid`, and nothing that a token says
about where its key might be found.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
LEEWAY = timedelta(seconds=30)
"""How far the clocks of two machines may differ."""
SIZE_MAX = 4096
"""Characters of a token; a longer one is not looked at."""
PROVEN_MAX = 10_000
"""Tokens whose signature by a key is remembered as good: it stays so."""
HEADERS_MAX = 100
"""Headers that are remembered as read: one for each key."""
_HEADER = {"alg", "typ", "kid"}
_REQUIRED = ["iss", "aud", "sub", "exp", "iat", "jti", "sid"]


class BadToken(ValueError):
    """This token proves nothing. The text says why, for logs only."""


@dataclass(frozen=True)
class SigningKey:
    """A key pair. `kid` is the thumbprint of its public half (RFC 7638)."""

    kid: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> Ed25519PublicKey:
        """The half that verifies."""
        return self.private.public_key()

    def private_bytes(self) -> bytes:
        """The 32 bytes to keep."""
        return self.private.private_bytes_raw()

    def jwk(self) -> dict[str, str]:
        """The public half as RFC 8037 writes it."""
        return _thumbprint_members(self.public) | {
            "kid": self.kid,
            "alg": ALGORITHM,
            "use": "sig",
        }


def new_key() -> SigningKey:
    """A fresh random key."""
    return _with_kid(Ed25519PrivateKey.generate())


def load_key(private_bytes: bytes) -> SigningKey:
    """The key that `private_bytes` wrote."""
    return _with_kid(Ed25519PrivateKey.from_private_bytes(private_bytes))


def sign(claims: Mapping[str, Any], key: SigningKey) -> str:
    """A token that says `claims`."""
    return jwt.encode(
        dict(claims), key.private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": key.kid}
    )


def kid(token: str) -> str:
    """Which key a token says it is signed with. Raises BadToken unless its header is like ours."""
    if len(token) > SIZE_MAX:
        raise BadToken("too long")
    return _kid(token.partition(".")[0])


@lru_cache(maxsize=HEADERS_MAX)
def _kid(segment: str) -> str:
    """The same by the header alone, which all tokens of a key have in common."""
    try:
        header = jwt.get_unverified_header(f"{segment}.e30.")
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as problem:
        raise BadToken(f"no token: {problem}") from problem
    if header.keys() != _HEADER or header["alg"] != ALGORITHM or header["typ"] != TYPE:
        raise BadToken(f"header {sorted(header)}")
    if not isinstance(header["kid"], str):
        raise BadToken("kid is no text")
    return header["kid"]


def verify(
    token: str, key: Ed25519PublicKey, *, issuer: str, audience: str, now: datetime
) -> Mapping[str, Any]:
    """What a token says, once its signature, issuer, audience and time hold. Raises BadToken."""
    claims = _proven(token, key.public_bytes_raw(), issuer, audience)
    _check_times(claims, now)
    return claims


@lru_cache(maxsize=PROVEN_MAX)
def _proven(token: str, key: bytes, issuer: str, audience: str) -> Mapping[str, Any]:
    kid(token)
    try:
        return jwt.decode(
            token,
            Ed25519PublicKey.from_public_bytes(key),
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            # Times are compared each time, and PyJWT reads the real clock: we go by the virtual one.
            options={
                "require": _REQUIRED,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as problem:
        raise BadToken(str(problem)) from problem


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    instant, leeway = now.timestamp(), LEEWAY.total_seconds()
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if any(type(value) is not int for value in times.values()):
        raise BadToken("a time is no whole number")
    if times["exp"] + leeway <= instant:
        raise BadToken("expired")
    if max(times["iat"], times.get("nbf", 0)) - leeway > instant:
        raise BadToken("not valid yet")


def _with_kid(private: Ed25519PrivateKey) -> SigningKey:
    members = _thumbprint_members(private.public_key())
    canonical = ",".join(f'"{name}":"{members[name]}"' for name in sorted(members))
    digest = hashlib.sha256(f"{{{canonical}}}".encode()).digest()
    return SigningKey(_base64url(digest), private)


def _thumbprint_members(public: Ed25519PublicKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(public.public_bytes_raw())}


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
