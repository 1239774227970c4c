"""`dvor up`: everything on one port, from an empty folder to the last process ended."""

import errno
import http.client
import os
import select
import signal
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from rich.console import Console

from dvor import __version__
from dvor.cli import assets
from dvor.cli.data_folder import DataFolder
from dvor.cli.problems import Problem
from dvor.cli.workers import Worker
from dvor.kernel.config import Settings
from dvor.kernel.postgres import EmbeddedPostgres

_BIND_SECONDS = 1.0  # workers of a killed Dvor need a moment to let the port go
_BACKLOG = 1024
_READY_SECONDS = 180  # the first start also fills the demo world
_LOOK_SECONDS = 0.5
_ASK_SECONDS = 0.05
_MARGIN_SECONDS = 2  # beyond what workers take for themselves to stop


@dataclass(frozen=True)
class Options:
    """What `dvor up` was asked for."""

    host: str
    port: int
    data: Path
    demo: bool
    workers: int


class _StopAsked(BaseException):
    """Ctrl-C or SIGTERM while starting."""


class Supervisor:
    """Starts all, watches all, stops all."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._settings = Settings.from_environment()
        self._console = Console(highlight=False, soft_wrap=True)
        self._folder = DataFolder(options.data)
        self._workers: list[Worker] = []
        self._postgres: EmbeddedPostgres | None = None
        self._metrics_folder = ""
        self._stops_asked = 0
        self._is_starting = True
        self._woken, self._wakes = os.pipe()

    def run(self) -> None:
        """From start to stop. Raises Problem and its kin where it cannot start."""
        self._listen_to_signals()
        with suppress(_StopAsked), ExitStack() as stack:
            # Left in the opposite order: no new visitors, all stopped, the folder given back.
            stack.enter_context(self._folder)
            self._metrics_folder = stack.enter_context(TemporaryDirectory(prefix="dvor-"))
            stack.callback(self._stop)
            self._start(stack)
            self._is_starting = False
            self._watch()

    def _start(self, stack: ExitStack) -> None:
        listening = stack.enter_context(taken(self._options.host, self._options.port))
        descriptor, port = listening.fileno(), listening.getsockname()[1]
        secret = self._settings.secret or self._folder.secret()
        with_demo = self._options.demo and not self._folder.has_demo_world
        with self._console.status("Building the pages' styles and scripts") as status:
            for _ in range(self._options.workers):
                worker = Worker("serve", "--socket", str(descriptor), descriptors=(descriptor,))
                worker.start()  # loads its code while the rest gets ready
                self._workers.append(worker)
            assets.build()
            status.update("Starting PostgreSQL")
            variables = {
                "DVOR_DATABASE_URL": self._settings.database_url or self._start_postgres(),
                "DVOR_SECRET": secret.hex(),
                "DVOR_HOST": self._options.host,
                "DVOR_PORT": str(port),
                "DVOR_DEMO": "1" if self._options.demo else "0",
                "DVOR_DATA": str(self._folder.path),
            }
        # Nothing of ours may draw while the first worker shows how the demo world fills.
        first = ["migrate", *(["demo"] if with_demo else [])]
        self._workers[0].begin(variables | self._named(1), first=first)
        self._wait_until_ready(self._options.host, port)
        for number, worker in enumerate(self._workers[1:], 2):
            worker.begin(variables | self._named(number))
        self._folder.tell(port=port, database_url=variables["DVOR_DATABASE_URL"])
        self._welcome(port)

    def _named(self, number: int) -> dict[str, str]:
        """What tells a worker from the others, where there are several."""
        if self._options.workers == 1:
            return {}
        return {"DVOR_METRICS_FOLDER": self._metrics_folder, "DVOR_WORKER": str(number)}

    def _start_postgres(self) -> str:
        self._postgres = EmbeddedPostgres(
            self._folder.postgres, max_connections=self._connections()
        )
        return self._postgres.start()

    def _connections(self) -> int:
        """How many PostgreSQL must take."""
        return 200

    def _wait_until_ready(self, host: str, port: int) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not is_ready(host, port):
            for worker in self._workers:
                if (code := worker.ended()) is not None:
                    name = worker.name or "a worker"
                    raise Problem(f"{name} {_ended(code)} while starting; the reason stands above")
            if time.monotonic() > deadline:
                raise Problem(f"the workers were not ready after {_READY_SECONDS} seconds")
            time.sleep(_ASK_SECONDS)  # where nobody listens yet, the answer comes at once

    def _watch(self) -> None:
        """Until somebody asks to stop: start again what dies."""
        while not self._stops_asked:
            for number, worker in enumerate(self._workers, 1):
                if (code := worker.ended()) is not None:
                    pause = worker.plan_restart()
                    name = worker.name or f"Worker {number}"
                    self._say(f"{name} {_ended(code)}; starting it again in {pause:g} s")
                worker.restart_if_due()
            if self._postgres is not None and self._postgres.revive():
                self._say("PostgreSQL had ended and was started again")
            self._sleep()

    def _stop(self) -> None:
        self._is_starting = False
        workers = self._workers
        for worker in workers:
            worker.ask_to_stop()
        deadline = time.monotonic() + self._settings.shutdown_seconds + _MARGIN_SECONDS
        if self._stops_asked and not all(map(Worker.has_stopped, workers)):
            self._say("Closing: finishing what is under way (Ctrl-C again: at once)")
        asked_before = self._stops_asked
        while not all(map(Worker.has_stopped, workers)):
            if time.monotonic() > deadline or self._stops_asked > asked_before:
                for worker in workers:
                    worker.kill()
            self._sleep()
        self._stop_servers()
        if self._stops_asked:
            self._say("Closed.")

    def _stop_servers(self) -> None:
        if self._postgres is not None:
            self._postgres.stop()

    def _listen_to_signals(self) -> None:
        def on_stop(_number: int, _frame: FrameType | None) -> None:
            self._stops_asked += 1
            if self._is_starting:
                self._is_starting = False
                raise _StopAsked

        os.set_blocking(self._wakes, False)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, on_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # wakes us

    def _sleep(self) -> None:
        """Until a signal comes, but not long."""
        ready, _, _ = select.select([self._woken], [], [], _LOOK_SECONDS)
        if ready:
            os.read(self._woken, 1024)

    def _say(self, text: str) -> None:
        self._console.print(text)

    def _welcome(self, port: int) -> None:
        site = (self._settings.public_url or f"http://localhost:{port}").rstrip("/")
        self._say(f"\n[bold]Dvor {__version__}[/] is open at [bold]{site}[/]")
        self._say(f"  API docs   {site}/api/docs")
        if not self._settings.smtp_url:
            self._say(f"  Mailbox    {site}/mailbox")
        self._say(f"  Data       {self._folder.path}")
        if self._options.demo:
            self._welcome_to_demo()
        self._say("\nCtrl-C closes it.")

    def _welcome_to_demo(self) -> None:
        from dvor.demo.accounts import ACCOUNTS, PASSWORD

        self._say(f"\n  Demo accounts, all with the password [bold]{PASSWORD}[/]:")
        for role, email in ACCOUNTS.items():
            self._say(f"  {role:<10} {email}")


def taken(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises Problem, which says what to do."""
    deadline = time.monotonic() + _BIND_SECONDS
    while True:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(_BACKLOG)
        except OSError as problem:
            listening.close()
            if problem.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise Problem(_why_not_listening(problem, host, port)) from problem
        return listening


def _why_not_listening(problem: OSError, host: str, port: int) -> str:
    other = "./dvor up --port 8001" if port == 8000 else "--port"
    match problem.errno:
        case errno.EADDRINUSE:
            return f"port {port} is busy: stop what uses it, or choose another: {other}"
        case errno.EACCES:
            return f"port {port} is for root only: choose one above 1023: {other}"
        case _:
            return f"cannot listen on {host}:{port}: {problem.strerror}"


def is_ready(host: str, port: int) -> bool:
    """Whether the process that serves this port says so."""
    address = "127.0.0.1" if host in {"0.0.0.0", "localhost"} else host  # noqa: S104  compared only
    connection = http.client.HTTPConnection(address, port, timeout=_LOOK_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    return f"was ended by {signal.Signals(-code).name}"
