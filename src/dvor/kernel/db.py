"""PostgreSQL: pools, transactions, and what is written with them. The only door to asyncpg."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import Context, ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from pydantic_core import from_json, to_json

from dvor.kernel import journal, metrics, points, statements, telemetry
from dvor.kernel.config import Settings
from dvor.kernel.connections import Connection
from dvor.kernel.errors import Invalid, Refusal, Unavailable
from dvor.kernel.events import Event
from dvor.kernel.ids import derived

if TYPE_CHECKING:
    from dvor.kernel.messages import Message
    from dvor.kernel.tasks import Task

LOG = telemetry.log("db")

Record = asyncpg.Record
Answer = TypeVar("Answer")
_Write = Callable[["Tx", Sequence[Any]], Awaitable[None]]

AT_HAND_MAX = 4
"""Connections of one service in one process that stay out of the pool while nobody uses them."""

_open_transaction: ContextVar[str | None] = ContextVar("open_transaction", default=None)


class Contended(Unavailable):
    """Many people want this at once. Nothing was lost; try again in a moment."""


class Unwritable(Invalid):
    """A text has a character that cannot be kept."""


def assert_no_transaction(what: str) -> None:
    """A call to another service inside a transaction would hold locks while it waits."""
    where = _open_transaction.get()
    assert where is None, f"{what} inside an open transaction on {where}"


@contextmanager
def translated() -> Iterator[None]:
    """Turn what PostgreSQL says of load and loss into refusals that say what to do."""
    try:
        yield
    except (
        asyncpg.LockNotAvailableError,
        asyncpg.DeadlockDetectedError,
        asyncpg.SerializationError,
        asyncpg.QueryCanceledError,
    ) as problem:
        raise Contended from problem
    except (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError) as problem:
        raise Unwritable from problem
    except (
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # what it says of a connection lost between two messages
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.TooManyConnectionsError,
        OSError,
        TimeoutError,
    ) as problem:
        raise Unavailable from problem


@contextmanager
def violating(**constraints: type[Exception]) -> Iterator[None]:
    """Around a transaction: a violated constraint of these names raises its exception."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as violation:
        problem = constraints.get(str(violation.constraint_name))
        if problem is None:
            raise
        raise problem from violation


class Tx:
    """An open transaction. Events and tasks given to it are written just before the commit."""

    def __init__(self, connection: Any, service: str) -> None:
        self._connection = connection
        self._service = service
        self._events: list[tuple[Event, str]] = []
        self._tasks: list[tuple[Any, ...]] = []
        self._gathered: dict[_Write, list[Any]] = {}
        self._counted: list[tuple[Any, ...]] = []

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        """All rows."""
        return await self._connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:
        """The first row."""
        return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first value of the first row."""
        return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> int:
        """Run a statement; answers how many rows it changed."""
        return changed(await self._connection.execute(sql, *args))

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each row, in one round trip."""
        await self._connection.executemany(sql, rows)

    async def shared(self, work: "Callable[[Tx], Awaitable[Answer]]", context: Context) -> Answer:
        """Do one of several works, with the caller and the trace of who asked for it (`context`)."""
        given = [
            (variable, variable.set(value))
            for variable, value in context.items()
            if variable is not _open_transaction
        ]
        try:
            return await work(self)
        finally:
            for variable, token in given:
                variable.reset(token)

    async def copy(self, table: str, columns: Sequence[str], rows: bytearray) -> None:
        """Write rows that stand in PostgreSQL's binary COPY format."""
        await self._connection.copy_to_table(table, source=rows, columns=columns, format="binary")

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What happens inside may fail without failing the whole transaction."""
        events, tasks, counted = len(self._events), len(self._tasks), len(self._counted)
        gathered = {write: len(items) for write, items in self._gathered.items()}
        try:
            async with self._connection.transaction():
                yield
        except BaseException:
            del self._events[events:], self._tasks[tasks:], self._counted[counted:]
            for write, items in self._gathered.items():
                del items[gathered.get(write, 0) :]
            raise

    @asynccontextmanager
    async def refusing(self, **constraints: type[Refusal] | Refusal) -> AsyncIterator[None]:
        """Within, a violated constraint of these names raises its refusal."""
        try:
            async with self.savepoint():
                yield
        except asyncpg.IntegrityConstraintViolationError as violation:
            refusal = constraints.get(str(violation.constraint_name))
            if refusal is None:
                raise
            raise refusal from violation

    def emit(self, *events: Event) -> None:
        """Tell a fact when this commits."""
        trace = _encoded(telemetry.carried())
        self._events.extend((event, trace) for event in events)

    def enqueue(
        self, task: "Task", work: "Message", *, key: str, run_at: datetime | None = None
    ) -> None:
        """Have `task` done after this commits, at `run_at` or at once. One `key`, one task."""
        identifier = derived(self._service, task.name, key)
        self._tasks.append(
            (
                identifier,
                task.name,
                work.model_dump_json(),
                run_at,
                task.attempts_max,
                _encoded(telemetry.carried()),
            )
        )

    def gather(self, write: "_Write", item: Any) -> None:
        """Call `write(tx, items)` once before this commits, with all that was gathered for it."""
        self._gathered.setdefault(write, []).append(item)

    def count(self, note: Callable[..., None], *what: Any) -> None:
        """Call `note(*what)`, which counts something, once this has committed, and only then."""
        self._counted.append((note, *what))

    def committed(self) -> None:
        """Count what was to be counted."""
        for note, *what in self._counted:
            note(*what)

    async def flush(self) -> None:
        """Write what was gathered, emitted and enqueued."""
        for write, items in self._gathered.items():
            if items:
                await write(self, items)
        if self._events:
            await journal.write_events(self._connection, self._events)
        if self._tasks:
            await journal.write_tasks(self._connection, self._tasks)


def changed(status: str) -> int:
    """How many rows a statement changed, from PostgreSQL's answer such as `UPDATE 3`."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0


