"""Refusals between processes: an `ErrorInfo` of `google.rpc` in `grpc-status-details-bin`."""

from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # pyright: ignore[reportMissingImports]
from pydantic import ValidationError

from dvor.kernel import telemetry
from dvor.kernel.errors import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    Internal,
    Invalid,
    NotFound,
    Refusal,
    TooMany,
    Unauthenticated,
    Unavailable,
)

HEADER = "grpc-status-details-bin"
_DOMAIN = "dvor"
_LOG = telemetry.log(__name__)

_KINDS: dict[grpc.StatusCode, type[Refusal]] = {
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooMany,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}
"""What a refusal of a class we do not know is here."""

_WITHOUT_WORD: dict[grpc.StatusCode, type[Refusal]] = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
}
"""What it means when gRPC itself failed, not the service: it was not reached in time."""


def code_of(refusal: Refusal) -> grpc.StatusCode:
    """The gRPC status of a refusal."""
    return grpc.StatusCode[refusal.grpc_status]


def dumped(refusal: Refusal) -> bytes:
    """A refusal as `google.rpc.Status`."""
    status = status_pb2.Status(code=code_of(refusal).value[0], message=refusal.message)
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(reason=refusal.code, domain=_DOMAIN, metadata=refusal.dump())
    )
    return status.SerializeToString()


def loaded(error: grpc.aio.AioRpcError, what: str) -> Refusal:
    """The refusal that a call ended with."""
    trailers: Any = error.trailing_metadata() or ()
    for name, value in trailers:
        if name == HEADER and (info := _info(value)) is not None:
            return _refusal(info, _KINDS.get(error.code(), Internal))
    kind = _WITHOUT_WORD.get(error.code(), Internal)
    _LOG.warning("call failed", call=what, status=error.code().name, details=error.details())
    return kind()


def _info(value: bytes) -> error_details_pb2.ErrorInfo | None:
    info = error_details_pb2.ErrorInfo()
    try:
        for detail in status_pb2.Status.FromString(value).details:
            if detail.Unpack(info) and info.domain == _DOMAIN:
                return info
    except DecodeError:
        return None
    return None


def _refusal(info: error_details_pb2.ErrorInfo, kind: type[Refusal]) -> Refusal:
    try:
        return Refusal.load(info.reason, dict(info.metadata), kind)
    except (TypeError, ValidationError):  # another version of the class, with other details
        return kind()
