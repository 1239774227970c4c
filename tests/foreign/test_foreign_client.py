"""Whoever has `proto/` and nothing else of Dvor can compile it and call a running house."""

import asyncio
import json
import os
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from dvor.kernel.rpc.protos import modules
from dvor.kernel.rpc.schema import file
from dvor.topology import SERVICES

ROOT = Path(__file__).parents[2]


async def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """The output of a program that must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def protoc(folder: Path, *outputs: str) -> None:
    """Compile a copy of `proto/` in a folder of its own."""
    shutil.copytree(ROOT / "proto", folder / "proto")
    files = sorted(str(p.relative_to(folder / "proto")) for p in folder.glob("proto/**/*.proto"))
    await run(sys.executable, "-m", "grpc_tools.protoc", "-Iproto", *outputs, *files, cwd=folder)


@pytest.fixture
async def stubs(tmp_path: Path) -> Path:
    """A folder with what protoc made and the client, far from our sources."""
    await protoc(tmp_path, "--python_out=.", "--grpc_python_out=.")
    for package in ("dvor", "dvor/kernel"):
        (tmp_path / package / "__init__.py").write_text("")
    shutil.copy(Path(__file__).with_name("client.py"), tmp_path)
    return tmp_path


@pytest.fixture
async def seen(stubs: Path, make_house: Callable[..., Awaitable[Any]]) -> dict[str, Any]:
    """What the foreign client saw of a house that serves gRPC."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    await make_house(grpc_port=port)
    return json.loads(
        await run(
            sys.executable, "client.py", f"127.0.0.1:{port}", cwd=stubs, PYTHONPATH=str(stubs)
        )
    )


class TestForeignClient:
    async def test_it_signs_up_sells_and_is_told_why_not(self, seen: dict[str, Any]) -> None:
        for service in SERVICES:
            assert f"dvor.{service.name}.v1.{service.contract.__name__}" in seen["services"]
        assert seen["health"] == 1
        assert seen["user"] == seen["me"] == seen["seller"]
        assert seen["shown"].pop("created").endswith("Z")
        assert seen["shown"] == {
            "title": "Лампа",
            "status": "LISTING_STATUS_PUBLISHED",
            "price": [12_300, "RUB"],
            "attributes": {"colour": "red"},
        }
        assert seen["unknown"] == {
            "status": "NOT_FOUND",
            "message": "This listing does not exist or is no longer shown.",
            "reason": "catalog.unknown_listing",
            "domain": "dvor",
            "details": {},
        }
        assert seen["no_offer"]["reason"] == "catalog.unknown_offer"
        assert seen["no_offer"]["details"] == {"offer_id": seen["nowhere"]}
        assert (seen["stranger"]["status"], seen["stranger"]["reason"]) == (
            "UNAUTHENTICATED",
            "unauthenticated",
        )
        assert seen["forbidden"]["status"] == "PERMISSION_DENIED"
        assert seen["invalid"]["status"] == "INVALID_ARGUMENT"
        assert seen["invalid"]["details"]["problems"].keys() == {
            "registration.email",
            "registration.password",
            "registration.name",
        }


class TestStubs:
    async def test_protoc_reads_the_very_descriptors_we_serve(self, tmp_path: Path) -> None:
        await protoc(tmp_path, "--descriptor_set_out=set")
        compiled = FileDescriptorSet.FromString((tmp_path / "set").read_bytes())
        ours = {m.name: m for m in (file(m).proto for m in _modules())}
        assert {proto.name for proto in compiled.file} == ours.keys()
        for proto in compiled.file:
            for message in proto.message_type:
                for field in [*message.field, *(f for n in message.nested_type for f in n.field)]:
                    field.ClearField("json_name")  # protoc writes down what is implied
            assert proto == ours[proto.name]


def _modules() -> list[str]:
    return modules(service.contract for service in SERVICES)
