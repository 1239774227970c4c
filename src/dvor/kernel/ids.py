"""Identifiers: time-ordered for rows, derived for work that must happen once."""

import os
import time
from uuid import UUID, uuid5

_DVOR = UUID("6ba4b7f2-0c6e-5f0e-9a53-64766f720000")
_VERSION_CLEARED = ~(0xF << 76 | 0x3 << 62)
_VERSION_7 = 0x7 << 76 | 0x2 << 62
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


_RANDOM_BYTES = 10
_AHEAD = 400
"""Identifiers whose randomness is fetched at once: a system call for each would cost more than all else."""

_ahead: list[bytes] = []
os.register_at_fork(after_in_child=_ahead.clear)  # two processes must never share any


def new() -> UUID:
    """A UUID version 7 (RFC 9562): sorts by the time it was made."""
    try:
        random = _ahead.pop()
    except IndexError:
        fetched = os.urandom(_RANDOM_BYTES * _AHEAD)
        _ahead.extend(fetched[n : n + _RANDOM_BYTES] for n in range(0, len(fetched), _RANDOM_BYTES))
        random = _ahead.pop()
    value = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(random)
    return UUID(int=value & _VERSION_CLEARED | _VERSION_7)


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
