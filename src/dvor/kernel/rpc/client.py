"""Contracts that run in another process."""

import asyncio
import time
from typing import Any, TypeVar

import grpc

from dvor.kernel import deadline, metrics, telemetry
from dvor.kernel.config import Settings
from dvor.kernel.errors import DeadlineExceeded, Internal, Refusal
from dvor.kernel.messages import Message, Nothing
from dvor.kernel.rpc import signing, statuses
from dvor.kernel.rpc.codec import codec
from dvor.kernel.rpc.contract import Method
from dvor.kernel.rpc.direct import Call, caller_as, proxy
from dvor.kernel.rpc.limits import CLIENT_OPTIONS
from dvor.kernel.rpc.schema import full_name

Contract = TypeVar("Contract")
_LOG = telemetry.log(__name__)


def remote(
    contract: type[Contract], address: str, service_caller: str | None, settings: Settings
) -> Contract:
    """The contract as `service_caller` calls it at `address`: behaves as `local` does.

    Connects with the first call, and `await proxy.close()` lets go. Raises Unavailable where
    nobody answers, and DeadlineExceeded; ValueError without a secret that both sides share.
    """
    key = signing.calling_key(settings.secret)
    link = _Link(address)

    def calling(method: Method) -> Call:
        path = f"/{full_name(contract)}/{method.wire_name}"
        return _calling(method, path, link, service_caller, method.timeout_seconds(settings), key)

    async def close(_self: object) -> None:
        await link.close()

    return proxy(contract, calling, close=close)


def _calling(
    method: Method, path: str, link: "_Link", service: str | None, seconds: float, key: bytes
) -> Call:
    what = f"{method.contract}.{method.name}"
    calling = f"call {what}"
    encode, decode = codec(method.request).encode, codec(method.returns or Nothing).decode

    async def send(request: Message) -> Message:
        left = deadline.remaining_seconds(seconds)
        if left <= 0:
            raise DeadlineExceeded
        with telemetry.span(calling, kind="client"):
            metadata = [
                (signing.HEADER, signing.signed(caller_as(service), path, key)),
                *((k, v) for k, v in telemetry.carried().items() if v.isascii()),
            ]
            began, code = time.perf_counter(), "OK"
            try:
                data = await link.call(path)(encode(request), timeout=left, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                code = error.code().name
                raise statuses.loaded(error, what) from None
            finally:
                metrics.observe_grpc(method.contract, method.name, code, began, served=False)
        return decode(data)

    async def call(request: Message) -> Message | None:
        try:
            answer = await send(request)
        except Refusal:
            raise
        except Exception as problem:  # what was sent or came back has no place on the wire
            _LOG.exception("call failed", call=what)
            raise Internal from problem
        return answer if method.returns else None

    return call


class _Link:
    """One proxy's share in the channel of its address; the last to close it closes the channel."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._calls: dict[str, Any] = {}
        self._place: tuple[Any, str] | None = None

    def call(self, path: str) -> Any:
        """What calls `path`."""
        found = self._calls.get(path)
        if found is None:
            found = self._calls[path] = self._channel().unary_unary(path)
        return found

    def _channel(self) -> Any:
        self._place = (asyncio.get_running_loop(), self._address)
        if self._place not in _channels:
            channel = grpc.aio.insecure_channel(self._address, options=CLIENT_OPTIONS)
            _channels[self._place] = (channel, set())
        channel, users = _channels[self._place]
        users.add(self)
        return channel

    async def close(self) -> None:
        """Let go; a later call connects again."""
        place, self._place = self._place, None
        self._calls.clear()
        if place is None or place not in _channels:
            return
        channel, users = _channels[place]
        users.discard(self)
        if not users:
            del _channels[place]
            await channel.close()


_channels: dict[tuple[Any, str], tuple[Any, set[_Link]]] = {}
"""(event loop, address) -> its channel and who uses it."""
