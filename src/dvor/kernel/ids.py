"""Identifiers: time-ordered for rows, derived for work that must happen once."""

import os
import time
from hashlib import sha1
from uuid import UUID, SafeUUID

_DVOR = UUID("6ba4b7f2-0c6e-5f0e-9a53-64766f720000").bytes
_VERSION_CLEARED = ~(0xF << 76 | 0x3 << 62)
_VERSION_5, _VERSION_7 = (version << 76 | 0x2 << 62 for version in (5, 7))
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


_RANDOM_BYTES = 10
_AHEAD = 400
"""Identifiers whose randomness is fetched at once: a system call for each would cost more than all else."""

_ahead: list[int] = []
os.register_at_fork(after_in_child=_ahead.clear)  # two processes must never share any


def new() -> UUID:
    """A UUID version 7 (RFC 9562): sorts by the time it was made."""
    try:
        random = _ahead.pop()
    except IndexError:
        fetched = os.urandom(_RANDOM_BYTES * _AHEAD)
        parts = (fetched[n : n + _RANDOM_BYTES] for n in range(0, len(fetched), _RANDOM_BYTES))
        _ahead.extend(int.from_bytes(part) & _VERSION_CLEARED | _VERSION_7 for part in parts)
        random = _ahead.pop()
    return _of(time.time_ns() // 1_000_000 << 80 | random)


def derived(*parts: object) -> UUID:
    """The same UUID (version 5) for the same parts, always: for keys of work inside the system."""
    digest = sha1(_DVOR + "\x1f".join(map(str, parts)).encode(), usedforsecurity=False).digest()
    return _of(int.from_bytes(digest[:16]) & _VERSION_CLEARED | _VERSION_5)


_make, _set = UUID.__new__, object.__setattr__


def _of(value: int) -> UUID:
    """`UUID(int=value)`, which would look at every other way to state one: three times as long."""
    made = _make(UUID)
    _set(made, "int", value)
    _set(made, "is_safe", SafeUUID.unknown)
    return made


def spoken(identifier: UUID) -> str:
    """Eight characters of an identifier that people can read out: no 0, O, 1, I or L."""
    value = identifier.int & ((1 << 62) - 1)
    letters = []
    for _ in range(8):
        value, index = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)
