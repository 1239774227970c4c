"""New holds as rows of PostgreSQL's binary COPY, which costs a tenth of the same rows as parameters.

The formats: PostgreSQL's documentation of COPY ("Binary Format"), and what `array_recv` and
`record_recv` read: numbers in network order, every value after its length in bytes, -1 for NULL.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct, pack

from dvor.services.inventory.rules import StoredHold
from dvor.services.inventory.slots import Line

COLUMNS = ("id", "status", "made_at", "expires_at", "customer_id", "limited", "claims")

_BEGIN = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_UUID, _INTEGER, _TIMESTAMPTZ, _TEXT, _INTEGERS, _TEXTS = 2950, 23, 1184, 25, 1007, 1009
"""Object ids of built-in types; they never change."""

_START = pack(">hi", len(COLUMNS), 16)
_TIMES = Struct(">iq iq")
_LIMITED, _NOT_LIMITED = (pack(">i?", 1, limited) for limited in (True, False))
_PLAIN = Struct(">i i" + "ii16s" + "iii" * 4 + "ii" * 4)
"""A claim without hours and seats: its length, nine fields."""
_PLAIN_BYTES = _PLAIN.size - 4


def copied(holds: Sequence[StoredHold], claim_type: int) -> bytearray:
    """What COPY … (FORMAT binary) takes for these holds and `COLUMNS`.

    `claim_type`: the object id of the database's type `claim`.
    """
    parts = [_BEGIN]
    claims: dict[int, bytes] = {}  # by the identity of lines: many holds want the very same
    status = made_at = expires_at = None
    state = b""
    for hold in holds:
        if not (
            hold.status is status and hold.made_at is made_at and hold.expires_at is expires_at
        ):  # mostly they are all of the same moment
            status, made_at, expires_at = hold.status, hold.made_at, hold.expires_at
            state = _state(status.value.encode(), made_at, expires_at)
        lines = hold.claims
        wanted = claims.get(id(lines))
        if wanted is None:
            wanted = claims[id(lines)] = _claims(claim_type, tuple(lines))
        parts += (
            _START,
            hold.id.int.to_bytes(16),
            state,
            _NULL if hold.customer_id is None else b"\0\0\0\x10" + hold.customer_id.bytes,
            _LIMITED if hold.limited else _NOT_LIMITED,
            wanted,
        )
    parts.append(_END)
    return bytearray().join(parts)


def _state(status: bytes, made_at: datetime, expires_at: datetime) -> bytes:
    made, expires = ((moment - _EPOCH) // _MICROSECOND for moment in (made_at, expires_at))
    return pack(">i", len(status)) + status + _TIMES.pack(8, made, 8, expires)


@lru_cache(maxsize=20_000)
def _claims(claim_type: int, lines: tuple[Line, ...]) -> bytes:
    return _array(claim_type, [_claim(line) for line in lines])


def _array(element_type: int, elements: Sequence[bytes]) -> bytes:
    """One dimension, counted from 1, without NULLs; its length first."""
    if not elements:
        return pack(">iiii", 12, 0, 0, element_type)
    content = elements[0] if len(elements) == 1 else b"".join(elements)
    head = pack(">iiiiii", 20 + len(content), 1, 0, element_type, len(elements), 1)
    return head + content


def _claim(line: Line) -> bytes:
    offer = line.offer_id.int.to_bytes(16)
    if line.hours_from is None and line.seat_slots is None:
        return _PLAIN.pack(
            *(_PLAIN_BYTES, len(Line._fields), _UUID, 16, offer),
            *(_INTEGER, 4, line.first_slot, _INTEGER, 4, line.end_slot),
            *(_INTEGER, 4, line.buffer, _INTEGER, 4, line.quantity),
            *(_TIMESTAMPTZ, -1, _TIMESTAMPTZ, -1, _INTEGERS, -1, _TEXTS, -1),
        )
    fields = [
        pack(">i", len(Line._fields)),
        pack(">ii", _UUID, 16) + offer,
        *(
            pack(">iii", _INTEGER, 4, number)
            for number in (line.first_slot, line.end_slot, line.buffer, line.quantity)
        ),
        *(_instant(moment) for moment in (line.hours_from, line.hours_until)),
        _elements(_INTEGERS, _INTEGER, [pack(">i", slot) for slot in line.seat_slots or ()], line),
        _elements(_TEXTS, _TEXT, [name.encode() for name in line.seat_names or ()], line),
    ]
    content = b"".join(fields)
    return pack(">i", len(content)) + content


def _instant(moment: datetime | None) -> bytes:
    if moment is None:
        return pack(">ii", _TIMESTAMPTZ, -1)
    return pack(">iiq", _TIMESTAMPTZ, 8, (moment - _EPOCH) // _MICROSECOND)


def _elements(array_type: int, element_type: int, values: Sequence[bytes], line: Line) -> bytes:
    """A field that is an array; NULL where the line names no seats."""
    if line.seat_slots is None:
        return pack(">ii", array_type, -1)
    counted = [len(value).to_bytes(4) + value for value in values]
    return pack(">i", array_type) + _array(element_type, counted)
