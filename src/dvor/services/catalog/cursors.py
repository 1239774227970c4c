"""Places in a sorted list: what a page hands out so that the next one begins after it."""

import base64
import binascii
import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from dvor.contracts.catalog import Sort
from dvor.kernel.errors import InvalidFields
from dvor.kernel.texts import gettext


class Place(NamedTuple):
    """After which row a page begins: the row's sort value and its id."""

    value: Any
    id: UUID


_KINDS: dict[Sort, type] = {
    Sort.NEWEST: datetime,
    Sort.SOONEST: datetime,
    Sort.CHEAPEST: int,
    Sort.DEAREST: int,
    Sort.CLOSEST: float,
}


def written(sort: Sort, value: Any, identifier: UUID) -> str:
    """The cursor of a row's place: opaque to whoever holds it."""
    value = value.isoformat() if isinstance(value, datetime) else value
    text = json.dumps([sort, value, identifier.hex], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(sort: Sort, cursor: str) -> Place:
    """The place of a cursor. Raises InvalidFields for one that is not ours or of another sort."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        of, value, identifier = json.loads(text)
        if of != sort:
            raise ValueError("a cursor of another sort")
        kind = _KINDS[sort]
        if kind is datetime:
            value = datetime.fromisoformat(value)
            if value.tzinfo is None:
                raise ValueError("no time zone")
        elif type(value) is not kind or abs(value) > 2**63 - 1:
            raise ValueError("not a number of this sort")
        return Place(value, UUID(identifier))
    except (
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
        binascii.Error,
    ) as problem:
        raise InvalidFields(
            problems={"cursor": gettext("This place in the list is unknown. Begin again.")}
        ) from problem
