"""Calls inside one process: they skip the wire, not the rules."""

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from dvor.kernel import deadline, metrics, points, telemetry
from dvor.kernel.caller import Caller, current, enter, leave
from dvor.kernel.config import Settings
from dvor.kernel.db import assert_no_transaction
from dvor.kernel.errors import DeadlineExceeded, Internal, Refusal
from dvor.kernel.messages import Message
from dvor.kernel.rpc.contract import Method, check_implements, methods

Contract = TypeVar("Contract")
Call = Callable[[Message], Coroutine[Any, Any, Message | None]]
"""What answers a request that was validated."""

_LOG = telemetry.log(__name__)


def local(
    contract: type[Contract],
    implementation: object,
    service_caller: str | None = None,
    settings: Settings | None = None,
    *,
    complete: bool = False,
) -> Contract:
    """The contract as `service_caller` calls it in this process.

    Arguments are validated, only refusals come back, the deadline holds, and a call inside an open
    transaction is an AssertionError: just as between processes. `service_caller` None leaves the
    caller as it is. `complete` refuses an implementation that lacks methods, as a fake may.
    Raises TypeError where the implementation does not fit.
    """
    check_implements(type(implementation), contract, complete=complete)
    settings = settings or Settings()

    def calling(method: Method) -> Call:
        function = getattr(implementation, method.name, None)
        seconds = method.timeout_seconds(settings)

        async def call(request: Message) -> Message | None:
            token = enter(caller_as(service_caller))
            try:
                return await run(method, function, request, seconds)
            finally:
                leave(token)

        return call

    return proxy(contract, calling)


def proxy(contract: type[Contract], calling: Callable[[Method], Call], **others: Any) -> Contract:
    """An object with the contract's methods: each validates, then does what `calling` gives."""
    made = {m.name: _entrance(contract, m, calling(m)) for m in methods(contract).values()}
    cls: Any = type(f"{contract.__name__}Proxy", (), made | others)
    return cls()


def _entrance(contract: type, method: Method, call: Call) -> Any:
    what = f"{method.contract}.{method.name}"
    asked, answered = f"{what}.asked", f"{what}.answered"

    @functools.wraps(vars(contract)[method.name])
    async def entrance(_self: object, *args: Any, **kwargs: Any) -> Message | None:
        assert_no_transaction(what)
        points.reached(asked)
        answer = await call(method.bind(args, kwargs))
        points.reached(answered)
        return answer

    return entrance


def caller_as(service: str | None) -> Caller:
    """The caller when the named service asks for the person of the request under way."""
    caller = current()
    if service is None or caller.service == service:
        return caller
    return Caller.trusted(**(caller.__dict__ | {"service": service}))


async def run(
    method: Method,
    function: Callable[..., Coroutine[Any, Any, Any]] | None,
    request: Message,
    seconds: float,
) -> Message | None:
    """Run the implementation. Refusals pass; anything else is logged and becomes Internal."""
    began, outcome = time.perf_counter(), "ok"
    try:
        with telemetry.span(f"{method.contract}.{method.name}"):
            if function is None:
                raise NotImplementedError("this fake has no such method")
            result = await _in_time(function, request, seconds)
            if not isinstance(result, method.returns or type(None)):
                raise TypeError(f"it returned {type(result).__name__}")
            return result
    except BaseException as problem:
        outcome = type(problem).__name__
        if isinstance(problem, Refusal) or not isinstance(problem, Exception):
            raise
        _LOG.exception("call failed", contract=method.contract, method=method.name)
        raise Internal from problem
    finally:
        metrics.observe_call(method.contract, method.name, outcome, began)


async def _in_time(function: Any, request: Message, seconds: float) -> Any:
    seconds = deadline.remaining_seconds(seconds)
    if seconds <= 0:
        raise DeadlineExceeded
    if deadline.watched(seconds):  # a call around this one ends in time what this one does
        return await function(**request.__dict__)
    timeout = asyncio.timeout(seconds)
    token = deadline.begin(seconds, watched=True)
    try:
        async with timeout:
            return await function(**request.__dict__)
    except TimeoutError:
        if timeout.expired():
            raise DeadlineExceeded from None
        raise
    finally:
        deadline.end(token)
