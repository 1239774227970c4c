"""Contracts as protobuf: one file per Python module, fields numbered as they are declared.

So messages are append-only: new fields, enum members and parameters come last, with a default.
"""

import ast
import inspect
import sys
import textwrap
import types
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

from google.protobuf import descriptor_pool, message_factory, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from pydantic import AwareDatetime, SecretStr
from pydantic.fields import FieldInfo

from dvor.kernel.events import Event
from dvor.kernel.messages import Message, Nothing
from dvor.kernel.rpc.contract import methods

REQUIRED: Any = object()
"""The default of a field that has none."""

POOL = descriptor_pool.DescriptorPool()
"""All our descriptors, and Timestamp."""
POOL.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)

_SCALARS: dict[Any, tuple[int, Any]] = {
    str: (FieldDescriptorProto.TYPE_STRING, ""),
    bool: (FieldDescriptorProto.TYPE_BOOL, False),
    int: (FieldDescriptorProto.TYPE_INT64, 0),
    bytes: (FieldDescriptorProto.TYPE_BYTES, b""),
    UUID: (FieldDescriptorProto.TYPE_STRING, None),
    date: (FieldDescriptorProto.TYPE_STRING, None),
    SecretStr: (FieldDescriptorProto.TYPE_STRING, None),
}
_TIMESTAMP = ".google.protobuf.Timestamp"


@dataclass(frozen=True)
class Field:
    """A field of a message, as the wire sees it."""

    name: str
    number: int
    kind: Any
    """str, bool, int, bytes, UUID, date, datetime, SecretStr, a StrEnum or a Message."""
    repeated: bool
    mapping: bool
    """A map of strings to strings."""
    nullable: bool
    explicit: bool
    """proto3 `optional`: absent differs from empty, because None or a default stands for it."""
    default: Any

    @property
    def is_enum(self) -> bool:
        """Whether its values are members of an enum."""
        return isinstance(self.kind, type) and issubclass(self.kind, StrEnum)

    @property
    def is_instant(self) -> bool:
        """Whether its values are moments."""
        return self.kind is datetime

    @property
    def is_message(self) -> bool:
        """Whether its values are messages of ours."""
        return isinstance(self.kind, type) and issubclass(self.kind, Message)


@dataclass(frozen=True)
class File:
    """A module's protobuf file, and its docstrings by descriptor path (as in SourceCodeInfo)."""

    proto: FileDescriptorProto
    comments: dict[tuple[int, ...], str]


@cache
def fields(model: type[Message]) -> tuple[Field, ...]:
    """The fields of a message. TypeError where one has no place on the wire."""
    return tuple(
        _field(model, name, number, info)
        for number, (name, info) in enumerate(model.model_fields.items(), start=1)
    )


def _field(model: type, name: str, number: int, info: FieldInfo) -> Field:
    hint, nullable = _without_none(info.annotation)
    repeated = get_origin(hint) is tuple
    mapping = get_origin(hint) is dict
    if repeated and (len(get_args(hint)) != 2 or get_args(hint)[1] is not ...):
        raise TypeError(f"{model.__name__}.{name}: a tuple on the wire is tuple[X, ...]")
    if mapping and get_args(hint) != (str, str):
        raise TypeError(f"{model.__name__}.{name}: a map on the wire is dict[str, str]")
    kind = _bare(get_args(hint)[0] if repeated else str if mapping else hint)
    if kind is AwareDatetime:
        kind = datetime
    if not (kind in _SCALARS or kind is datetime or _is(kind, StrEnum) or _is(kind, Message)):
        raise TypeError(f"{model.__name__}.{name}: {hint} cannot cross a border")
    default = REQUIRED if info.is_required() else info.get_default(call_default_factory=True)
    many = repeated or mapping
    scalar = kind in _SCALARS and not many
    implied = _SCALARS[kind][1] if scalar else None
    ambiguous = (many and (nullable or (default is not REQUIRED and len(default) > 0))) or (
        nullable and default not in (REQUIRED, None) and not _is(kind, StrEnum)
    )
    if ambiguous:
        raise TypeError(f"{model.__name__}.{name}: its absence would mean two things")
    return Field(
        name=name,
        number=number,
        kind=kind,
        repeated=repeated,
        mapping=mapping,
        nullable=nullable,
        explicit=(nullable and (scalar or _is(kind, StrEnum)))
        or (scalar and default is not REQUIRED and default != implied),
        default=default,
    )


