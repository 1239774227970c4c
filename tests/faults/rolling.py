"""Every process of every service ended and started again under load: no request may fail.

`./dvor test rolling`, or `./dvor test rolling --only orders web`. Dvor stands apart behind nginx,
two processes of each service; one after the other gets SIGTERM and is started again, as an update
does. People buy, cancel and look around meanwhile. Whatever is not answered, or answered by "later",
has failed.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from dvor.cli.edge import AVOIDED_SECONDS
from dvor.cli.servers import Missing
from tests.faults.customers import Ledger
from tests.faults.stand import PARTS, Stand, stand

REPLICAS = 2
STEADY_SECONDS = 3.0


@dataclass
class Roll:
    """What became of it."""

    restarted: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    """Process, and how long it took to end."""
    failed: list[str] = field(default_factory=list[str])
    """Requests, by what came instead of an answer."""
    wrong: list[str] = field(default_factory=list[str])
    requests: int = 0
    orders: int = 0
    seconds: float = 0.0

    def table(self) -> str:
        """What happened, a line a process."""
        lines = [f"{name:<18} ended in {seconds:4.1f} s" for name, seconds in self.restarted]
        lines.append(
            f"{len(self.restarted)} processes restarted in {self.seconds:.0f} s;"
            f" {self.requests} requests, {self.orders} orders paid, {len(self.failed)} failed"
        )
        return "\n".join([*lines, *self.failed[:20], *self.wrong])


async def roll(where: Stand, parts: Sequence[str]) -> Roll:
    """Restart every process of these parts, one after the other, under load."""
    made = Roll()
    begun = time.monotonic()
    async with where.load() as ledger:
        await asyncio.sleep(STEADY_SECONDS)
        for name, place in where.site.places.items():
            if place.part in parts:
                await _restart(where, name, made, ledger)
    made.seconds = time.monotonic() - begun
    made.wrong = await where.drained()
    lost, double, wrong = await where.compared(ledger)
    made.wrong += [*lost, *double, *wrong, *ledger.unclean]
    made.requests, made.orders = ledger.requests, len(ledger.paid)
    return made


async def _restart(where: Stand, name: str, made: Roll, ledger: Ledger) -> None:
    before = ledger.later.copy()
    begun = time.monotonic()
    await where.site.end(name)
    made.restarted.append((name, time.monotonic() - begun))
    await where.site.begin(name)
    # Until nginx asks it again: the other one is next.
    await asyncio.sleep(AVOIDED_SECONDS + 1)
    failed = ledger.later - before
    made.failed += [f"{name}: {count} times {what}" for what, count in failed.items()]


async def rolling(parts: Sequence[str], broker: str) -> Roll:
    """A stand of its own. Raises Missing where a server cannot be had."""
    async with stand(broker, replicas=REPLICAS) as where:
        return await roll(where, parts)


def main() -> int:
    """Exit code 1 where a request failed."""
    parser = argparse.ArgumentParser(prog="./dvor test rolling", description=__doc__)
    names = [*PARTS, "web"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--broker", choices=("rabbitmq", "kafka"), default="rabbitmq")
    options = parser.parse_args()
    try:
        made = asyncio.run(rolling(options.only, options.broker))
    except Missing as missing:
        print(missing)
        return 1
    print(made.table())
    return 1 if made.failed or made.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