async def _keep(_connection: Any) -> None:
    """Nothing is set per session: resetting it each time was a third of all statements."""


async def _prepare(connection: Any) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, encoder=_encoded, decoder=from_json, schema="pg_catalog"
        )


def _encoded(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value).decode()


class Database:
    """The database of one service, through a bounded pool of connections."""

    def __init__(self, service: str, url: str, settings: Settings) -> None:
        self.service = service
        self._url = url
        self._settings = settings
        self._pool: Any = None
        self._at_hand: list[Any] = []
        """Of the pool, in use by nobody: its own way out and in costs twice as much as a statement."""
        self._waiting = 0  # for the pool, as closing does, too
        self._waits = metrics.CONNECTION_SECONDS.labels(service)

    async def open(self) -> None:
        """Connect. Raises Unavailable where the server cannot be reached."""
        settings = self._settings
        with translated():
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=settings.database_pool,
                init=_prepare,
                reset=_keep,
                connection_class=(
                    statements.shown(asyncpg.Connection, self.service)
                    if telemetry.tracing()
                    else asyncpg.Connection
                ),
                timeout=settings.database_wait_seconds,
                server_settings={
                    "application_name": f"dvor {self.service}",
                    "lock_timeout": str(settings.lock_timeout_ms),
                    "statement_timeout": str(settings.statement_timeout_ms),
                    "idle_in_transaction_session_timeout": str(
                        settings.idle_transaction_timeout_ms
                    ),
                    "timezone": "UTC",
                    "jit": "off",
                    # One plan serves all parameters: planning anew was an eighth of an order.
                    "plan_cache_mode": "force_generic_plan",
                },
            )

    async def close(self) -> None:
        """Give all connections back; those that somebody keeps are cut."""
        if self._pool is None:
            return
        self._waiting += 1
        while self._at_hand:
            await self._pool.release(self._at_hand.pop())
        try:
            async with asyncio.timeout(self._settings.database_wait_seconds):
                await self._pool.close()
        except TimeoutError:
            LOG.warning("connections are kept", service=self.service)
            self._pool.terminate()

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Any]:
        with translated():
            held = await self._take()
            try:
                yield held
            except BaseException:
                await self._pool.release(held)
                raise
            if self._waiting or len(self._at_hand) >= AT_HAND_MAX or not _open(held):
                await self._pool.release(held)
            else:
                self._at_hand.append(held)

    async def _take(self) -> Any:
        while self._at_hand:
            held = self._at_hand.pop()
            if _open(held):
                return held
            await self._pool.release(held)
        self._waiting += 1
        began = time.perf_counter()
        try:
            return await self._pool.acquire(timeout=self._settings.database_wait_seconds)
        finally:
            self._waiting -= 1
            self._waits.observe(time.perf_counter() - began)

    def connections(self) -> tuple[int, int]:
        """Connections in use and idle ones, now."""
        idle = self._pool.get_idle_size() + len(self._at_hand)
        return self._pool.get_size() - idle, idle

    def wanted(self) -> int:
        """Who waits for a connection now."""
        return self._waiting

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        """All rows of a single statement."""
        async with self._acquired() as connection:
            return await connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:
        """The first row of a single statement."""
        async with self._acquired() as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first value of a single statement."""
        async with self._acquired() as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> int:
        """Run a single statement; answers how many rows it changed."""
        async with self._acquired() as connection:
            return changed(await connection.execute(sql, *args))

    @asynccontextmanager
    async def tx(self, name: str = "") -> AsyncIterator[Tx]:
        """A transaction, READ COMMITTED: commits at the end, rolls back on any exception.

        With a `name` its commit is a point that tests of crashes reach.
        """
        assert_no_transaction(f"a second transaction on {self.service}")
        async with self._acquired() as connection:
            transaction = connection.transaction()
            token = _open_transaction.set(self.service)
            try:
                await _wholly(connection, transaction.start())
                tx = Tx(connection, self.service)
                yield tx
                await tx.flush()
                if name:
                    points.reached(f"{name}.before_commit")
            except BaseException:
                if _open(connection) and connection.is_in_transaction():
                    await _wholly(connection, transaction.rollback())
                raise
            else:
                await _wholly(connection, transaction.commit())
                tx.committed()
                if name:
                    points.reached(f"{name}.after_commit")
            finally:
                _open_transaction.reset(token)

    @asynccontextmanager
    async def raw_tx(self) -> AsyncIterator[Tx]:
        """A transaction that may stand around others: the local broker's lock on a cursor."""
        async with self._acquired() as connection, connection.transaction():
            yield Tx(connection, self.service)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Several reads of one moment: REPEATABLE READ, READ ONLY."""
        async with (
            self._acquired() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield Tx(connection, self.service)

    async def listen(self, hints: dict[str, Callable[[str], None]]) -> None:
        """Call back on NOTIFY, by channel, until cancelled; reconnects. Hints may be missed."""
        while True:
            try:
                connection = await asyncpg.connect(self._url)
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda _, lost=lost: lost.set())
                    for channel, hint in hints.items():
                        await connection.add_listener(
                            channel, lambda _c, _p, _n, payload, hint=hint: hint(str(payload))
                        )
                    await lost.wait()
                finally:
                    await connection.close(timeout=1)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await asyncio.sleep(self._settings.poll_seconds)


def _open(held: Any) -> bool:
    try:
        return not held.is_closed()
    except asyncpg.InterfaceError:  # taken back when the server closed it
        return False


async def _wholly(connection: Any, work: Awaitable[None]) -> None:
    """Begin, commit or roll back; a connection left in between is cut, and its server undoes it."""
    try:
        await work
    except asyncio.CancelledError:
        connection.terminate()
        raise


async def create_database(url: str) -> None:
    """Create the database that `url` names where it does not exist."""
    server, _, rest = url.rpartition("/")
    name, _, query = rest.partition("?")
    admin = f"{server}/postgres" + (f"?{query}" if query else "")
    connection = await asyncpg.connect(admin)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            quoted = '"' + name.replace('"', '""') + '"'
            faster = (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError)
            with suppress(*faster):  # another process was
                await connection.execute(f"CREATE DATABASE {quoted}")
    finally:
        await connection.close()


@asynccontextmanager
async def raw_connection(url: str) -> AsyncIterator[Any]:
    """A connection outside any pool: for migrations and the local broker."""
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        await _prepare(connection)
        yield connection
    finally:
        with suppress(TimeoutError):  # cut, then
            await connection.close(timeout=2)
