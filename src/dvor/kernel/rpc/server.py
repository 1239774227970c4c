"""Contracts served over gRPC, with health and reflection."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from pydantic import ValidationError

from dvor.kernel import deadline, metrics, telemetry
from dvor.kernel.caller import ANONYMOUS, Caller, asking
from dvor.kernel.config import Settings
from dvor.kernel.errors import Internal, InvalidFields, Refusal, Unauthenticated
from dvor.kernel.ids import new
from dvor.kernel.messages import Nothing
from dvor.kernel.rpc import signing, statuses
from dvor.kernel.rpc.codec import Undecodable, codec
from dvor.kernel.rpc.contract import Method, check_implements, methods, refused
from dvor.kernel.rpc.direct import run
from dvor.kernel.rpc.limits import CONCURRENT_CALLS_MAX, SERVER_OPTIONS
from dvor.kernel.rpc.schema import POOL, full_name

Authenticate = Callable[[str], Awaitable[Caller]]
"""Access token -> who holds it; refuses tokens that are not good."""

_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_LOG = telemetry.log(__name__)
_NOTHING = Nothing()

for _file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
    POOL.AddSerializedFile(_file.serialized_pb)


class Server:
    """A gRPC server of some contracts."""

    def __init__(
        self,
        services: Mapping[type, object],
        settings: Settings,
        authenticate: Authenticate | None = None,
    ) -> None:
        """`services`: contract -> implementation. Raises TypeError where one does not fit."""
        for contract, implementation in services.items():
            check_implements(type(implementation), contract)
        self._services = services
        self._settings = settings
        self._authenticate = authenticate
        self._key = signing.calling_key(settings.secret)
        self._health = health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue]
        self._server: Any = None

    async def start(self, address: str | None = None) -> str:
        """Listen on `host:port` or `unix:/path`, else where the settings say. Answers the address.

        Port 0 takes a free one. Raises OSError where nobody can listen there.
        """
        address = address or f"{self._settings.host}:{self._settings.grpc_port}"
        self._server = grpc.aio.server(
            options=SERVER_OPTIONS, maximum_concurrent_rpcs=CONCURRENT_CALLS_MAX
        )
        names = [self._add(contract, done) for contract, done in self._services.items()]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        _add_reflection(self._server, [*names, health.SERVICE_NAME, reflection.SERVICE_NAME])
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as problem:
            raise OSError(f"cannot listen on {address} for gRPC: is it in use?") from problem
        await self._server.start()
        for name in names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"

    async def leave(self) -> None:
        """Say in health that others should be called; go on answering."""
        if self._server is not None:
            await self._health.enter_graceful_shutdown()

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Say so in health, take no more calls, give those under way this long to finish."""
        if self._server is not None:
            await self.leave()
            grace = self._settings.shutdown_seconds if grace_seconds is None else grace_seconds
            await self._server.stop(grace)

    def _add(self, contract: type, implementation: object) -> str:
        name = full_name(contract)
        handlers = {
            method.wire_name: grpc.unary_unary_rpc_method_handler(
                self._handler(method, implementation, f"/{name}/{method.wire_name}")
            )
            for method in methods(contract).values()
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, handlers),)
        )
        return name

    def _handler(self, method: Method, implementation: object, path: str) -> Any:
        function: Any = getattr(implementation, method.name, None)
        request_codec, answer_codec = codec(method.request), codec(method.returns or Nothing)
        seconds = method.timeout_seconds(self._settings)
        what = f"{method.contract}.{method.name}"

        async def answer(data: bytes, headers: dict[str, Any], left: float | None) -> bytes:
            with (
                telemetry.extract(headers, what),
                deadline.within(seconds if left is None else min(seconds, left)),
                asking(await self._caller(headers, path)),
            ):
                try:
                    request = request_codec.decode(data)
                except ValidationError as error:
                    raise refused(error) from None
                except Undecodable as problem:
                    raise InvalidFields(problems={"": str(problem)}) from None
                result = await run(method, function, request, seconds)
                return answer_codec.encode(result or _NOTHING)

        async def handle(data: bytes, context: Any) -> bytes:
            headers = dict(context.invocation_metadata() or ())
            if not _REQUEST_ID.fullmatch(headers.get("dvor-request-id", "")):
                headers["dvor-request-id"] = new().hex
            began, code = time.perf_counter(), "CANCELLED"
            try:
                answered = await answer(data, headers, context.time_remaining())
                code = "OK"
                return answered  # noqa: TRY300 - `finally` wants to know
            except Refusal as problem:
                refusal = problem
                code = statuses.code_of(refusal).name
            except Exception:  # noqa: BLE001 - nothing but refusals crosses
                _LOG.exception("call failed", call=what)
                refusal = Internal()
                code = statuses.code_of(refusal).name
            finally:
                metrics.observe_grpc(method.contract, method.name, code, began, served=True)
            await context.abort(
                statuses.code_of(refusal),
                refusal.message,
                ((statuses.HEADER, statuses.dumped(refusal)),),
            )
            raise AssertionError("abort raises")

        return handle

    async def _caller(self, headers: dict[str, Any], path: str) -> Caller:
        header = headers.get(signing.HEADER)
        if header is not None:
            try:
                return signing.verified(header, path, self._key)
            except Unauthenticated:
                _LOG.warning("caller refused: not signed with our DVOR_SECRET", call=path)
                raise
        caller = ANONYMOUS
        if authorization := headers.get("authorization"):
            scheme, _, token = str(authorization).partition(" ")
            if scheme.lower() != "bearer" or self._authenticate is None:
                raise Unauthenticated
            caller = await self._authenticate(token.strip())
        return caller.model_copy(update={"service": "", "key": _idempotency_key(headers)})


def _idempotency_key(headers: dict[str, Any]) -> UUID | None:
    key = headers.get("idempotency-key")
    try:
        return UUID(key) if key else None
    except ValueError:
        raise InvalidFields(problems={"idempotency-key": "not a UUID"}) from None


def _add_reflection(server: Any, names: list[str]) -> None:
    servicer = reflection.aio.ReflectionServicer(names, pool=POOL)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    current = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )  # v1 and v1alpha differ in name only; the library knows the old one, new tools ask for v1
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "grpc.reflection.v1.ServerReflection", {"ServerReflectionInfo": current}
            ),
        )
    )
