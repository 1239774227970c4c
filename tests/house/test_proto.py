"""`proto/` says what the contracts say, and never takes back what it once said."""

import importlib
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

import dvor.contracts
from dvor.contracts.catalog import Catalog
from dvor.kernel.rpc.contract import check_implements
from dvor.kernel.rpc.protos import (
    LOCK_NAME,
    Broken,
    broken,
    lock_of,
    locked,
    render_protos,
    write_protos,
)
from dvor.kernel.rpc.schema import contracts_in, file
from dvor.topology import SERVICES

PROTO = Path(__file__).parents[2] / "proto"


def contracts() -> list[type]:
    """Every contract there is."""
    names = [f"dvor.contracts.{m.name}" for m in pkgutil.iter_modules(dvor.contracts.__path__)]
    return [c for name in names if importlib.import_module(name) for c in contracts_in(name)]


class TestGenerated:
    def test_the_committed_files_are_what_the_contracts_make(self) -> None:
        committed = {str(p.relative_to(PROTO)): p.read_text() for p in PROTO.rglob("*.proto")}
        assert committed == render_protos(contracts()), "run `./dvor proto` and commit proto/"

    def test_the_topology_leaves_out_no_contract(self) -> None:
        assert {service.contract for service in SERVICES} == set(contracts())

    @pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
    def test_every_service_does_what_its_contract_promises(self, service: object) -> None:
        check_implements(service.implementation, service.contract)  # type: ignore[attr-defined]


class TestAppendOnly:
    def test_nothing_is_removed_renumbered_or_retyped(self) -> None:
        lock = json.loads((PROTO / LOCK_NAME).read_text())
        assert broken(lock, locked(contracts())) == []

    def test_everything_is_locked(self) -> None:
        lock = json.loads((PROTO / LOCK_NAME).read_text())
        assert lock == locked(contracts()), "run `./dvor proto` and commit proto/"


def _remove_field(proto: FileDescriptorProto) -> None:
    del _message(proto, "Card").field[2]


def _renumber_field(proto: FileDescriptorProto) -> None:
    _message(proto, "Card").field[2].number = 99


def _swap_fields(proto: FileDescriptorProto) -> None:
    first, second = _message(proto, "Text").field
    first.number, second.number = second.number, first.number


def _retype_field(proto: FileDescriptorProto) -> None:
    _message(proto, "Card").field[0].type = 12  # bytes


def _make_repeated(proto: FileDescriptorProto) -> None:
    _message(proto, "Card").field[0].label = 3


def _rename_field(proto: FileDescriptorProto) -> None:
    _message(proto, "Card").field[0].name = "card_id"


def _remove_message(proto: FileDescriptorProto) -> None:
    proto.message_type.remove(_message(proto, "Card"))


def _renumber_enum(proto: FileDescriptorProto) -> None:
    proto.enum_type[0].value[1].number = 9


def _remove_method(proto: FileDescriptorProto) -> None:
    del proto.service[0].method[0]


def _change_answer(proto: FileDescriptorProto) -> None:
    proto.service[0].method[0].output_type = ".dvor.catalog.v1.Card"


def _message(proto: FileDescriptorProto, name: str) -> Any:
    return next(m for m in proto.message_type if m.name == name)


class TestTheGuard:
    @pytest.mark.parametrize(
        "tamper",
        [
            _remove_field,
            _renumber_field,
            _swap_fields,
            _retype_field,
            _make_repeated,
            _rename_field,
            _remove_message,
            _renumber_enum,
            _remove_method,
            _change_answer,
        ],
        ids=lambda f: f.__name__.strip("_"),
    )
    def test_it_catches(self, tamper: Callable[[FileDescriptorProto], None]) -> None:
        before, after = FileDescriptorProto(), FileDescriptorProto()
        for copy in (before, after):
            copy.CopyFrom(file(Catalog.__module__).proto)
        assert broken(lock_of([before]), lock_of([after])) == []
        tamper(after)
        assert broken(lock_of([before]), lock_of([after]))

    def test_it_lets_additions_pass(self) -> None:
        before, after = FileDescriptorProto(), FileDescriptorProto()
        for copy in (before, after):
            copy.CopyFrom(file(Catalog.__module__).proto)
        card = _message(after, "Card")
        card.field.add(name="novelty", number=len(card.field) + 1, type=9, label=1)
        after.message_type.add(name="Novelty")
        assert broken(lock_of([before]), lock_of([after])) == []

    def test_writing_refuses_what_it_catches_and_writes_nothing(self, tmp_path: Path) -> None:
        assert write_protos(tmp_path, [Catalog])
        assert write_protos(tmp_path, [Catalog]) == []
        lock = json.loads((tmp_path / LOCK_NAME).read_text())
        lock["dvor.catalog.v1.Card"]["lost"] = "11 string"
        (tmp_path / LOCK_NAME).write_text(json.dumps(lock))
        (tmp_path / "dvor" / "catalog.proto").write_text("older")
        with pytest.raises(Broken, match=r"dvor\.catalog\.v1\.Card\.lost is gone"):
            write_protos(tmp_path, [Catalog])
        assert (tmp_path / "dvor" / "catalog.proto").read_text() == "older"
