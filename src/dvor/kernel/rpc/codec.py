"""Messages to and from protobuf: a plan of small closures per message, made once, no JSON between.

Decoding validates: pydantic does it faster than Python could even build the objects unchecked.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from google.protobuf.message import DecodeError
from pydantic import SecretStr

from dvor.kernel.messages import Message
from dvor.kernel.rpc.schema import REQUIRED, Field, enum_numbers, fields, message_class

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Write = Callable[[Any, Any], None]
"""(what to write, protobuf message to write into)"""
Read = Callable[[Any, dict[str, Any]], None]
"""(protobuf message, dictionary to read into)"""


class Undecodable(ValueError):
    """These bytes are not such a message."""


class Codec:
    """Bytes of one message. Made by `codec`."""

    def __init__(self, model: type[Message]) -> None:
        self.model = model
        self.wire = message_class(model)
        self._writes: tuple[Write, ...] = ()
        self._reads: tuple[Read, ...] = ()

    def plan(self) -> None:
        """Make the closures. After construction, since messages may hold themselves."""
        self._writes = tuple(_write(field) for field in fields(self.model))
        self._reads = tuple(_read(field) for field in fields(self.model))

    def encode(self, value: Message) -> bytes:
        """The message as bytes."""
        message = self.wire()
        self.fill(value, message)
        return message.SerializeToString()

    def decode(self, data: bytes) -> Message:
        """The message of bytes. Raises Undecodable, or pydantic's ValidationError."""
        return self.model.model_validate(self.values(self.parse(data)))

    def parse(self, data: bytes) -> Any:
        """The protobuf message of bytes. Raises Undecodable."""
        try:
            return self.wire.FromString(data)
        except DecodeError as problem:
            raise Undecodable(f"not a {self.model.__name__}") from problem

    def fill(self, value: Message, message: Any) -> None:
        """Write a value into a protobuf message."""
        values = value.__dict__
        for write in self._writes:
            write(values, message)

    def values(self, message: Any) -> dict[str, Any]:
        """What a protobuf message says, still to be validated."""
        values: dict[str, Any] = {}
        for read in self._reads:
            read(message, values)
        return values


_codecs: dict[type[Message], Codec] = {}


def codec(model: type[Message]) -> Codec:
    """The codec of a message."""
    found = _codecs.get(model)
    if found is None:
        found = _codecs[model] = Codec(model)
        found.plan()
    return found


def _write(field: Field) -> Write:
    if field.mapping:
        return _write_map(field.name)
    if field.is_message or field.is_instant:
        fill = codec(field.kind).fill if field.is_message else _write_instant
        return (_write_messages if field.repeated else _write_message)(field.name, fill)
    return _write_scalar(field)


def _write_map(name: str) -> Write:
    def write(values: dict[str, Any], message: Any) -> None:
        if found := values[name]:
            getattr(message, name).update(found)

    return write


def _write_message(name: str, fill: Write) -> Write:
    def write(values: dict[str, Any], message: Any) -> None:
        value = values[name]
        if value is not None:
            inner = getattr(message, name)
            inner.SetInParent()  # an empty message differs from none
            fill(value, inner)

    return write


def _write_messages(name: str, fill: Write) -> Write:
    def write(values: dict[str, Any], message: Any) -> None:
        add = getattr(message, name).add
        for value in values[name]:
            fill(value, add())

    return write


def _write_instant(value: datetime, message: Any) -> None:
    since = value - _EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    message.nanos = since.microseconds * 1000


def _write_scalar(field: Field) -> Write:
    name, convert = field.name, _to_wire(field)
    if field.repeated:

        def write(values: dict[str, Any], message: Any) -> None:
            found = values[name]
            getattr(message, name).extend(map(convert, found) if convert else found)

    elif field.nullable and field.is_enum and field.default is not None:
        assert convert is not None

        def write(values: dict[str, Any], message: Any) -> None:
            value = values[name]  # absent means the default, so None has to be said: it is 0
            setattr(message, name, 0 if value is None else convert(value))

    elif convert is None:

        def write(values: dict[str, Any], message: Any) -> None:
            value = values[name]
            if value is not None:
                setattr(message, name, value)

    else:

        def write(values: dict[str, Any], message: Any) -> None:
            value = values[name]
            if value is not None:
                setattr(message, name, convert(value))

    return write


def _to_wire(field: Field) -> Callable[[Any], Any] | None:
    if field.is_enum:
        return enum_numbers(field.kind).__getitem__
    return {
        UUID: str,
        date: date.isoformat,
        SecretStr: SecretStr.get_secret_value,
    }.get(field.kind)


def _read(field: Field) -> Read:
    if field.mapping:
        return _read_whole(field.name, dict)
    if field.is_message or field.is_instant:
        convert = codec(field.kind).values if field.is_message else _read_instant
        return _read_many(field.name, convert) if field.repeated else _read_present(field, convert)
    if field.is_enum:
        members: dict[int, Any] = {n: member for member, n in enum_numbers(field.kind).items()}

        def known(number: int) -> Any:
            return members.get(number, number)  # pydantic refuses numbers we do not know

        return _read_many(field.name, known) if field.repeated else _read_enum(field, known)
    if field.repeated:
        return _read_whole(field.name, list)
    return _read_present(field, None) if field.explicit else _read_plain(field.name)


def _read_plain(name: str) -> Read:
    def read(message: Any, values: dict[str, Any]) -> None:
        values[name] = getattr(message, name)

    return read


def _read_whole(name: str, convert: Callable[[Any], Any]) -> Read:
    def read(message: Any, values: dict[str, Any]) -> None:
        values[name] = convert(getattr(message, name))

    return read


def _read_many(name: str, convert: Callable[[Any], Any]) -> Read:
    def read(message: Any, values: dict[str, Any]) -> None:
        values[name] = [convert(found) for found in getattr(message, name)]

    return read


def _read_present(field: Field, convert: Callable[[Any], Any] | None) -> Read:
    name = field.name
    none_when_absent = field.nullable and field.default is REQUIRED

    def read(message: Any, values: dict[str, Any]) -> None:
        if message.HasField(name):
            found = getattr(message, name)
            values[name] = convert(found) if convert else found
        elif none_when_absent:
            values[name] = None

    return read


def _read_enum(field: Field, known: Callable[[int], Any]) -> Read:
    name, explicit = field.name, field.explicit
    none_when_absent = field.nullable and field.default is REQUIRED

    def read(message: Any, values: dict[str, Any]) -> None:
        number = getattr(message, name)
        if number:
            values[name] = known(number)
        elif none_when_absent or (explicit and message.HasField(name)):
            values[name] = None

    return read


def _read_instant(message: Any) -> Any:
    try:
        return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)
    except OverflowError:
        return "beyond the year 9999"  # refused by pydantic as what it is: not an instant
