"""Frozen, validated values: the only things that cross a service's border."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
)

Int = Annotated[int, Strict(), Field(ge=-(2**63), le=2**63 - 1)]
"""A whole number that fits a database bigint. `"1"`, `1.0` and `True` are refused."""

Count = Annotated[int, Strict(), Field(ge=0, le=1_000_000_000)]
"""How many; never negative."""

Minor = Annotated[int, Strict(), Field(ge=0, le=10**15)]
"""An amount of money in the currency's smallest unit (kopecks, cents)."""

Bool = Annotated[bool, Strict()]
Flag = bool
"""Yes or no that may also stand in an address: `true`, `1`."""
Line = Annotated[str, Field(max_length=200)]
"""One line of text."""
Prose = Annotated[str, Field(max_length=20_000)]
"""Text of several paragraphs."""


def _no_number(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError(  # noqa: TRY004 - pydantic turns it into a finding
            "an instant is written as ISO 8601 text, not as a number"
        )
    return value


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_no_number, json_schema_input_type=datetime),
    AfterValidator(lambda moment: moment.astimezone(UTC)),
]
"""A moment, kept in UTC; written with any offset."""


_make, _set = object.__new__, object.__setattr__


class Message(BaseModel):
    """A value of a contract. Equal by content, immutable, refuses unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_bytes="base64",
        val_json_bytes="base64",
        str_strip_whitespace=True,
    )

    @classmethod
    def trusted(cls, **fields: Any) -> Self:
        """A message of values that were checked already, every field of it: for hot answers."""
        message = _make(cls)
        _set(message, "__dict__", fields)
        _set(message, "__pydantic_fields_set__", set(fields))
        _set(message, "__pydantic_extra__", None)
        _set(message, "__pydantic_private__", None)
        return message


class Nothing(Message):
    """The answer of a method that has none."""


class PageRequest(Message):
    """A place in a list. `cursor` is what the page before gave as `next_cursor`."""

    cursor: str | None = Field(default=None, max_length=400)
    limit: Annotated[int, Strict(), Field(ge=1, le=100)] = 20