def _is(kind: Any, parent: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, parent)


def _bare(hint: Any) -> Any:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return hint


def _without_none(hint: Any) -> tuple[Any, bool]:
    hint = _bare(hint)
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    inner = [arg for arg in get_args(hint) if arg is not type(None)]
    if len(inner) != 1 or len(get_args(hint)) != 2:
        return hint, False
    return _bare(inner[0]), True


def package(module: str) -> str:
    """The protobuf package of a module: `dvor.contracts.orders` -> `dvor.orders.v1`."""
    inside = module.startswith("dvor.kernel.")
    return "dvor.kernel.v1" if inside else f"dvor.{module.rpartition('.')[2]}.v1"


def file_name(module: str) -> str:
    """Its file: `dvor/orders.proto`, `dvor/kernel/money.proto`."""
    folder = "dvor/kernel" if module.startswith("dvor.kernel.") else "dvor"
    return f"{folder}/{module.rpartition('.')[2]}.proto"


def full_name(cls: type) -> str:
    """The protobuf name of a message, an enum or a service."""
    return f"{package(cls.__module__)}.{cls.__name__}"


def enum_numbers(enum: type[StrEnum]) -> dict[StrEnum, int]:
    """The numbers of an enum's members; 0 stays for "not said"."""
    return {member: number for number, member in enumerate(enum, start=1)}


def enum_value_name(enum: type[StrEnum], member: str) -> str:
    """`ListingStatus.DRAFT` -> `LISTING_STATUS_DRAFT`: values share their package's scope."""
    words = "".join(f"_{c}" if c.isupper() else c for c in enum.__name__).lstrip("_")
    return f"{words}_{member}".upper()


def message_class(model: type[Message]) -> Any:
    """The protobuf class of a message."""
    file(model.__module__)
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(full_name(model)))


def contracts_in(module: str) -> list[type]:
    """The Protocol classes a module declares."""
    return [
        value
        for value in vars(sys.modules[module]).values()
        if _declared(value, module) and getattr(value, "_is_protocol", False)
    ]


def dependencies(module: str) -> list[str]:
    """The other modules whose messages this module's messages hold."""
    kinds = [f.kind for model in messages_in(module) for f in fields(model)]
    kinds += [
        method.returns or Nothing
        for contract in contracts_in(module)
        for method in methods(contract).values()
    ]
    ours = {kind.__module__ for kind in kinds if _is(kind, Message) or _is(kind, StrEnum)}
    return sorted(ours - {module})


@cache
def file(module: str) -> File:
    """A module's descriptors: its enums, messages, requests and services; added to the pool."""
    needed = dependencies(module)
    for dependency in needed:
        file(dependency)
    made = File(FileDescriptorProto(name=file_name(module), package=package(module)), {})
    made.proto.syntax = "proto3"
    for enum in _enums(module):
        _add_enum(made, enum)
    for model in messages_in(module):
        _add_message(made, model)
    for contract in contracts_in(module):
        _add_service(made, contract)
    made.proto.dependency.extend(file_name(dependency) for dependency in needed)
    if _TIMESTAMP in {f.type_name for m in made.proto.message_type for f in m.field}:
        made.proto.dependency.append("google/protobuf/timestamp.proto")
    POOL.AddSerializedFile(made.proto.SerializeToString())
    return made


def _declared(value: Any, module: str) -> bool:
    return isinstance(value, type) and value.__module__ == module


