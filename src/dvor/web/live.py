"""Server-sent events: a few per person or address, with a heartbeat, ended when the browser or we go."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from dvor.kernel import metrics

STREAMS_PER_PERSON = 3
STREAMS_PER_ADDRESS = 30
"""Of those who have not signed in: many may share one address."""
STREAMS_MAX = 2_000
"""In one process."""
BEAT_SECONDS = 5
"""How often the stream looks whether its reader may still read, and says that it lives."""
RETRY_MS = 2_000
SEND_SECONDS = 10
STREAM_SECONDS = 600
"""A stream ends after this; browsers come back by themselves."""

_open: Counter[Hashable] = Counter()
_ending = asyncio.Event()


@contextmanager
def slot(person: Hashable, most: int = STREAMS_PER_PERSON) -> Iterator[bool]:
    """One of a person's streams, given back at the end; False when all are taken."""
    if _open[person] >= most or _open.total() >= STREAMS_MAX:
        yield False
        return
    _open[person] += 1
    try:
        yield True
    finally:
        _open[person] -= 1
        if not _open[person]:
            del _open[person]


def streams_open() -> int:
    """How many streams are open in this process."""
    return _open.total()


metrics.LISTENERS.set_function(streams_open)


class EventStream(StreamingResponse):
    """A stream that holds a slot from before its first byte until after its last.

    The slot is taken around the whole response, not inside the generator: a browser that leaves
    before the first byte never starts the generator, and its `finally` would never run.
    """

    media_type = "text/event-stream"

    def __init__(
        self, person: Hashable, events: AsyncIterator[str], most: int = STREAMS_PER_PERSON
    ) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers)
        self._person, self._most = person, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, or refuse with 429 when the person's slots are taken."""
        with slot(self._person, self._most) as granted:
            if granted:
                # By this older protocol Starlette listens for the browser's leaving beside the
                # stream; by the newer one a quiet stream would notice with its next event only.
                listening = {**scope, "asgi": {**scope["asgi"], "spec_version": "2.3"}}
                with suppress(TimeoutError):
                    await super().__call__(listening, receive, _hurried(send))
            else:
                refusal = PlainTextResponse("", 429, {"Retry-After": "5"})
                await refusal(scope, receive, send)


def _hurried(send: Send) -> Send:
    """`send` that gives up on a reader who does not read."""

    async def hurried(message: Message) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await send(message)

    return hurried


def event(name: str, version: int | str | None, html: str) -> str:
    """One event. Its id is what the browser sends back as Last-Event-ID; None: as before."""
    data = "\n".join(f"data: {line}" for line in html.splitlines() or [""])
    named = "" if version is None else f"id: {version}\n"
    return f"{named}event: {name}\n{data}\n\n"


def greeting() -> str:
    """The first bytes: how soon to come back after the stream ends."""
    return f"retry: {RETRY_MS}\n\n"


def heartbeat() -> str:
    """A comment that keeps proxies from closing a quiet stream."""
    return ": .\n\n"


@contextmanager
def streams_ended() -> Iterator[None]:
    """Every stream ends now, and so does each that begins within: browsers come back later."""
    _ending.set()
    try:
        yield
    finally:
        _ending.clear()


def ending() -> bool:
    """Whether streams should end."""
    return _ending.is_set()


async def finished_within(task: "asyncio.Task[Any]", seconds: float) -> bool:
    """Whether the task is done after at most so many seconds; it goes on otherwise.

    Answers at once when streams should end.
    """
    closing = asyncio.ensure_future(_ending.wait())
    try:
        await asyncio.wait({task, closing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        closing.cancel()
    return task.done()
