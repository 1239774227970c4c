"""Each server stopped under load and started again: what went on, and is anything lost or doubled?

`./dvor test faults`, or of these: `./dvor test faults --only redis orders --how killed --seconds 10`.
Dvor stands apart behind nginx on PostgreSQL (fsync on), RabbitMQ or Kafka, Redis and a mail server;
five people order, pay and cancel, one looks around. One thing is killed, or frozen, and is back
after a while. Then everything must be done within a minute, and what people were told must be true.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from dvor.cli.servers import Missing
from tests.faults.customers import Ledger
from tests.faults.kinds import FAULTS, HOW, Fault
from tests.faults.stand import DRAINED_SECONDS, Stand, stand

AWAY_SECONDS = 30.0
STEADY_SECONDS = 5.0
"""People buy for so long before it dies, and go on for so long when it is back."""
GRACE_SECONDS = 3.0
"""Who asked before it died may be answered so long after; new ones count from then on."""
SHOWN = 8
ANSWER_SECONDS = 15.0
"""Nobody waits longer for any answer while something is away, but where nginx itself is silent."""
FROZEN_SECONDS = 40.0
"""Where a process is frozen: nginx believes for 30 s that it will answer."""


@dataclass
class Outcome:
    """What one fault did."""

    fault: Fault
    how: str
    orders: int = 0
    """Accepted while it was away."""
    paid: int = 0
    visits: str = ""
    later: int = 0
    """Answers that said: not now."""
    longest: float = 0.0
    healed: float = 0.0
    """Seconds from its return to the next order that was paid."""
    drained: float = 0.0
    """Seconds from its return until nothing was under way."""
    lost: list[str] = field(default_factory=list[str])
    double: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])
    total: int = 0
    mails: int = 0

    def judge(self, ledger: Ledger) -> None:
        """What was promised and did not hold."""
        self.wrong += ledger.unclean
        if self.fault.orders and not self.orders:
            self.wrong.append("no order was accepted while it was away")
        if self.fault.paid and not self.paid:
            self.wrong.append("no order was paid while it was away")
        if self.drained > DRAINED_SECONDS:
            self.wrong.append(f"not drained in {DRAINED_SECONDS} s")
        if self.fault.visits and self.visits.startswith("0/"):
            self.wrong.append("nobody could look around while it was away")
        most = FROZEN_SECONDS if self.how == "frozen" else ANSWER_SECONDS
        if self.longest > most and self.fault.name != "nginx":
            self.wrong.append(f"somebody waited {self.longest:.0f} s for an answer")

    @property
    def problems(self) -> list[str]:
        """All of them."""
        return [*self.lost, *self.double, *self.wrong]

    def row(self) -> str:
        """As a line of the table."""
        return (
            f"{self.fault.name:<14}{self.how:<8}{self.total:>7}{self.orders:>8}{self.paid:>6}"
            f"{self.visits:>9}{self.later:>7}{self.longest:>9.1f}{self.healed:>8.1f}"
            f"{self.drained:>9.1f}{self.mails:>7}{len(self.lost):>6}{len(self.double):>8}"
            f"  {'clean' if not self.wrong else f'{len(self.wrong)} wrong'}"
        )


HEAD = (
    f"{'away':<14}{'how':<8}{'orders':>7}{'…away':>8}{'paid':>6}{'visits':>9}{'later':>7}"
    f"{'longest':>9}{'healed':>8}{'drained':>9}{'mails':>7}{'lost':>6}{'doubled':>8}  promises\n"
    f"{'':<14}{'':<8}{'':>7}{'orders':>8}{'away':>6}{'away':>9}{'':>7}{'wait, s':>9}{'s':>8}{'s':>9}"
)


async def suffer(where: Stand, fault: Fault, how: str, seconds: float) -> Outcome:
    """Take it away under load, bring it back, compare."""
    outcome, mails = Outcome(fault, how), sum(where.mails.values())
    async with where.load() as ledger:
        await asyncio.sleep(STEADY_SECONDS)
        numbers = fault.away(where, how)
        gone = time.monotonic()
        try:
            await asyncio.sleep(seconds)
        finally:
            until = time.monotonic()
            await fault.back(where, how, numbers)
        back = time.monotonic()
        await asyncio.sleep(STEADY_SECONDS)
    stuck = await where.drained()
    outcome.drained = time.monotonic() - back
    outcome.total = len(ledger.placed)
    within = (gone + min(GRACE_SECONDS, seconds / 3), until)
    outcome.orders = ledger.since(ledger.placed, *within)
    outcome.paid = ledger.since(ledger.paid, *within)
    outcome.visits = ledger.viewed(*within)
    outcome.later, outcome.longest = sum(ledger.later.values()), ledger.longest
    outcome.healed = min((one for one in ledger.paid.values() if one >= back), default=back) - back
    outcome.lost, outcome.double, outcome.wrong = await where.compared(ledger)
    outcome.mails = sum(where.mails.values()) - mails
    outcome.wrong += stuck
    outcome.judge(ledger)
    return outcome


async def faults(
    chosen: Iterable[Fault], hows: Sequence[str], seconds: float
) -> AsyncIterator[Outcome]:
    """All of them, one after the other. Raises Missing where a server cannot be had."""
    for broker, some in groupby(sorted(chosen, key=lambda one: one.broker), lambda one: one.broker):
        async with stand(broker) as where:
            for fault in some:
                for how in hows:
                    yield await suffer(where, fault, how, seconds)


async def _shown(chosen: Sequence[Fault], hows: Sequence[str], seconds: float) -> int:
    print(HEAD, flush=True)
    failed = 0
    async for outcome in faults(chosen, hows, seconds):
        print(outcome.row(), flush=True)
        for problem in outcome.problems[:SHOWN]:
            print(f"    {problem}", flush=True)
        failed += bool(outcome.problems)
    print(
        f"{failed} of {len(chosen) * len(hows)} broke a promise" if failed else "All promises held."
    )
    return int(failed > 0)


def main() -> int:
    """Exit code 1 where something was lost, doubled, stuck or refused against the promise."""
    parser = argparse.ArgumentParser(prog="./dvor test faults", description=__doc__)
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--how", nargs="+", choices=HOW, default=HOW)
    parser.add_argument("--seconds", type=float, default=AWAY_SECONDS, help="how long it is away")
    options = parser.parse_args()
    chosen = [fault for fault in FAULTS if fault.name in options.only]
    try:
        return asyncio.run(_shown(chosen, options.how, options.seconds))
    except Missing as missing:
        print(missing)
        return 1


if __name__ == "__main__":
    sys.exit(main())