def _enums(module: str) -> list[type[StrEnum]]:
    declared = vars(sys.modules[module]).values()
    return [v for v in declared if _declared(v, module) and _is(v, StrEnum)]


def messages_in(module: str) -> list[type[Message]]:
    """The messages of a module's file: what it declares, and the requests of its contracts."""
    declared = vars(sys.modules[module]).values()
    models = [
        v
        for v in declared
        if _declared(v, module) and _is(v, Message) and v not in (Message, Event)
    ]
    requests = [m.request for c in contracts_in(module) for m in methods(c).values()]
    return models + requests


def _add_enum(made: File, enum: type[StrEnum]) -> None:
    path = (5, len(made.proto.enum_type))
    made.comments[path] = inspect.getdoc(enum) or ""
    added = made.proto.enum_type.add(name=enum.__name__)
    added.value.add(name=enum_value_name(enum, "UNSPECIFIED"), number=0)
    for member, number in enum_numbers(enum).items():
        added.value.add(name=enum_value_name(enum, member.name), number=number)


def _add_message(made: File, model: type[Message]) -> None:
    path = (4, len(made.proto.message_type))
    made.comments[path] = (inspect.getdoc(model) or "") if model.__doc__ else ""
    docs = _field_docs(model)
    added = made.proto.message_type.add(name=model.__name__)
    for index, field in enumerate(fields(model)):
        doc = docs.get(field.name, "")
        made.comments[(*path, 2, index)] = f"{doc}\n{_absence(field)}".strip()
        _add_field(added, field, full_name(model))


def _absence(field: Field) -> str:
    """What it means to leave a field out, where a reader could not guess."""
    if field.default in (REQUIRED, None) or field.is_message or field.repeated or field.mapping:
        return ""
    if field.is_enum:
        words = "absent" if field.nullable else "unspecified"
        return f"{words}: {field.default.value}" + ("; unspecified: any" if field.nullable else "")
    return f"absent: {field.default}" if field.explicit else ""


def _add_field(message: Any, field: Field, owner: str) -> None:
    added = message.field.add(name=field.name, number=field.number)
    added.label = added.LABEL_REPEATED if field.repeated or field.mapping else added.LABEL_OPTIONAL
    if field.mapping:
        name = "".join(word.capitalize() for word in field.name.split("_")) + "Entry"
        entry = message.nested_type.add(name=name)
        entry.options.map_entry = True
        for number, part in enumerate(("key", "value"), start=1):
            entry.field.add(
                name=part, number=number, type=added.TYPE_STRING, label=added.LABEL_OPTIONAL
            )
        added.type, added.type_name = added.TYPE_MESSAGE, f".{owner}.{name}"
    elif field.is_instant:
        added.type, added.type_name = added.TYPE_MESSAGE, _TIMESTAMP
    elif field.is_message:
        added.type, added.type_name = added.TYPE_MESSAGE, f".{full_name(field.kind)}"
    elif field.is_enum:
        added.type, added.type_name = added.TYPE_ENUM, f".{full_name(field.kind)}"
    else:
        added.type = _SCALARS[field.kind][0]
    if field.explicit:
        added.proto3_optional = True
        added.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")


def _add_service(made: File, contract: type) -> None:
    path = (6, len(made.proto.service))
    made.comments[path] = inspect.getdoc(contract) or ""
    service = made.proto.service.add(name=contract.__name__)
    for index, method in enumerate(methods(contract).values()):
        made.comments[(*path, 2, index)] = method.doc
        service.method.add(
            name=method.wire_name,
            input_type=f".{full_name(method.request)}",
            output_type=f".{full_name(method.returns or Nothing)}",
        )


def _field_docs(model: type[Message]) -> dict[str, str]:
    """The strings below the fields of a class, inherited ones too."""
    docs: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not _is(cls, Message):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        except (OSError, TypeError):  # made at run time, such as the requests
            continue
        assert isinstance(tree, ast.ClassDef)
        for node, after in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                docs[node.target.id] = inspect.cleandoc(after.value.value)
    return docs
