"""Dvor killed at named points under load, started again, and looked at: is anything lost or stuck?

`./dvor test crash --runs 40`, or `python -m tests.crashes.runs --runs 40 --seed 7`. A run is three
lives of the process, one after the other: each dies at the first of some points that it reaches
(often while it takes up what the one before left), or anywhere. Points that nobody has died at yet
are chosen first. The virtual clock moves on while the process is dead, so deadlines fall then.
After every few runs nobody kills: everything must be decided within 30 s, the audit must be clean,
and nothing that a client was told may have been taken back.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from benchmarks.load.client import Client

from dvor.kernel.config import Settings
from dvor.kernel.db import raw_connection
from dvor.kernel.postgres import EmbeddedPostgres
from tests.crashes.points import POINTS, RARE
from tests.crashes.score import Score, undecided, wrong
from tests.crashes.shoppers import Market, Person, shop
from tests.crashes.world import ADMIN, CUSTOMERS, DAYS, PASSWORD, small_world
from tests.journeys.conftest import ROOT, SECRET, free_port
from tests.seeds import fresh

LIVES = 3
"""In one run."""
ROUND = 10
"""Runs between two looks."""
MORE_LIVES = 60
"""So many at most for the points that nobody has reached after all runs."""
CHOSEN = 16
"""A life dies at one of so many points."""
HEAL_SECONDS = 30
PATIENCE_SECONDS = 120
"""A process that is not ready, an order that is not decided then: that is no slow machine."""
ALIVE_SECONDS, ANSWERS = 12.0, 150
"""A life that reaches none of its points ends when leases of the dead are over and people got so
many answers in it: slow machines take longer.
"""
ANYWHERE = "anywhere"
"""No point: killed at a random moment."""
TIMES_MAX = 2
"""A point is reached up to so many times before the process dies there."""
LATER, MUCH_LATER = timedelta(seconds=1000), timedelta(days=8)
"""The time to pay is over; what a payer's bank decides after a week is decided."""
LONG_SECONDS = str(20 * 365 * 86_400)
LOG_LINES = 60
"""So much of what Dvor said is shown where something is wrong."""
PARTS = ("identity", "catalog", "inventory", "payments", "orders", "notifications")
"""Whatever has to do with a checkout."""
WITH_SMTP, WITHOUT_SMTP = ("mail.before_send", "mail.after_send"), "mail.caught"


