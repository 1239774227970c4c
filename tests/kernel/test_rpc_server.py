"""What only exists between processes: signatures, tokens, health, reflection, lost servers."""

import socket
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from dvor.kernel import deadline
from dvor.kernel.caller import Caller, Role, current
from dvor.kernel.config import Settings
from dvor.kernel.errors import (
    Conflict,
    Internal,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from dvor.kernel.ids import new
from dvor.kernel.messages import Message, Nothing
from dvor.kernel.rpc import Server, remote, signing, statuses
from dvor.kernel.rpc.codec import codec
from dvor.kernel.rpc.schema import full_name

SETTINGS = Settings(secret=b"s" * 32, call_timeout_seconds=5, shutdown_seconds=1)
PERSON = Caller(user_id=new(), roles=(Role.CUSTOMER,), service="web")


class Picture(Message):
    """Bytes, and who sent them."""

    content: bytes = b""
    caller: Caller


class NoEcho(Conflict):
    """No echo of {what}."""

    what: str


class Echoes(Protocol):
    """A contract of a test."""

    async def echo(self, content: bytes = b"") -> Picture:
        """Send back."""
        ...

    async def refuse(self) -> Picture:
        """Refuse."""
        ...


class EchoesService:
    """What a service would be."""

    async def echo(self, content: bytes = b"") -> Picture:
        return Picture(content=content, caller=current())

    async def refuse(self) -> Picture:
        raise NoEcho(what="ä")


ECHO = f"/{full_name(Echoes)}/Echo"


async def authenticate(token: str) -> Caller:
    """Knows one token."""
    if token == "broken":
        raise RuntimeError
    if token != "good":
        raise Unauthenticated
    return PERSON


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server, not yet started."""
    made = Server({Echoes: EchoesService()}, SETTINGS, authenticate)
    yield made
    await made.stop(0)


@pytest.fixture
async def address(server: Server) -> str:
    """Where it listens."""
    return await server.start("127.0.0.1:0")


@pytest.fixture
async def channel(address: str) -> AsyncIterator[Any]:
    """A connection to it, as a stranger has it."""
    async with grpc.aio.insecure_channel(address) as opened:
        yield opened


async def echo(channel: Any, *metadata: tuple[str, Any], data: bytes = b"") -> Caller:
    """Who the server thinks we are."""
    answer = await channel.unary_unary(ECHO)(data, metadata=metadata, timeout=5)
    picture = codec(Picture).decode(answer)
    assert isinstance(picture, Picture)
    return picture.caller


async def status(call: Any) -> tuple[str, error_details_pb2.ErrorInfo]:
    """The status of a failing call and what is said of it."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    info = error_details_pb2.ErrorInfo()
    trailers: Any = failed.value.trailing_metadata() or ()
    for name, value in trailers:
        if name == statuses.HEADER:
            status_pb2.Status.FromString(value).details[0].Unpack(info)
    return failed.value.code().name, info


class TestCaller:
    async def test_without_any_header_a_stranger_asks(self, channel: Any) -> None:
        assert await echo(channel) == Caller()

    async def test_our_signature_is_believed(self, channel: Any) -> None:
        key = signing.calling_key(SETTINGS.secret)
        assert await echo(channel, (signing.HEADER, signing.signed(PERSON, ECHO, key))) == PERSON

    @pytest.mark.parametrize(
        "forge",
        [
            lambda key: signing.signed(PERSON, ECHO, signing.calling_key(b"x" * 32)),
            lambda key: signing.signed(PERSON, f"/{full_name(Echoes)}/Refuse", key),
            lambda key: signing.signed(PERSON, ECHO, key).replace(b"customer", b"admin"),
            lambda key: signing.signed(PERSON, ECHO, key)[40:],
            lambda key: PERSON.model_dump_json().encode(),
            lambda key: b"",
        ],
        ids=["other secret", "other method", "changed", "no signature", "bare", "empty"],
    )
    async def test_a_forged_caller_is_refused(self, channel: Any, forge: Any) -> None:
        header = forge(signing.calling_key(SETTINGS.secret))
        code, info = await status(echo(channel, (signing.HEADER, header)))
        assert (code, info.reason) == ("UNAUTHENTICATED", "unauthenticated")

    async def test_an_old_header_is_refused(
        self, channel: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.time()
        with monkeypatch.context() as past:
            past.setattr(signing.time, "time", lambda: now - signing.AGE_SECONDS_MAX - 1)
            header = signing.signed(PERSON, ECHO, signing.calling_key(SETTINGS.secret))
        code, _ = await status(echo(channel, (signing.HEADER, header)))
        assert code == "UNAUTHENTICATED"

    async def test_a_server_of_another_secret_refuses_our_client(self, address: str) -> None:
        echoes = remote(Echoes, address, "web", Settings(secret=b"other" * 8))
        try:
            with pytest.raises(Unauthenticated):
                await echoes.echo()
        finally:
            await echoes.close()  # type: ignore[attr-defined]

    def test_without_a_secret_nobody_serves_and_nobody_calls(self) -> None:
        with pytest.raises(ValueError, match="DVOR_SECRET"):
            Server({Echoes: EchoesService()}, Settings())
        with pytest.raises(ValueError, match="DVOR_SECRET"):
            remote(Echoes, "127.0.0.1:1", "web", Settings())


class TestBearer:
    async def test_a_good_token_is_its_person_and_no_service(self, channel: Any) -> None:
        caller = await echo(channel, ("authorization", "Bearer good"))
        assert caller == PERSON.model_copy(update={"service": ""})

    async def test_an_idempotency_key_becomes_the_callers(self, channel: Any) -> None:
        key = new()
        caller = await echo(
            channel, ("authorization", "bearer good"), ("idempotency-key", str(key))
        )
        assert caller.key == key

    @pytest.mark.parametrize("header", ["Bearer bad", "Basic good", "good"])
    async def test_anything_else_is_refused(self, channel: Any, header: str) -> None:
        code, info = await status(echo(channel, ("authorization", header)))
        assert (code, info.reason) == ("UNAUTHENTICATED", "unauthenticated")

    async def test_a_key_that_is_none_is_refused(self, channel: Any) -> None:
        code, info = await status(echo(channel, ("idempotency-key", "again")))
        assert (code, info.reason) == ("INVALID_ARGUMENT", "invalid_fields")

    async def test_a_failure_to_authenticate_is_internal(self, channel: Any) -> None:
        code, info = await status(echo(channel, ("authorization", "Bearer broken")))
        assert (code, info.reason) == ("INTERNAL", "internal")


class TestErrors:
    async def test_details_are_a_google_error_info(self, channel: Any) -> None:
        code, info = await status(channel.unary_unary(f"/{full_name(Echoes)}/Refuse")(b""))
        assert code == "FAILED_PRECONDITION"
        assert (info.reason, info.domain) == (NoEcho.code, "dvor")
        assert dict(info.metadata) == {"what": '"ä"'}

    async def test_bytes_that_are_no_message_are_an_invalid_argument(self, channel: Any) -> None:
        code, info = await status(echo(channel, data=b"\xff\xff"))
        assert (code, info.reason) == ("INVALID_ARGUMENT", "invalid_fields")

    async def test_an_unknown_method_is_unimplemented(self, channel: Any) -> None:
        code, _ = await status(channel.unary_unary(f"/{full_name(Echoes)}/Sing")(b""))
        assert code == "UNIMPLEMENTED"

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (grpc.StatusCode.INVALID_ARGUMENT, Invalid),
            (grpc.StatusCode.NOT_FOUND, NotFound),
            (grpc.StatusCode.RESOURCE_EXHAUSTED, TooMany),
            (grpc.StatusCode.INTERNAL, Internal),
        ],
    )
    def test_a_class_unknown_here_is_its_kind(self, code: Any, kind: Any) -> None:
        answer = status_pb2.Status()
        answer.details.add().Pack(
            error_details_pb2.ErrorInfo(reason="moon.eclipsed", domain="dvor")
        )
        trailers = grpc.aio.Metadata((statuses.HEADER, answer.SerializeToString()))
        error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers)
        assert type(statuses.loaded(error, "a call")) is kind

    def test_a_class_with_other_details_here_is_its_kind(self) -> None:
        answer = status_pb2.Status()
        answer.details.add().Pack(error_details_pb2.ErrorInfo(reason=NoEcho.code, domain="dvor"))
        trailers = grpc.aio.Metadata((statuses.HEADER, answer.SerializeToString()))
        error = grpc.aio.AioRpcError(
            grpc.StatusCode.FAILED_PRECONDITION, grpc.aio.Metadata(), trailers
        )
        assert type(statuses.loaded(error, "a call")) is Conflict


