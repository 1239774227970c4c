"""Contracts as `.proto` files for clients in any language, and the lock that keeps them readable.

Whoever compiled an older file must understand today's messages: fields, enum values and methods
are added, never removed, renumbered or retyped. The lock file remembers all that ever was.
"""

import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

from dvor.kernel.errors import Refusal
from dvor.kernel.rpc.schema import File, dependencies, file, file_name

LOCK_NAME = "lock.json"
_WIDTH = 96
_SYNTAX = 'syntax = "proto3";'

_TYPES = {
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_INT64: "int64",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
}

Lock = dict[str, dict[str, str]]
"""Message, enum or service -> its field, value or method -> what must stay as it is."""


class Broken(Exception):
    """A change would make older clients misread us. The message lists what changed."""


def modules(contracts: Iterable[type]) -> list[str]:
    """The modules of these contracts and of every message they use."""
    found: list[str] = []
    waiting = [contract.__module__ for contract in contracts]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.append(module)
            waiting += dependencies(module)
    return sorted(found)


def render_protos(contracts: Iterable[type]) -> dict[str, str]:
    """The `.proto` files of these contracts: path -> text."""
    return {file_name(module): _text(module, file(module)) for module in modules(contracts)}


def locked(contracts: Iterable[type]) -> Lock:
    """What must stay, of these contracts as they are now."""
    return lock_of(file(module).proto for module in modules(contracts))


def lock_of(protos: Iterable[FileDescriptorProto]) -> Lock:
    """What must stay, of these files."""
    lock: Lock = {}
    for proto in protos:
        for message in proto.message_type:
            lock[f"{proto.package}.{message.name}"] = {
                field.name: f"{field.number} {_type(field, message, proto.package)}"
                for field in message.field
            }
        for enum in proto.enum_type:
            lock[f"{proto.package}.{enum.name}"] = {v.name: str(v.number) for v in enum.value}
        for service in proto.service:
            lock[f"{proto.package}.{service.name}"] = {
                m.name: f"{m.input_type[1:]} -> {m.output_type[1:]}" for m in service.method
            }
    return lock


def broken(old: Lock, new: Lock) -> list[str]:
    """What `new` takes from those who know `old`: one line each, none when it only adds."""
    lines = []
    for owner, members in old.items():
        if owner not in new:
            lines.append(f"{owner} is gone")
            continue
        for name, was in members.items():
            now = new[owner].get(name)
            if now is None:
                lines.append(f"{owner}.{name} is gone")
            elif now != was:
                lines.append(f"{owner}.{name} was {was} and is {now}")
    return lines


def write_protos(folder: Path, contracts: Iterable[type]) -> list[str]:
    """Bring the files below `folder` up to date. Answers which changed; raises Broken."""
    contracts = list(contracts)
    lock_file = folder / LOCK_NAME
    new = locked(contracts)
    if lock_file.exists() and (lines := broken(json.loads(lock_file.read_text()), new)):
        raise Broken("\n".join(lines))
    texts = render_protos(contracts) | {LOCK_NAME: json.dumps(new, indent=1, sort_keys=True) + "\n"}
    changed = []
    for path, text in texts.items():
        target = folder / path
        if not target.exists() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            changed.append(path)
    return changed


def _text(module: str, made: File) -> str:
    proto = made.proto
    blocks = [
        f"// Made from {module} by `./dvor proto`: change the contract, not this file.\n{_SYNTAX}",
        f"package {proto.package};",
    ]
    if proto.dependency:
        blocks.append("\n".join(f'import "{name}";' for name in proto.dependency))
    for index, service in enumerate(proto.service):
        blocks.append(_service(service, made, (6, index), _refusals(module)))
    for index, enum in enumerate(proto.enum_type):
        blocks.append(_enum(enum, made, (5, index)))
    for index, message in enumerate(proto.message_type):
        blocks.append(_message(message, made, (4, index)))
    return "\n\n".join(blocks) + "\n"


def _service(
    service: ServiceDescriptorProto, made: File, path: tuple[int, ...], refusals: str
) -> str:
    methods = [
        _comment(made.comments.get((*path, 2, index), ""), "  ")
        # full names: inside a service, `Unread` would be the method, not the message
        + f"  rpc {method.name}({method.input_type[1:]})\n"
        + f"      returns ({method.output_type[1:]});"
        for index, method in enumerate(service.method)
    ]
    comment = "\n\n".join(filter(None, (made.comments[path], refusals)))
    return f"{_comment(comment)}service {service.name} {{\n" + "\n\n".join(methods) + "\n}"


def _refusals(module: str) -> str:
    """The refusals a contract declares, for a reader of its file."""
    ours = sorted(
        (cls for cls in _subclasses(Refusal) if cls.__module__ == module),
        key=lambda cls: cls.code,
    )
    if not ours:
        return ""
    lines = []
    for cls in ours:
        details = ", ".join(cls.fields())
        lines.append(f"  {cls.code} ({cls.grpc_status})" + (f" {{{details}}}" if details else ""))
    head = (
        'A refusal travels as google.rpc.ErrorInfo (domain "dvor") in grpc-status-details-bin: its'
        " reason, and metadata whose values are JSON. Beside what every service may refuse"
        " (forbidden, not_found, unavailable ...), this one does with:"
    )
    return head + "\n\n" + "\n".join(lines)


def _subclasses(cls: type) -> Iterable[Any]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


def _enum(enum: EnumDescriptorProto, made: File, path: tuple[int, ...]) -> str:
    values = "\n".join(f"  {value.name} = {value.number};" for value in enum.value)
    return f"{_comment(made.comments[path])}enum {enum.name} {{\n{values}\n}}"


def _message(message: DescriptorProto, made: File, path: tuple[int, ...]) -> str:
    head = f"{_comment(made.comments[path])}message {message.name} {{"
    if not message.field:
        return head + "}"
    lines = [
        _comment(made.comments[(*path, 2, index)], "  ")
        + f"  {_type(field, message, made.proto.package)} {field.name} = {field.number};"
        for index, field in enumerate(message.field)
    ]
    return head + "\n" + "\n".join(lines) + "\n}"


def _type(field: FieldDescriptorProto, message: DescriptorProto, package: str) -> str:
    if any(
        entry.options.map_entry and field.type_name.endswith(f".{message.name}.{entry.name}")
        for entry in message.nested_type
    ):
        return "map<string, string>"
    name = _TYPES.get(field.type) or field.type_name.removeprefix(f".{package}.").lstrip(".")
    if field.proto3_optional:
        return f"optional {name}"
    return f"repeated {name}" if field.label == field.LABEL_REPEATED else name


def _comment(text: str, indent: str = "") -> str:
    lines = [
        f"{indent}// {part}".rstrip()
        for line in text.strip().splitlines()
        for part in textwrap.wrap(line, _WIDTH) or [""]
    ]
    return "".join(f"{line}\n" for line in lines)