class Nursery:
    """The process that starts Dvor quickly."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked = asyncio.Lock()

    async def ask(self, line: str) -> str:
        """One line, one answer."""
        assert self._process.stdin and self._process.stdout
        async with self._asked:
            self._process.stdin.write(f"{line}\n".encode())
            answer = (await self._process.stdout.readline()).decode().strip()
        assert answer, "the nursery is gone"
        return answer

    async def ended(self, child: str) -> bool:
        """Whether a life is over. AssertionError where nobody killed it."""
        said = await self.ask(f"look {child}")
        if said == "alive":
            return False
        assert int(said) == -signal.SIGKILL, f"a process ended by itself: {said}"
        return True


@asynccontextmanager
async def nursery(log: Path) -> AsyncIterator[Nursery]:
    """A nursery for the time of a block. What the lives say goes to `log`."""
    words = (sys.executable, "-m", "tests.crashes.nursery")
    pipe = asyncio.subprocess.PIPE
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=said
        )
        try:
            yield Nursery(process)
        finally:
            assert process.stdin
            process.stdin.write(b"end\n")  # and whoever still lives ends with it
            await process.wait()


class Swallows:
    """A mail server that takes everything."""

    async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:
        """Take it."""
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[str]:
    """The address of a mail server."""
    controller = Controller(Swallows(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()


class Crashes:
    """A Dvor that is killed again and again."""

    def __init__(
        self, server: str, prefix: str, dice: random.Random, house: Nursery, smtp: str, report: Path
    ) -> None:
        port = free_port()
        self.dice = dice
        self.house = house
        self.smtp = smtp
        self.report = report
        self.score = Score()
        self.child = ""
        self.environment = {
            "DVOR_DATABASE_URL": server,
            "DVOR_DATABASE_PREFIX": prefix,
            "DVOR_DATABASE_POOL": "2",
            "DVOR_DATABASE_WAIT_SECONDS": "30",
            "DVOR_SECRET": SECRET,
            "DVOR_RUN": ",".join(PARTS),
            "DVOR_PORT": str(port),
            "DVOR_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "DVOR_LOG_LEVEL": "error",
            "DVOR_CALL_TIMEOUT_SECONDS": "30",
            "DVOR_ACCESS_TOKEN_SECONDS": LONG_SECONDS,
            "DVOR_REFRESH_TOKEN_SECONDS": LONG_SECONDS,
            "DVOR_IDEMPOTENCY_LEASE_SECONDS": "2",
            "DVOR_WAIT_SECONDS": "2",
            "DVOR_AUDIT_SECONDS": "0",
        }
        self.settings = Settings.from_environment(self.environment)
        self.market = Market(port, {})
        self.people: list[tuple[str, str]] = []
        """Token of a customer, token of an admin."""

    async def open(self) -> None:
        """A world with people signed in, seen by a process that nobody kills."""
        self.market.offers = await small_world(self.settings)
        await self.start()
        client = await Client.connected(self.market.port)
        tokens: list[str] = []
        for email in (*CUSTOMERS, ADMIN):
            body = {"email": email, "password": PASSWORD}
            tokens.append((await client.call("POST", "/auth/token", body))["access_token"])
        client.close()
        self.people = [(token, tokens[-1]) for token in tokens[:-1]]
        await self.kill()

    def shoppers(self) -> list[asyncio.Task[None]]:
        """Everybody goes shopping."""
        return [
            asyncio.create_task(
                shop(*(Person(self.market, token, self._own_dice()) for token in tokens))
            )
            for tokens in self.people
        ]

    def _own_dice(self) -> random.Random:
        return random.Random(self.dice.random())

    async def start(self, deaths: dict[str, int] | None = None, *, mails: bool = False) -> bool:
        """Begin a life; answers whether it came to be ready: its death may be on the way."""
        environment = self.environment | ({"DVOR_SMTP_URL": self.smtp} if mails else {})
        born = {"environment": environment, "deaths": deaths or {}, "report": str(self.report)}
        self.child = await self.house.ask(f"start {json.dumps(born)}")
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            if await self.house.ended(self.child):
                return False
            try:
                client = await Client.connected(self.market.port)
                status, _ = await client.ask("GET", "/readyz")
                client.close()
                if status == 200:
                    return True
            except OSError:
                pass
            await asyncio.sleep(0.05)
        raise TimeoutError("not ready")

    async def kill(self) -> None:
        """End a life from outside."""
        os.kill(int(self.child), signal.SIGKILL)
        while not await self.house.ended(self.child):
            await asyncio.sleep(0.01)

    async def pass_time(self, amount: timedelta) -> None:
        """The virtual clock moves on; a process that lives hears of it."""
        self.market.shift += amount
        for part in PARTS:
            async with raw_connection(self.settings.database(part)) as connection:
                await connection.execute("UPDATE virtual_clock SET shift = $1", self.market.shift)
                await connection.execute("NOTIFY dvor_clock")

    async def die(self, points: Sequence[str]) -> bool:
        """One life until it reaches one of these points; whether it did."""
        mails = self.dice.random() < 0.5
        unable = (WITHOUT_SMTP,) if mails else WITH_SMTP
        rare = len(points) < CHOSEN
        times = {point: 1 if rare else self.dice.randint(1, TIMES_MAX) for point in points}
        deaths = {point: n for point, n in times.items() if not point.startswith(unable)}
        self.report.unlink(missing_ok=True)
        if await self.start(deaths, mails=mails):
            await self._end(ALIVE_SECONDS if points else self.dice.uniform(0.05, 1), bool(points))
        reached = self.report.exists()
        self.score.hits[self.report.read_text() if reached else ANYWHERE] += 1
        return reached

    async def _end(self, seconds: float, useful: bool) -> None:
        """Wait until a life ends by itself; kill it where it had its time."""
        began, enough = time.monotonic(), self.market.answers + ANSWERS * useful
        lived = 0.0
        while lived < seconds or (self.market.answers < enough and lived < PATIENCE_SECONDS):
            if await self.house.ended(self.child):
                return
            await asyncio.sleep(0.02)
            lived = time.monotonic() - began
        await self.kill()

    async def live(self) -> bool:
        """The next life, at what nobody has died at so far, or at anything."""
        left = self.score.left(POINTS) or [*POINTS, *RARE]
        if self.dice.random() < 0.05:
            return await self.die(())
        chosen = self.dice.sample(left, min(CHOSEN, len(left)))
        return await self.die((*chosen, *self.dice.sample(RARE, 2)))

    async def lives(self, count: int) -> None:
        """So many lives while people shop."""
        shoppers = self.shoppers()
        reached = True
        for _ in range(count):
            # Where nothing was met, time may have to pass first.
            much = self.dice.random() < (0.1 if reached else 0.5)
            if not reached or self.dice.random() < 0.35:
                early = self.market.shift.days < DAYS - 60
                await self.pass_time(MUCH_LATER if much and early else LATER)
            reached = await self.live()
            for shopper in shoppers:
                if shopper.done():
                    shopper.result()
        for shopper in shoppers:
            shopper.cancel()
        await asyncio.gather(*shoppers, return_exceptions=True)

    async def look(self) -> None:
        """Start once more, wait until everything is decided, audit."""
        await self.start()
        await self.pass_time(LATER)
        seconds, problems = await self.healed()
        await self.kill()
        self.score.looked(seconds, problems)

    async def healed(self) -> tuple[float, list[str]]:
        """How long it takes until everything is decided, and what is wrong then."""
        begun = time.monotonic()
        left = await undecided(self.settings, PARTS)
        while left and time.monotonic() - begun < PATIENCE_SECONDS:
            await asyncio.sleep(0.2)
            left = await undecided(self.settings, PARTS)
        seconds = time.monotonic() - begun
        problems = [f"not decided: {one}" for one in left]
        return seconds, problems + await wrong(self.settings, PARTS, self.market.told)


@asynccontextmanager
async def crashing(server: str, prefix: str, number: int) -> AsyncIterator[Crashes]:
    """A Dvor to be killed, with people in it."""
    with tempfile.TemporaryDirectory(prefix="dvor-crashes-") as folder, mail_server() as smtp:
        log, report = Path(folder) / "log", Path(folder) / "died-at"
        async with nursery(log) as house:
            crashes = Crashes(server, prefix, random.Random(number), house, smtp, report)
            try:
                await crashes.open()
                yield crashes
            finally:
                if crashes.score.problems or sys.exc_info()[0]:
                    print(*log.read_text(errors="replace").splitlines()[-LOG_LINES:], sep="\n")


async def crash(runs: int, server: str, number: int) -> Score:
    """Kill so often, and look."""
    async with crashing(server, f"crash{os.getpid()}_", number) as crashes:
        for done in range(0, runs, ROUND):
            await crashes.lives(LIVES * min(ROUND, runs - done))
            await crashes.look()
        more = 0
        while crashes.score.left(POINTS) and more < MORE_LIVES and runs * LIVES >= len(POINTS):
            await crashes.lives(LIVES)
            more += LIVES
        if more:
            await crashes.look()
    return crashes.score


def main() -> int:
    """Exit code 1 where something was lost or stuck."""
    parser = argparse.ArgumentParser(prog="./dvor test crash", description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    number = fresh() if options.seed is None else options.seed
    with (
        tempfile.TemporaryDirectory(prefix="dvor-crashes-") as folder,
        EmbeddedPostgres(Path(folder) / "pg", fsync=False, max_connections=200) as server,
    ):
        score = asyncio.run(crash(options.runs, server.dsn, number))
    print(score.table())
    print(*score.problems, sep="\n")
    return 1 if score.problems or max(score.heal_seconds) > HEAL_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