class TestServing:
    async def test_five_megabytes_pass(self, address: str) -> None:
        echoes = remote(Echoes, address, "web", SETTINGS)
        try:
            content = bytes(5_000_000)
            assert (await echoes.echo(content)).content == content
        finally:
            await echoes.close()  # type: ignore[attr-defined]

    async def test_health_says_serving_for_each_service(self, channel: Any) -> None:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", full_name(Echoes)):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

    @pytest.mark.parametrize("version", ["v1", "v1alpha"])
    async def test_reflection_lists_and_describes(self, channel: Any, version: str) -> None:
        reflect = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        asked = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=full_name(Echoes)),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health"),
        ]
        listed, *described = [answer async for answer in reflect(iter(asked))]
        assert full_name(Echoes) in [s.name for s in listed.list_services_response.service]
        assert all(d.file_descriptor_response.file_descriptor_proto for d in described)

    async def test_a_busy_port_is_refused(self, server: Server) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(OSError, match="cannot listen"):
                await server.start(address)

    async def test_a_unix_socket_serves_too(self, server: Server, tmp_path: Any) -> None:
        address = await server.start(f"unix:{tmp_path}/rpc")
        echoes = remote(Echoes, address, "web", SETTINGS)
        try:
            assert (await echoes.echo(b"x")).content == b"x"
        finally:
            await echoes.close()  # type: ignore[attr-defined]


class TestLosingTheServer:
    async def test_nobody_there_is_unavailable_and_a_return_is_noticed(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        echoes = remote(Echoes, address, "web", SETTINGS)
        with pytest.raises(Unavailable):
            await echoes.echo()
        server = Server({Echoes: EchoesService()}, SETTINGS)
        await server.start(address)
        try:
            with deadline.within(10):
                while True:
                    try:
                        assert (await echoes.echo(b"back")).content == b"back"
                        break
                    except Unavailable:
                        assert deadline.remaining_seconds(10) > 0
        finally:
            await echoes.close()  # type: ignore[attr-defined]
            await server.stop(0)

    async def test_closing_one_proxy_leaves_its_neighbours(self, address: str) -> None:
        first, second = (remote(Echoes, address, "web", SETTINGS) for _ in range(2))
        await first.echo()
        await second.echo()
        await first.close()  # type: ignore[attr-defined]
        assert (await second.echo(b"x")).content == b"x"
        assert (await first.echo(b"y")).content == b"y"
        await first.close()  # type: ignore[attr-defined]
        await second.close()  # type: ignore[attr-defined]


def test_nothing_is_an_empty_message() -> None:
    assert codec(Nothing).encode(Nothing()) == b""
