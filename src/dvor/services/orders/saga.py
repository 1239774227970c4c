"""Who moves an order on, and when: one owner at a time, and no order is forgotten.

`orders.due_at` says when somebody must look at an order next, by the clock of its database; it is
NULL only where nothing is left to do. Whoever looks owns the order: it has the next `epoch`, and
`due_at` is the end of its lease. An owner that dies or sleeps is simply not heard of until then;
the next one takes a new epoch, and what the old one still writes finds no row.
"""

import asyncio
import contextlib
import time
from collections import deque
from datetime import timedelta
from uuid import UUID

from dvor.kernel import clock, metrics, telemetry
from dvor.kernel.caller import Caller, asking
from dvor.kernel.config import Settings
from dvor.kernel.db import Contended, Database, Record
from dvor.kernel.errors import Unavailable
from dvor.kernel.tasks import hinted
from dvor.services.orders import queries, saga_queries
from dvor.services.orders.changes import REFUSED_REFUNDS
from dvor.services.orders.steps import Steps

LOG = telemetry.log("orders")
AT_ONCE = 16
"""Orders moved at the same time by one process."""
STEP_SECONDS = 8
"""Less than a lease: who takes longer will find that somebody else went on."""
BACK_OFF = (0.25, 10)
"""Seconds until a step that failed is tried again: the first time, and at most."""
REFUSED_BACK_OFF = (15, 3600)
"""The same of a refund that the bank refused: it will hardly think better of it soon."""
FINISH_SECONDS = 4
"""How long a request waits for somebody else's step."""
STUCK_AFTER = timedelta(seconds=60)
STUCK_SHOWN = 20


class Saga:
    """Moves orders on: at once for a request, by itself after a crash or at a deadline."""

    def __init__(self, db: Database, settings: Settings, steps: Steps) -> None:
        self.db = db
        self.settings = settings
        self.steps = steps
        self._given: deque[tuple[float, Record, dict[str, str]]] = deque()
        self._hint = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._looked = 0.0

    async def move(self, order: Record) -> None:
        """Go on with an order that is ours until nothing is under way. Raises what a step raises."""
        after: Record | None = order
        while after is not None:
            after = await self._step(after)

    async def _step(self, order: Record) -> Record | None:
        action = order["pending_action"] or "look"
        try:
            async with asyncio.timeout(STEP_SECONDS):
                after = await self.steps.do(order)
        except Exception as problem:
            metrics.SAGA_STEPS.labels(action, "failed").inc()
            await self._put_off(order, action, problem)
            raise
        metrics.SAGA_STEPS.labels(action, "done").inc()
        return after

    async def _put_off(self, order: Record, action: str, problem: Exception) -> None:
        refused = isinstance(problem, REFUSED_REFUNDS)
        expected = refused or isinstance(problem, Unavailable | TimeoutError)
        say = LOG.info if expected and not refused and order["tries"] < 3 else LOG.error
        say(
            "order waits",
            number=order["number"],
            action=action,
            tries=order["tries"] + 1,
            error=repr(problem),
            exc_info=None if expected else problem,
        )
        first, most = REFUSED_BACK_OFF if refused else BACK_OFF
        wait = min(first * 2 ** min(order["tries"], 10), most)
        # Where this cannot be written either, the lease ends by itself.
        with contextlib.suppress(Unavailable):
            await saga_queries.put_off(self.db, order, timedelta(seconds=clock.spread(wait)))

    async def finish(self, order_id: UUID) -> None:
        """Do what is under way with an order, or wait while somebody else does it.

        Raises what a step raises, and Contended where the other one takes too long.
        """
        give_up = time.monotonic() + FINISH_SECONDS
        while True:
            row = await queries.state(self.db, order_id)
            if row is None or row["pending_action"] is None:
                return
            ours = await saga_queries.claim(self.db, order_id)
            if ours is not None:
                await self.move(ours)
            elif time.monotonic() > give_up:
                raise Contended
            else:
                await asyncio.sleep(0.05)

    def hand_over(self, order: Record) -> None:
        """Move an order that is ours on, soon, in this process."""
        self._given.append((time.monotonic(), order, telemetry.carried()))
        self._hint.set()

    async def run(self) -> None:
        """Move on what is handed over and what is due, until cancelled."""
        try:
            while True:
                self._hint.clear()
                try:
                    await self._start()
                except Exception as problem:  # noqa: BLE001 - a loop that dies would strand orders
                    say = LOG.warning if isinstance(problem, Unavailable) else LOG.exception
                    say("orders wait", problem=repr(problem))
                await hinted(self._hint, self.settings.poll_seconds)
        finally:
            for running in self._running:
                running.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _start(self) -> None:
        while self._given and len(self._running) < AT_ONCE:
            since, order, trace = self._given.popleft()
            # What waited here too long is somebody else's by the time it would be written.
            if time.monotonic() - since < saga_queries.LEASE.total_seconds() - STEP_SECONDS:
                self._begin(order, trace)
        free = AT_ONCE - len(self._running)
        if free and time.monotonic() - self._looked >= self.settings.poll_seconds:
            rows = await saga_queries.claim_due(self.db, free)
            self._looked = time.monotonic() if len(rows) < free else 0.0
            for order in rows:
                self._begin(order, {})

    def _begin(self, order: Record, trace: dict[str, str]) -> None:
        running = asyncio.create_task(self._move_alone(order, trace))
        self._running.add(running)
        running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._running.discard(running)
        self._hint.set()

    async def _move_alone(self, order: Record, trace: dict[str, str]) -> None:
        what = f"order {order['pending_action'] or 'look'}"
        with (
            telemetry.extract(trace, what, kind="internal"),
            asking(Caller(service="orders")),
            # `_put_off` has said what went wrong and when somebody tries again.
            contextlib.suppress(Exception),
        ):
            await self.move(order)

    async def busy(self) -> bool:
        """Whether an order is being moved here, or is due."""
        return bool(self._given or self._running) or await saga_queries.any_due(self.db)

    async def watch(self) -> None:
        """Say aloud which orders make no progress."""
        for row in await self.count_stuck():
            LOG.error("order makes no progress", **{k: str(v) for k, v in row.items()})

    async def count_stuck(self) -> list[Record]:
        """Measure how many orders make no progress; answers some of them."""
        rows = await saga_queries.stuck(self.db, STUCK_AFTER, STUCK_SHOWN)
        metrics.ORDERS_STUCK.set(rows[0]["stuck"] if rows else 0)
        return rows
