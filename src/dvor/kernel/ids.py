"""Identifiers: time-ordered for rows, derived for work that must happen once."""

import os
import time
from uuid import UUID, uuid5

_DVOR = UUID("6ba4b7f2-0c6e-5f0e-9a53-64766f720000")
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def new() -> UUID:
    """A UUID version 7 (RFC 9562): sorts by the time it was made."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


def derived(*parts: object) -> UUID:
    """The same UUID for the same parts, always: for keys of work inside the system."""
    return uuid5(_DVOR, "\x1f".join(str(part) for part in parts))


def spoken(identifier: UUID) -> str:
    """Eight characters of an identifier that people can read out: no 0, O, 1, I or L."""
    value = identifier.int & ((1 << 62) - 1)
    letters = []
    for _ in range(8):
        value, index = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)
